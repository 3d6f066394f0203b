/** The contract between the two banks: what `native/addon` exports, written by hand. */
import type { DType, TensorArray } from "../core/dtype.js";

declare const kind: unique symbol;

/** Memory of a device, released when nobody holds it: neither this object, nor a call that runs. `free` lets go at once. */
export interface NativeBuffer {
  readonly [kind]: "buffer";
}
/** A stream of a device: ours, or somebody else's. */
export interface NativeStream {
  readonly [kind]: "stream";
}
/** A mark in a stream, with the time at which it was passed. */
export interface NativeEvent {
  readonly [kind]: "event";
}

/** Where the elements of tensors lie. */
export type NativeMemory = TensorArray | NativeBuffer;

/** Of what describes a tensor in a call; see `Binding.run`. */
export const NUMBERS_OF_A_TENSOR = 6;

export interface NativeTensorSpec {
  /** As the op's call has it, in snake case. */
  readonly name: string;
  /** Element types that are taken; all inputs of logits share one. */
  readonly dtypes: readonly DType[];
  /** What the dimensions are: `["rows", "vocab"]`, `["rows"]`, or a fixed count of named lines such as `["8", "rows"]`. */
  readonly shape: readonly string[];
  /** Whether a call without it is refused. */
  readonly required: boolean;
  /** Names of the lines of a `[k, rows]` matrix. */
  readonly lines: readonly string[];
}

export interface NativeAttributeSpec {
  /** As the op's call has it, in snake case. */
  readonly name: string;
  /** A number, or a word of `choices`. */
  readonly kind: "number" | "choice";
  /** The words of a choice; empty for a number. */
  readonly choices: readonly string[];
  /** Its value where a call does not say it. */
  readonly default: number | string;
}

export interface NativeOpSpec {
  /** The op's name, in snake case. */
  readonly name: string;
  /** Tensors that it reads. */
  readonly inputs: readonly NativeTensorSpec[];
  /** Tensors that it writes. */
  readonly outputs: readonly NativeTensorSpec[];
  /** Numbers and words that say how. */
  readonly attributes: readonly NativeAttributeSpec[];
}

export interface NativeDeviceInfo {
  /** `"cuda:0"`. */
  readonly device: string;
  /** The maker's name of it. */
  readonly name: string;
  /** `"9.0"`. */
  readonly computeCapability: string;
  /** Multiprocessors. */
  readonly multiprocessors: number;
  /** Bytes of its memory, free or not. */
  readonly memoryBytes: number;
  /** Bytes of its second cache. */
  readonly l2Bytes: number;
}

/** CUDA as this binary and this machine have it. */
export interface NativeCudaInfo {
  /** Whether this binary has the CUDA engine. */
  readonly built: boolean;
  /** `"13.0"`: what was compiled in, and the newest that the driver supports; `""` where there is none. */
  readonly runtimeVersion: string;
  /** CUDA version of the driver, such as "13.0"; "" without one. */
  readonly driverVersion: string;
  /** Why there is no device, as a clause; `""` where there is one. */
  readonly unavailable: string;
  /** One entry per device, `cuda:0` first. */
  readonly devices: readonly NativeDeviceInfo[];
}

export interface NativeInfo {
  /** Version of the package that the binary was built from. */
  readonly version: string;
  /** Node-API version that the binary was built for. */
  readonly napiVersion: number;
  /** Compiler and its version. */
  readonly compiler: string;
  /** Active instruction set and all those this binary and this processor share, best first. */
  readonly isa: string;
  /** All instruction sets that this binary and this processor share, best first. */
  readonly isas: readonly string[];
  /** Threads the pool uses, the caller's included. */
  readonly threads: number;
  /** CUDA as this binary and this machine have it. */
  readonly cuda: NativeCudaInfo;
  /** In the order of their numbers in a call. */
  readonly dtypes: readonly DType[];
  /** In the order of their index in a call. */
  readonly ops: readonly NativeOpSpec[];
}

export interface NativeBufferInfo {
  readonly device: string;
  readonly bytes: number;
  /** The address on the device; `0n` once freed. */
  readonly pointer: bigint;
  readonly freed: boolean;
  /** Wrapped, not allocated by us. */
  readonly foreign: boolean;
}

export interface NativeStreamInfo {
  readonly device: string;
  /** The `cudaStream_t`; `0n` once destroyed, and for the device's default stream. */
  readonly pointer: bigint;
  readonly foreign: boolean;
  readonly destroyed: boolean;
}

export interface NativeMemoryInfo {
  /** Bytes that nobody has. */
  readonly freeBytes: number;
  /** Bytes there are. */
  readonly totalBytes: number;
}

/** Rows of bytes in a typed array or a buffer: the first begins at `byteOffset`, `pitchBytes` lie from one to the next. */
export interface NativeArea {
  readonly data: NativeMemory;
  readonly byteOffset: number;
  readonly pitchBytes: number;
}

/**
 * Memory, streams and events of devices. `device` is a CUDA device in full (`"cuda:0"`): ERR_DEVICE_UNAVAILABLE, with the
 * reason, where it is not there. A stream left out is the device's default stream.
 *
 * What was freed or destroyed is refused (ERR_DISPOSED), except by `free…`, `destroy…` and `…Info`; calls that run keep
 * what they use. What has a device must be on that of the call (ERR_DEVICE_MISMATCH). Sizes are safe integers.
 */
export interface DeviceBinding {
  /** Uninitialised. ERR_OUT_OF_MEMORY says how much was asked for and how much is free. */
  allocate(device: string, bytes: number): NativeBuffer;
  /** Over memory of somebody else, who frees it: not before `owner`, which lives as long as the buffer, is let go. */
  wrapPointer(device: string, pointer: bigint, bytes: number, owner: unknown): NativeBuffer;
  bufferInfo(buffer: NativeBuffer): NativeBufferInfo;
  /** Lets go of the memory at once (a call that runs keeps it until it ends). Freeing it again does nothing. */
  free(buffer: NativeBuffer): void;
  /** Zero-filled page-locked memory, which copies reach without a detour. ERR_UNSUPPORTED where the runtime forbids such buffers. */
  allocatePinned(bytes: number): ArrayBuffer;
  memoryInfo(device: string): NativeMemoryInfo;

  /** Copies `rows` runs of `rowBytes` from or to a device (or both), in stream order, and waits for it. */
  copy(
    from: NativeArea,
    to: NativeArea,
    rows: number,
    rowBytes: number,
    stream?: NativeStream,
  ): void;
  /** The same off the event loop. Typed arrays must stay attached and untouched until the promise settles. */
  copyAsync(
    from: NativeArea,
    to: NativeArea,
    rows: number,
    rowBytes: number,
    stream?: NativeStream,
  ): Promise<void>;
  /** Zeros on a device, in stream order, and waits for it. */
  clear(area: NativeArea, rows: number, rowBytes: number, stream?: NativeStream): void;

  /** A stream that does not wait for the default one. */
  createStream(device: string): NativeStream;
  /** A `cudaStream_t` of somebody else, who destroys it: not before `owner`, which lives as long as this object, is let go. */
  wrapStream(device: string, pointer: bigint, owner: unknown): NativeStream;
  streamInfo(stream: NativeStream): NativeStreamInfo;
  /** Work that was given to it still runs. Destroying it again does nothing. */
  destroyStream(stream: NativeStream): void;
  /** Waits for the work of one stream; without one, for all work of the device. */
  synchronize(device: string, stream?: NativeStream): void;
  synchronizeAsync(device: string, stream?: NativeStream): Promise<void>;

  createEvent(device: string): NativeEvent;
  recordEvent(event: NativeEvent, stream?: NativeStream): void;
  /** What `stream` is given from now on waits for the event; undefined is the default stream of the event's device. */
  waitEvent(stream: NativeStream | undefined, event: NativeEvent): void;
  /** Whether all work before the event's last record is done; true for one that was never recorded. */
  queryEvent(event: NativeEvent): boolean;
  synchronizeEvent(event: NativeEvent): void;
  synchronizeEventAsync(event: NativeEvent): Promise<void>;
  /** Milliseconds between two recorded events of one device that have passed. */
  elapsed(begin: NativeEvent, end: NativeEvent): number;
  destroyEvent(event: NativeEvent): void;
}

/** What the `.node` file exports. Errors it throws carry `code` (a PapoErrorCode) and, where they name one, `row`. */
export interface Binding extends DeviceBinding {
  /** Version of the package that it was built from, known without starting anything; older builds lack it. */
  readonly version?: string;
  /** Once per process, before the first op: size of the thread pool. Later calls do nothing. Returns the size in force. */
  configure(threads: number): number;
  info(): NativeInfo;
  /**
   * Runs the op of an index in `info().ops`, and returns when it has finished, on a device as on the CPU.
   *
   * `numbers` describes every tensor of the spec, inputs first, in NUMBERS_OF_A_TENSOR numbers: which of `memory` it
   * lies in (-1: the tensor is absent), the byte it begins at there, its dtype, rows, columns (1 of a vector) and the
   * elements from one row to the next. Then one number for every attribute: its value, or the index of a choice.
   * No property of any argument is read, so no JavaScript runs in between; `numbers` may be used again at once.
   *
   * Calls without tensors on a device ignore `stream`.
   */
  run(
    op: number,
    numbers: Float64Array,
    stream: NativeStream | undefined,
    ...memory: readonly NativeMemory[]
  ): void;
  /**
   * The same off the event loop. The memory of every typed array must stay attached until the promise settles.
   * `cancel[0]` set to non-zero makes it stop at the next block of rows and reject with code `"ERR_ABORTED"`.
   */
  runAsync(
    op: number,
    numbers: Float64Array,
    stream: NativeStream | undefined,
    cancel: Int32Array | undefined,
    ...memory: readonly NativeMemory[]
  ): Promise<void>;
  /** In a worker of Node: its calls stop when it is terminated. False where the runtime refuses what that takes. */
  watchEnd(): boolean;
  /** Asynchronous calls of other threads of JavaScript in this process that have not settled. */
  asyncCallsElsewhere(): number;
}
