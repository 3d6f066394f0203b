/** Makes tensors: over the caller's array, of zeros, of one number. */
import type { Device } from "../core/device.js";
import { allocate, type DType, type TensorArray } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, type Shape, sizeOf } from "../core/shape.js";
import { toBfloat16, toFloat16 } from "./half.js";
import { type Scalar, Tensor } from "./tensor.js";

export interface TensorOptions<D extends DType, S extends Shape> {
  /** Sizes, outermost first; `[data.length]` if not said. */
  readonly shape?: S;
  readonly dtype?: D;
  /** Elements from row to row, for rank 2 and 3; the last dimension if not said. */
  readonly rowPitch?: number;
  readonly device?: Device | "cuda";
  readonly requiresGrad?: boolean;
}

type Line = readonly [number];

/**
 * A tensor over `data`: a view for typed arrays, whose memory stays the caller's; plain numbers are copied (float32 if no dtype is said).
 * A Uint16Array holds the bits of float16 or bfloat16, so its dtype must be said.
 *
 * @throws PapoError ERR_DTYPE for an array that cannot hold the dtype, ERR_SHAPE where `data` is too short for the
 * shape and pitch, ERR_BUFFER for shared or resizable memory, ERR_DEVICE_UNAVAILABLE where the device is not there
 */
export function tensor<const S extends Shape = Line>(
  data: Float32Array,
  options?: TensorOptions<"float32", S>,
): Tensor<"float32", S["length"]>;
export function tensor<const S extends Shape = Line>(
  data: Float64Array,
  options?: TensorOptions<"float64", S>,
): Tensor<"float64", S["length"]>;
export function tensor<const S extends Shape = Line>(
  data: Int32Array,
  options?: TensorOptions<"int32", S>,
): Tensor<"int32", S["length"]>;
export function tensor<D extends "float16" | "bfloat16", const S extends Shape = Line>(
  data: Uint16Array,
  options: TensorOptions<D, S> & { readonly dtype: D },
): Tensor<D, S["length"]>;
export function tensor<const S extends Shape = Line>(
  data: Uint16Array | Float16Array,
  options: TensorOptions<"float16", S> & { readonly dtype: "float16" },
): Tensor<"float16", S["length"]>;
export function tensor<const S extends Shape = Line>(
  data: Float16Array,
  options?: TensorOptions<"float16", S>,
): Tensor<"float16", S["length"]>;
export function tensor<D extends DType = "float32", const S extends Shape = Line>(
  data: readonly number[],
  options?: TensorOptions<D, S>,
): Tensor<D, S["length"]>;
export function tensor(
  data: TensorArray | readonly number[],
  options: TensorOptions<DType, Shape> = {},
): Tensor {
  const array = Array.isArray(data) ? fromNumbers(data, options.dtype ?? "float32") : data;
  const dtype = options.dtype ?? (Array.isArray(data) ? "float32" : undefined);
  const shape = options.shape ?? [(array as Partial<TensorArray> | undefined)?.length ?? 0];
  return new Tensor("tensor", array, { ...options, dtype, shape });
}

/** A tensor of zeros in memory of its own; float32 if no dtype is said. */
export function zeros<D extends DType = "float32", const S extends Shape = Shape>(
  shape: S,
  options: Omit<TensorOptions<D, S>, "shape"> = {},
): Tensor<D, S["length"]> {
  const sizes = checkShape("zeros", "shape", shape);
  const { dtype = "float32" as D, rowPitch } = options;
  const columns = sizes.at(-1) ?? 1;
  const length = rowPitch === undefined ? sizeOf(sizes) : sizeOf(sizes.slice(0, -1)) * rowPitch;
  const safe = Number.isSafeInteger(length) && length >= 0 && (rowPitch ?? columns) >= columns;
  return new Tensor("zeros", allocate(dtype, safe ? length : 0), { ...options, dtype, shape });
}

/** One float64 number. */
export function scalar(value: number): Scalar {
  if (typeof value !== "number") {
    throw expected("ERR_ARGUMENT", "scalar", "a number", describe(value));
  }
  return new Tensor("scalar", Float64Array.of(value), { shape: [] });
}

function fromNumbers(values: readonly number[], dtype: DType): unknown {
  for (let i = 0; i < values.length; i++) {
    if (typeof values[i] !== "number") {
      throw expected("ERR_ARGUMENT", "tensor", `data[${i}] to be a number`, describe(values[i]));
    }
  }
  switch (dtype) {
    case "float16":
      return toFloat16(values);
    case "bfloat16":
      return toBfloat16(values);
    case "int32":
      return intsOf(values);
    case "float64":
      return Float64Array.from(values);
    default:
      return Float32Array.from(values);
  }
}

function intsOf(values: readonly number[]): Int32Array {
  const ints = Int32Array.from(values);
  const wrong = values.findIndex((value, i) => value !== ints[i]);
  if (wrong < 0) return ints;
  const what = `data[${wrong}] to be an integer of 32 bits`;
  throw expected("ERR_RANGE", "tensor", what, describe(values[wrong]));
}
