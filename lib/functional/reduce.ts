/** One number per token down to a scalar, by any reduction. */
import { where as choose } from "../ops/pointwise.js";
import { reduceTokens as reduceTokensOp } from "../ops/reduce-tokens.js";
import type { Rows, Scalar, Tensor } from "../tensor/tensor.js";
import { type MaskInput, maskRows } from "./inputs.js";
import { layoutOf } from "./layout.js";
import { checkOptions } from "./logits.js";
import { type Denominators, type Reduction, rowWeights } from "./row-weights.js";

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

const OPTIONS: readonly string[] = [
  "reduction",
  "responseMask",
  "shape",
  "cuSeqlens",
  "denominators",
  "denominatorEpsilon",
] satisfies (keyof ReduceTokensOptions)[];

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
  checkOptions(where, options, OPTIONS);
  const { reduction = "token-mean", denominators, denominatorEpsilon } = options;
  const layout = layoutOf(where, options.shape ?? values.shape, options.cuSeqlens);
  const mask = maskRows(where, "responseMask", options.responseMask, layout.rows);
  if (reduction === "none") {
    return choose(mask ?? new Int32Array(layout.rows).fill(1), values, 0);
  }
  const weights = rowWeights(where, layout, mask, reduction, denominators, denominatorEpsilon);
  return reduceTokensOp(where, values, weights);
}
