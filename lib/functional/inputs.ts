/**
 * [rows] inputs in whatever form callers have them, brought to the one form the ops take. They are copied: they are few.
 * They lie on the host whatever device the logits are on; a tensor on a device is refused, never fetched in silence.
 */
import { numbersOf } from "../core/arguments.js";
import { arrayLength, isArray } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { type Shape, showShape } from "../core/shape.js";
import { innerArray } from "../core/slab.js";
import { typedArrayClass } from "../core/typed-array.js";
import { fromBfloat16, fromFloat16 } from "../tensor/half.js";
import { Tensor } from "../tensor/tensor.js";
import type { Layout } from "./layout.js";

/** One number per row: an array [rows], or a floating-point tensor [rows] or [sequences, tokens]. */
export type NumbersInput =
  | Float32Array
  | Float64Array
  | readonly number[]
  | Tensor<"float64" | "float32" | "float16" | "bfloat16", 1 | 2>;

/** 0 or 1, or a boolean, per row. */
export type MaskInput =
  | Int32Array
  | Uint8Array
  | Float32Array
  | Float64Array
  | readonly number[]
  | readonly boolean[]
  | Tensor<"int32" | "float32" | "float64", 1 | 2>;

/** The token sampled at each row. */
export type TokenIdsInput = Int32Array | BigInt64Array | readonly number[] | Tensor<"int32", 1 | 2>;

const FLOAT_ARRAYS = ["Float32Array", "Float64Array"];
const MASK_ARRAYS = ["Int32Array", "Uint8Array", ...FLOAT_ARRAYS];
const ID_ARRAYS = ["Int32Array", "BigInt64Array"];

/**
 * One number per row, float64. Whether they are finite is for the op to check, which knows the rows that count.
 * Throws ERR_ARGUMENT, ERR_DTYPE, ERR_SHAPE.
 */
export function numberRows(
  where: string,
  name: string,
  value: NumbersInput,
  rows: number,
): Float64Array {
  const values = rowValues(where, name, value, FLOAT_ARRAYS);
  checkRows(where, name, values, rows);
  return numbersOf(where, name, values);
}

/** The same for the argument that says how many rows there are. */
export function leadingNumberRows(where: string, name: string, value: NumbersInput): Float64Array {
  return numbersOf(where, name, rowValues(where, name, value, FLOAT_ARRAYS));
}

/** The same for an argument that may be left out. */
export function optionalNumberRows(
  where: string,
  name: string,
  value: NumbersInput | undefined,
  rows: number,
): Float64Array | undefined {
  return value === undefined ? undefined : numberRows(where, name, value, rows);
}

/** One advantage per row, from one per row or one per sequence. */
export function advantageRows(where: string, value: NumbersInput, layout: Layout): Float64Array {
  const values = rowValues(where, "advantages", value, FLOAT_ARRAYS);
  const { rows, sequences, offsets } = layout;
  const advantages = numbersOf(where, "advantages", values);
  const { length } = advantages;
  if (length !== rows && length !== sequences) {
    const what = `advantages [${rows}] for rows or [${sequences}] for sequences`;
    throw expected("ERR_SHAPE", where, what, `[${length}]`);
  }
  if (advantages.length === rows) return advantages;
  const spread = innerArray("float64", rows);
  for (let s = 0; s < sequences; s++) {
    spread.fill(advantages[s] as number, offsets[s], offsets[s + 1]);
  }
  return spread;
}

/** The mask as int32; anything but 0 and 1 throws ERR_RANGE. */
export function maskRows(
  where: string,
  name: string,
  value: MaskInput | undefined,
  rows: number,
): Int32Array | undefined {
  if (value === undefined) return undefined;
  const values = rowValues(where, name, value, MASK_ARRAYS);
  checkRows(where, name, values, rows);
  const mask = innerArray("int32", rows);
  for (let row = 0; row < rows; row++) {
    const bit = values[row];
    if (bit === 1 || bit === true) mask[row] = 1;
    else if (bit !== 0 && bit !== false) {
      throw expected("ERR_RANGE", where, `${name}[${row}] to be 0 or 1`, describe(bit));
    }
  }
  return mask;
}

/**
 * Token ids as int32. Rows with mask 0 may hold anything (padding is often −100) and become 0.
 * Whether an id is in the vocabulary is for the op to check.
 */
export function tokenIdRows(
  where: string,
  value: TokenIdsInput,
  rows: number,
  mask: Int32Array | undefined,
): Int32Array {
  const values = rowValues(where, "tokenIds", value, ID_ARRAYS);
  checkRows(where, "tokenIds", values, rows);
  const ids = innerArray("int32", rows);
  for (let row = 0; row < rows; row++) {
    if (mask?.[row] === 0) continue;
    const id: unknown = values[row];
    const number = typeof id === "bigint" ? Number(id) : id;
    if (typeof number === "number") ids[row] = number;
    if (ids[row] !== number) {
      const what = `tokenIds[${row}] to be an integer of 32 bits`;
      throw expected("ERR_RANGE", where, what, describe(id));
    }
  }
  return ids;
}

/** The shape of a [rows] argument: a tensor's own, otherwise one dimension; what is no array at all has no rows. */
export function shapeOf(value: TokenIdsInput | NumbersInput): Shape {
  return value instanceof Tensor ? value.shape : [arrayLength(value) ?? 0];
}

type RowValues = ArrayLike<number | bigint | boolean>;

/** The elements of an array or, without the padding of its pitch, of a tensor. */
function rowValues(
  where: string,
  name: string,
  value: unknown,
  arrays: readonly string[],
): RowValues {
  if (value instanceof Tensor) return tensorValues(where, name, value, arrays);
  if (isArray(value)) return value as RowValues;
  const arrayClass = typedArrayClass(value);
  if (arrayClass !== undefined && arrays.includes(arrayClass)) return value as RowValues;
  const what = `${name} to be a Tensor, an array of numbers, or a ${arrays.join(", ")}`;
  throw expected(
    arrayClass === undefined ? "ERR_ARGUMENT" : "ERR_DTYPE",
    where,
    what,
    describe(value),
  );
}

function tensorValues(
  where: string,
  name: string,
  tensor: Tensor,
  arrays: readonly string[],
): RowValues {
  const { shape, dtype, rows, columns, rowPitch } = tensor;
  if (shape.length < 1 || shape.length > 2) {
    throw expected("ERR_SHAPE", where, `${name} to have rank 1 or 2`, showShape(shape));
  }
  const integers = dtype === "int32";
  if (integers ? !arrays.includes("Int32Array") : !arrays.includes("Float32Array")) {
    const what = `${name} to hold ${integers ? "a floating-point dtype" : "int32"}`;
    throw expected("ERR_DTYPE", where, what, dtype);
  }
  const data = tensor.hostData(where, name);
  const values =
    dtype === "float16"
      ? fromFloat16(data as Uint16Array)
      : dtype === "bfloat16"
        ? fromBfloat16(data as Uint16Array)
        : data;
  if (rowPitch === columns) return values.subarray(0, rows * columns);
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns);
    return values[row * rowPitch + (i - row * columns)] as number;
  });
}

function checkRows(where: string, name: string, values: RowValues, rows: number): void {
  // An array may say something else of its length.
  const length = arrayLength(values);
  if (length === rows) return;
  const received = length === undefined ? describe(values) : `[${length}]`;
  throw expected("ERR_SHAPE", where, `${name} [${rows}]`, received);
}
