/** GSPO: PPO's clip of one ratio per sequence. */
import { clippedLogRatios } from "./clip.js";
import { eachSequence, meanLogRatios, sumOver, withoutRuledOut } from "./sequence.js";
import type { SurrogateDefinition } from "./surrogate.js";

export const gspo: SurrogateDefinition<object, "gspo"> = {
  kind: "gspo",
  summary: "PPO's clip of the sequence's length-normalised ratio",
  formula:
    "−min(s·A, clip(s, 1 − clipLow, 1 + clipHigh)·A), s = exp(mean of ℓ − ℓ_old over the sequence's tokens); for A < 0 at most clipDual·|A|",
  gradient:
    "−s·A/n on each of the sequence's n tokens where no bound binds, otherwise 0: Σ over its tokens of weight × slope, spread evenly",
  source: "Group Sequence Policy Optimization, arXiv 2507.18071, Eq. 5",
  peers: [
    'TRL: importance_sampling_level "sequence" with loss_type "grpo", "bnpo", "dr_grpo", "dapo", "luspo"',
    'Liger: importance_sampling_level "sequence"; raises together with "cispo", "sapo" and "vespo"',
  ],
  findings: [
    "What verl calls gspo is gspo-token: equal gradients where every token of a sequence has the same advantage and weight, others where not.",
    "The paper's clip is some 500 times narrower than PPO's (§5.1): clipLow 3e-4, clipHigh 4e-4. The defaults of 0.2 hardly ever bind a mean log-ratio.",
    "The PAPO authors' Qwen3 branch accepts loss_type gspo and ignores it.",
  ],
  scope: "sequence",
  parameters: {},
  clips: ["clipLow", "clipHigh", "clipDual"],
  reads: ["oldLogProbs"],
  evaluate(tokens) {
    const result = clippedLogRatios(tokens, meanLogRatios(tokens));
    const { slopes } = result;
    eachSequence(tokens, (rows) => {
      const each = sumOver(rows, (row) => slopes[row] as number) / rows.length;
      for (const row of rows) slopes[row] = each;
    });
    return withoutRuledOut(tokens, result);
  },
};
