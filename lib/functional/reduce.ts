/** One number per token down to a scalar, by any reduction. */
import { readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, showShape } from "../core/shape.js";
import { where as choose } from "../ops/pointwise.js";
import { reduceTokens as reduceTokensOp } from "../ops/reduce-tokens.js";
import { type Rows, type Scalar, Tensor } from "../tensor/tensor.js";
import { type MaskInput, maskRows } from "./inputs.js";
import { layoutOf } from "./layout.js";
import { type Denominators, type Reduction, rowWeights } from "./row-weights.js";

/** Options of `reduceTokens`. */
export interface ReduceTokensOptions {
  /** "token-mean" if not said; "none" gives the values back, 0 where the mask is 0. */
  readonly reduction?: Reduction | "none";
  /** [rows] 0 or 1: whether the token counts. All do if not said. */
  readonly responseMask?: MaskInput | undefined;
  /** [sequences, tokens] of padded rows; [rows] is one sequence, or several with `cuSeqlens`. */
  readonly shape?: readonly [sequences: number, tokens: number] | readonly [rows: number];
  /** [sequences + 1] row offsets of packed sequences. */
  readonly cuSeqlens?: Int32Array | readonly number[] | undefined;
  /** Counts of the whole batch where this is a part of it. */
  readonly denominators?: Denominators | undefined;
  /** Added to a count of tokens. Default 1e-8. */
  readonly denominatorEpsilon?: number;
}

const OPTIONS: readonly (keyof ReduceTokensOptions)[] = [
  "reduction",
  "responseMask",
  "shape",
  "cuSeqlens",
  "denominators",
  "denominatorEpsilon",
];

/**
 * Reduces `values` [rows] to a scalar, differentiable in them; `rowWeights` defines each reduction.
 * A token that does not count adds 0 even where its value is NaN or infinite.
 *
 * @throws PapoError ERR_SHAPE, ERR_RANGE, ERR_ARGUMENT
 */
export function reduceTokens(
  values: Rows,
  options: ReduceTokensOptions & { readonly reduction: "none" },
): Rows;
export function reduceTokens(
  values: Rows,
  options?: ReduceTokensOptions & { readonly reduction?: Reduction },
): Scalar;
export function reduceTokens(
  values: Rows,
  options: ReduceTokensOptions = {},
): Tensor<"float64", 0 | 1> {
  const where = "reduceTokens";
  const given = readOptions(where, options, OPTIONS);
  checkValues(where, values);
  const { reduction = "token-mean", denominators, denominatorEpsilon } = given;
  const { shape: said = values.shape } = given;
  const shape = checkShape(where, "shape", said);
  const layout = layoutOf(where, shape, given.cuSeqlens);
  const mask = maskRows(where, "responseMask", given.responseMask, layout.rows);
  if (reduction === "none") {
    return choose(mask ?? new Int32Array(layout.rows).fill(1), values, 0);
  }
  const weights = rowWeights(where, layout, mask, reduction, denominators, denominatorEpsilon);
  return reduceTokensOp(where, values, weights);
}

function checkValues(where: string, values: unknown): void {
  if (!(values instanceof Tensor)) {
    throw expected("ERR_ARGUMENT", where, "values to be a Tensor", describe(values));
  }
  if (values.dtype !== "float64" || values.shape.length !== 1) {
    const received = `${values.dtype} ${showShape(values.shape)}`;
    throw expected("ERR_SHAPE", where, "values to be float64 [rows]", received);
  }
}
