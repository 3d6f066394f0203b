/** Importance weights between the policy that trains and the engine that sampled: truncated or masked. */
import { LOG_RATIO_LIMIT, limitedLogRatio, sequenceLogRatio } from "./log-ratio.js";
import { describeWeights, type RolloutWeightMetrics } from "./weight-metrics.js";

/** "token": a ratio per token. "sequence": the product of a sequence's ratios, on each of its tokens. "none": 1. */
export const ROLLOUT_WEIGHT_LEVELS = ["token", "sequence", "none"] as const;
export type RolloutWeightLevel = (typeof ROLLOUT_WEIGHT_LEVELS)[number];

/** "truncate": ratios beyond the bounds become the bound. "mask": they become 0, and their tokens are not kept. */
export const ROLLOUT_WEIGHT_MODES = ["truncate", "mask"] as const;
export type RolloutWeightMode = (typeof ROLLOUT_WEIGHT_MODES)[number];

/** How weights are made. The same keys as in a spec's `rolloutCorrection`. */
export interface RolloutWeightRule {
  /** "token": a ratio per token. "sequence": the product of a sequence's ratios, on each of its tokens. "none": 1. */
  readonly level: RolloutWeightLevel;
  /** "truncate": ratios beyond the bounds become the bound. "mask": they become 0, and their tokens are not kept. */
  readonly mode: RolloutWeightMode;
  /** Largest ratio that is left as it is, > 0; Infinity is no bound. */
  readonly max: number;
  /** Smallest ratio that is left as it is, 0 … max; 0 is no bound. */
  readonly min: number;
  /** Divide all weights by their mean, so that it is 1. */
  readonly batchNormalize: boolean;
}

/** What does not belong to a rule: bounds of the arithmetic and facts about the whole batch. */
export interface RolloutWeightContext {
  /** Bound on a log ratio, nats. Default 20. */
  readonly logRatioLimit?: number;
  /** With `batchNormalize`: the mean of the weights over the whole batch, where this call sees a part of it. */
  readonly weightMean?: number | undefined;
}

/** What `rolloutWeights` gives. */
export interface RolloutWeights {
  /** [rows] factor of each token's policy loss, constant for gradients; 0 where the mask is 0. */
  readonly weights: Float64Array;
  /** [rows] 1 for a counted token within the bounds (with "truncate": for every counted one), otherwise 0. */
  readonly keep: Int32Array;
  /** Means and fractions to log. */
  readonly metrics: RolloutWeightMetrics;
}

/** A mean below this is not divided by; verl's bound. */
const LEAST_MEAN = 1e-8;

/**
 * Weights of the tokens of a batch. Nothing is checked here; `rolloutWeights` is the door.
 *
 * With Δ_t = ℓ_old − ℓ_rollout, limited to ± 20 before it is exponentiated:
 * token w_t = bound(exp Δ_t); sequence w_t = bound(exp(Σ Δ)), the sum taken over counted tokens and then limited.
 *
 * @see verl rollout_corr_helper.py compute_rollout_correction_weights; TRL grpo_trainer.py:2578-2623, which does not
 * limit Δ and, where it truncates with a `min`, raises smaller ratios to it, as here
 */
export function rolloutWeightsOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  oldLogProbs: Float64Array,
  rolloutLogProbs: Float64Array,
  rule: RolloutWeightRule,
  context: RolloutWeightContext = {},
): RolloutWeights {
  const limit = context.logRatioLimit ?? LOG_RATIO_LIMIT;
  const ratios = ratiosOf(offsets, mask, oldLogProbs, rolloutLogProbs, rule.level, limit);
  const weights = new Float64Array(ratios.length);
  const keep = new Int32Array(ratios.length);
  for (let row = 0; row < ratios.length; row++) {
    if (mask?.[row] === 0) continue;
    const ratio = ratios[row] as number;
    const inside = ratio >= rule.min && ratio <= rule.max;
    if (rule.mode === "truncate") weights[row] = Math.min(Math.max(ratio, rule.min), rule.max);
    else if (inside) weights[row] = ratio;
    keep[row] = inside || rule.mode === "truncate" ? 1 : 0;
  }
  const described = describeWeights(offsets, mask, ratios, weights, keep, rule);
  if (!rule.batchNormalize) return { weights, keep, metrics: described };
  const mean = context.weightMean ?? normalizerOf(described, rule.level);
  const normalizer = mean > LEAST_MEAN ? mean : 1;
  for (let row = 0; row < weights.length; row++)
    weights[row] = (weights[row] as number) / normalizer;
  return { weights, keep, metrics: { ...described, normalizer } };
}

/** The mean that weights are divided by: over tokens, or over sequences where the weights are theirs. */
function normalizerOf(metrics: RolloutWeightMetrics, level: RolloutWeightLevel): number {
  return level === "sequence" ? metrics.sequenceWeightMean : metrics.weightMean;
}

/** [rows] ratios before any bound but the limit; 0 where the mask is 0. */
function ratiosOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  oldLogProbs: Float64Array,
  rolloutLogProbs: Float64Array,
  level: RolloutWeightLevel,
  limit: number,
): Float64Array {
  const ratios = new Float64Array(oldLogProbs.length);
  for (let s = 0; s + 1 < offsets.length; s++) {
    const [start, end] = [offsets[s] as number, offsets[s + 1] as number];
    const ofSequence =
      level === "sequence"
        ? Math.exp(sequenceLogRatio(oldLogProbs, rolloutLogProbs, mask, start, end, limit))
        : 1;
    for (let row = start; row < end; row++) {
      if (mask?.[row] === 0) continue;
      const [old, rollout] = [oldLogProbs[row] as number, rolloutLogProbs[row] as number];
      ratios[row] = level === "token" ? Math.exp(limitedLogRatio(old, rollout, limit)) : ofSequence;
    }
  }
  return ratios;
}
