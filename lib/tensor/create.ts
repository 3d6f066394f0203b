/** Makes tensors: over the caller's array, of zeros, of one number. */
import { numbersOf, readOptions } from "../core/arguments.js";
import { arrayLength, isArray } from "../core/arrays.js";
import type { Device } from "../core/device.js";
import type { DType, Float16ArrayIfKnown, TensorArray } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, type Shape } from "../core/shape.js";
import { freshTensor } from "./fresh.js";
import { toBfloat16, toFloat16 } from "./half.js";
import { type Scalar, TENSOR_OPTIONS, Tensor } from "./tensor.js";

/** Options of `tensor`. */
export interface TensorOptions<D extends DType, S extends Shape> {
  /** Sizes, outermost first; `[data.length]` if not said. */
  readonly shape?: S;
  /** That of the array if not said; a Uint16Array needs it, "float16" or "bfloat16". */
  readonly dtype?: D;
  /** Elements from row to row, for rank 2 and 3; the last dimension if not said. */
  readonly rowPitch?: number;
  /** `"cpu"` if not said; `"cuda"` is `"cuda:0"`. */
  readonly device?: Device | "cuda";
  /** Whether ops on it are recorded, and `backward` gives it a gradient; false if not said. */
  readonly requiresGrad?: boolean;
}

type Line = readonly [number];

/**
 * A tensor over `data`: a view for typed arrays, whose memory stays the caller's; plain numbers are copied (float32 if no dtype is said).
 * A Uint16Array holds the bits of float16 or bfloat16, so its dtype must be said. With a CUDA `device` it is a copy there.
 *
 * @throws PapoError ERR_DTYPE for an array that cannot hold the dtype, ERR_SHAPE where `data` is too short for the
 * shape and pitch, ERR_BUFFER for shared or resizable memory, ERR_DEVICE_UNAVAILABLE where the device is not there,
 * ERR_OUT_OF_MEMORY where it has no room
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
  data: Uint16Array | Float16ArrayIfKnown,
  options: TensorOptions<"float16", S> & { readonly dtype: "float16" },
): Tensor<"float16", S["length"]>;
export function tensor<const S extends Shape = Line>(
  data: Float16ArrayIfKnown,
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
  const given = readOptions("tensor", options, TENSOR_OPTIONS);
  const plain = isArray(data);
  const { dtype = plain ? "float32" : undefined } = given;
  const array = plain ? fromNumbers(numbersOf("tensor", "data", data), dtype) : data;
  return new Tensor("tensor", array, { shape: [arrayLength(array) ?? 0], ...given, dtype });
}

/** A tensor of zeros in memory of its own, on the host or a device; float32 if no dtype is said. */
export function zeros<D extends DType = "float32", const S extends Shape = Shape>(
  shape: S,
  options: Omit<TensorOptions<D, S>, "shape"> = {},
): Tensor<D, S["length"]> {
  const sizes = checkShape("zeros", "shape", shape);
  const given = readOptions("zeros", options, ["dtype", "rowPitch", "device", "requiresGrad"]);
  const { dtype = "float32" as D } = given;
  return freshTensor("zeros", { ...given, dtype, shape: sizes }, true);
}

/** One float64 number. */
export function scalar(value: number): Scalar {
  if (typeof value !== "number") {
    throw expected("ERR_ARGUMENT", "scalar", "a number", describe(value));
  }
  return new Tensor("scalar", Float64Array.of(value), { shape: [] });
}

function fromNumbers(numbers: Float64Array, dtype: DType | undefined): TensorArray {
  switch (dtype) {
    case "float16":
      return toFloat16(numbers);
    case "bfloat16":
      return toBfloat16(numbers);
    case "int32":
      return intsOf(numbers);
    case "float64":
      return numbers.slice();
    default:
      return Float32Array.from(numbers);
  }
}

function intsOf(numbers: Float64Array): Int32Array {
  const ints = Int32Array.from(numbers);
  const wrong = numbers.findIndex((value, i) => value !== ints[i]);
  if (wrong < 0) return ints;
  const what = `data[${wrong}] to be an integer of 32 bits`;
  throw expected("ERR_RANGE", "tensor", what, describe(numbers[wrong]));
}
