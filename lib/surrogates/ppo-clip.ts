/** PPO's clipped surrogate: the one that the fused op computes too, and from the same native arithmetic. */
import { clipped } from "./clip.js";
import type { SurrogateDefinition } from "./surrogate.js";

export const ppoClip: SurrogateDefinition<object, "ppo-clip"> = {
  kind: "ppo-clip",
  summary: "PPO's clip of the token ratio with a bound for each side, and the dual clip",
  formula: "−min(r·A, clip(r, 1 − clipLow, 1 + clipHigh)·A); for A < 0 at most clipDual·|A|",
  gradient: "−r·A where no bound binds, otherwise 0; at a bound itself the unclipped branch counts",
  source: "PPO, arXiv 1707.06347, Eq. 7; separate bounds: DAPO, 2503.14476; dual clip: 1912.09729",
  peers: [
    'TRL: loss_type "grpo", "bnpo", "dr_grpo", "dapo" (delta is clipDual; grpo_trainer.py:3083-3090)',
    'verl: policy_loss.loss_mode "vanilla" (clip_ratio_low, clip_ratio_high, clip_ratio_c; core_algos.py:1159)',
    'Liger: loss_type "grpo", "bnpo", "dr_grpo", "dapo" (delta is clipDual)',
    "PAPO authors: compute_policy_loss (core_algos.py:448-521)",
  ],
  findings: [
    "TRL's delta (two-sided clip) and the dual clip's C are one mechanism: identical losses where delta = C > 1 + clipHigh.",
    "The PAPO authors and verl log both sides of the clip together (pg_clipfrac, pg_clipfrac_higher: of the loss, not of the ratio).",
    "OpenRLHF clamped after exp, so that an overflow gave NaN gradients (issue 1335); here the log-ratio is limited before.",
  ],
  scope: "token",
  parameters: {},
  clips: ["clipLow", "clipHigh", "clipDual"],
  reads: ["oldLogProbs"],
  evaluate: (tokens) => clipped(tokens, tokens.logProbs, tokens.oldLogProbs),
};
