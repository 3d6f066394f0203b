/** GSPO-token: the sequence's ratio as a constant, with a gradient of its own for each token. */
import { clippedLogRatios } from "./clip.js";
import { meanLogRatios, withoutRuledOut } from "./sequence.js";
import { CLIP, type SurrogateDefinition } from "./surrogate.js";

export type GspoTokenParameters = {
  /** Largest log of a sequence's ratio, nats; slope 0 where it binds. */
  readonly sequenceLogRatioMax: number;
};

export const gspoToken: SurrogateDefinition<GspoTokenParameters, "gspo-token"> = {
  kind: "gspo-token",
  summary:
    "PPO's clip of the sequence's ratio, with each token's own gradient: for per-token advantages",
  formula:
    "−min(s·A, clip(s, 1 − clipLow, 1 + clipHigh)·A), s = sg[min(exp(mean of ℓ − ℓ_old), e^sequenceLogRatioMax)]·e^(ℓ − sg ℓ); for A < 0 at most clipDual·|A|",
  gradient: "−s·A where no bound binds, otherwise 0",
  source: "Group Sequence Policy Optimization, arXiv 2507.18071, Eq. 13 and 14",
  peers: [
    'verl: policy_loss.loss_mode "gspo" (core_algos.py:1253-1326)',
    "TRL: the experimental GSPO-token trainer",
    'ms-swift: importance_sampling_level "sequence_token"',
    'Tinker: loss_fn "gspo"',
  ],
  findings: [
    "verl's always reduces by seq-mean-token-mean, whatever loss_agg_mode says, and has no dual clip.",
    "verl holds log s at 10 above and nowhere below; here logRatioLimit holds both sides as well.",
  ],
  scope: "sequence",
  parameters: {
    sequenceLogRatioMax: {
      default: 10,
      meaning: "log s is at most this, nats; slope 0 where it binds (verl's 10)",
      above: 0,
    },
  },
  clips: ["clipLow", "clipHigh", "clipDual"],
  reads: ["oldLogProbs"],
  evaluate(tokens, { sequenceLogRatioMax }) {
    const means = meanLogRatios(tokens);
    const held = means.map((mean) => Math.min(mean, sequenceLogRatioMax));
    const result = clippedLogRatios(tokens, held);
    for (let row = 0; row < means.length; row++) {
      if ((means[row] as number) <= sequenceLogRatioMax) continue;
      result.slopes[row] = 0;
      if (tokens.advantages[row] !== 0) result.clips[row] ||= CLIP.high;
    }
    return withoutRuledOut(tokens, result);
  },
};
