/** CISPO as verl has it: the ratio held on both sides of 1, with the spec's clip. */
import { CLIP, type SurrogateDefinition, tokenwise, weightedLogProb } from "./surrogate.js";

export const cispoTwoSided: SurrogateDefinition<object, "cispo-two-sided"> = {
  kind: "cispo-two-sided",
  summary:
    "Clipped importance weight on the log-prob: no token loses its gradient; held on both sides",
  formula: "−sg[clip(r, 1 − clipLow, 1 + clipHigh)]·A·ℓ",
  gradient: "−clip(r, 1 − clipLow, 1 + clipHigh)·A, everywhere",
  source: "CISPO: MiniMax-M1, arXiv 2506.13585, Eq. 4 and 5, with both bounds in use",
  peers: [
    'verl: policy_loss.loss_mode "cispo" (clip_ratio_low, clip_ratio_high; core_algos.py:1721)',
    'Tinker: loss_fn "cispo" (clip_low_threshold, clip_high_threshold: the bounds themselves)',
  ],
  findings: [
    "verl takes PPO's clip_ratio_low, 0.2 by default, for the lower bound; the paper lets it be so low that it never binds: clipLow 1.",
    "The same name is another loss in TRL and Liger, see cispo.",
  ],
  scope: "token",
  parameters: {},
  clips: ["clipLow", "clipHigh"],
  reads: ["oldLogProbs"],
  evaluate(tokens) {
    const [lowest, highest] = [1 - tokens.clip.low, 1 + tokens.clip.high];
    return tokenwise(tokens, (token) => {
      if (token.ratio < lowest) return weightedLogProb(lowest, token, CLIP.low);
      if (token.ratio > highest) return weightedLogProb(highest, token, CLIP.high);
      return weightedLogProb(token.ratio, token);
    });
  },
};
