/** Rewards as callers have them: one number per sequence, some of them missing. */
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { innerArray } from "../core/slab.js";
import { leadingNumberRows, type NumbersInput } from "../functional/inputs.js";

/** One reward per sequence; NaN, null and undefined are missing. */
export type RewardsInput = NumbersInput | readonly (number | null | undefined)[];

/** Words of `Missing`. */
export const MISSING: readonly ["error", "skip"] = ["error", "skip"];
/**
 * A missing reward is an error, or its sequence is left out: of every statistic, with advantage 0.
 */
export type Missing = (typeof MISSING)[number];

/**
 * [sequences] float64, NaN where a reward is missing; not to be handed to a caller.
 *
 * @throws PapoError ERR_ARGUMENT for what is no number, ERR_NOT_FINITE for an infinite one, and for a missing one where
 * that is an error; `row` is the sequence
 */
export function rewardNumbers(
  where: string,
  name: string,
  value: unknown,
  missing: Missing,
): Float64Array {
  const length = listLength(value);
  const numbers =
    length !== undefined
      ? arrayNumbers(where, name, value as readonly unknown[], length)
      : leadingNumberRows(where, name, value as NumbersInput);
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    if (Number.isFinite(number) || (missing === "skip" && Number.isNaN(number))) continue;
    const what = Number.isNaN(number)
      ? `${name}[${i}] to be there (missing: "skip" leaves its sequence out)`
      : `${name}[${i}] to be finite`;
    throw expected("ERR_NOT_FINITE", where, what, describe(number));
  }
  return numbers;
}

function arrayNumbers(
  where: string,
  name: string,
  values: readonly unknown[],
  length: number,
): Float64Array {
  const numbers = innerArray("float64", length);
  for (let i = 0; i < numbers.length; i++) {
    const value = values[i];
    if (value === null || value === undefined) numbers[i] = Number.NaN;
    else if (typeof value === "number") numbers[i] = value;
    else {
      const what = `${name}[${i}] to be a number, null or undefined`;
      throw expected("ERR_ARGUMENT", where, what, describe(value));
    }
  }
  return numbers;
}
