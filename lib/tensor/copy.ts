/** Copies of rows between memory of the host and of devices, and zeros in either. */
import type { NativeArea, NativeMemory } from "../addon/binding.js";
import { inDeviceTurn } from "../addon/device-turns.js";
import { binding } from "../addon/load.js";
import { callNative, callNativeAsync } from "../addon/native-error.js";
import type { CudaDevice, Device } from "../core/device.js";
import { bytesOf, type DType, type TensorArray } from "../core/dtype.js";
import { typedArrayBuffer, typedArrayByteOffset } from "../core/typed-array.js";
import { nativeStream } from "../cuda/current.js";
import { type Stream, streamFor } from "../cuda/stream.js";
import { inPieces } from "./pieces.js";

/** A tensor as the addon is told of it, and where it lies. */
export interface TensorArgument {
  readonly data: NativeMemory;
  /** Where the tensor begins in a buffer, a multiple of its element's size; typed arrays are views already. */
  readonly byteOffset: number;
  readonly dtype: DType;
  readonly rows: number;
  /** Columns that count; 1 for tensors of rank 1. */
  readonly columns: number;
  /** Elements from one row to the next, at least `columns`. */
  readonly rowPitch: number;
  readonly device: Device;
}

/** Makes one of an array: all have one form, which the engine of JavaScript reads fastest. */
export function tensorArgument(
  data: TensorArray,
  byteOffset: number,
  dtype: DType,
  rows: number,
  columns: number,
  rowPitch: number,
): TensorArgument {
  return { data, byteOffset, dtype, rows, columns, rowPitch, device: "cpu" };
}

type Arguments = Parameters<ReturnType<typeof binding>["copy"]>;

/**
 * Copies the elements of one tensor to another of its shape and dtype, and is done when it returns.
 *
 * @param stream  of a device that takes part; if not said the one in force there
 */
export function copyRows(
  where: string,
  from: TensorArgument,
  to: TensorArgument,
  stream?: Stream,
): void {
  const args = argumentsOf(where, from, to, stream);
  if (args === undefined) copyOnHost(from, to);
  else callNative(where, () => binding().copy(...args));
}

/**
 * The same off the event loop; between two arrays of the host in pieces, on it.
 *
 * @param tensors  gives from and to as they are now; throws where one of them has gone
 */
export async function copyRowsAsync(
  where: string,
  tensors: () => readonly [from: TensorArgument, to: TensorArgument],
  stream?: Stream,
): Promise<void> {
  const [from, to] = tensors();
  const args = argumentsOf(where, from, to, stream);
  if (args !== undefined) {
    const copy = () => callNativeAsync(where, () => binding().copyAsync(...args));
    return inDeviceTurn([from.data, to.data, args[4]], copy);
  }
  await inPieces(runsOf(from, to), undefined, (row, begin, length) => {
    const [source, target] = tensors();
    bytesIn(target, row, begin, length).set(bytesIn(source, row, begin, length));
  });
}

/** Sets the elements of rows `begin` to `end` to 0; what lies between rows stays. */
export function clearRows(
  where: string,
  tensor: TensorArgument,
  begin: number = 0,
  end: number = tensor.rows,
): void {
  const part = rowsOf(tensor, begin, end);
  const { rows, rowBytes, pitchBytes } = runsOf(part);
  if (rows === 0) return;
  const { data, byteOffset, device } = part;
  if (device === "cpu") {
    for (let row = 0; row < rows; row++) bytesIn(part, row, 0, rowBytes).fill(0);
    return;
  }
  const stream = nativeStream(where, device);
  const area = { data, byteOffset, pitchBytes };
  callNative(where, () => binding().clear(area, rows, rowBytes, stream));
}

/**
 * The same for memory of the host, in pieces between which the event loop goes on.
 *
 * @param tensor  gives it as it is now; throws where it has gone
 */
export async function clearHostRows(
  tensor: () => TensorArgument,
  begin: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const part = () => rowsOf(tensor(), begin, end);
  await inPieces(runsOf(part()), signal, (row, at, length) => {
    bytesIn(part(), row, at, length).fill(0);
  });
}

function rowsOf(tensor: TensorArgument, begin: number, end: number): TensorArgument {
  const byteOffset = tensor.byteOffset + begin * tensor.rowPitch * bytesOf(tensor.dtype);
  return { ...tensor, byteOffset, rows: end - begin };
}

/** A copy as the addon takes it; undefined where there is nothing to do, or nothing that the host does not do itself. */
function argumentsOf(
  where: string,
  from: TensorArgument,
  to: TensorArgument,
  stream: Stream | undefined,
): Arguments | undefined {
  const device = deviceOf(from) ?? deviceOf(to);
  if (device === undefined || from.rows === 0 || from.columns === 0) return undefined;
  const runs = runsOf(from, to);
  const area = ({ data, byteOffset, rowPitch, dtype }: TensorArgument): NativeArea => {
    const pitchBytes = runs.rows === 1 ? runs.rowBytes : rowPitch * bytesOf(dtype);
    return { data, byteOffset, pitchBytes };
  };
  const native = streamFor(where, device, stream) ?? nativeStream(where, device);
  return [area(from), area(to), runs.rows, runs.rowBytes, ...(native ? [native] : [])] as Arguments;
}

function deviceOf({ device }: TensorArgument): CudaDevice | undefined {
  return device === "cpu" ? undefined : device;
}

/** Runs of bytes that cover the elements of all tensors, which share one shape: one run where none has gaps. */
function runsOf(...tensors: readonly [TensorArgument, ...TensorArgument[]]) {
  const [{ rows, columns, rowPitch, dtype }] = tensors;
  const bytes = bytesOf(dtype);
  const none = rows === 0 || columns === 0;
  const whole = none || tensors.every((tensor) => tensor.rowPitch === columns);
  return whole
    ? { rows: none ? 0 : 1, rowBytes: rows * columns * bytes, pitchBytes: rows * columns * bytes }
    : { rows, rowBytes: columns * bytes, pitchBytes: rowPitch * bytes };
}

function copyOnHost(from: TensorArgument, to: TensorArgument): void {
  const { rows, rowBytes } = runsOf(from, to);
  for (let row = 0; row < rows; row++) {
    bytesIn(to, row, 0, rowBytes).set(bytesIn(from, row, 0, rowBytes));
  }
}

/**
 * Some bytes of a row, from its byte `begin` on; what is one run is row 0. Bytes and not elements: a float16 tensor may
 * lie in a Uint16Array or a Float16Array, which convert into each other.
 */
function bytesIn(tensor: TensorArgument, row: number, begin: number, length: number): Uint8Array {
  const data = tensor.data as TensorArray;
  const first = tensor.byteOffset + row * tensor.rowPitch * bytesOf(tensor.dtype) + begin;
  return new Uint8Array(typedArrayBuffer(data), typedArrayByteOffset(data) + first, length);
}
