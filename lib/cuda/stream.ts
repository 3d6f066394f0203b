/** Streams: the order in which a device works. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { NativeStream } from "../addon/binding.js";
import { endAfterUse, inDeviceTurn } from "../addon/device-turns.js";
import { binding } from "../addon/load.js";
import { callNative, callNativeAsync } from "../addon/native-error.js";
import { readOptions } from "../core/arguments.js";
import type { CudaDevice } from "../core/device.js";
import { describe, expected } from "../core/errors.js";
import { availableDevice } from "./devices.js";

/** A stream of somebody else. */
export interface ForeignStream {
  /** The `cudaStream_t`; `0n` is the device's default stream. It is believed: a wrong one ends the process. */
  readonly pointer: bigint;
  /** Whatever must live for the stream to: it is held as long as the result and calls on it are. */
  readonly owner?: unknown;
}

/**
 * A queue of work on one device: what is in it happens in order, what is in different ones in any.
 *
 * Ops and copies inside `withStream` go into it. It ends with `dispose()`, with its `using` block, or when it is
 * collected; work that was given to it still runs.
 */
export class Stream {
  /** The device it belongs to. */
  readonly device: CudaDevice;
  /** Made by somebody else, who also destroys it. */
  readonly foreign: boolean;
  /** Gone once it was disposed of, and with it the owner of a foreign one. */
  #native: NativeStream | undefined;

  /**
   * A new stream, which does not wait for the default one; `wrapStream` gives one of somebody else.
   *
   * @throws PapoError ERR_ARGUMENT, ERR_DEVICE_UNAVAILABLE with the reason, ERR_CUDA
   */
  constructor(device: CudaDevice | "cuda" = "cuda", foreign?: ForeignStream) {
    const where = foreign === undefined ? "cuda.Stream" : "cuda.wrapStream";
    this.device = availableDevice(where, device);
    this.#native =
      foreign === undefined
        ? callNative(where, () => binding().createStream(this.device))
        : wrapped(where, this.device, foreign);
    this.foreign = foreign !== undefined;
    for (const fact of ["device", "foreign"]) {
      Object.defineProperty(this, fact, { writable: false, configurable: false });
    }
  }

  /** A stream is what has a native one: neither a proxy of one nor an object of its prototype has. */
  static [Symbol.hasInstance](value: unknown): value is Stream {
    return typeof value === "object" && value !== null && #native in value;
  }

  /** The `cudaStream_t`, for other native code. Throws ERR_DISPOSED after `dispose()`. */
  get pointer(): bigint {
    return binding().streamInfo(this.toNative("cuda.Stream.pointer")).pointer;
  }

  /** Whether it was disposed of. */
  get disposed(): boolean {
    return this.#native === undefined;
  }

  /** Waits until all work it was given is done. Throws ERR_DISPOSED, ERR_CUDA. */
  synchronize(): void {
    const where = "cuda.Stream.synchronize";
    const native = this.toNative(where);
    callNative(where, () => binding().synchronize(this.device, native));
  }

  /** The same off the event loop. */
  async synchronizeAsync(): Promise<void> {
    const where = "cuda.Stream.synchronizeAsync";
    const native = this.toNative(where);
    const wait = () => binding().synchronizeAsync(this.device, native);
    await inDeviceTurn([native], () => callNativeAsync(where, wait));
  }

  /** Lets go of the stream; every later use throws ERR_DISPOSED. A foreign one stays its maker's. */
  dispose(): void {
    const native = this.#native;
    this.#native = undefined;
    if (native !== undefined) endAfterUse(native, () => binding().destroyStream(native));
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * The stream as it crosses the bridge. Throws ERR_DISPOSED.
   *
   * @internal
   */
  toNative(where: string): NativeStream {
    checkStream(where, this);
    if (this.#native !== undefined) return this.#native;
    throw expected("ERR_DISPOSED", where, "the stream to be alive", "a disposed stream");
  }
}

function wrapped(where: string, device: CudaDevice, foreign: ForeignStream): NativeStream {
  const { pointer, owner } = readOptions(where, foreign, ["pointer", "owner"]);
  const address = checkPointer(where, pointer);
  return callNative(where, () => binding().wrapStream(device, address, owner));
}

/** An address of 64 bits. */
export function checkPointer(where: string, pointer: unknown): bigint {
  if (typeof pointer !== "bigint") {
    throw expected("ERR_ARGUMENT", where, "pointer to be a bigint", describe(pointer));
  }
  if (BigInt.asUintN(64, pointer) === pointer) return pointer;
  throw expected("ERR_RANGE", where, "pointer to be an address of 64 bits", describe(pointer));
}

/** Throws ERR_ARGUMENT for what is no stream. */
export function checkStream(where: string, stream: unknown): asserts stream is Stream {
  if (stream instanceof Stream) return;
  throw expected("ERR_ARGUMENT", where, "stream to be a cuda.Stream", describe(stream));
}

/** The stream for work on `device`, as it crosses the bridge; throws ERR_DEVICE_MISMATCH for that of another device. */
export function streamFor(
  where: string,
  device: CudaDevice,
  stream: Stream | undefined,
): NativeStream | undefined {
  if (stream === undefined) return undefined;
  checkStream(where, stream);
  if (stream.device === device) return stream.toNative(where);
  throw expected("ERR_DEVICE_MISMATCH", where, `a stream on ${device}`, `one on ${stream.device}`);
}

/** Options of `wrapStream`. */
export interface WrapStreamOptions extends ForeignStream {
  /** `"cuda"` if not said. */
  readonly device?: CudaDevice | "cuda";
}

/**
 * A stream of another library, to run ops in: `withStream(wrapStream({ pointer }), …)` needs no synchronisation with the
 * work that the library put there before.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_DEVICE_UNAVAILABLE with the reason
 */
export function wrapStream(options: WrapStreamOptions): Stream {
  const where = "cuda.wrapStream";
  const { device, ...foreign } = readOptions(where, options, ["pointer", "device", "owner"]);
  return new Stream(device, foreign);
}

/**
 * Waits for all work of a device, in every stream, other libraries' too.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_DEVICE_UNAVAILABLE with the reason, ERR_CUDA
 */
export function synchronize(device: CudaDevice | "cuda" = "cuda"): void {
  const where = "cuda.synchronize";
  const name = availableDevice(where, device);
  callNative(where, () => binding().synchronize(name));
}

/** The same off the event loop. */
export async function synchronizeAsync(device: CudaDevice | "cuda" = "cuda"): Promise<void> {
  const where = "cuda.synchronizeAsync";
  const name = availableDevice(where, device);
  await inDeviceTurn([], () => callNativeAsync(where, () => binding().synchronizeAsync(name)));
}
