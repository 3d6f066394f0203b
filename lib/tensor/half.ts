/** float16 and bfloat16: conversions to and from float32, rounding to nearest even. */

import { numbersOf } from "../core/arguments.js";
import { isArray } from "../core/arrays.js";
import {
  type ArrayOf,
  allocate,
  Float16ArrayConstructor,
  type Float16ArrayIfKnown,
  type TensorArray,
} from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { typedArrayClass, typedArrayLength } from "../core/typed-array.js";

/** Where a 16-bit format keeps its exponent: `fractionBits` below it, `bias` added to it. */
interface HalfFormat {
  readonly fractionBits: number;
  readonly bias: number;
}

const FLOAT16: HalfFormat = { fractionBits: 10, bias: 15 };
const BFLOAT16: HalfFormat = { fractionBits: 7, bias: 127 };

/** What becomes a half: float64 is rounded once, not by way of float32. */
type Wide = Float32Array | Float64Array | readonly number[];

/**
 * Values as float16, in a `Float16Array` where the runtime has one and as bits in a `Uint16Array` elsewhere.
 * Like the other conversions it throws ERR_DTYPE or ERR_ARGUMENT for arrays that hold something else.
 */
export function toFloat16(values: Wide): Uint16Array | Float16ArrayIfKnown {
  if (Float16ArrayConstructor === undefined) return toFloat16Bits(values);
  return copy(wide("toFloat16", values), "float16");
}

/** The bits of each value as float16, on any runtime. */
export function toFloat16Bits(values: Wide): Uint16Array {
  return toBits(wide("toFloat16", values), FLOAT16);
}

/** Exact float32 values of float16 data. */
export function fromFloat16(data: Uint16Array | Float16ArrayIfKnown): Float32Array {
  checkClass("fromFloat16", "data to be a", data, ["Uint16Array", "Float16Array"]);
  if (typedArrayClass(data) === "Uint16Array") return fromBits(data as Uint16Array, FLOAT16);
  return copy(data, "float32");
}

/** The bits of each value as bfloat16; a NaN stays a NaN. */
export function toBfloat16(values: Wide): Uint16Array {
  return toBits(wide("toBfloat16", values), BFLOAT16);
}

/** Exact float32 values of bfloat16 bits. */
export function fromBfloat16(data: Uint16Array): Float32Array {
  checkClass("fromBfloat16", "data to be a", data, ["Uint16Array"]);
  return fromBits(data, BFLOAT16);
}

function wide(where: string, values: unknown): Float32Array | Float64Array {
  if (isArray(values)) return numbersOf(where, "values", values);
  const what = "values to be an array of numbers, a";
  checkClass(where, what, values, ["Float32Array", "Float64Array"]);
  return values as Float32Array;
}

function checkClass(where: string, what: string, data: unknown, classes: readonly string[]): void {
  const received = typedArrayClass(data);
  if (received !== undefined && classes.includes(received)) return;
  const code = received === undefined ? "ERR_ARGUMENT" : "ERR_DTYPE";
  throw expected(code, where, `${what} ${classes.join(" or ")}`, describe(data));
}

function copy<D extends "float16" | "float32">(values: TensorArray, dtype: D): ArrayOf<D> {
  const result = allocate(dtype, typedArrayLength(values));
  // Nothing can be set from a detached array.
  if (result.length > 0) result.set(values);
  return result;
}

const float64 = new Float64Array(1);
const highWord = new Uint32Array(float64.buffer, 4, 1);
/** Adding and taking away 2^52 leaves a double below it rounded to an integer, ties to even. */
const ROUNDER = 2 ** 52;

function toBits(values: Float32Array | Float64Array, format: HalfFormat): Uint16Array {
  const bits = allocate("bfloat16", typedArrayLength(values));
  for (let i = 0; i < bits.length; i++) bits[i] = encode(values[i] as number, format);
  return bits;
}

/** From the double itself: going through float32 would round some values twice. */
function encode(value: number, { fractionBits, bias }: HalfFormat): number {
  const infinity = (2 * bias + 1) << fractionBits;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (Number.isNaN(value)) return infinity | (1 << (fractionBits - 1));
  const magnitude = Math.abs(value);
  if (magnitude >= 2 ** (bias + 1)) return sign | infinity;
  // Below the smallest normal number the exponent stands still; a subnormal double is far below it too.
  float64[0] = magnitude;
  const exponent = Math.max(((highWord[0] as number) >>> 20) - 1023, 1 - bias);
  const fraction = magnitude * 2 ** (fractionBits - exponent) + ROUNDER - ROUNDER;
  // The fraction carries the implicit one, so a carry out of it moves to the next exponent, and the last one to Infinity.
  return sign | (((exponent + bias - 1) << fractionBits) + fraction);
}

function fromBits(bits: Uint16Array, { fractionBits, bias }: HalfFormat): Float32Array {
  const values = allocate("float32", typedArrayLength(bits));
  const one = 1 << fractionBits;
  const top = 2 * bias + 1;
  for (let i = 0; i < values.length; i++) {
    const word = bits[i] as number;
    const sign = word & 0x8000 ? -1 : 1;
    const biased = (word & 0x7fff) >>> fractionBits;
    const fraction = word & (one - 1);
    if (biased === top) values[i] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else if (biased === 0) values[i] = sign * fraction * 2 ** (1 - bias - fractionBits);
    else values[i] = sign * (one + fraction) * 2 ** (biased - bias - fractionBits);
  }
  return values;
}
