/** GRPOConfig: entropy, masks of tokens and sequences, and the sampler's weights. */
import { nullOr, oneOf, readFlag } from "../../objective/spec-values.js";
import type { Contribution, PeerOptions } from "../peer.js";
import { finite, fraction, nonNegative, positive } from "../readers.js";
import {
  SAMPLER_MODES,
  type SamplerMode,
  type TrlOptions,
  type TrlTokenOptions,
} from "./options.js";

export const TRL_TOKENS: PeerOptions<TrlTokenOptions, TrlOptions> = {
  top_entropy_quantile: {
    default: 1,
    read: fraction,
    meaning: "Only this fraction of the tokens, those of highest entropy, has a policy loss.",
    ours: ["policyTokenMask"],
    to: (top, { entropy_coef }) => {
      if (top === 1) return {};
      if (top === 0) return { notExpressible: "a single token of the batch: give its fraction" };
      return {
        spec: { policyTokenMask: { by: "entropy", top, level: "batch", denominator: "all" } },
        batch: ["entropy"],
        differences: [
          {
            what: "TRL takes the quantile over the tokens of all processes; here over those of one evaluation.",
            why: "an evaluation sees its own batch; evaluate the whole batch at once for the same threshold",
          },
          ...(entropy_coef === 0 ? [] : [MASKED_BONUS]),
        ],
      };
    },
  },
  entropy_coef: {
    default: 0,
    read: finite,
    meaning: "Bonus for entropy, exact, token mean: subtracted from the loss.",
    ours: ["entropyCoef", "batch"],
    to: (coef) => ({
      spec: { entropyCoef: coef === 0 ? 0 : -coef },
      batch: coef === 0 ? [] : ["entropy"],
    }),
  },
  use_adaptive_entropy: {
    default: false,
    read: readFlag,
    meaning: "The bonus follows a target; entropy_coef is where it starts.",
    ours: ["rules"],
    to: (adapts, options) => (adapts ? adaptiveEntropy(options) : {}),
  },
  entropy_target: {
    default: 0.2,
    read: nonNegative,
    meaning: "Adaptive bonus: the entropy it holds on to, nats per token.",
    ours: ["rules"],
  },
  entropy_coef_min: {
    default: 0,
    read: nonNegative,
    meaning: "Adaptive bonus: its least weight.",
    ours: ["rules"],
  },
  entropy_coef_max: {
    default: 1,
    read: nonNegative,
    meaning: "Adaptive bonus: its largest weight.",
    ours: ["rules"],
  },
  entropy_coef_delta: {
    default: 0.005,
    read: positive,
    meaning: "Adaptive bonus: how far it moves per update.",
    ours: ["rules"],
  },
  off_policy_mask_threshold: {
    default: null,
    read: nullOr(nonNegative),
    meaning:
      "Sequences of negative advantage whose mean ℓ_sampler − ℓ is above it have no policy loss.",
    ours: ["offPolicyMask"],
    to: (threshold, { use_vllm }) =>
      threshold === null
        ? {}
        : { spec: { offPolicyMask: { threshold } }, batch: use_vllm ? ["rolloutLogProbs"] : [] },
  },
  use_vllm: {
    default: false,
    read: readFlag,
    meaning: "Completions come from vLLM, whose log-probs differ from the trainer's.",
    ours: ["rolloutCorrection"],
  },
  vllm_importance_sampling_correction: {
    default: true,
    read: readFlag,
    meaning: "With vLLM: whether its log-probs are corrected for.",
    ours: ["rolloutCorrection"],
  },
  vllm_importance_sampling_mode: {
    default: "sequence_mask",
    read: oneOf(SAMPLER_MODES),
    meaning: "A weight per token or per sequence; beyond the bounds truncated, or dropped.",
    ours: ["rolloutCorrection", "batch"],
    to: (mode, options) =>
      options.use_vllm && options.vllm_importance_sampling_correction
        ? samplerCorrection(mode, options)
        : {},
  },
  vllm_importance_sampling_clip_max: {
    alsoNamed: ["vllm_importance_sampling_cap"],
    default: 3,
    read: nullOr(positive),
    meaning: "Upper bound of the sampler's weight; null is none.",
    ours: ["rolloutCorrection"],
  },
  vllm_importance_sampling_clip_min: {
    default: null,
    read: nullOr(nonNegative),
    meaning: "Lower bound of the sampler's weight.",
    ours: ["rolloutCorrection"],
  },
  importance_sampling_ratio: {
    default: false,
    read: readFlag,
    meaning:
      "The batch's own field of that name, in words: weights of the sampler, per token, truncated.",
    ours: ["rolloutCorrection", "batch"],
    to: (isThere, options) => (isThere ? samplerCorrection("token_truncate", options) : {}),
  },
};

function samplerCorrection(mode: SamplerMode, options: TrlOptions): Contribution {
  if (options.loss_type === "vespo") {
    return {
      notExpressible:
        "VESPO in TRL multiplies the sampler's ratios into the sequence's weight, padding included, before it is shaped",
    };
  }
  const [level, way] = mode.split("_") as ["token" | "sequence", "truncate" | "mask"];
  return {
    spec: {
      rolloutCorrection: {
        level,
        mode: way,
        max: options.vllm_importance_sampling_clip_max ?? Number.MAX_VALUE,
        min: options.vllm_importance_sampling_clip_min ?? 0,
        batchNormalize: false,
        reject: null,
      },
    },
    batch: ["oldLogProbs", "rolloutLogProbs"],
  };
}

function adaptiveEntropy(options: TrlOptions): Contribution {
  const { entropy_target, entropy_coef_delta, entropy_coef_min, entropy_coef_max } = options;
  const start = `target: ${entropy_target}, delta: ${entropy_coef_delta}, min: ${entropy_coef_min}, max: ${entropy_coef_max}, coefficient: ${options.entropy_coef}`;
  return {
    batch: ["entropy"],
    rules: [
      `coefficients.entropy: the entropyCoef of new AdaptiveEntropy({ ${start} }), updated once per update.`,
    ],
  };
}

const MASKED_BONUS = {
  what: "TRL restricts the entropy bonus to the tokens of the entropy quantile; here it is over all counted tokens.",
  why: "the policy's token mask is of the policy term only",
};
