/** Options of `papoLoss`: batch and objective side by side, their defaults and checks, made into the op's arguments. */
import { checkNumber, checkText } from "../core/arguments.js";
import { describe, expected, PapoError } from "../core/errors.js";
import type { PapoLossArgs } from "../ops/papo-loss.js";
import type { ObjectiveAttributes } from "../ops/token-objective.js";
import { freshIsZero } from "../tensor/fresh.js";
import type { Logits } from "../tensor/tensor.js";
import {
  advantageRows,
  type MaskInput,
  maskRows,
  type NumbersInput,
  optionalNumberRows,
  type TokenIdsInput,
  tokenIdRows,
} from "./inputs.js";
import { type Layout, layoutOf } from "./layout.js";
import { checkGradDType, checkLogits } from "./logits.js";
import { type Denominators, type Reduction, rowWeights } from "./row-weights.js";

/** What the loss is computed on. All of it but the logits is constant for gradients. */
export interface PapoLossBatch {
  /** [rows, vocab] or [sequences, tokens, vocab], on the host or a device; receives gradient, there. */
  readonly logits: Logits;
  /** The same tokens seen with the masked image; receives gradient with `maskedBranch: "differentiable"`. */
  readonly maskedLogits?: Logits | undefined;
  /** [rows] nats, instead of `maskedLogits`: their log-probs, scored once and constant. */
  readonly maskedLogProbs?: NumbersInput | undefined;
  /** [rows] the sampled tokens. */
  readonly tokenIds: TokenIdsInput;
  /** [rows] nats, under the policy that sampled; the policy itself (ratio 1) if not said. */
  readonly oldLogProbs?: NumbersInput | undefined;
  /** [rows] nats, under the frozen reference. */
  readonly refLogProbs?: NumbersInput | undefined;
  /** [rows] or [sequences], already normalised. */
  readonly advantages: NumbersInput;
  /** [rows] 0 or 1; rows with 0 are not read. */
  readonly responseMask?: MaskInput | undefined;
  /** [sequences + 1] row offsets of packed sequences, with logits [rows, vocab]. */
  readonly cuSeqlens?: Int32Array | readonly number[] | undefined;
  /** Counts of the whole batch where this is a part of it. */
  readonly denominators?: Denominators | undefined;
}

/** Limits and bounds in nats, with gradient 0 where one binds; null = none. */
interface PapoLossLimits {
  /** On the value of k3 (also in k3+ and unbiased) and jsd. Default 10. */
  readonly klLimit?: number | null;
  /** On an exact perception KL. Default null. */
  readonly exactKlLimit?: number | null;
  /** Lower bound of the perception term's value, whatever estimates it. Default null. */
  readonly perceptionKlMin?: number | null;
  /** Upper bound of the perception term's value, whatever estimates it. Default null. */
  readonly perceptionKlMax?: number | null;
  /** With either bound both entropies H become max(0, entropyLow − H) + max(0, H − entropyHigh). Default null. */
  readonly entropyLow?: number | null;
  /** The other bound of both entropies. Default null. */
  readonly entropyHigh?: number | null;
}

type Limits = keyof PapoLossLimits;

/** What null says: the number that bounds nothing. */
const NO_LIMIT: Readonly<Record<Limits, number>> = {
  klLimit: Number.POSITIVE_INFINITY,
  exactKlLimit: Number.POSITIVE_INFINITY,
  perceptionKlMin: Number.NEGATIVE_INFINITY,
  perceptionKlMax: Number.POSITIVE_INFINITY,
  entropyLow: Number.NEGATIVE_INFINITY,
  entropyHigh: Number.POSITIVE_INFINITY,
};

/** The objective; limits and bounds may be null for none. Names and defaults are those of an ObjectiveSpec. */
export type PapoLossNumbers = Partial<Omit<ObjectiveAttributes, Limits>> &
  PapoLossLimits & {
    /** How terms become scalars. Default "token-mean". */
    readonly reduction?: Reduction;
    /** Both entropies by token mean (default), or "same" as the rest. */
    readonly entropyReduction?: "token-mean" | "same";
    /** Logits are divided by it first; above 0. Default 1. */
    readonly temperature?: number;
    /** Added to a count of tokens. Default 1e-8. */
    readonly denominatorEpsilon?: number;
  };

/**
 * Options of `papoLoss`: the batch, and the objective as numbers; what is not said has the default of PPO's clip alone.
 *
 * @interface
 */
export type PapoLossOptions = PapoLossBatch &
  PapoLossNumbers & {
    /** Dtype of gradients for which no memory is given: that of the logits (default), or float32. */
    readonly gradDType?: "float32" | undefined;
  };

/** PPO's clip, no other term, no limit on an exact KL. */
export const OBJECTIVE_DEFAULTS: ObjectiveAttributes = {
  clipLow: 0.2,
  clipHigh: 0.2,
  clipDual: 0,
  refKlCoef: 0,
  refKlEstimator: "k3",
  perceptionKlCoef: 0,
  perceptionKlEstimator: "k3",
  entropyCoef: 0,
  maskedEntropyCoef: 0,
  entropyEstimator: "sampled",
  maskedBranch: "constant",
  logRatioLimit: 20,
  klLimit: 10,
  exactKlLimit: Number.POSITIVE_INFINITY,
  perceptionKlMin: Number.NEGATIVE_INFINITY,
  perceptionKlMax: Number.POSITIVE_INFINITY,
  entropyLow: Number.NEGATIVE_INFINITY,
  entropyHigh: Number.POSITIVE_INFINITY,
};

const ATTRIBUTES = Object.keys(OBJECTIVE_DEFAULTS) as (keyof ObjectiveAttributes)[];
/** Names of all options. */
export const PAPO_LOSS_OPTIONS: readonly (keyof PapoLossOptions)[] = [
  ...ATTRIBUTES,
  "logits",
  "maskedLogits",
  "maskedLogProbs",
  "tokenIds",
  "oldLogProbs",
  "refLogProbs",
  "advantages",
  "responseMask",
  "cuSeqlens",
  "denominators",
  "reduction",
  "entropyReduction",
  "temperature",
  "denominatorEpsilon",
  "gradDType",
];

/** Checks everything that the op cannot of options that were read already, and brings [rows] data to its form. */
export function papoLossArgs(where: string, options: PapoLossOptions): PapoLossArgs {
  const { logits, maskedLogits, temperature = 1 } = options;
  checkLogits(where, logits, maskedLogits);
  checkGradDType(where, options.gradDType);
  checkNumber(where, "temperature", temperature);
  const attributes = attributesOf(options);
  checkAttributes(where, attributes);
  checkTerms(where, options, attributes);
  const layout = layoutOf(where, logits.shape.slice(0, -1), options.cuSeqlens);
  const responseMask = maskRows(where, "responseMask", options.responseMask, layout.rows);
  const numbers = (name: "maskedLogProbs" | "oldLogProbs" | "refLogProbs") =>
    optionalNumberRows(where, name, options[name], layout.rows);
  return {
    where,
    logits,
    maskedLogits,
    maskedLogProbs: numbers("maskedLogProbs"),
    tokenIds: tokenIdRows(where, options.tokenIds, layout.rows, responseMask),
    responseMask,
    oldLogProbs: numbers("oldLogProbs"),
    refLogProbs: numbers("refLogProbs"),
    advantages: advantageRows(where, options.advantages, layout),
    ...weightsOf(where, options, layout, responseMask),
    attributes,
    temperature,
    gradScale: 1,
    // Of the gradients that are made with the loss, all in fresh memory.
    gradsZeroed: freshIsZero(logits.device),
  };
}

function attributesOf(options: PapoLossOptions): ObjectiveAttributes {
  const said = ATTRIBUTES.filter((key) => options[key] !== undefined).map((key) => {
    const noLimit = options[key] === null && key in NO_LIMIT;
    return [key, noLimit ? NO_LIMIT[key as Limits] : options[key]];
  });
  return { ...OBJECTIVE_DEFAULTS, ...Object.fromEntries(said) };
}

/** That each is a number or a word, like its default; ranges and words are for the op to check. */
export function checkAttributes(where: string, attributes: ObjectiveAttributes): void {
  for (const key of ATTRIBUTES) {
    const check = typeof OBJECTIVE_DEFAULTS[key] === "number" ? checkNumber : checkText;
    check(where, key, attributes[key]);
  }
}

function weightsOf(
  where: string,
  options: PapoLossOptions,
  layout: Layout,
  mask: Int32Array | undefined,
): { weights: Float64Array; entropyWeights: Float64Array } {
  const { reduction = "token-mean", entropyReduction = "token-mean" } = options;
  const { denominators, denominatorEpsilon } = options;
  if (entropyReduction !== "same" && entropyReduction !== "token-mean") {
    const what = 'entropyReduction to be "token-mean" or "same"';
    throw expected("ERR_ARGUMENT", where, what, describe(entropyReduction));
  }
  const by = (name: Reduction) =>
    rowWeights(where, layout, mask, name, denominators, denominatorEpsilon);
  const weights = by(reduction);
  return { weights, entropyWeights: entropyReduction === "same" ? weights : by(entropyReduction) };
}

/** A term that is switched on must have its data: without them it would silently be 0. */
export function checkTerms(
  where: string,
  batch: Pick<PapoLossBatch, "maskedLogits" | "maskedLogProbs" | "refLogProbs">,
  attributes: ObjectiveAttributes,
): void {
  const { refKlCoef, perceptionKlCoef, maskedEntropyCoef } = attributes;
  const missing = (key: string, data: string) =>
    expected("ERR_ARGUMENT", where, `${data}, since ${key} is not 0`, "none");
  if (refKlCoef !== 0 && batch.refLogProbs === undefined) throw missing("refKlCoef", "refLogProbs");
  if (batch.maskedLogits !== undefined) {
    if (batch.maskedLogProbs === undefined) return;
    throw expected("ERR_ARGUMENT", where, "maskedLogits or maskedLogProbs", "both");
  }
  const given = batch.maskedLogProbs === undefined ? "maskedLogits or maskedLogProbs" : undefined;
  if (given && perceptionKlCoef !== 0) throw missing("perceptionKlCoef", given);
  if (given && maskedEntropyCoef !== 0) throw missing("maskedEntropyCoef", given);
  if (given) return;
  const exact =
    (perceptionKlCoef !== 0 && attributes.perceptionKlEstimator.startsWith("exact")) ||
    (maskedEntropyCoef !== 0 && attributes.entropyEstimator === "exact");
  if (exact || attributes.maskedBranch === "differentiable") {
    const what = exact
      ? "an exact estimator of the masked policy"
      : "a differentiable maskedBranch";
    throw new PapoError(
      "ERR_UNSUPPORTED",
      `[${where}] ${what} needs maskedLogits, received only maskedLogProbs`,
    );
  }
}
