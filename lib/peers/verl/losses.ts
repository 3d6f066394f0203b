/** verl's policy losses and advantage estimators: what each of their names is here. */
import type { ObjectiveSpecInput } from "../../objective/spec.js";
import type { Contribution, Difference, ImportedAdvantages } from "../peer.js";

export const LOSS_MODES = [
  "vanilla",
  "gspo",
  "sapo",
  "gpg",
  "clip_cov",
  "kl_cov",
  "geo_mean",
  "cispo",
  "dppo_tv",
  "dppo_kl",
] as const;
export type LossMode = (typeof LOSS_MODES)[number];

/** The numbers that a policy loss reads, resolved. */
export interface LossNumbers {
  readonly low: number;
  readonly high: number;
  readonly dual: number;
  readonly tauPositive: number;
  readonly tauNegative: number;
  readonly clipCov: { readonly fraction: number; readonly lower: number; readonly upper: number };
  readonly klCov: { readonly fraction: number; readonly coefficient: number };
}

type Surrogate = NonNullable<ObjectiveSpecInput["surrogate"]>;

interface LossModeEntry {
  readonly surrogate: (numbers: LossNumbers) => Surrogate;
  /** Whether clip_ratio_c acts: in PPO's loss only. */
  readonly dual?: true;
  /** The reduction it insists on, whatever loss_agg_mode says. */
  readonly reduction?: "seq-mean-token-mean";
  /** A plain mean over the rows of a micro-batch: no count of a larger batch, empty sequences included. */
  readonly isPlainMean?: true;
  readonly rules?: readonly string[];
  readonly differences?: readonly Difference[];
}

/** One line per policy loss that verl registers. */
export const VERL_LOSSES: Readonly<Record<LossMode, LossModeEntry>> = {
  vanilla: { surrogate: () => ({ kind: "ppo-clip" }), dual: true },
  gspo: {
    surrogate: () => ({ kind: "gspo-token", sequenceLogRatioMax: 10 }),
    reduction: "seq-mean-token-mean",
  },
  sapo: {
    surrogate: ({ tauPositive, tauNegative }) => ({
      kind: "sapo",
      temperaturePositive: tauPositive,
      temperatureNegative: tauNegative,
    }),
    reduction: "seq-mean-token-mean",
  },
  gpg: { surrogate: () => ({ kind: "reinforce" }) },
  clip_cov: {
    surrogate: ({ clipCov }) => ({ kind: "clip-cov", ...clipCov }),
    differences: [
      {
        what: "verl draws the dropped tokens from an unseeded generator; here the evaluation's seed decides.",
        why: "its numbers do not repeat, so only their distribution can be the same (core_algos.py:1450)",
      },
    ],
  },
  kl_cov: { surrogate: ({ klCov }) => ({ kind: "kl-cov", ...klCov }) },
  geo_mean: {
    surrogate: () => ({ kind: "gmpo" }),
    reduction: "seq-mean-token-mean",
    isPlainMean: true,
    rules: [
      "geo_mean is a plain mean over the sequences of a micro-batch, empty ones included: average micro-batches.",
    ],
    differences: [
      {
        what: "verl adds 1e-8 to the token count inside the geometric mean too, and has no limit on the log-ratio.",
        why: "an artefact of masked means, 1e-8 of the loss (core_algos.py:1680-1712)",
      },
    ],
  },
  cispo: { surrogate: () => ({ kind: "cispo-two-sided" }) },
  dppo_tv: dppo("tv"),
  dppo_kl: dppo("kl"),
};

function dppo(divergence: "tv" | "kl"): LossModeEntry {
  return {
    surrogate: ({ low, high }) => ({
      kind: "dppo",
      divergence,
      low,
      high,
      conditional: true,
      logRatioPenalty: 0,
    }),
    rules: ["No rolloutLogProbs: verl's DPPO measures from the old policy."],
    differences: [
      {
        what: "verl's DPPO is −sg[min(ρ, clip_ratio_c)]·A·ℓ; here −ρ·A, without a cap.",
        why: "the gradient is the same for ρ ≤ clip_ratio_c, the value is not",
      },
    ],
  };
}

export const ADV_ESTIMATORS = [
  "gae",
  "grpo",
  "grpo_vectorized",
  "reinforce_plus_plus",
  "reinforce_plus_plus_baseline",
  "remax",
  "rloo",
  "rloo_vectorized",
  "opo",
  "grpo_passk",
  "gpg",
  "gdpo",
  "optimal_token_baseline",
  "tir_optimal_token_baseline",
] as const;
export type AdvEstimator = (typeof ADV_ESTIMATORS)[number];

export interface AdvantageNumbers {
  readonly byStd: boolean;
  readonly gamma: number;
  readonly lambda: number;
}

const OPTIMAL_BASELINE: Contribution = {
  notExpressible:
    "the optimal token baseline needs gradient norms: compute those advantages yourself",
};

/** verl's ε is 1e-6, and a group of one keeps its reward. */
const GROUPS = { smallGroups: "reward" } as const;

const grpo = ({ byStd }: AdvantageNumbers): Contribution => ({
  advantages: byStd ? { kind: "grpo", epsilon: 1e-6, ...GROUPS } : { kind: "dr-grpo", ...GROUPS },
});
const always = (advantages: ImportedAdvantages) => (): Contribution => ({ advantages });

/** One line per estimator that verl registers. */
export const VERL_ADVANTAGES: Readonly<
  Record<AdvEstimator, (numbers: AdvantageNumbers) => Contribution>
> = {
  gae: ({ gamma, lambda }) => ({ advantages: { kind: "gae", gamma, lambda } }),
  grpo,
  grpo_vectorized: grpo,
  reinforce_plus_plus: ({ gamma }) => ({ advantages: { kind: "reinforce++", gamma } }),
  reinforce_plus_plus_baseline: always({ kind: "reinforce++-baseline", ...GROUPS }),
  remax: always({ kind: "remax" }),
  rloo: always({ kind: "rloo", ...GROUPS }),
  rloo_vectorized: always({ kind: "rloo", ...GROUPS }),
  opo: always({ kind: "opo", ...GROUPS }),
  grpo_passk: ({ byStd }) => ({
    advantages: { kind: "pass@k", scale: byStd ? "group" : "none", epsilon: 1e-6 },
  }),
  gpg: always({ kind: "gpg", nonzero: "rewards", ...GROUPS }),
  gdpo: always({ kind: "gdpo", epsilon: 1e-6, ...GROUPS }),
  optimal_token_baseline: () => OPTIMAL_BASELINE,
  tir_optimal_token_baseline: () => OPTIMAL_BASELINE,
};
