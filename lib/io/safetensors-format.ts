/**
 * The safetensors format in types: its data types, the arrays that carry them, and its sizes.
 *
 * A file is 8 bytes with the header's length N (little-endian), N bytes of JSON, and the tensors' bytes back to back.
 * Source: https://huggingface.co/docs/safetensors, and `safetensors/src/tensor.rs` for what is rejected.
 */
import { describe, expected, PapoError } from "../core/errors.js";
import { printable } from "../core/printable.js";
import type { Shape } from "../core/shape.js";
import {
  typedArrayBuffer,
  typedArrayByteOffset,
  typedArrayClass,
  typedArrayLength,
} from "../core/typed-array.js";

/** What every message of this room begins with. */
export const WHERE = "safetensors";

/** The data types that papo reads and writes, and the arrays that carry them. */
export interface SafetensorsArrays {
  F64: Float64Array;
  F32: Float32Array;
  F16: Uint16Array;
  BF16: Uint16Array;
  I64: BigInt64Array;
  I32: Int32Array;
  U8: Uint8Array;
  BOOL: Uint8Array;
}
/** The name of an element type in a safetensors file, of those that papo reads and writes. */
export type SafetensorsDType = keyof SafetensorsArrays;
/** The typed array that carries a tensor of a safetensors file; F16 and BF16 are their bits. */
export type SafetensorsArray = SafetensorsArrays[SafetensorsDType];

type ArrayConstructor = new (
  buffer: ArrayBuffer,
  byteOffset: number,
  length: number,
) => SafetensorsArray;

/** Array class and bytes of one element. A Float16Array is taken for F16 too, where the runtime has one. */
const DTYPES: Readonly<Record<SafetensorsDType, { array: ArrayConstructor; bytes: number }>> = {
  F64: { array: Float64Array, bytes: 8 },
  F32: { array: Float32Array, bytes: 4 },
  F16: { array: Uint16Array, bytes: 2 },
  BF16: { array: Uint16Array, bytes: 2 },
  I64: { array: BigInt64Array, bytes: 8 },
  I32: { array: Int32Array, bytes: 4 },
  U8: { array: Uint8Array, bytes: 1 },
  BOOL: { array: Uint8Array, bytes: 1 },
};

/** A tensor as the header describes it. */
export interface SafetensorsInfo<D extends SafetensorsDType = SafetensorsDType> {
  /** Element type. */
  readonly dtype: D;
  /** Sizes of the dimensions, outermost first; empty for a scalar. */
  readonly shape: Shape;
  /** First byte and the byte after the last, counted from the end of the header. */
  readonly offsets: readonly [number, number];
}

/** The format's own limit of the header, in bytes. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Beyond this many tensors, or words of metadata, a header is no model's, and its names would take gigabytes. */
export const MAX_NAMES: number = 2 ** 20;

/** Dimensions of a tensor: as many as an array of numpy has at most. */
export const MAX_DIMENSIONS = 64;

/** Bytes before the header: its length. */
export const LENGTH_BYTES = 8;

export function isSafetensorsDType(value: unknown): value is SafetensorsDType {
  return typeof value === "string" && Object.hasOwn(DTYPES, value);
}

/** All names, as messages list them. */
export const DTYPE_NAMES: string = Object.keys(DTYPES).join(", ");

export function bytesPerElement(dtype: SafetensorsDType): number {
  return DTYPES[dtype].bytes;
}

/** Elements of a tensor; NaN where their count, or a part of the product, is 2^53 or more. */
export function elementsOf(shape: Shape): number {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    // Not only at the end: a 0 that follows would hide it.
    if (!Number.isSafeInteger(elements)) return Number.NaN;
  }
  return elements;
}

/** Rows and columns of a tensor: the last dimension is the columns where there are two or more dimensions. */
export function rowsAndColumns(shape: Shape): { rows: number; columns: number } {
  const columns = shape.length >= 2 ? (shape.at(-1) as number) : 1;
  const outer = shape.length >= 2 ? shape.slice(0, -1) : shape;
  return { rows: outer.reduce((rows, size) => rows * size, 1), columns };
}

/** A fresh array of `length` elements; ERR_OUT_OF_MEMORY where there is no room. */
export function allocateArray(dtype: SafetensorsDType, length: number): SafetensorsArray {
  const { array, bytes } = DTYPES[dtype];
  try {
    return new array(new ArrayBuffer(length * bytes), 0, length);
  } catch (cause) {
    const message = `[${WHERE}] expected memory for ${length} elements of ${dtype}, received none`;
    throw new PapoError("ERR_OUT_OF_MEMORY", message, { cause });
  }
}

/** The bytes under a typed array that carries `dtype`; ERR_DTYPE for any other value. */
export function bytesOf(name: string, dtype: SafetensorsDType, data: unknown): Uint8Array {
  const wanted = DTYPES[dtype].array.name;
  const received = typedArrayClass(data);
  if (received !== wanted && !(dtype === "F16" && received === "Float16Array")) {
    const what = `a ${wanted} for ${dtype} tensor ${show(name)}`;
    throw expected("ERR_DTYPE", WHERE, what, describe(data));
  }
  const view = data as SafetensorsArray;
  const bytes = typedArrayLength(view) * bytesPerElement(dtype);
  try {
    return new Uint8Array(typedArrayBuffer(view), typedArrayByteOffset(view), bytes);
  } catch (cause) {
    const message = `[${WHERE}] expected memory for tensor ${show(name)}, received a detached buffer`;
    throw new PapoError("ERR_DISPOSED", message, { cause });
  }
}

/** A name from a file, quoted, with what a terminal would obey escaped, and at most 60 characters of it. */
export function show(name: unknown): string {
  if (typeof name !== "string") return describe(name);
  return printable(JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name));
}

/** The names of a file for a message: the first of them where there are many. */
export function showAll(names: Iterable<string>): string {
  const all = [...names];
  return all.slice(0, 12).map(show).join(", ") + (all.length > 12 ? ", …" : "");
}

/** ERR_FILE that names the file: what it should hold, and what it holds instead. */
export function fileError(
  path: string,
  what: string,
  received: string,
  cause?: unknown,
): PapoError {
  const message = printable(`[${WHERE}: ${path}] expected ${what}, received ${received}`);
  return new PapoError("ERR_FILE", message, cause === undefined ? undefined : { cause });
}
