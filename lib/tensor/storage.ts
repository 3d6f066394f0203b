/** The memory behind a tensor: today the caller's own array, in host memory. */
import { types } from "node:util";
import { binding } from "../addon/load.js";
import type { Device } from "../core/device.js";
import type { ArrayOf, DType } from "../core/dtype.js";
import { expected, PapoError } from "../core/errors.js";
import { typedArrayLength } from "../core/typed-array.js";

/** Host memory that belongs to the caller: looked at, written where asked, never copied and never freed. */
export class HostStorage<D extends DType> {
  #data: ArrayOf<D> | undefined;
  readonly #length: number;

  constructor(where: string, name: string, data: ArrayOf<D>) {
    checkBuffer(where, name, data.buffer);
    this.#data = data;
    this.#length = typedArrayLength(data);
  }

  /** A detached buffer gives its views length 0, and so does a WebAssembly memory that has grown. */
  get disposed(): boolean {
    return this.#data === undefined || typedArrayLength(this.#data) !== this.#length;
  }

  /** Throws ERR_DISPOSED after `dispose()`, and where the buffer was detached. */
  data(where: string, name: string): ArrayOf<D> {
    const data = this.#data;
    if (data === undefined) {
      throw expected("ERR_DISPOSED", where, `${name} to be alive`, "a disposed tensor");
    }
    if (typedArrayLength(data) !== this.#length) {
      throw expected("ERR_DISPOSED", where, `${name} to hold its memory`, "a detached buffer");
    }
    return data;
  }

  dispose(): void {
    this.#data = undefined;
  }
}

/** Throws ERR_BUFFER for memory that may change its length or be written by another thread under a kernel. */
function checkBuffer(where: string, name: string, buffer: ArrayBufferLike): void {
  if (types.isSharedArrayBuffer(buffer)) {
    throw expected("ERR_BUFFER", where, `${name} to lie in an ArrayBuffer`, "a SharedArrayBuffer");
  }
  if ((buffer as { resizable?: boolean }).resizable === true) {
    const what = `${name} to lie in an ArrayBuffer of fixed length`;
    throw expected("ERR_BUFFER", where, what, "a resizable ArrayBuffer");
  }
}

/** Throws unless tensors can be made on `device`. */
export function checkDevice(where: string, device: Device): void {
  if (device === "cpu") return;
  const reason = binding().info().cudaUnavailable;
  if (reason === "") {
    throw new PapoError("ERR_UNSUPPORTED", `[${where}] tensors on ${device} are not built yet`);
  }
  throw new PapoError("ERR_DEVICE_UNAVAILABLE", `[${where}] ${device} is not available: ${reason}`);
}
