/** The PAPO authors' policy term, reference KL, entropies, advantages and filter. */
import { describe, expected } from "../../core/errors.js";
import { nullOr, oneOf, readFlag } from "../../objective/spec-values.js";
import type { ImportedAdvantages, PeerOptions } from "../peer.js";
import { finite, fraction, nonNegative, positive } from "../readers.js";
import { readConfigFile } from "./config-files.js";
import {
  ACTOR,
  ADV_ESTIMATORS,
  type AdvEstimator,
  ALGORITHM,
  ESTIMATORS,
  FULL,
  KL_PENALTIES,
  type PapoOptions,
  type PapoPolicyOptions,
} from "./options.js";

export const PAPO_POLICY: PeerOptions<PapoPolicyOptions, PapoOptions> = {
  config: {
    default: null,
    read: nullOr(readConfigFile),
    meaning: "One of the repository's yaml files, for what the config itself does not say.",
    ours: ["rules"],
  },
  clip_ratio_low: {
    section: ACTOR,
    default: 0.2,
    read: fraction,
    meaning: "The ratio is clipped below at 1 − it.",
    ours: ["clipLow"],
    to: (low) => ({ spec: { clipLow: low } }),
  },
  clip_ratio_high: {
    section: ACTOR,
    default: 0.3,
    read: nonNegative,
    meaning: "The ratio is clipped above at 1 + it.",
    ours: ["clipHigh"],
    to: (high) => ({ spec: { clipHigh: high } }),
  },
  clip_ratio_dual: {
    section: ACTOR,
    default: 3,
    read: positive,
    meaning: "Dual clip, always on.",
    ours: ["clipDual"],
    to: (dual, { clip_ratio_high }) =>
      dual > 1 + clip_ratio_high
        ? { spec: { clipDual: dual } }
        : { notExpressible: "at or below 1 + clip_ratio_high it undercuts the ordinary clip" },
  },
  loss_avg_mode: {
    section: ACTOR,
    default: "token",
    read: oneOf(["token", "seq"]),
    meaning:
      "Token mean, or mean of sequence means; both entropies are token means in either case.",
    ours: ["reduction"],
    to: (mode) => ({
      spec: { reduction: mode === "token" ? "token-mean" : "seq-mean-token-mean" },
    }),
  },
  loss_type: {
    section: ACTOR,
    default: "default",
    read: oneOf(["default", "gspo", "gspo_token", "cispo"]),
    meaning: "Qwen3 branch: accepted, and without effect there.",
    ours: ["surrogate"],
    to: (type) =>
      type === "default"
        ? {}
        : { notExpressible: "the branch that has it ignores it: PPO's clip is what it computes" },
  },
  temperature: {
    section: "worker.rollout",
    default: 1,
    read: positive,
    meaning: "Logits are divided by it, in sampling and in scoring.",
    ours: ["temperature"],
    to: (temperature) => ({ spec: { temperature } }),
  },
  adv_estimator: {
    section: ALGORITHM,
    default: "grpo",
    read: oneOf(ADV_ESTIMATORS),
    meaning: "How advantages are formed; dapo is the same function as grpo.",
    ours: ["advantages"],
    to: (name, options) => ({ advantages: ADVANTAGES[name](options) }),
  },
  gamma: {
    section: ALGORITHM,
    default: 1,
    read: fraction,
    meaning: "Discount of later rewards.",
    ours: ["advantages"],
  },
  lam: {
    section: ALGORITHM,
    default: 1,
    read: fraction,
    meaning: "Weight of later differences in GAE.",
    ours: ["advantages"],
  },
  disable_kl: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "No reference at all.",
    ours: ["refKlCoef"],
  },
  use_kl_loss: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "The reference KL is a term of the loss; otherwise it is taken off the rewards.",
    ours: ["refKlCoef", "batch"],
    to: (uses, { disable_kl, kl_coef }) => {
      if (disable_kl) return {};
      if (uses) return { spec: { refKlCoef: kl_coef }, batch: ["refLogProbs"] };
      return {
        notExpressible: "the KL is then taken off the rewards: subtract it before advantages",
      };
    },
  },
  kl_penalty: {
    section: ALGORITHM,
    default: "kl",
    read: oneOf(KL_PENALTIES),
    meaning: "Estimator of the reference KL.",
    ours: ["refKlEstimator"],
    to: (word) => {
      const estimator = ESTIMATORS[word];
      return estimator === undefined
        ? { notExpressible: FULL }
        : { spec: { refKlEstimator: estimator } };
    },
  },
  kl_coef: {
    section: ALGORITHM,
    default: 0.01,
    read: finite,
    meaning: "β, weight of the reference KL.",
    ours: ["refKlCoef"],
  },
  kl_type: {
    section: ALGORITHM,
    default: "fixed",
    read: oneOf(["fixed", "adaptive"]),
    meaning: "Whether β follows a target.",
    ours: ["rules"],
    to: (type, { kl_coef, kl_target, kl_horizon }) =>
      type === "fixed"
        ? {}
        : {
            rules: [
              `coefficients.refKl: the coefficient of new AdaptiveKl({ coefficient: ${kl_coef}, target: ${kl_target}, horizon: ${kl_horizon} }), updated once per step.`,
            ],
          },
  },
  kl_horizon: {
    section: ALGORITHM,
    default: 0,
    read: nonNegative,
    meaning: "Adaptive β: updates in which it may double.",
    ours: ["rules"],
  },
  kl_target: {
    section: ALGORITHM,
    default: 0,
    read: nonNegative,
    meaning: "Adaptive β: the KL it keeps to.",
    ours: ["rules"],
  },
  use_aug_entropy_loss: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "Whether the masked policy's entropy is in the loss; it has no gradient there.",
    ours: ["maskedEntropyCoef", "batch"],
    to: (uses, { aug_entropy_loss_coef, use_kl_prcp }) =>
      uses && use_kl_prcp ? { spec: { maskedEntropyCoef: aug_entropy_loss_coef } } : {},
  },
  aug_entropy_loss_coef: {
    section: ALGORITHM,
    default: 0.03,
    read: finite,
    meaning: "η of the masked policy's entropy.",
    ours: ["maskedEntropyCoef"],
  },
  use_ori_entropy_loss: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "Whether the policy's entropy is in the loss.",
    ours: ["entropyCoef"],
    to: (uses, { ori_entropy_loss_coef }) =>
      uses ? { spec: { entropyCoef: ori_entropy_loss_coef } } : {},
  },
  ori_entropy_loss_coef: {
    section: ALGORITHM,
    default: 0.03,
    read: finite,
    meaning: "η of the policy's entropy.",
    ours: ["entropyCoef"],
  },
  use_sft_loss: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "Whether correct rollouts are learnt by heart as well.",
    ours: ["sftCoef", "batch"],
    to: (uses, { sft_loss_coef }) =>
      uses ? { spec: { sftCoef: sft_loss_coef }, batch: ["accuracies"] } : {},
  },
  sft_loss_coef: {
    section: ALGORITHM,
    default: 1e-3,
    read: finite,
    meaning: "Weight of that.",
    ours: ["sftCoef"],
  },
  online_filtering: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "Dynamic sampling: groups whose mean score is near an end are left out.",
    ours: ["groupFilter", "rules"],
    to: (filters, { filter_key, filter_low: low, filter_high: high }) =>
      filters
        ? {
            groupFilter: { rule: "mean", low, high, fallback: "keep-all" },
            rules: [`scores of filterGroups: the reward called "${filter_key}".`],
          }
        : {},
  },
  filter_key: {
    section: ALGORITHM,
    default: "overall",
    read: (where, name, value) => {
      if (typeof value === "string") return value;
      throw expected("ERR_ARGUMENT", where, `${name} to be text`, describe(value));
    },
    meaning: "Which score that is; accuracy in the DAPO scripts.",
    ours: ["groupFilter"],
  },
  filter_low: {
    section: ALGORITHM,
    default: 0.01,
    read: finite,
    meaning: "Groups need a mean above it.",
    ours: ["groupFilter"],
  },
  filter_high: {
    section: ALGORITHM,
    default: 0.99,
    read: finite,
    meaning: "Groups need a mean below it.",
    ours: ["groupFilter"],
  },
};

const GROUP_NORMALISED: ImportedAdvantages = { kind: "grpo", epsilon: 1e-6, smallGroups: "error" };

const ADVANTAGES: Readonly<Record<AdvEstimator, (options: PapoOptions) => ImportedAdvantages>> = {
  grpo: () => GROUP_NORMALISED,
  dapo: () => GROUP_NORMALISED,
  rloo: () => ({ kind: "rloo", smallGroups: "error" }),
  reinforce_plus_plus: ({ gamma }) => ({ kind: "reinforce++", gamma }),
  remax: () => ({ kind: "remax" }),
  gae: ({ gamma, lam }) => ({ kind: "gae", gamma, lambda: lam }),
};
