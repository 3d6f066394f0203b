/** The plain policy gradient: no ratio, no clip. */
import { type SurrogateDefinition, tokenwise, weightedLogProb } from "./surrogate.js";

export const reinforce: SurrogateDefinition<object, "reinforce"> = {
  kind: "reinforce",
  aliases: ["gpg"],
  summary: "Plain policy gradient: log-prob times advantage, without ratio or clip; GPG's loss",
  formula: "−A·ℓ",
  gradient: "−A, everywhere",
  source: "REINFORCE: Williams (1992); GPG, arXiv 2504.02546, whose own part is its advantages",
  peers: [
    'verl: policy_loss.loss_mode "gpg" (core_algos.py:1414)',
    "verl: rollout correction's loss_type \"reinforce\" (core_algos.py:1984), with the sampler's weight",
  ],
  findings: [
    "Right only for the first update on a batch: later ones need a ratio. Old log-probs are not used; where a batch has them, ratios are still reported.",
    "verl registers gpg only; its reinforce is reached through rollout correction.",
  ],
  scope: "token",
  parameters: {},
  clips: [],
  reads: [],
  evaluate: (tokens) => tokenwise(tokens, (token) => weightedLogProb(1, token)),
};
