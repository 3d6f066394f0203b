/**
 * Rewards as PAPO uses them: the answer in the box checked for mathematical equality, the format, and their mix.
 *
 * @module papo/rewards
 */
import { checkText, readOptions } from "../core/arguments.js";
import { isRevoked } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { numberWithin } from "../core/option-values.js";
import { sameAnswer } from "./equality.js";
import { hasFormat, lastBoxed, tightened } from "./response.js";

/** Options of `mathEqual`. */
export interface MathEqualOptions {
  /** Largest difference of two numbers relative to the reference. Default 0: exact. */
  readonly tolerance?: number;
}

/**
 * Whether two answers are mathematically equal.
 *
 * - Numbers exactly: integers, decimals (0.\overline{3} too), thousands (1,234 and 1{,}234), fractions, mixed numbers,
 *   powers of ten. Roots, powers, π, e, logarithms (\log to base 10) and trigonometry to some 14 digits.
 * - Expressions in letters where they agree at eight fixed places.
 * - Tuples, intervals and matrices item by item with their brackets, sets and lists in any order, unions, ±.
 * - "x = 5" and "x ∈ …" as what they say of x; equations up to a factor; inequalities from either end.
 * - Percent as a unit and as a hundredth (50 % is 50 and 1/2), degrees as a unit and in radians. A unit or words behind a
 *   number do not count where only one side has them; two different known units are a difference.
 * - Choices by letter: A, (A), A., \text{(A)}, "(A) 5 cm". All else as words, without regard to case.
 *
 * Nothing is executed, and time is bounded: answers of more than 4000 characters are equal only as text.
 *
 * @throws PapoError ERR_ARGUMENT for what is no string, ERR_RANGE for a tolerance below 0
 */
export function mathEqual(
  answer: string,
  reference: string,
  options: MathEqualOptions = {},
): boolean {
  const where = "mathEqual";
  checkText(where, "answer", answer);
  checkText(where, "reference", reference);
  const { tolerance = 0 } = readOptions(where, options, ["tolerance"]);
  return sameAnswer(answer, reference, numberWithin(where, "tolerance", tolerance, 0));
}

/**
 * The content of the last `\boxed{…}` of a response; undefined without one, or where the last one is not closed.
 *
 * @throws PapoError ERR_ARGUMENT for what is no string
 */
export function boxedAnswer(response: string): string | undefined {
  checkText("boxedAnswer", "response", response);
  return lastBoxed(response);
}

/**
 * 1 for a response that begins with `<think>…</think>` and then has a `\boxed{…}`, otherwise 0.
 * White space around `<`, `>` and `/` does not count.
 *
 * @throws PapoError ERR_ARGUMENT for what is no string
 * @see PAPO authors' examples/reward_function/math.py:21-24
 */
export function formatReward(response: string): 0 | 1 {
  checkText("formatReward", "response", response);
  return hasFormat(tightened(response)) ? 1 : 0;
}

/** Options of `mathReward`. */
export interface MathRewardOptions extends MathEqualOptions {
  /** What the policy said, thoughts and all. */
  readonly response: string;
  /** The correct answer. */
  readonly reference: string;
  /** Part of the format in the reward, 0 … 1. Default 0.1. */
  readonly formatWeight?: number;
  /** Instead of `mathEqual`, for instance with a computer algebra system. Its answer has to be a boolean. */
  readonly equal?: (answer: string, reference: string) => boolean;
}

/** What `mathReward` gives. */
export interface MathReward {
  /** (1 − formatWeight) · accuracy + formatWeight · format. */
  readonly reward: number;
  /** 1 where the last box holds the reference, otherwise 0. */
  readonly accuracy: 0 | 1;
  /** 1 where the response has the format, otherwise 0. */
  readonly format: 0 | 1;
}

/**
 * The reward of a response to a question with a known answer: 0.9 for the answer, 0.1 for the format.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE
 * @see PAPO authors' examples/reward_function/math.py:32-47 (`overall`, `accuracy`, `format`), with another grader
 */
export function mathReward(options: MathRewardOptions): MathReward {
  const where = "mathReward";
  const known = ["response", "reference", "formatWeight", "tolerance", "equal"] as const;
  const given = readOptions(where, options, known);
  const { response, reference, equal, formatWeight: weight = 0.1, tolerance: most = 0 } = given;
  checkText(where, "response", response);
  checkText(where, "reference", reference);
  const formatWeight = numberWithin(where, "formatWeight", weight, 0, 1);
  const tolerance = numberWithin(where, "tolerance", most, 0);
  const prepared = tightened(response);
  const format = hasFormat(prepared) ? 1 : 0;
  const answer = lastBoxed(prepared);
  const accuracy =
    answer !== undefined && judged(where, answer, reference, tolerance, equal) ? 1 : 0;
  return { reward: (1 - formatWeight) * accuracy + formatWeight * format, accuracy, format };
}

function judged(
  where: string,
  answer: string,
  reference: string,
  tolerance: number,
  equal: MathRewardOptions["equal"],
): boolean {
  if (equal === undefined) return sameAnswer(answer, reference, tolerance);
  if (typeof equal !== "function" || isRevoked(equal)) {
    throw expected("ERR_ARGUMENT", where, "equal to be a function", describe(equal));
  }
  const verdict: unknown = equal(answer, reference);
  if (typeof verdict === "boolean") return verdict;
  throw expected("ERR_ARGUMENT", where, "equal to give a boolean", describe(verdict));
}
