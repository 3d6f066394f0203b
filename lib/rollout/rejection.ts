/** Rejection of tokens and sequences whose sampler and training policy disagree by more than a bound. */
import { k3Of, limitedLogRatio } from "./log-ratio.js";

/** Estimators of the disagreement of a token, with Δ = ℓ_old − ℓ_rollout: k1 = −Δ, k2 = Δ²/2, k3 = e^Δ − 1 − Δ. */
export const REJECTION_ESTIMATORS = ["k1", "k2", "k3"] as const;
export type RejectionEstimator = (typeof REJECTION_ESTIMATORS)[number];

/** What is compared with the bounds: each token's value, or its sum, mean or every value over the sequence. */
export const REJECTION_LEVELS = ["token", "sequence-sum", "sequence-mean", "sequence-max"] as const;
export type RejectionLevel = (typeof REJECTION_LEVELS)[number];

/** Which tokens are rejected. The same keys as in `rolloutCorrection.reject` of a spec. */
export interface RejectionRule {
  /** Estimator of the disagreement of a token, with Δ = ℓ_old − ℓ_rollout: k1 = −Δ, k2 = Δ²/2, k3 = e^Δ − 1 − Δ. */
  readonly by: RejectionEstimator;
  /** What is compared with the bounds: each token's value, or its sum, mean or every value over the sequence. */
  readonly level: RejectionLevel;
  /**
   * Upper bound, > 0. With k2 and k3 on the value in nats. With k1 on exp(k1), which is π_rollout / π_old: the inverse of
   * the importance ratio, of a token, of the product over a sequence ("sequence-sum") or of its geometric mean.
   */
  readonly max: number;
  /** Lower bound on exp(k1), > 0; 1/max if not said. k2 and k3, which are never negative, have none. */
  readonly min?: number | undefined;
}

/**
 * [rows] 1 for counted tokens that are within the bounds, bounds included. Nothing is checked here.
 *
 * Δ is limited to ± `limit` token by token before sums are taken. "sequence-max" keeps a sequence all of whose tokens are
 * within the bounds; verl has it for k2 and k3 only.
 *
 * @see verl rollout_corr_helper.py compute_rollout_rejection_mask
 */
export function rejectionOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  oldLogProbs: Float64Array,
  rolloutLogProbs: Float64Array,
  rule: RejectionRule,
  limit: number,
): Int32Array {
  const value = ESTIMATE[rule.by];
  const [low, high] = boundsOf(rule);
  const inside = (statistic: number) => statistic >= low && statistic <= high;
  const keep = new Int32Array(oldLogProbs.length);
  for (let s = 0; s + 1 < offsets.length; s++) {
    let [sum, count, every] = [0, 0, true];
    for (let row = offsets[s] as number; row < (offsets[s + 1] as number); row++) {
      if (mask?.[row] === 0) continue;
      const [old, rollout] = [oldLogProbs[row] as number, rolloutLogProbs[row] as number];
      const k = value(limitedLogRatio(old, rollout, limit));
      sum += k;
      count++;
      keep[row] = inside(k) ? 1 : 0;
      every &&= inside(k);
    }
    if (rule.level === "token" || count === 0) continue;
    const kept =
      rule.level === "sequence-max"
        ? every
        : inside(rule.level === "sequence-sum" ? sum : sum / count);
    for (let row = offsets[s] as number; row < (offsets[s + 1] as number); row++) {
      keep[row] = kept && mask?.[row] !== 0 ? 1 : 0;
    }
  }
  return keep;
}

const ESTIMATE: Readonly<Record<RejectionEstimator, (logRatio: number) => number>> = {
  k1: (logRatio) => -logRatio,
  k2: (logRatio) => 0.5 * logRatio * logRatio,
  k3: k3Of,
};

/** The bounds on the statistic itself. */
function boundsOf({ by, max, min }: RejectionRule): readonly [low: number, high: number] {
  if (by !== "k1") return [-Infinity, max];
  // `readRejection` gives k1 both.
  return [Math.log(min as number), Math.log(max)];
}
