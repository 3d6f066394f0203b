/** The stream in force: bound to a call and what it awaits, one for each device. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { NativeStream } from "../addon/binding.js";
import { checkFunction } from "../core/arguments.js";
import type { CudaDevice } from "../core/device.js";
import { parseCudaDevice } from "../core/device.js";
import { checkStream, type Stream } from "./stream.js";

const inForce = new AsyncLocalStorage<ReadonlyMap<CudaDevice, Stream>>();

/**
 * Runs `f`, and what it awaits, with `stream` in force on its device: ops and copies there wait for what the stream was
 * given before, and are done when they return. Other devices keep their streams.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_DISPOSED
 */
export function withStream<T>(stream: Stream, f: () => T): T {
  const where = "cuda.withStream";
  checkStream(where, stream);
  stream.toNative(where);
  checkFunction(where, "f", f);
  return inForce.run(new Map(inForce.getStore()).set(stream.device, stream), f);
}

/** The stream in force on a device; undefined for the device's default stream. Throws ERR_ARGUMENT. */
export function currentStream(device: CudaDevice | "cuda" = "cuda"): Stream | undefined {
  const name = parseCudaDevice("cuda.currentStream", device);
  return inForce.getStore()?.get(name);
}

/** The stream in force as it crosses the bridge. Throws ERR_DISPOSED where it was disposed meanwhile. */
export function nativeStream(where: string, device: CudaDevice): NativeStream | undefined {
  return inForce.getStore()?.get(device)?.toNative(where);
}
