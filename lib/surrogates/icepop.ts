/** IcePop: tokens whose ratio to the sampler leaves a band are dropped. */
import type { SurrogateDefinition } from "./surrogate.js";
import { trustRegion } from "./trust-region.js";

export type IcepopParameters = {
  /** Smallest ratio that is kept. */
  readonly low: number;
  /** Largest ratio that is kept. */
  readonly high: number;
};

export const icepop: SurrogateDefinition<IcepopParameters, "icepop"> = {
  kind: "icepop",
  summary:
    "Unclipped ratio to the sampler; tokens whose ratio leaves a band are dropped, either sign",
  formula: "−ρ·A where low ≤ ρ ≤ high, otherwise 0; ρ = exp(ℓ − ℓ_sampler)",
  gradient: "−ρ·A on kept tokens, 0 on dropped ones",
  source:
    "INTELLECT-3, arXiv 2512.16144, Eq. 1; as a mask beside PPO's clip Ring-1T, 2510.18855, Eq. 1 and 2; both with 0.5 … 5, where prime-rl's default is 0.2 … 5",
  peers: [
    'prime-rl: trainer.loss type "icepop" (ratio_low, ratio_high)',
    "verl: a correction of the sampler's weight, decoupled_token_icepop",
    "AReaL: actor.rejection_sampling with lower 0.5 and upper 5",
  ],
  findings: [
    "It drops tokens that move towards the sampler too: the band does not ask for the sign of the advantage.",
    "Elsewhere it is a mask beside PPO's clip; here, as in INTELLECT-3, it is the whole surrogate.",
    "Dropped tokens still count in the denominators, as in INTELLECT-3; AReaL takes them out.",
  ],
  scope: "token",
  parameters: {
    low: { default: 0.2, meaning: "smallest ratio that is kept", min: 0, max: 1 },
    high: { default: 5, meaning: "largest ratio that is kept", min: 1 },
  },
  clips: [],
  reads: ["rolloutLogProbs", "oldLogProbs"],
  evaluate: (tokens, { low, high }) =>
    trustRegion(tokens, ({ ratio }) => ratio >= low && ratio <= high),
};
