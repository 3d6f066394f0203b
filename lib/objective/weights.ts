/** The two weights of every row in an objective. */
import { type Denominators, type Reduction, rowWeights } from "../functional/row-weights.js";
import type { RowData } from "./batch.js";
import type { ObjectiveSpec } from "./spec.js";

/** Weights of surrogate and KL terms, and those of the entropies. */
export function objectiveWeights(
  where: string,
  spec: ObjectiveSpec,
  { layout }: RowData,
  mask: Int32Array | undefined,
  denominators: Denominators,
): [weights: Float64Array, entropyWeights: Float64Array] {
  const weightsOf = (reduction: Reduction) =>
    rowWeights(where, layout, mask, reduction, denominators, spec.denominatorEpsilon);
  const weights = weightsOf(spec.reduction);
  const { reduction, entropyReduction } = spec;
  const isSame = entropyReduction === "same" || entropyReduction === reduction;
  return [weights, isSame ? weights : weightsOf(entropyReduction)];
}
