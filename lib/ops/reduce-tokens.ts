/** Σ weights · values: one number per row down to a scalar. Which weights is for `rowWeights` to say. */
import { deposit } from "../autograd/sink.js";
import { record } from "../autograd/tape.js";
import { expected } from "../core/errors.js";
import { type Rows, type Scalar, Tensor } from "../tensor/tensor.js";

/**
 * The weighted sum of `values` [rows], differentiable in them.
 * A weight of 0 takes its value away altogether, NaN and Infinity too.
 */
export function reduceTokens(where: string, values: Rows, weights: Float64Array): Scalar {
  const data = values.hostData(where, "values");
  if (weights.length !== values.rows) {
    throw expected("ERR_SHAPE", where, `values [${weights.length}]`, `[${values.rows}]`);
  }
  let sum = 0;
  weights.forEach((weight, row) => {
    if (weight !== 0) sum += weight * (data[row] as number);
  });
  const result: Scalar = new Tensor(where, Float64Array.of(sum), { shape: [] });
  record({
    inputs: [values],
    outputs: [result],
    vjp: ([cotangent], [sink]) => {
      const upstream = (cotangent as Scalar).item();
      if (sink)
        deposit(
          sink,
          values,
          weights.map((weight) => upstream * weight),
        );
    },
  });
  return result;
}
