/** The weights of every row in an objective: d loss / d value of a token, term by term. */
import { expected } from "../core/errors.js";
import { innerArray } from "../core/slab.js";
import type { Layout } from "../functional/layout.js";
import { type Denominators, type Reduction, rowWeights } from "../functional/row-weights.js";
import { checkLogProbs } from "../functional/sequences.js";
import { rolloutCorrectionOf } from "../rollout/correction.js";
import type { RolloutWeightMetrics } from "../rollout/weight-metrics.js";
import type { RowData } from "./batch.js";
import type { Coefficients } from "./coefficients.js";
import type { ObjectiveSpec } from "./spec.js";

/** [rows] each; 0 where the mask is 0. */
export interface TermWeights {
  /** Of the reference KL, and of all that has none of its own. */
  readonly weights: Float64Array;
  readonly entropyWeights: Float64Array;
  /** With importance weights. */
  readonly surrogateWeights: Float64Array;
  /** With the weights of sequences; absent where they are `weights`. */
  readonly perceptionWeights: Float64Array | undefined;
  /** Absent where the batch has no accuracies. */
  readonly sftWeights: Float64Array | undefined;
}

/** Which term a mask of tokens belongs to, by the count that its mean divides by. */
export type KeptTokens = "policyTokens" | "perceptionTokens";

/** The weights of a batch, and what was found while they were made. */
export interface ObjectiveWeights extends TermWeights {
  /** `weights` of a mean over kept tokens, [rows] 0 and 1, alone. */
  readonly ofKept: (keep: Int32Array, tokens: KeptTokens) => Float64Array;
  readonly rollout: RolloutWeightMetrics | undefined;
}

/**
 * The weights of all terms.
 *
 * @throws PapoError ERR_ARGUMENT for a part of the spec without its input, ERR_NOT_FINITE for log-probs of no use
 */
export function objectiveWeights(
  where: string,
  spec: ObjectiveSpec,
  coefficients: Coefficients,
  data: RowData,
  mask: Int32Array | undefined,
  denominators: Denominators,
): ObjectiveWeights {
  const { layout } = data;
  const weigh = (counted: Int32Array | undefined, reduction: Reduction, counts: Denominators) => {
    const { denominatorEpsilon, emptySequences } = spec;
    return rowWeights(
      where,
      layout,
      counted,
      reduction,
      counts,
      denominatorEpsilon,
      emptySequences,
    );
  };
  const weights = weigh(mask, spec.reduction, denominators);
  const { reduction, entropyReduction } = spec;
  const isSame = entropyReduction === "same" || entropyReduction === reduction;
  const rollout = rolloutOf(where, spec, data, mask);
  return {
    weights,
    entropyWeights: isSame ? weights : weigh(mask, entropyReduction, denominators),
    surrogateWeights: rollout ? product(weights, rollout.weights) : weights,
    perceptionWeights: perceptionWeightsOf(where, spec, coefficients, data, weights),
    sftWeights: sftWeightsOf(where, spec, coefficients, data, mask, denominators),
    rollout: rollout?.metrics,
    ofKept: (keep, tokens) =>
      weigh(keep, reduction, keptDenominators(where, reduction, denominators, tokens)),
  };
}

/** Importance weights of the tokens, where the spec corrects for another sampler. */
function rolloutOf(
  where: string,
  { rolloutCorrection: rule, logRatioLimit }: ObjectiveSpec,
  { layout, oldLogProbs, rolloutLogProbs }: RowData,
  mask: Int32Array | undefined,
) {
  if (rule === null) return undefined;
  if (oldLogProbs === undefined || rolloutLogProbs === undefined) {
    const missing = oldLogProbs === undefined ? "oldLogProbs" : "rolloutLogProbs";
    throw expected("ERR_ARGUMENT", where, `${missing}, since rolloutCorrection is on`, "none");
  }
  checkLogProbs(where, "oldLogProbs", oldLogProbs, mask);
  const { offsets } = layout;
  return rolloutCorrectionOf(offsets, mask, oldLogProbs, rolloutLogProbs, rule, { logRatioLimit });
}

function perceptionWeightsOf(
  where: string,
  spec: ObjectiveSpec,
  coefficients: Coefficients,
  { layout, accuracies }: RowData,
  weights: Float64Array,
): Float64Array | undefined {
  const { perceptionWeighting, correctThreshold, incorrectWeight } = spec;
  if (perceptionWeighting === "all") return undefined;
  if (accuracies === undefined) {
    if (coefficients.perceptionKl === 0) return undefined;
    const what = `accuracies, since perceptionWeighting is "${perceptionWeighting}"`;
    throw expected("ERR_ARGUMENT", where, what, "none");
  }
  const ofOthers = perceptionWeighting === "correct-only" ? 0 : incorrectWeight;
  const factors = accuracies.map((accuracy) => (accuracy > correctThreshold ? 1 : ofOthers));
  return product(weights, spread(layout, factors));
}

/** Of −log-prob: a mean over the counted tokens of correct sequences, whatever the reduction. */
function sftWeightsOf(
  where: string,
  { correctThreshold, denominatorEpsilon }: ObjectiveSpec,
  { sft }: Coefficients,
  { layout, accuracies }: RowData,
  mask: Int32Array | undefined,
  { correctTokens, tokens, worldSize = 1 }: Denominators,
): Float64Array | undefined {
  if (sft === 0) return undefined;
  if (accuracies === undefined) {
    throw expected("ERR_ARGUMENT", where, `accuracies, since sftCoef is ${sft}`, "none");
  }
  if (tokens !== undefined && correctTokens === undefined) {
    const what = `denominators.correctTokens beside denominators.tokens, since sftCoef is ${sft}`;
    throw expected("ERR_ARGUMENT", where, what, "none");
  }
  const correct = accuracies.map((accuracy) => (accuracy > correctThreshold ? 1 : 0));
  const weights = spread(layout, correct).map((bit, row) => (mask?.[row] === 0 ? 0 : bit));
  const count = correctTokens ?? weights.reduce((sum, bit) => sum + bit, 0);
  return weights.map((bit) => (bit === 0 ? 0 : worldSize / (count + denominatorEpsilon)));
}

/** Counts of the whole batch are of all its tokens; a mean over those that are kept needs its own. */
function keptDenominators(
  where: string,
  reduction: Reduction,
  denominators: Denominators,
  name: KeptTokens,
): Denominators {
  const { tokens, sequenceTokens, ...others } = denominators;
  const kept = denominators[name];
  const ofTokens = reduction === "token-mean" && tokens !== undefined && kept === undefined;
  const ofSequences = reduction === "seq-mean-token-mean" && sequenceTokens !== undefined;
  if (ofTokens || ofSequences) {
    const what = ofTokens
      ? `denominators.${name} beside denominators.tokens, since a mask of tokens divides by "kept"`
      : 'a mask of tokens that divides by "all" with denominators.sequenceTokens';
    throw expected("ERR_ARGUMENT", where, what, ofTokens ? "none" : '"kept"');
  }
  return kept === undefined ? others : { ...others, tokens: kept };
}

/** One number per row from one per sequence. */
export function spread(
  { rows, offsets }: Pick<Layout, "rows" | "offsets">,
  of: Float64Array,
): Float64Array {
  const values = innerArray("float64", rows);
  of.forEach((value, s) => {
    values.fill(value, offsets[s], offsets[s + 1]);
  });
  return values;
}

/** Row by row. */
export function product(a: Float64Array, b: ArrayLike<number>): Float64Array {
  const values = innerArray("float64", a.length);
  for (let row = 0; row < a.length; row++) values[row] = (a[row] as number) * (b[row] as number);
  return values;
}
