/** Readers of options that several peers have: ranges, Python's spellings. */
import { arrayLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { numberWhere, oneOf, type Reader } from "../objective/spec-values.js";

export const finite: Reader<number> = numberWhere("that is finite", () => true);
export const positive: Reader<number> = numberWhere("above 0", (x) => x > 0);
export const nonNegative: Reader<number> = numberWhere("from 0 up", (x) => x >= 0);
export const fraction: Reader<number> = numberWhere("from 0 to 1", (x) => x >= 0 && x <= 1);
export const share: Reader<number> = numberWhere("above 0 and at most 1", (x) => x > 0 && x <= 1);
export const count: Reader<number> = numberWhere(
  "that is whole, from 1 up",
  (x) => Number.isSafeInteger(x) && x > 0,
);

/** A word, in any case and with `-` or `_`: peers spell the same word in both ways. */
export function wordOf<W extends string>(
  words: readonly W[],
  others: Readonly<Record<string, W>> = {},
): Reader<W> {
  const exact = oneOf(words);
  return (where, name, value) => {
    if (typeof value !== "string") return exact(where, name, value);
    const bare = bareOf(value);
    const own = Object.hasOwn(others, value) ? others[value] : undefined;
    return own ?? words.find((word) => bareOf(word) === bare) ?? exact(where, name, value);
  };
}

function bareOf(word: string): string {
  return word.toLowerCase().replaceAll("-", "_");
}

/** Numbers of an array, or null. */
export const numbersOrNull: Reader<readonly number[] | null> = (where, name, value) => {
  if (value === null) return null;
  const length = arrayLength(value);
  if (length === undefined) {
    throw expected("ERR_ARGUMENT", where, `${name} to be an array of numbers`, describe(value));
  }
  return Array.from({ length }, (_, i) =>
    finite(where, `${name}[${i}]`, (value as ArrayLike<unknown>)[i]),
  );
};
