/** Data types: their names, sizes, and the typed arrays that carry them. */
import { describe, expected, PapoError } from "./errors.js";
import { typedArrayClass } from "./typed-array.js";

/** Names of the element types. `float16` and `bfloat16` are the storage formats IEEE binary16 and bfloat16. */
export const DTYPES = ["float32", "float16", "bfloat16", "float64", "int32"] as const;
/** The name of an element type; `float16` and `bfloat16` are the storage formats IEEE binary16 and bfloat16. */
export type DType = (typeof DTYPES)[number];

/** What logits may be. */
export type LogitsDType = "float32" | "float16" | "bfloat16";

/** `Float16Array` where the reader's compiler knows it (its library "esnext.float16"), and nothing where it does not. */
export type Float16ArrayIfKnown = typeof globalThis extends { Float16Array: { prototype: infer A } }
  ? A
  : never;

/** The typed array that carries each dtype; `float16` is a `Float16Array` where the runtime has one. */
export interface DTypeArrays {
  float32: Float32Array;
  float16: Uint16Array | Float16ArrayIfKnown;
  bfloat16: Uint16Array;
  float64: Float64Array;
  int32: Int32Array;
}
/** The typed array that carries a dtype; `float16` is a `Float16Array` where the runtime has one. */
export type ArrayOf<D extends DType> = DTypeArrays[D];
/** Any typed array that a tensor may lie over. */
export type TensorArray = DTypeArrays[DType];

/** The runtime's own Float16Array constructor, if it has one (Node 24 and later). */
export const Float16ArrayConstructor: ArrayConstructor<Float16ArrayIfKnown> | undefined = (
  globalThis as { Float16Array?: ArrayConstructor<Float16ArrayIfKnown> }
).Float16Array;

/** Throws ERR_DTYPE for what is not the name of one. */
export function checkDType(where: string, dtype: unknown): asserts dtype is DType {
  if ((DTYPES as readonly unknown[]).includes(dtype)) return;
  throw expected("ERR_DTYPE", where, `dtype to be one of ${DTYPES.join(", ")}`, describe(dtype));
}

/**
 * The dtype of `data`: the one said, checked against the array's class, or the one its class implies.
 * A Uint16Array implies nothing: it may be float16 or bfloat16, so its dtype must be said.
 */
export function dtypeOf(where: string, name: string, data: unknown, said?: DType): DType {
  if (said !== undefined) checkDType(where, said);
  const allowed = dtypesOfClass(data);
  if (allowed === undefined) {
    throw expected(
      "ERR_DTYPE",
      where,
      `${name} to be a Float32Array, Float64Array, Int32Array, Uint16Array or Float16Array`,
      describe(data),
    );
  }
  if (said === undefined) {
    const [only, ...rest] = allowed;
    if (only !== undefined && rest.length === 0) return only;
    throw expected(
      "ERR_DTYPE",
      where,
      `the dtype of ${name} to be said ("float16" or "bfloat16"), since a Uint16Array may hold either`,
      "none",
    );
  }
  if (!allowed.includes(said)) {
    throw expected("ERR_DTYPE", where, `${name} to hold ${said}`, describe(data));
  }
  return said;
}

function dtypesOfClass(data: unknown): readonly DType[] | undefined {
  switch (typedArrayClass(data)) {
    case "Float32Array":
      return ["float32"];
    case "Float64Array":
      return ["float64"];
    case "Int32Array":
      return ["int32"];
    case "Uint16Array":
      return ["float16", "bfloat16"];
    case "Float16Array":
      return ["float16"];
    default:
      return undefined;
  }
}

/** A fresh zero-filled array for `length` elements of `dtype`; throws ERR_OUT_OF_MEMORY where there is no room for it. */
export function allocate<D extends DType>(dtype: D, length: number): ArrayOf<D> {
  try {
    return new (arrayConstructor(dtype))(length) as ArrayOf<D>;
  } catch (cause) {
    const message = `[allocate] no memory for ${length} elements of ${dtype}`;
    throw new PapoError("ERR_OUT_OF_MEMORY", message, { cause });
  }
}

/** Bytes of one element. */
export function bytesOf(dtype: DType): number {
  return dtype === "float64" ? 8 : dtype === "float32" || dtype === "int32" ? 4 : 2;
}

/** The first `length` elements of `dtype` in `buffer`. */
export function arrayOver<D extends DType>(
  dtype: D,
  buffer: ArrayBuffer,
  length: number,
): ArrayOf<D> {
  return new (arrayConstructor(dtype))(buffer, 0, length) as ArrayOf<D>;
}

interface ArrayConstructor<A> {
  new (length: number): A;
  new (values: readonly number[]): A;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): A;
}

function arrayConstructor(dtype: DType): ArrayConstructor<TensorArray> {
  switch (dtype) {
    case "float32":
      return Float32Array;
    case "float64":
      return Float64Array;
    case "int32":
      return Int32Array;
    case "bfloat16":
      return Uint16Array;
    case "float16":
      return Float16ArrayConstructor ?? Uint16Array;
  }
}
