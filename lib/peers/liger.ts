/** `fromLiger`: the arguments of LigerFusedLinearGRPOLoss, and of the Triton loss where they differ in name. */
import { nullOr, oneOf, readFlag } from "../objective/spec-values.js";
import { importConfig } from "./import.js";
import {
  isClipped,
  LOSS_SHAPES,
  LOSS_TYPES,
  type LossTypeOptions,
  lossTypeOf,
  RATIO_LEVELS,
  RAW_CAP,
} from "./loss-types.js";
import type { Peer, PeerImport } from "./peer.js";
import { count, finite, fraction, nonNegative, positive } from "./readers.js";

interface LigerOptions extends LossTypeOptions {
  readonly beta: number;
  readonly use_ref_model: boolean;
  readonly use_bias_correction_kl: boolean;
  readonly epsilon_low: number;
  readonly epsilon_high: number;
  readonly delta: number | null;
  readonly max_completion_length: number | null;
  readonly num_items_in_batch: number | null;
  readonly temperature: number;
  readonly vllm_is_ratio: unknown;
}

const LEVELS = RATIO_LEVELS.filter((level) => level !== "sequence_token");

export const LIGER: Peer<LigerOptions> = {
  name: "Liger",
  where: "fromLiger",
  source:
    "liger_kernel/chunked_loss/grpo_loss.py and ops/grpo_loss.py, as TRL's golden revision uses them",
  always: {
    spec: {
      // Liger limits no log-ratio and no KL; 700 is where exp stays finite.
      logRatioLimit: 700,
      klLimit: null,
      refKlEstimator: "k3",
      denominatorEpsilon: 0,
    },
  },
  options: {
    ...LOSS_SHAPES,
    loss_type: {
      default: "dapo",
      read: oneOf(LOSS_TYPES),
      meaning: "The surrogate and how its tokens are summed up.",
      ours: ["surrogate", "reduction", "wholeBatch"],
      to: (type, options) => ({
        ...lossTypeOf(options, options.epsilon_high),
        differences: type === "luspo" ? [TRITON_LUSPO] : undefined,
      }),
    },
    importance_sampling_level: {
      default: "token",
      read: oneOf(LEVELS),
      meaning: "A ratio per token or one per sequence (GSPO).",
      ours: ["surrogate"],
      to: (level, { loss_type }) =>
        level === "token" || isClipped(loss_type)
          ? {}
          : { notExpressible: `Liger refuses it with ${loss_type} itself` },
    },
    epsilon_low: {
      alsoNamed: ["eps_low"],
      default: 0.2,
      read: fraction,
      meaning: "The ratio is clipped below at 1 − epsilon_low.",
      ours: ["clipLow"],
      to: (low) => ({ spec: { clipLow: low } }),
    },
    epsilon_high: {
      alsoNamed: ["eps_high"],
      default: 0.2,
      read: nonNegative,
      meaning: "The ratio is clipped above at 1 + epsilon_high; for cispo the cap itself.",
      ours: ["clipHigh", "surrogate"],
      to: (high, { loss_type }) =>
        loss_type === "cispo" ? { differences: [RAW_CAP] } : { spec: { clipHigh: high } },
    },
    delta: {
      default: null,
      read: nullOr(positive),
      meaning: "The ratio is at most delta in the unclipped term: the dual clip by another name.",
      ours: ["clipDual"],
      to: (delta, { loss_type, epsilon_high }) => {
        if (delta === null || !isClipped(loss_type)) return {};
        if (delta > 1 + epsilon_high) return { spec: { clipDual: delta } };
        return { notExpressible: "at or below 1 + epsilon_high it undercuts the ordinary clip" };
      },
    },
    beta: {
      default: 0.04,
      read: finite,
      meaning: "Weight of the KL to the reference, estimated by k3.",
      ours: ["refKlCoef", "batch"],
      to: (beta) => ({ spec: { refKlCoef: beta }, batch: beta === 0 ? [] : ["refLogProbs"] }),
    },
    use_ref_model: {
      default: true,
      read: readFlag,
      meaning: "Whether the loss scores the reference itself.",
      ours: ["refKlCoef", "rules"],
      to: (uses, { beta }) =>
        uses || beta === 0
          ? {}
          : {
              rules: [
                "Liger's KL without a reference and without ref_per_token_logps is 0: then set beta to 0.",
              ],
            },
    },
    use_bias_correction_kl: {
      default: false,
      read: readFlag,
      meaning: "The KL times the importance ratio: right off policy too.",
      ours: ["refKlEstimator"],
      to: (corrects, { beta, importance_sampling_level }) => {
        if (!corrects || beta === 0) return {};
        if (importance_sampling_level === "token") return { spec: { refKlEstimator: "unbiased" } };
        return {
          spec: { refKlEstimator: "unbiased-sequence" },
          differences: [TRITON_KL],
        };
      },
    },
    max_completion_length: {
      default: null,
      read: nullOr(count),
      meaning: "With dr_grpo the constant that sums are divided by; Liger requires it.",
      ours: ["denominators"],
      to: (length, { loss_type }) =>
        loss_type !== "dr_grpo" || length === null
          ? {}
          : {
              denominators: { maxLength: length },
              rules: [
                `denominators.maxLength: ${length} in every evaluation, however long its sequences.`,
              ],
            },
    },
    num_items_in_batch: {
      default: null,
      read: nullOr(count),
      meaning:
        "Counted tokens of the whole batch; null: those of this call, averaged over processes.",
      ours: ["denominators"],
      to: (tokens) => (tokens === null ? {} : { denominators: { tokens } }),
    },
    temperature: {
      default: 1,
      read: positive,
      meaning: "Logits are divided by it.",
      ours: ["temperature"],
      to: (temperature) => ({ spec: { temperature } }),
    },
    vllm_is_ratio: {
      default: null,
      read: (_where, _name, value) => value,
      meaning: "The sampler's weights, computed elsewhere.",
      ours: ["notExpressible", "rolloutCorrection"],
      to: (ratio) =>
        ratio === null
          ? {}
          : {
              notExpressible: "weights are made here: give rolloutLogProbs and a rolloutCorrection",
            },
    },
  },
  unrelated: [
    ...["compiled", "chunk_size", "inplace", "reduce", "weight", "bias", "ref_weight", "ref_bias"],
    ...["return_metrics", "use_cce"],
  ],
};

const TRITON_LUSPO = {
  what: "Liger's Triton loss divides luspo by the padded length too; the chunked loss does not, nor does this.",
  why: "two implementations of one name (ops/grpo_loss.py:582, 909)",
};
const TRITON_KL = {
  what: "Liger's Triton backward of the sequence-level corrected KL is not the gradient of its forward.",
  why: "it takes −r·x per token, which is right at the token level only (ops/grpo_loss.py:393-397)",
};

/**
 * The objective of Liger's GRPO loss.
 *
 * @param args  the keyword arguments of LigerFusedLinearGRPOLoss as a plain object, any part of them
 * @returns the spec, and as data what else the caller has to do; bugs are not reproduced but listed in `differences`
 * @throws PapoError ERR_ARGUMENT for misspelt options and wrong kinds, ERR_RANGE for numbers outside their range
 */
export function fromLiger(args: object): PeerImport {
  return importConfig(LIGER, args);
}
