/** The perception-augmented reward: what a sequence earns for depending on the image. */
import { sequenceMeans } from "./vppo.js";

/** Which sequences earn it: all, or those with an accuracy above the threshold. */
export const PERCEPTION_REWARD_WEIGHTINGS = ["all", "correct-only"] as const;
export type PerceptionRewardWeighting = (typeof PERCEPTION_REWARD_WEIGHTINGS)[number];

export interface PerceptionRewardRule {
  /** Reward per nat of divergence. */
  readonly coef: number;
  /** Bounds on a sequence's mean divergence before it is multiplied, nats; both finite. */
  readonly min: number;
  readonly max: number;
}

/**
 * [sequences] coef · clamp(mean divergence of the counted tokens, min, max); 0 for a sequence without a counted token and
 * for one that is not counted in `earns`. Constant for gradients: no term of the loss, added to rewards before advantages
 * are formed from them.
 *
 * Nothing is checked here; `perceptionReward` is the door.
 *
 * @param earns  [sequences] 0 for those that earn nothing; all do if not said
 * @see PAPO authors' ray_trainer.py:136-171 (`apply_kl_contrastive`, unused there: per token, without a bound)
 */
export function perceptionBonusOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  divergences: Float64Array,
  rule: PerceptionRewardRule,
  earns?: Int32Array,
): Float64Array {
  return sequenceMeans(offsets, mask, divergences).map((mean, s) =>
    Number.isNaN(mean) || earns?.[s] === 0
      ? 0
      : rule.coef * Math.min(Math.max(mean, rule.min), rule.max),
  );
}
