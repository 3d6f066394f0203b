/** CISPO with the cap that TRL and Liger have: the ratio itself, held above only. */
import { CLIP, type SurrogateDefinition, tokenwise, weightedLogProb } from "./surrogate.js";

export type CispoParameters = {
  /** Largest importance weight, itself a ratio. */
  readonly ratioCap: number;
};

export const cispo: SurrogateDefinition<CispoParameters, "cispo"> = {
  kind: "cispo",
  summary: "Clipped importance weight on the log-prob: no token loses its gradient; capped above",
  formula: "−sg[min(r, ratioCap)]·A·ℓ",
  gradient: "−min(r, ratioCap)·A, everywhere",
  source:
    "CISPO: MiniMax-M1, arXiv 2506.13585, Eq. 4 and 5 (no lower bound in use there, the upper one not disclosed); cap 5: TRL's recommendation for ScaleRL, 2510.13786",
  peers: [
    'TRL: loss_type "cispo", whose epsilon_high is ratioCap (grpo_trainer.py:3080)',
    'Liger: loss_type "cispo", whose epsilon_high is ratioCap',
  ],
  findings: [
    "TRL and Liger read epsilon_high as the cap itself, not as 1 + epsilon_high: PPO's usual 0.2 would scale every token to a fifth.",
    "TRL counts as clipped only tokens with A > 0; here every token whose ratio was held counts.",
    "Values are products with ℓ, so they say nothing about progress and do not compare with those of other surrogates.",
  ],
  scope: "token",
  parameters: {
    ratioCap: { default: 5, meaning: "largest importance weight, itself a ratio", above: 0 },
  },
  clips: [],
  reads: ["oldLogProbs"],
  evaluate: (tokens, { ratioCap }) =>
    tokenwise(tokens, (token) =>
      token.ratio > ratioCap
        ? weightedLogProb(ratioCap, token, CLIP.high)
        : weightedLogProb(token.ratio, token),
    ),
};
