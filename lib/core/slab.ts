/**
 * Small arrays for what stays inside the library, side by side in shared buffers.
 *
 * A small typed array has no buffer until somebody asks for its address, and then making one takes longer than a small
 * call of an op. Whoever could reach such an array could detach its neighbours, so none may be handed to a caller.
 */
import { allocate } from "./dtype.js";

const SLAB_BYTES = 2 ** 14;
/** Larger arrays have a buffer of their own anyway. */
const MOST_BYTES = 2 ** 10;
/** Where any element may begin. */
const ALIGNMENT = 8;

/** A buffer and all of it as arrays. */
interface Slab {
  readonly buffer: ArrayBuffer;
  readonly float64: Float64Array;
  readonly int32: Int32Array;
}

let slab: Slab | undefined;
let used = 0;
/** Those of `OwnSlab`. */
const ownSlabs = new WeakMap<ArrayBufferLike, Slab>();

/** A zero-filled array that never leaves the library; throws ERR_OUT_OF_MEMORY where there is no room for it. */
export function innerArray(dtype: "float64", length: number): Float64Array;
export function innerArray(dtype: "int32", length: number): Int32Array;
export function innerArray(dtype: "float64" | "int32", length: number): Float64Array | Int32Array {
  const bytes = Math.ceil((length * (dtype === "float64" ? 8 : 4)) / ALIGNMENT) * ALIGNMENT;
  if (!(bytes <= MOST_BYTES)) return allocate(dtype, length);
  // Memory is never used twice, so it is zero, and what a call still works on is nobody else's.
  if (slab === undefined || used + bytes > SLAB_BYTES) {
    const buffer = new ArrayBuffer(SLAB_BYTES);
    slab = { buffer, float64: new Float64Array(buffer), int32: new Int32Array(buffer) };
    used = 0;
  }
  const begin = used;
  used += bytes;
  return dtype === "float64"
    ? new Float64Array(slab.buffer, begin, length)
    : new Int32Array(slab.buffer, begin, length);
}

/**
 * Where an array of the library lies: the whole slab and the byte where the array begins, or the array itself. Calls of
 * ops take a few memories in place of many arrays.
 */
export function placeOf(array: Float64Array | Int32Array): {
  readonly data: Float64Array | Int32Array;
  readonly byteOffset: number;
} {
  const { buffer } = array;
  const found = buffer === slab?.buffer ? slab : ownSlabs.get(buffer);
  if (found === undefined) return { data: array, byteOffset: 0 };
  const data = array instanceof Int32Array ? found.int32 : found.float64;
  return { data, byteOffset: array.byteOffset };
}

/**
 * A buffer for the arrays of one call that is made again and again, of whatever length: they stay side by side as long
 * as it is made. Like `innerArray`'s they must never leave the library.
 */
export class OwnSlab {
  readonly #slab: Slab;
  /** Elements of 8 bytes that were given out from the front, and of 4 bytes from the back. */
  #front = 0;
  #back = 0;

  /** Room for so many numbers of each dtype. Throws ERR_OUT_OF_MEMORY. */
  constructor(float64s: number, int32s: number) {
    const float64 = allocate("float64", float64s + Math.ceil(int32s / 2));
    const buffer = float64.buffer as ArrayBuffer;
    this.#slab = { buffer, float64, int32: new Int32Array(buffer) };
    ownSlabs.set(buffer, this.#slab);
  }

  float64(length: number): Float64Array {
    const begin = this.#front;
    this.#front += length;
    return this.#slab.float64.subarray(begin, this.#front);
  }

  int32(length: number): Int32Array {
    const { int32 } = this.#slab;
    this.#back += length;
    const begin = int32.length - this.#back;
    return int32.subarray(begin, begin + length);
  }
}
