/** GRPOConfig: what the loss is. */
import { nullOr, oneOf, readFlag } from "../../objective/spec-values.js";
import {
  isClipped,
  LOSS_TYPES,
  type LossType,
  lossTypeOf,
  RATIO_LEVELS,
  RAW_CAP,
} from "../loss-types.js";
import type { Difference, PeerOptions } from "../peer.js";
import { count, finite, fraction, nonNegative, positive } from "../readers.js";
import { highOf, type TrlLossOptions, type TrlOptions } from "./options.js";

export const TRL_LOSS: PeerOptions<TrlLossOptions, TrlOptions> = {
  loss_type: {
    default: "dapo",
    read: oneOf(LOSS_TYPES),
    meaning: "The surrogate and how its tokens are summed up.",
    ours: ["surrogate", "reduction", "wholeBatch"],
    to: (type, options) => ({
      ...lossTypeOf(options, highOf(options)),
      differences: typeDifferences(type, options),
    }),
  },
  importance_sampling_level: {
    default: "token",
    read: oneOf(RATIO_LEVELS),
    meaning: "A ratio per token or one per sequence (GSPO); sequence_token is GSPO-token.",
    ours: ["surrogate"],
    to: (level, { loss_type }) => {
      if (level === "token" || isClipped(loss_type) || loss_type === "vespo") return {};
      return { notExpressible: `${loss_type} of a sequence's ratio: only of a token's here` };
    },
  },
  epsilon: {
    default: 0.2,
    read: fraction,
    meaning: "The ratio is clipped below at 1 − epsilon.",
    ours: ["clipLow"],
    to: (epsilon) => ({ spec: { clipLow: epsilon } }),
  },
  epsilon_high: {
    default: null,
    read: nullOr(nonNegative),
    meaning:
      "The ratio is clipped above at 1 + epsilon_high; for cispo the cap itself. null: epsilon.",
    ours: ["clipHigh", "surrogate"],
    to: (_, options) =>
      options.loss_type === "cispo"
        ? { differences: [RAW_CAP] }
        : { spec: { clipHigh: highOf(options) } },
  },
  delta: {
    default: null,
    read: nullOr(positive),
    meaning: "The ratio is at most delta in the unclipped term: the dual clip by another name.",
    ours: ["clipDual"],
    to: (delta, options) => {
      if (delta === null || !isClipped(options.loss_type)) return {};
      if (delta > 1 + highOf(options)) return { spec: { clipDual: delta } };
      return { notExpressible: "at or below 1 + epsilon_high it undercuts the ordinary clip" };
    },
  },
  beta: {
    default: 0,
    read: finite,
    meaning: "Weight of the KL to the reference, estimated by k3.",
    ours: ["refKlCoef", "batch"],
    to: (beta) => ({ spec: { refKlCoef: beta }, batch: beta === 0 ? [] : ["refLogProbs"] }),
  },
  use_bias_correction_kl: {
    default: false,
    read: readFlag,
    meaning: "The KL times the importance ratio: right off policy too.",
    ours: ["refKlEstimator"],
    to: (corrects, { beta, loss_type, importance_sampling_level }, isGiven) => {
      if (beta === 0) return {};
      if (!corrects) return isGiven ? {} : { differences: [KL_DEFAULT] };
      const ofSequence = importance_sampling_level !== "token" && loss_type !== "vespo";
      return { spec: { refKlEstimator: ofSequence ? "unbiased-sequence" : "unbiased" } };
    },
  },
  max_completion_length: {
    default: 256,
    read: nullOr(count),
    meaning: "With dr_grpo the constant that sums are divided by.",
    ours: ["denominators"],
    to: (length, { loss_type }) => {
      if (loss_type !== "dr_grpo" || length === null) return {};
      return {
        denominators: { maxLength: length },
        rules: [
          `denominators.maxLength: ${length} in every evaluation, however long its sequences.`,
        ],
      };
    },
  },
  temperature: {
    default: 1,
    read: positive,
    meaning: "Logits are divided by it, in sampling and in scoring.",
    ours: ["temperature"],
    to: (temperature) => ({ spec: { temperature } }),
  },
  mask_truncated_completions: {
    default: false,
    read: readFlag,
    meaning: "Completions without an end do not count.",
    ours: ["rules"],
    to: (masks) =>
      masks
        ? {
            rules: [
              "responseMask: 0 on every token of a completion that was cut off; its sequence still counts in sequence means.",
            ],
          }
        : {},
  },
  sync_ref_model: {
    default: false,
    read: readFlag,
    meaning: "The reference follows the policy.",
    ours: ["rules"],
    to: (syncs) =>
      syncs ? { rules: ["refLogProbs: those of the reference as it is mixed at the time."] } : {},
  },
  router_aux_loss_coef: {
    default: 0,
    read: finite,
    meaning: "Weight of a mixture-of-experts model's own balancing loss.",
    ours: ["notExpressible"],
    to: (coef) =>
      coef === 0 ? {} : { notExpressible: "the router's loss is the model's own: add it outside" },
  },
};

function typeDifferences(
  type: LossType,
  { importance_sampling_level, beta }: TrlOptions,
): readonly Difference[] {
  if (type === "dapo" || type === "cispo" || type === "vespo") return [TOKEN_COUNT];
  if (type !== "luspo" || (importance_sampling_level === "sequence" && beta === 0)) return [];
  return [UNMASKED];
}

const TOKEN_COUNT = {
  what: "TRL counts tool and truncated tokens in its global denominator, and scales by the wrong number of steps where steps_per_generation is not gradient_accumulation_steps.",
  why: "its issues 6369 and 6024; denominators.tokens is the count of counted tokens here",
};
const UNMASKED = {
  what: "TRL averages luspo over all positions, padding included; here over sequences of their sums.",
  why: "with a ratio per token or a reference KL its loss is [sequences, tokens], is multiplied by lengths and never masked (grpo_trainer.py:3143)",
};
const KL_DEFAULT = {
  what: "TRL 1.10 and later correct the reference KL by default; this import takes false where the config does not say.",
  why: "the revision that was read has false; give use_bias_correction_kl to be sure",
};
