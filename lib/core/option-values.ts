/** Checks of single option values: a word of a list, a finite number, a number in a range. */
import { describe, expected } from "./errors.js";

/** One of the words, or ERR_ARGUMENT. */
export function oneOf<W extends string>(
  where: string,
  name: string,
  value: unknown,
  words: readonly W[],
): W {
  const known = words.find((candidate) => candidate === value);
  if (known !== undefined) return known;
  const what = `${name} to be one of ${words.join(", ")}`;
  throw expected("ERR_ARGUMENT", where, what, describe(value));
}

/** A finite number: ERR_ARGUMENT for what is no number, ERR_RANGE for NaN and the infinities. */
export function finiteNumber(where: string, name: string, value: unknown): number {
  if (typeof value !== "number") {
    throw expected("ERR_ARGUMENT", where, `${name} to be a number`, describe(value));
  }
  if (Number.isFinite(value)) return value;
  throw expected("ERR_RANGE", where, `${name} to be a finite number`, describe(value));
}

/** A finite number above 0. */
export function positiveNumber(where: string, name: string, value: unknown): number {
  const number = finiteNumber(where, name, value);
  if (number > 0) return number;
  throw expected("ERR_RANGE", where, `${name} to be a positive number`, describe(value));
}

/** A finite number from `low` to `high`. */
export function numberWithin(
  where: string,
  name: string,
  value: unknown,
  low: number,
  high: number = Infinity,
): number {
  const number = finiteNumber(where, name, value);
  if (number >= low && number <= high) return number;
  const range = high < Infinity ? `from ${low} to ${high}` : `from ${low} up`;
  throw expected("ERR_RANGE", where, `${name} to be a number ${range}`, describe(value));
}
