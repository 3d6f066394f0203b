/** Both corrections of a rollout mismatch together: importance weights and rejection. */
import { LOG_RATIO_LIMIT } from "./log-ratio.js";
import { type RejectionRule, rejectionOf } from "./rejection.js";
import {
  type RolloutWeightContext,
  type RolloutWeightRule,
  type RolloutWeights,
  rolloutWeightsOf,
} from "./rollout-weights.js";

/** A weight rule, and what is rejected besides. The value of a spec's `rolloutCorrection`. */
export interface RolloutCorrectionRule extends RolloutWeightRule {
  /** One rule or several, all of which have to be met; null rejects nothing. */
  readonly reject: RejectionRule | readonly RejectionRule[] | null;
}

/**
 * Weights of the tokens of a batch, 0 for those that are rejected. Nothing is checked here.
 *
 * The weights are made, described and normalised over all counted tokens; `reject` takes tokens away afterwards, from
 * `weights`, `keep` and `keptFraction`. (verl takes rejected tokens out of the response mask as well, so that every
 * term's denominator shrinks; whoever wants that multiplies the mask with `keep`.)
 *
 * @see verl rollout_corr_helper.py compute_rollout_correction_and_rejection_mask
 */
export function rolloutCorrectionOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  oldLogProbs: Float64Array,
  rolloutLogProbs: Float64Array,
  rule: RolloutCorrectionRule,
  context: RolloutWeightContext = {},
): RolloutWeights {
  const made = rolloutWeightsOf(offsets, mask, oldLogProbs, rolloutLogProbs, rule, context);
  const limit = context.logRatioLimit ?? LOG_RATIO_LIMIT;
  const rejections = rulesOf(rule.reject);
  if (rejections.length === 0) return made;
  const { weights, keep, metrics } = made;
  for (const rejection of rejections) {
    const kept = rejectionOf(offsets, mask, oldLogProbs, rolloutLogProbs, rejection, limit);
    for (let row = 0; row < keep.length; row++) {
      if (kept[row] === 1) continue;
      keep[row] = 0;
      weights[row] = 0;
    }
  }
  return { weights, keep, metrics: { ...metrics, keptFraction: fractionOf(keep, mask) } };
}

function rulesOf(reject: RolloutCorrectionRule["reject"]): readonly RejectionRule[] {
  if (reject === null) return [];
  return "by" in reject ? [reject] : reject;
}

function fractionOf(keep: Int32Array, mask: Int32Array | undefined): number {
  let [kept, counted] = [0, 0];
  for (let row = 0; row < keep.length; row++) {
    if (mask?.[row] === 0) continue;
    counted++;
    kept += keep[row] as number;
  }
  return counted === 0 ? 0 : kept / counted;
}
