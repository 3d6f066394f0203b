/** The KL to the reference times the ratio of the sequence: TRL's correction where the surrogate's ratio is that. */
import { checkFinite } from "../functional/sequences.js";
import { COTANGENTS, line, newLines, STATISTICS, TERMS } from "../ops/lines.js";
import { tokenObjective } from "../ops/token-objective.js";
import { eachSequence, meanLogRatios, sumOver } from "../surrogates/sequence.js";
import { limited } from "../surrogates/surrogate.js";
import type { AlgebraArgs } from "./algebra.js";
import { product } from "./weights.js";

/** [rows] each, 0 where the mask is 0. */
export interface SequenceKl {
  /** s · k3, nats. */
  readonly values: Float64Array;
  /** d refKlCoef · Σ weights · values / d log-prob of the token, through k3 and through the ratio. */
  readonly slopes: Float64Array;
}

/**
 * s · k3 with s = exp(mean of ℓ − ℓ_old over the sequence's n counted tokens), both differentiable: slope s · (1 − eˣ) of
 * the token, and Σ weights · s · k3 / n of its sequence on each of its tokens. Limits hold as in k3 and in "gspo".
 *
 * @returns undefined where the spec has another estimator, and without log-probs of the reference
 * @throws PapoError ERR_NOT_FINITE where limits are so wide that a counted token's product overflows
 * @see TRL grpo_trainer.py:3074, importance_sampling_level "sequence"
 */
export function sequenceKlOf(args: AlgebraArgs): SequenceKl | undefined {
  const { where, spec, statistics, offsets, responseMask: mask, refLogProbs, attributes } = args;
  if (spec.refKlEstimator !== "unbiased-sequence" || refLogProbs === undefined) return undefined;
  const logProbs = line(statistics, STATISTICS, "logProbs");
  const tokens = { offsets, mask, logProbs, oldLogProbs: args.oldLogProbs ?? logProbs };
  const logRatios = meanLogRatios(tokens);
  const ratios = logRatios.map((mean) => Math.exp(limited(mean, spec.logRatioLimit).value));
  const weights = product(args.weights, ratios);
  const { refKlCoef, logRatioLimit, klLimit } = attributes;
  const { terms, cotangents = newLines(COTANGENTS, logRatios.length) } = tokenObjective({
    where,
    statistics,
    hasMasked: false,
    responseMask: mask,
    refLogProbs,
    weights,
    entropyWeights: new Float64Array(logRatios.length),
    attributes: { refKlCoef, refKlEstimator: "k3", logRatioLimit, klLimit },
  });
  const k3 = line(terms, TERMS, "refKl");
  const slopes = line(cotangents, COTANGENTS, "logProbs");
  eachSequence(tokens, (rows) => {
    if (refKlCoef === 0 || !limited(logRatios[rows[0] as number] as number, logRatioLimit).free) {
      return;
    }
    const sum = sumOver(rows, (row) => (weights[row] as number) * (k3[row] as number));
    const each = (refKlCoef * sum) / rows.length;
    for (const row of rows) slopes[row] = (slopes[row] as number) + each;
  });
  const values = product(k3, ratios);
  // Where limits are wide enough, a product of two exponentials may overflow.
  if (refKlCoef !== 0) checkFinite(where, "refKl", values, mask);
  return { values, slopes };
}
