/** PPO's clipped surrogate: the one that the fused op computes too, and from the same native arithmetic. */
import { COTANGENTS, line, newLines, STATISTICS, TERMS } from "../ops/lines.js";
import { tokenObjective } from "../ops/token-objective.js";
import type { SurrogateDefinition } from "./surrogate.js";

export const ppoClip: SurrogateDefinition = {
  kind: "ppo-clip",
  summary: "PPO's clip with a bound for each side, and the dual clip",
  formula: "−min(r·A, clip(r, 1 − clipLow, 1 + clipHigh)·A); for A < 0 at most clipDual·|A|",
  gradient: "−r·A where no bound binds, otherwise 0; at a bound itself the unclipped branch counts",
  source: "PPO, arXiv 1707.06347, Eq. 7; separate bounds: DAPO, 2503.14476; dual clip: 1912.09729",
  peers: [
    'TRL: loss_type "grpo", "bnpo", "dr_grpo", "dapo" (delta is clipDual)',
    'verl: policy_loss.loss_mode "vanilla" (clip_ratio_c is clipDual)',
    'Liger: loss_type "grpo", "bnpo", "dr_grpo", "dapo"',
    "PAPO authors: compute_policy_loss",
  ],
  findings: [
    "The PAPO authors log both sides of the clip together as pg_clipfrac_higher (core_algos.py:448-521).",
  ],
  scope: "token",
  parameters: {},
  reads: ["oldLogProbs"],
  evaluate(tokens) {
    const { where, mask, logProbs, oldLogProbs, advantages, weights, clip, logRatioLimit } = tokens;
    const statistics = newLines(STATISTICS, logProbs.length);
    line(statistics, STATISTICS, "logProbs").set(logProbs);
    const { terms, cotangents } = tokenObjective({
      where,
      statistics,
      hasMasked: false,
      responseMask: mask,
      oldLogProbs,
      advantages,
      weights,
      entropyWeights: new Float64Array(logProbs.length),
      attributes: { clipLow: clip.low, clipHigh: clip.high, clipDual: clip.dual, logRatioLimit },
    });
    return {
      values: line(terms, TERMS, "surrogate"),
      slopes: line(cotangents as Float64Array, COTANGENTS, "logProbs"),
      ratios: line(terms, TERMS, "ratio"),
      clips: line(terms, TERMS, "clip"),
    };
  },
};
