/** verl's correction of a rollout mismatch. */
import { nullOr, oneOf, readFlag } from "../../objective/spec-values.js";
import type { Contribution, PeerOptions } from "../peer.js";
import { finite, positive } from "../readers.js";
import { ACTOR, ALGORITHM, type VerlCorrectionOptions, type VerlOptions } from "./options.js";
import { readModes, readThresholds, rejectionsOf, vetoOf } from "./rollout.js";

const CORRECTION = `${ALGORITHM}.rollout_correction`;

export const VERL_CORRECTION: PeerOptions<VerlCorrectionOptions, VerlOptions> = {
  use_rollout_log_probs: {
    section: ACTOR,
    default: false,
    read: readFlag,
    meaning: "The sampler is taken as the old policy.",
    ours: ["rules"],
    to: (uses) => (uses ? { rules: [SAMPLER_IS_OLD] } : {}),
  },
  tis_imp_ratio_cap: {
    section: ACTOR,
    default: -1,
    read: finite,
    meaning:
      "Before rollout_correction: cap of the sampler's weight per token; not above 0 is off.",
    ours: ["rolloutCorrection"],
    to: (cap) => (cap > 0 ? tokenWeights(cap) : {}),
  },
  rollout_is: {
    section: CORRECTION,
    default: null,
    read: nullOr(oneOf(["token", "sequence"])),
    meaning: "Level of the sampler's importance weights; null is none.",
    ours: ["rolloutCorrection", "batch"],
    to: (_, options) => correction(options),
  },
  rollout_is_threshold: {
    section: CORRECTION,
    default: [{ lower: null, upper: 2 }],
    read: readThresholds,
    meaning: 'Weights are at most this; "lower_upper" drops what is outside (IcePop).',
    ours: ["rolloutCorrection"],
  },
  rollout_is_batch_normalize: {
    section: CORRECTION,
    default: false,
    read: readFlag,
    meaning: "Weights are divided by their mean.",
    ours: ["rolloutCorrection"],
  },
  rollout_is_weights: {
    default: false,
    read: readFlag,
    meaning: "The policy losses' argument of that name, in words: weights per token, at most 2.",
    ours: ["rolloutCorrection", "batch"],
    to: (isThere) => (isThere ? tokenWeights(2) : {}),
  },
  rollout_rs: {
    section: CORRECTION,
    default: null,
    read: readModes,
    meaning: "Rejection by k1, k2 or k3, of tokens or sequences; a list with commas.",
    ours: ["rolloutCorrection"],
    to: (modes, options) =>
      modes !== null && isRatioToSampler(options)
        ? {
            notExpressible:
              "with bypass_mode verl compares the policy of the update with the sampler; here it is the old policy, which is the sampler then",
          }
        : {},
  },
  rollout_rs_threshold: {
    section: CORRECTION,
    default: null,
    read: readThresholds,
    meaning: "Its bounds; null: those of the weights.",
    ours: ["rolloutCorrection"],
  },
  rollout_rs_threshold_lower: {
    section: CORRECTION,
    default: null,
    read: nullOr(positive),
    meaning: "Its lower bound, in older versions; null: 1 over the upper one.",
    ours: ["rolloutCorrection"],
  },
  rollout_token_veto_threshold: {
    section: CORRECTION,
    default: null,
    read: nullOr(positive),
    meaning: "In older versions: a token with a smaller ratio takes its sequence out.",
    ours: ["rolloutCorrection"],
  },
  bypass_mode: {
    section: CORRECTION,
    alsoNamed: [`${CORRECTION}.bypass_old_logprob_for_rollout`],
    default: false,
    read: readFlag,
    meaning: "The sampler's log-probs serve as the old policy's.",
    ours: ["rules", "surrogate"],
    to: (bypasses, { loss_type }) =>
      bypasses ? { rules: [loss_type === "ppo_clip" ? SAMPLER_IS_OLD : SELF_IS_OLD] } : {},
  },
  loss_type: {
    section: CORRECTION,
    default: "ppo_clip",
    read: oneOf(["ppo_clip", "reinforce"]),
    meaning: "With bypass_mode: PPO's clip, or −w·A·ℓ with the weights.",
    ours: ["surrogate"],
  },
};

const SAMPLER_IS_OLD = "oldLogProbs: the sampler's log-probs.";
const SELF_IS_OLD =
  "oldLogProbs: the policy's own log-probs of this evaluation; the weights then are those of the policy over the sampler.";

function tokenWeights(max: number): Contribution {
  return {
    spec: {
      rolloutCorrection: {
        level: "token",
        mode: "truncate",
        max,
        min: 0,
        batchNormalize: false,
        reject: null,
      },
    },
    batch: ["oldLogProbs", "rolloutLogProbs"],
  };
}

/** PPO's clip of the ratio to the sampler, which is the correction then. */
function isRatioToSampler({ bypass_mode, loss_type }: VerlOptions): boolean {
  return bypass_mode && loss_type === "ppo_clip";
}

/** The section rollout_correction as a whole. */
function correction(options: VerlOptions): Contribution {
  const { rollout_is: level, rollout_rs, rollout_token_veto_threshold: veto } = options;
  const weights = options.rollout_is_threshold?.[0] ?? { lower: null, upper: 2 };
  const thresholds = options.rollout_rs_threshold ?? [weights];
  const reject = [
    ...rejectionsOf(rollout_rs ?? [], thresholds, options.rollout_rs_threshold_lower),
    ...(veto === null ? [] : [vetoOf(veto)]),
  ];
  if (isRatioToSampler(options) || (level === null && reject.length === 0)) return {};
  return {
    spec: {
      rolloutCorrection: {
        level: level ?? "none",
        mode: weights.lower === null ? "truncate" : "mask",
        max: weights.upper,
        min: weights.lower ?? 0,
        batchNormalize: options.rollout_is_batch_normalize,
        reject: reject.length === 0 ? null : reject,
      },
    },
    batch: ["oldLogProbs", "rolloutLogProbs"],
    ...(reject.length === 0 ? {} : { rules: [REJECTED_ROWS], differences: [REJECTED] }),
  };
}

const REJECTED_ROWS =
  "For verl's denominators: responseMask times the `keep` of the correction, which verl takes out of every count and term.";
const REJECTED = {
  what: "Rejected tokens lose their policy loss here, but still count in denominators, KL and entropy.",
  why: "verl takes them out of the response mask; a correction of the policy term should not rescale the others",
};
