/** Rollout mismatch, the public functions: named options, full checks, every value copied before it is used. */
import { readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { positiveNumber } from "../core/option-values.js";
import { advantageRows, type NumbersInput, numberRows } from "../functional/inputs.js";
import {
  checkFinite,
  checkLogProbs,
  SEQUENCE_OPTIONS,
  type SequenceOptions,
  type Sequences,
  sequencesOf,
} from "../functional/sequences.js";
import { type RolloutDiagnostics, rolloutDiagnosticsOf } from "./diagnostics.js";
import { LOG_RATIO_LIMIT } from "./log-ratio.js";
import { offPolicyMaskOf } from "./off-policy-mask.js";
import { rejectionOf } from "./rejection.js";
import { type RolloutWeights, rolloutWeightsOf } from "./rollout-weights.js";
import {
  type RejectionInput,
  ROLLOUT_WEIGHT_KEYS,
  type RolloutWeightInput,
  readRejection,
  readWeightRule,
} from "./rules.js";

/** Log-probs of the same tokens under the policy and under the engine that sampled them. */
export interface RolloutLogProbsOptions extends SequenceOptions {
  /** [rows] of the sampled tokens under the policy that trains, at the start of the step; nats. */
  readonly oldLogProbs: NumbersInput;
  /** [rows] of the same tokens as the sampling engine reported them, nats. */
  readonly rolloutLogProbs: NumbersInput;
  /** Bound on a log ratio, nats. Default 20. */
  readonly logRatioLimit?: number;
}

/** Options of `rolloutWeights`. */
export interface RolloutWeightsOptions extends RolloutLogProbsOptions, RolloutWeightInput {
  /** With `batchNormalize`: the mean of the weights over the whole batch, where this call sees a part of it. */
  readonly weightMean?: number | undefined;
}

const LOG_PROBS = ["oldLogProbs", "rolloutLogProbs", "logRatioLimit", ...SEQUENCE_OPTIONS] as const;

/**
 * Importance weights for tokens that another engine sampled, with ratios of the two policies bounded.
 *
 * Truncated ("truncate", TIS) or masked ("mask"), per token or per sequence, at will normalised to mean 1. Multiply the
 * policy's surrogate with them, not KL nor entropy; they are constant for gradients.
 *
 * A log-prob of −Infinity under one policy is a ratio of e^±20; under both, of 1. A sampler that could not score a token
 * (NaN) is refused: give it the old log-prob there, which makes its ratio 1, as TRL does.
 *
 * @returns weights [rows], keep [rows] 0 or 1, metrics
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE; ERR_NOT_FINITE for NaN or +Infinity in a row that counts
 * @see verl rollout_corr_helper.py; TRL grpo_trainer.py:2578-2623
 */
export function rolloutWeights(options: RolloutWeightsOptions): RolloutWeights {
  const where = "rolloutWeights";
  const known = [...LOG_PROBS, ...ROLLOUT_WEIGHT_KEYS, "weightMean"] as const;
  const given = readOptions(where, options, known);
  const rule = readWeightRule(where, "", given);
  const { weightMean } = given;
  if (weightMean !== undefined) positiveNumber(where, "weightMean", weightMean);
  const { layout, mask, old, rollout, limit } = readLogProbs(where, given);
  const context = { logRatioLimit: limit, weightMean };
  return rolloutWeightsOf(layout.offsets, mask, old, rollout, rule, context);
}

export interface RolloutRejectionOptions extends RolloutLogProbsOptions, RejectionInput {}

/**
 * Which tokens to keep where sampler and training policy disagree by no more than a bound: [rows] 1 kept, 0 rejected or
 * not counted. Multiply the response mask with it.
 *
 * @throws PapoError as `rolloutWeights`
 * @see verl rollout_corr_helper.py compute_rollout_rejection_mask
 */
export function rolloutRejection(options: RolloutRejectionOptions): Int32Array {
  const where = "rolloutRejection";
  const known = [...LOG_PROBS, "by", "level", "max", "min"] as const;
  const given = readOptions(where, options, known);
  const { by, level, max, min } = given;
  const rule = readRejection(where, "options", { by, level, max, min });
  const { layout, mask, old, rollout, limit } = readLogProbs(where, given);
  return rejectionOf(layout.offsets, mask, old, rollout, rule, limit);
}

/**
 * How far two policies are apart on sampled tokens: KL by k1 and k3, perplexities and their gap, chi-square of tokens
 * and sequences. As `oldLogProbs`, give the log-probs of the current policy to follow its drift within a step.
 *
 * @throws PapoError as `rolloutWeights`
 * @see verl rollout_corr_helper.py compute_offpolicy_metrics
 */
export function rolloutDiagnostics(options: RolloutLogProbsOptions): RolloutDiagnostics {
  const where = "rolloutDiagnostics";
  const given = readOptions(where, options, LOG_PROBS);
  const { layout, mask, old, rollout, limit } = readLogProbs(where, given);
  return rolloutDiagnosticsOf(layout.offsets, mask, old, rollout, limit);
}

/** Options of `offPolicyMask`. */
export interface OffPolicyMaskOptions extends SequenceOptions {
  /** [rows] under the current policy, nats. */
  readonly logProbs: NumbersInput;
  /** [rows] under the policy that sampled, nats: the rollout engine's where they are known, otherwise the old policy's. */
  readonly samplerLogProbs: NumbersInput;
  /** [rows] or [sequences]. */
  readonly advantages: NumbersInput;
  /** Largest mean(ℓ_sampler − ℓ) of a sequence that is kept whatever its advantage, nats. */
  readonly threshold: number;
}

const OFF_POLICY = [
  "logProbs",
  "samplerLogProbs",
  "advantages",
  "threshold",
  ...SEQUENCE_OPTIONS,
] as const;

/**
 * The off-policy sequence mask: [rows] 1 for counted tokens with advantage ≥ 0 and those of sequences that the policy is
 * still close to, otherwise 0. Constant for gradients.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE, ERR_NOT_FINITE
 * @see DeepSeek-V3.2 (arXiv 2512.02556); TRL grpo_trainer.py:2920-2939
 */
export function offPolicyMask(options: OffPolicyMaskOptions): Int32Array {
  const where = "offPolicyMask";
  const given = readOptions(where, options, OFF_POLICY);
  const { layout, mask } = sequencesOf(where, given.logProbs, given);
  const own = numberRows(where, "logProbs", given.logProbs, layout.rows);
  const sampler = numberRows(where, "samplerLogProbs", given.samplerLogProbs, layout.rows);
  const advantages = advantageRows(where, given.advantages, layout);
  checkLogProbs(where, "logProbs", own, mask);
  checkLogProbs(where, "samplerLogProbs", sampler, mask);
  checkFinite(where, "advantages", advantages, mask);
  const { threshold } = given;
  if (typeof threshold !== "number" || Number.isNaN(threshold)) {
    throw expected("ERR_ARGUMENT", where, "threshold to be a number", describe(threshold));
  }
  return offPolicyMaskOf(layout.offsets, mask, own, sampler, advantages, threshold);
}

interface LogProbs extends Sequences {
  readonly old: Float64Array;
  readonly rollout: Float64Array;
  readonly limit: number;
}

function readLogProbs(where: string, given: RolloutLogProbsOptions): LogProbs {
  const { layout, mask } = sequencesOf(where, given.oldLogProbs, given);
  const old = numberRows(where, "oldLogProbs", given.oldLogProbs, layout.rows);
  const rollout = numberRows(where, "rolloutLogProbs", given.rolloutLogProbs, layout.rows);
  checkLogProbs(where, "oldLogProbs", old, mask);
  checkLogProbs(where, "rolloutLogProbs", rollout, mask);
  const { logRatioLimit = LOG_RATIO_LIMIT } = given;
  const limit = positiveNumber(where, "logRatioLimit", logRatioLimit);
  return { layout, mask, old, rollout, limit };
}
