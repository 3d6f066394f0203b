/** Selection and shaping by a per-token quantity, the public functions: named options, full checks. */
import { checkNumber, readOptions } from "../core/arguments.js";
import { expected } from "../core/errors.js";
import { finiteNumber, numberWithin, oneOf } from "../core/option-values.js";
import { advantageRows, type NumbersInput, numberRows } from "../functional/inputs.js";
import {
  checkFinite,
  SEQUENCE_OPTIONS,
  type SequenceOptions,
  type Sequences,
  sequencesOf,
} from "../functional/sequences.js";
import {
  PERCEPTION_REWARD_WEIGHTINGS,
  type PerceptionRewardWeighting,
  perceptionBonusOf,
} from "./perception-reward.js";
import { quantileOf } from "./quantile.js";
import {
  TOP_TOKEN_CHOICES,
  TOP_TOKEN_LEVELS,
  type TopTokenChoice,
  type TopTokenLevel,
  topTokens,
} from "./top-tokens.js";
import { type DivergenceRange, divergenceRangeOf, vppoFactorsOf } from "./vppo.js";

/** Options of `quantileThreshold`. */
export interface QuantileOptions extends SequenceOptions {
  /** [rows]; NaN in a counted row is left out. */
  readonly values: NumbersInput;
  /** The part of the tokens that lies above, 0 … 1: the (1 − top)-quantile. */
  readonly top: number;
}

/**
 * The value that the top fraction of all counted tokens reaches, interpolated linearly; NaN without a counted token.
 * Take it over a whole batch and hand it to `topTokenMask` where calls see parts of the batch.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE
 */
export function quantileThreshold(options: QuantileOptions): number {
  const where = "quantileThreshold";
  const given = readOptions(where, options, ["values", "top", ...SEQUENCE_OPTIONS]);
  const { values, mask } = readRows(where, "values", given.values, given);
  return quantileOf(values, mask, 1 - numberWithin(where, "top", given.top, 0, 1));
}

/** Options of `topTokenMask`. */
export interface TopTokenMaskOptions extends SequenceOptions {
  /** [rows] entropies, divergences, or any other quantity. */
  readonly values: NumbersInput;
  /** Fraction of the tokens to keep, 0 < top ≤ 1. */
  readonly top?: number;
  /** "sequence" (default): the top of each sequence. "batch": of all tokens of the call. */
  readonly level?: TopTokenLevel;
  /** "quantile" (default): all with a value ≥ the (1 − top)-quantile. "count": exactly ⌈top · n⌉ of n. */
  readonly choice?: TopTokenChoice;
  /** The least value to keep, instead of `top`: a quantile of the whole batch. NaN keeps none. */
  readonly threshold?: number | undefined;
}

const TOP_TOKENS = ["values", "top", "level", "choice", "threshold", ...SEQUENCE_OPTIONS] as const;

/**
 * [rows] 1 for counted tokens at which a quantity is largest, otherwise 0.
 * A loss over them divides by all counted tokens (PAPO, TRL, VPPO) or by those kept: say which where you use it.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE
 * @see `topTokens` for sources
 */
export function topTokenMask(options: TopTokenMaskOptions): Int32Array {
  const where = "topTokenMask";
  const given = readOptions(where, options, TOP_TOKENS);
  const { threshold, level: ofLevel = "sequence", choice: ofChoice = "quantile" } = given;
  if (threshold !== undefined) checkNumber(where, "threshold", threshold);
  if (threshold !== undefined && given.top !== undefined) {
    throw expected("ERR_ARGUMENT", where, "either top or threshold", "both");
  }
  const top = threshold === undefined ? numberWithin(where, "top", given.top, 0, 1) : 1;
  if (top === 0) throw expected("ERR_RANGE", where, "top to be above 0", "0");
  const level = oneOf(where, "level", ofLevel, TOP_TOKEN_LEVELS);
  const choice = oneOf(where, "choice", ofChoice, TOP_TOKEN_CHOICES);
  const { values, layout, mask } = readRows(where, "values", given.values, given);
  return topTokens(values, layout.offsets, mask, { top, level, choice, threshold });
}

/** Divergences of a batch, and the layout of its sequences. */
export interface DivergenceOptions extends SequenceOptions {
  /** [rows] divergence of each token between the policies with and without the image, nats; constant. */
  readonly divergences: NumbersInput;
}

/** Options of `vppoAdvantages`. */
export interface VppoAdvantagesOptions extends DivergenceOptions {
  /** [rows] or [sequences]. */
  readonly advantages: NumbersInput;
  /** Factor of the sequence with the smallest mean divergence, 0 … 1. Default 0.9. */
  readonly min?: number;
  /** `divergenceRange` of the whole batch, where this call sees a part of it. */
  readonly range?: DivergenceRange | undefined;
}

const VPPO = ["advantages", "divergences", "min", "range", ...SEQUENCE_OPTIONS] as const;

/**
 * Advantages [rows], those of sequences with more visual dependency enlarged and those with less made smaller, by factors
 * that are 1 on average over sequences; `vppoFactorsOf` states them.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE; ERR_NOT_FINITE for divergences and advantages of counted rows
 * @see VPPO (arXiv 2510.09285)
 */
export function vppoAdvantages(options: VppoAdvantagesOptions): Float64Array {
  const where = "vppoAdvantages";
  const given = readOptions(where, options, VPPO);
  const { min: least = 0.9 } = given;
  const min = numberWithin(where, "min", least, 0, 1);
  const range = given.range === undefined ? undefined : readRange(where, given.range);
  const { values, layout, mask } = readRows(where, "divergences", given.divergences, given);
  checkFinite(where, "divergences", values, mask);
  const advantages = advantageRows(where, given.advantages, layout);
  checkFinite(where, "advantages", advantages, mask);
  const factors = vppoFactorsOf(layout.offsets, mask, values, { min, range });
  const shaped = new Float64Array(layout.rows);
  for (let s = 0; s < layout.sequences; s++) {
    const end = layout.offsets[s + 1] as number;
    for (let row = layout.offsets[s] as number; row < end; row++) {
      shaped[row] = (advantages[row] as number) * (factors[s] as number);
    }
  }
  return shaped;
}

/**
 * What `vppoAdvantages` has to know of a batch that it sees in parts.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE, ERR_NOT_FINITE
 */
export function divergenceRange(options: DivergenceOptions): DivergenceRange {
  const where = "divergenceRange";
  const given = readOptions(where, options, ["divergences", ...SEQUENCE_OPTIONS]);
  const { values, layout, mask } = readRows(where, "divergences", given.divergences, given);
  checkFinite(where, "divergences", values, mask);
  return divergenceRangeOf(layout.offsets, mask, values);
}

/** Options of `perceptionReward`. */
export interface PerceptionRewardOptions extends DivergenceOptions {
  /** [sequences] */
  readonly rewards: NumbersInput;
  /** Reward per nat of divergence, finite. */
  readonly coef: number;
  /** Bounds on a sequence's mean divergence, nats, finite. Defaults 0 and 0.2. */
  readonly min?: number;
  /** Upper bound on a sequence's mean divergence, nats, finite. Default 0.2. */
  readonly max?: number;
  /** Who earns it: "all" (default), or "correct-only", for which `accuracies` are needed. */
  readonly weighting?: PerceptionRewardWeighting;
  /** [sequences] */
  readonly accuracies?: NumbersInput | undefined;
  /** A sequence with an accuracy above it is correct. Default 0.1. */
  readonly correctThreshold?: number;
}

const REWARD = [
  "rewards",
  "divergences",
  "coef",
  "min",
  "max",
  "weighting",
  "accuracies",
  "correctThreshold",
  ...SEQUENCE_OPTIONS,
] as const;

/**
 * Rewards [sequences] with what each sequence earns for depending on the image: reward + coef · clamp(mean divergence).
 * Form advantages from them. The default bound is the authors' clip of a token's divergence.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE, ERR_NOT_FINITE
 */
export function perceptionReward(options: PerceptionRewardOptions): Float64Array {
  const where = "perceptionReward";
  const given = readOptions(where, options, REWARD);
  const { values, layout, mask } = readRows(where, "divergences", given.divergences, given);
  checkFinite(where, "divergences", values, mask);
  const rewards = numberRows(where, "rewards", given.rewards, layout.sequences);
  checkFinite(where, "rewards", rewards, undefined);
  const coef = finiteNumber(where, "coef", given.coef);
  const { min = 0, max = 0.2 } = given;
  finiteNumber(where, "min", min);
  finiteNumber(where, "max", max);
  if (min > max) throw expected("ERR_RANGE", where, `max to be at least min ${min}`, `${max}`);
  const earns = readEarns(where, given, layout.sequences);
  const bonus = perceptionBonusOf(layout.offsets, mask, values, { coef, min, max }, earns);
  return bonus.map((value, s) => value + (rewards[s] as number));
}

function readEarns(
  where: string,
  given: PerceptionRewardOptions,
  sequences: number,
): Int32Array | undefined {
  const { weighting: ofWeighting = "all", correctThreshold = 0.1 } = given;
  const weighting = oneOf(where, "weighting", ofWeighting, PERCEPTION_REWARD_WEIGHTINGS);
  const threshold = finiteNumber(where, "correctThreshold", correctThreshold);
  if (weighting === "all") return undefined;
  if (given.accuracies === undefined) {
    throw expected("ERR_ARGUMENT", where, 'accuracies with weighting "correct-only"', "none");
  }
  const accuracies = numberRows(where, "accuracies", given.accuracies, sequences);
  checkFinite(where, "accuracies", accuracies, undefined);
  return Int32Array.from(accuracies, (accuracy) => (accuracy > threshold ? 1 : 0));
}

interface ReadRows extends Sequences {
  readonly values: Float64Array;
}

function readRows(
  where: string,
  name: string,
  values: NumbersInput,
  given: SequenceOptions,
): ReadRows {
  const { layout, mask } = sequencesOf(where, values, given);
  return { layout, mask, values: numberRows(where, name, values, layout.rows) };
}

function readRange(where: string, value: DivergenceRange): DivergenceRange {
  const given = readOptions(where, value, ["low", "high", "mean"], "range");
  const low = finiteNumber(where, "range.low", given.low);
  const high = finiteNumber(where, "range.high", given.high);
  if (high < low) throw expected("ERR_RANGE", where, `range.high to be at least ${low}`, `${high}`);
  const mean = numberWithin(where, "range.mean", given.mean, 0, 1);
  if (mean === 0 && low < high) {
    // The highest sequence has a part of 1 in it; without it a factor would be 1e7.
    const what = "range.mean above 0 where range.high is above range.low";
    throw expected("ERR_RANGE", where, what, "0");
  }
  return { low, high, mean };
}
