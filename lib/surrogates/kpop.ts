/** KPop: tokens whose binary KL to the sampler is too large, in either direction, are dropped. */
import type { SurrogateDefinition } from "./surrogate.js";
import { binaryKl, trustRegion } from "./trust-region.js";

export type KpopParameters = {
  /** Largest binary KL that is kept, either way, nats. */
  readonly limit: number;
  /** Coefficient of (ln ρ)² on every counted token, dropped or not. */
  readonly logRatioPenalty: number;
};

export const kpop: SurrogateDefinition<KpopParameters, "kpop"> = {
  kind: "kpop",
  summary:
    "Unclipped ratio to the sampler; tokens too far from it by binary KL, either way, are dropped",
  formula:
    "−ρ·A where D(p‖q) ≤ limit and D(q‖p) ≤ limit, otherwise 0; + logRatioPenalty·(ln ρ)² on all; D(p‖q) = p ln(p/q) + (1 − p) ln((1 − p)/(1 − q))",
  gradient: "−ρ·A on kept tokens, 0 on dropped ones; + 2·logRatioPenalty·ln ρ on all",
  source:
    "KPop, Guo et al., Ant Group (ringtech.notion.site/kpop); as in prime-rl pull request 3283",
  peers: [
    "prime-rl: pull request 3283 (kpop_threshold 0.1; kl_tau is logRatioPenalty, 1e-3 there)",
    'verl: pull request 6800 (rollout_rs "binary_kl")',
    "AReaL: pull request 1405 (kpop_phi; keeps strictly below it)",
  ],
  findings: [
    "The band is wide in ratios for rare tokens and tight for sure ones.",
    "p and q are kept within [1e-6, 1 − 1e-6] before D; without that a sure token's complement gives NaN, which reads as dropped.",
  ],
  scope: "token",
  parameters: {
    limit: { default: 0.1, meaning: "largest binary KL that is kept, either way, nats", above: 0 },
    logRatioPenalty: {
      default: 0,
      meaning: "of (ln ρ)² on every counted token, dropped or not (prime-rl: 1e-3)",
      min: 0,
    },
  },
  clips: [],
  reads: ["rolloutLogProbs", "oldLogProbs"],
  evaluate: (tokens, { limit, logRatioPenalty }) =>
    trustRegion(
      tokens,
      (_, p, q) => binaryKl(p, q) <= limit && binaryKl(q, p) <= limit,
      logRatioPenalty,
    ),
};
