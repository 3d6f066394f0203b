/** SAPO: a sigmoid gate in the place of the clip. */
import { type SurrogateDefinition, tokenwise } from "./surrogate.js";

export type SapoParameters = {
  /** τ of tokens with A > 0. */
  readonly temperaturePositive: number;
  /** τ of all others. */
  readonly temperatureNegative: number;
};

export const sapo: SurrogateDefinition<SapoParameters, "sapo"> = {
  kind: "sapo",
  summary:
    "Soft gate on the token ratio: the gradient fades with the distance from 1 and has no kink",
  formula: "−(4/τ)·σ(τ(r − 1))·A, τ = temperaturePositive for A > 0, temperatureNegative otherwise",
  gradient: "−4·σ(1 − σ)·r·A; at r = 1 that of the unclipped ratio",
  source: "Soft Adaptive Policy Optimization, arXiv 2511.20347, Eq. 5 and 6; τ as published",
  peers: [
    'TRL: loss_type "sapo" (sapo_temperature_pos, sapo_temperature_neg)',
    'Liger: loss_type "sapo", the same names',
    'verl: policy_loss.loss_mode "sapo" (tau_pos, tau_neg; core_algos.py:1329)',
  ],
  findings: [
    "The value at r = 1 is −2·A/τ, not −A: only gradients compare with those of other surrogates.",
    "verl always reduces by seq-mean-token-mean, whatever loss_agg_mode says.",
    "verl limits the log-ratio to ±20, TRL and Liger do not; beyond it the gate is closed anyway.",
  ],
  scope: "token",
  parameters: {
    temperaturePositive: { default: 1, meaning: "τ of tokens with A > 0", min: 1e-4 },
    temperatureNegative: {
      default: 1.05,
      meaning: "τ of all others; above temperaturePositive it fades faster",
      min: 1e-4,
    },
  },
  clips: [],
  reads: ["oldLogProbs"],
  evaluate: (tokens, { temperaturePositive, temperatureNegative }) =>
    tokenwise(tokens, ({ advantage, ratio, ratioSlope }) => {
      const temperature = advantage > 0 ? temperaturePositive : temperatureNegative;
      const x = temperature * (ratio - 1);
      const decay = Math.exp(-Math.abs(x));
      const gate = (x < 0 ? decay : 1) / (1 + decay);
      const steepness = decay / (1 + decay) ** 2;
      return {
        value: -(4 / temperature) * gate * advantage,
        slope: -4 * steepness * ratioSlope * advantage,
      };
    }),
};
