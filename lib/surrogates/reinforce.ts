/** The plain policy gradient: no ratio, no clip. */
import { CLIP, type SurrogateDefinition, tokenwise } from "./surrogate.js";

export const reinforce: SurrogateDefinition = {
  kind: "reinforce",
  summary: "The policy gradient without a ratio",
  formula: "−ℓ·A",
  gradient: "−A",
  source: "REINFORCE (Williams, 1992); the loss of GPG, arXiv 2504.02546",
  peers: ['verl: policy_loss.loss_mode "gpg"', "verl: compute_policy_loss_reinforce"],
  findings: [],
  scope: "token",
  parameters: {},
  reads: [],
  evaluate: (tokens) =>
    tokenwise(tokens, ({ logProb, advantage }) =>
      logProb === Number.NEGATIVE_INFINITY
        ? { value: 0, slope: 0, clip: CLIP.none }
        : { value: -logProb * advantage, slope: -advantage, clip: CLIP.none },
    ),
};
