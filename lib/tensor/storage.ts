/** The memory behind a tensor: the caller's own array on the host, or memory of a device. */
import { types } from "node:util";
import type { NativeBuffer } from "../addon/binding.js";
import { endAfterUse } from "../addon/device-turns.js";
import { binding } from "../addon/load.js";
import { callNative } from "../addon/native-error.js";
import type { CudaDevice, Device } from "../core/device.js";
import type { ArrayOf, DType } from "../core/dtype.js";
import { expected } from "../core/errors.js";
import { isResizable, plainView, typedArrayBuffer, typedArrayLength } from "../core/typed-array.js";

/** Bytes from `begin` up to `end`, in an array's buffer or among the addresses of a device. */
export interface Span {
  /** The buffer, or the device. */
  readonly space: object | Device;
  /** First byte. */
  readonly begin: number | bigint;
  /** Byte after the last. */
  readonly end: number | bigint;
}

/** Memory as it crosses the bridge; a typed array is a view already. */
export interface NativeMemory<D extends DType = DType> {
  readonly data: ArrayOf<D> | NativeBuffer;
  readonly byteOffset: number;
}

/** Host memory that belongs to the caller: looked at, written where asked, never copied and never freed. */
export class HostStorage<D extends DType> {
  readonly device = "cpu";
  #data: ArrayOf<D> | undefined;
  #plain: ArrayOf<D> | undefined;
  readonly #length: number;

  constructor(where: string, name: string, data: ArrayOf<D>) {
    checkBuffer(where, name, typedArrayBuffer(data));
    this.#data = data;
    this.#length = typedArrayLength(data);
  }

  /** A detached buffer gives its views length 0, and so does a WebAssembly memory that has grown. */
  get disposed(): boolean {
    return this.#data === undefined || typedArrayLength(this.#data) !== this.#length;
  }

  /** The caller's own array. Throws ERR_DISPOSED after `dispose()`, and where the buffer was detached. */
  data(where: string, name: string): ArrayOf<D> {
    const data = this.#data;
    if (data === undefined) throw disposedError(where, name);
    if (typedArrayLength(data) !== this.#length) {
      throw expected("ERR_DISPOSED", where, `${name} to hold its memory`, "a detached buffer");
    }
    return data;
  }

  /** The same memory to read and write: an array may be of a class of the caller's, which has methods of its own. */
  plain(where: string, name: string): ArrayOf<D> {
    const data = this.data(where, name);
    this.#plain ??= plainView(data);
    return this.#plain;
  }

  native(where: string, name: string): NativeMemory<D> {
    return { data: this.data(where, name), byteOffset: 0 };
  }

  span(where: string, name: string): Span {
    const { buffer, byteOffset, byteLength } = this.plain(where, name);
    return { space: buffer, begin: byteOffset, end: byteOffset + byteLength };
  }

  dispose(): void {
    this.#data = undefined;
    this.#plain = undefined;
  }
}

/** What all storages of one piece of device memory share. */
interface DeviceMemory {
  readonly pointer: bigint;
  /** Gone once it was freed. */
  buffer: NativeBuffer | undefined;
}

/**
 * Memory of a device, or a part of it. The storage that brought it here frees it, and its views end with that; where
 * nobody disposes of anything, the memory goes with the last of them that is collected.
 */
export class DeviceStorage {
  readonly device: CudaDevice;
  /** Bytes it has. */
  readonly bytes: number;
  readonly #byteOffset: number;
  readonly #isOwner: boolean;
  #memory: DeviceMemory | undefined;

  private constructor(
    device: CudaDevice,
    memory: DeviceMemory,
    bytes: number,
    byteOffset: number,
    isOwner: boolean,
  ) {
    this.device = device;
    this.bytes = bytes;
    this.#byteOffset = byteOffset;
    this.#isOwner = isOwner;
    this.#memory = memory;
  }

  /** Fresh memory, uninitialised. Throws ERR_OUT_OF_MEMORY, which says how much there is. */
  static allocate(where: string, device: CudaDevice, bytes: number): DeviceStorage {
    if (!Number.isSafeInteger(bytes)) {
      const what = `${bytes} bytes of memory on ${device}`;
      throw expected("ERR_OUT_OF_MEMORY", where, what, "more than can be counted");
    }
    const memory = memoryOf(where, () => binding().allocate(device, bytes));
    return new DeviceStorage(device, memory, bytes, 0, true);
  }

  /** Memory of somebody else, which `owner` keeps. */
  static wrap(
    where: string,
    device: CudaDevice,
    pointer: bigint,
    bytes: number,
    owner: unknown,
  ): DeviceStorage {
    const memory = memoryOf(where, () => binding().wrapPointer(device, pointer, bytes, owner));
    return new DeviceStorage(device, memory, bytes, 0, true);
  }

  static is(value: unknown): value is DeviceStorage {
    return typeof value === "object" && value !== null && #memory in value;
  }

  get disposed(): boolean {
    return this.#memory?.buffer === undefined;
  }

  native(where: string, name: string): NativeMemory & { readonly data: NativeBuffer } {
    const data = this.#memory?.buffer;
    if (data === undefined) throw disposedError(where, name);
    return { data, byteOffset: this.#byteOffset };
  }

  /** Address of the first byte. Throws ERR_DISPOSED. */
  pointer(where: string, name: string): bigint {
    this.native(where, name);
    return (this.#memory as DeviceMemory).pointer + BigInt(this.#byteOffset);
  }

  span(where: string, name: string): Span {
    const begin = this.pointer(where, name);
    return { space: this.device, begin, end: begin + BigInt(this.bytes) };
  }

  /** Bytes `begin` up to `end` of the same memory. */
  view(where: string, name: string, [begin, end]: readonly [number, number]): DeviceStorage {
    this.native(where, name);
    const memory = this.#memory as DeviceMemory;
    const byteOffset = this.#byteOffset + begin;
    return new DeviceStorage(this.device, memory, end - begin, byteOffset, false);
  }

  dispose(): void {
    const memory = this.#memory;
    this.#memory = undefined;
    if (!this.#isOwner || memory?.buffer === undefined) return;
    const { buffer } = memory;
    memory.buffer = undefined;
    endAfterUse(buffer, () => binding().free(buffer));
  }
}

function memoryOf(where: string, make: () => NativeBuffer): DeviceMemory {
  const buffer = callNative(where, make);
  return { buffer, pointer: binding().bufferInfo(buffer).pointer };
}

function disposedError(where: string, name: string): Error {
  return expected("ERR_DISPOSED", where, `${name} to be alive`, "a disposed tensor");
}

/** Throws ERR_BUFFER for memory that may change its length or be written by another thread under a kernel. */
function checkBuffer(where: string, name: string, buffer: ArrayBufferLike): void {
  if (types.isSharedArrayBuffer(buffer)) {
    throw expected("ERR_BUFFER", where, `${name} to lie in an ArrayBuffer`, "a SharedArrayBuffer");
  }
  if (isResizable(buffer)) {
    const what = `${name} to lie in an ArrayBuffer of fixed length`;
    throw expected("ERR_BUFFER", where, what, "a resizable ArrayBuffer");
  }
}
