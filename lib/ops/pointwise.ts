/** Arithmetic on float64 tensors of one number per row (or one number), each op with its gradient. */
import { deposit } from "../autograd/sink.js";
import { type Cotangents, record, type Sinks } from "../autograd/tape.js";
import { checkNumber } from "../core/arguments.js";
import { arrayLength } from "../core/arrays.js";
import type { DType } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { type Shape, showShape } from "../core/shape.js";
import { type Rows, type Scalar, Tensor } from "../tensor/tensor.js";

/** A tensor of rank `R`, or a number that stands for every element. */
export type Operand<R extends 0 | 1> = Tensor<"float64", R> | number;
type Result = Tensor<"float64", 0 | 1>;

/** Of numbers and scalars a scalar, of numbers and rows rows; the two do not mix. */
export interface Unary {
  (a: Operand<0>): Scalar;
  (a: Operand<1>): Rows;
}
/** Differentiable arithmetic of two operands, one number per token or scalars; numbers stand for every row. */
export interface Binary {
  (a: Operand<0>, b: Operand<0>): Scalar;
  (a: Operand<1>, b: Operand<1>): Rows;
}

/** a + b, differentiable in both. */
export const add: Binary = binary("add", (x, y) => x + y, [() => 1, () => 1]);
/** a − b, differentiable in both. */
export const sub: Binary = binary("sub", (x, y) => x - y, [() => 1, () => -1]);
/** a · b, differentiable in both. */
export const mul: Binary = binary("mul", (x, y) => x * y, [(_, y) => y, (x) => x]);
/** a / b, differentiable in both. */
export const div: Binary = binary("div", (x, y) => x / y, [(_, y) => 1 / y, (x, y) => -x / y / y]);
/** −a. */
export const neg: Unary = unary(
  "neg",
  (x) => -x,
  () => -1,
);
/** e^a; `clamp` a log-ratio before. */
export const exp: Unary = unary("exp", Math.exp, Math.exp);
/** Natural logarithm. */
export const log: Unary = unary("log", Math.log, (x) => 1 / x);
/** The smaller of two; at equality the gradient is the first one's. */
export const min: Binary = binary("min", Math.min, [(x, y) => +(x <= y), (x, y) => +(y < x)]);
/** The larger of two; at equality the gradient is the first one's. */
export const max: Binary = binary("max", Math.max, [(x, y) => +(x >= y), (x, y) => +(y > x)]);

/** `a` held within low … high; gradient 0 where a limit binds, which at the limit itself it does not. */
export function clamp(a: Operand<0>, low: number, high: number): Scalar;
export function clamp(a: Operand<1>, low: number, high: number): Rows;
export function clamp(a: Operand<0 | 1>, low: number, high: number): Result {
  checkNumber("clamp", "low", low);
  checkNumber("clamp", "high", high);
  if (!(low <= high)) {
    throw expected("ERR_RANGE", "clamp", "low to be at most high", `${low} and ${high}`);
  }
  const inside = (x: number) => +(x >= low && x <= high);
  return pointwise("clamp", [a], (x) => Math.min(Math.max(x, low), high), [inside]);
}

/** `a` where `condition` holds (is not 0), `b` elsewhere; what is not chosen gets gradient 0, whatever it is. */
export function where(condition: Condition, a: Operand<0>, b: Operand<0>): Scalar;
export function where(condition: Condition, a: Operand<1>, b: Operand<1>): Rows;
export function where(condition: Condition, a: Operand<0 | 1>, b: Operand<0 | 1>): Result {
  const shape = shapeOf("where", [a, b]);
  const chosen = flagsOf(condition, shape[0] ?? 1);
  const flags: Result = new Tensor("where", chosen, { shape });
  return pointwise("where", [a, b, flags], (x, y, flag) => (flag !== 0 ? x : y), [
    (_x, _y, flag) => +(flag !== 0),
    (_x, _y, flag) => +(flag === 0),
  ]);
}

/** One flag per row, or one in all. */
export type Condition = ArrayLike<number | boolean>;

function flagsOf(condition: Condition, size: number): Float64Array {
  const length = arrayLength(condition);
  if (length === undefined) {
    throw expected("ERR_ARGUMENT", "where", "condition to be an array", describe(condition));
  }
  if (length !== size) throw expected("ERR_SHAPE", "where", `condition [${size}]`, `[${length}]`);
  return Float64Array.from({ length }, (_, i) => {
    const flag = condition[i];
    if (typeof flag === "boolean" || typeof flag === "number") return Number(flag);
    const what = `condition[${i}] to be a number or a boolean`;
    throw expected("ERR_ARGUMENT", "where", what, describe(flag));
  });
}

/** The same memory without the history: gradients stop here. */
export function detach<D extends DType, R extends number>(a: Tensor<D, R>): Tensor<D, R> {
  if (!(a instanceof Tensor)) throw expected("ERR_ARGUMENT", "detach", "a Tensor", describe(a));
  a.toNative("detach", "the tensor");
  return a.alias();
}

/**
 * Leaves on the tape an op whose element i depends on element i of each input only.
 *
 * @param slopesOf  for an input, by index: d output / d input, element by element; asked for on the way back
 */
export function recordElementwise(
  inputs: readonly (Tensor | undefined)[],
  output: Tensor<"float64", 0 | 1>,
  slopesOf: (input: number) => Float64Array,
): void {
  const vjp = ([cotangent]: Cotangents, sinks: Sinks) => {
    const upstream = cotangent?.data as Float64Array;
    sinks.forEach((sink, i) => {
      if (sink === undefined) return;
      const slopes = slopesOf(i);
      // Nothing upstream is nothing here, even through an infinite slope.
      const gradient = upstream.map((c, k) => (c === 0 ? 0 : c * (slopes[k] as number)));
      deposit(sink, inputs[i] as Tensor, gradient);
    });
  };
  record({ inputs, outputs: [output], vjp });
}

type Of3 = (x: number, y: number, z: number) => number;
type Of2 = (x: number, y: number) => number;
type Of1 = (x: number) => number;

function unary(name: string, value: Of1, slope: Of1): Unary {
  return ((a: Operand<0 | 1>) => pointwise(name, [a], value, [slope])) as Unary;
}

function binary(name: string, value: Of2, slopes: readonly [Of2, Of2]): Binary {
  return ((a: Operand<0 | 1>, b: Operand<0 | 1>) =>
    pointwise(name, [a, b], value, slopes)) as Binary;
}

function pointwise(
  name: string,
  operands: readonly Operand<0 | 1>[],
  value: Of3,
  slopes: readonly Of3[],
): Result {
  const shape = shapeOf(name, operands);
  const size = shape[0] ?? 1;
  const [xs, ys = xs, zs = xs] = operands.map((operand) => elementsOf(name, operand, size)) as [
    Float64Array,
    Float64Array?,
    Float64Array?,
  ];
  const each = (f: Of3) => xs.map((x, i) => f(x, ys[i] as number, zs[i] as number));
  const result: Result = new Tensor(name, each(value), { shape });
  const inputs = operands.map((operand) => (operand instanceof Tensor ? operand : undefined));
  recordElementwise(inputs, result, (input) => each(slopes[input] as Of3));
  return result;
}

function elementsOf(name: string, operand: Operand<0 | 1>, size: number): Float64Array {
  if (typeof operand === "number") return new Float64Array(size).fill(operand);
  return operand.hostData(name, "operand").subarray(0, size);
}

/** The shape that all tensors among the operands share; that of a scalar if all are numbers. */
function shapeOf(name: string, operands: readonly unknown[]): Shape {
  let shape: Shape | undefined;
  for (const operand of operands) {
    if (typeof operand === "number") continue;
    if (!(operand instanceof Tensor)) {
      throw expected("ERR_ARGUMENT", name, "tensors or numbers", describe(operand));
    }
    if (operand.dtype !== "float64") {
      throw expected("ERR_DTYPE", name, "float64 tensors", operand.dtype);
    }
    if (operand.shape.length > 1) {
      throw expected("ERR_SHAPE", name, "scalars or one number per row", showShape(operand.shape));
    }
    if (shape !== undefined && showShape(shape) !== showShape(operand.shape)) {
      throw expected(
        "ERR_SHAPE",
        name,
        `operands of one shape ${showShape(shape)}`,
        showShape(operand.shape),
      );
    }
    shape = operand.shape;
  }
  return shape ?? [];
}
