/** Reading the parameters of an estimator against its definition. */
import { describe, expected } from "../core/errors.js";
import type { Parameter } from "./definition.js";

/** `value`, which is one of `words`; anything else throws ERR_ARGUMENT. */
export function wordOf<W extends string>(
  where: string,
  name: string,
  value: unknown,
  words: readonly W[],
): W {
  const word = words.find((known) => known === value);
  if (word !== undefined) return word;
  throw expected(
    "ERR_ARGUMENT",
    where,
    `${name} to be one of ${words.join(", ")}`,
    describe(value),
  );
}

/** The value given for a parameter, checked, or its default. */
export function parameterOf(
  where: string,
  name: string,
  parameter: Parameter,
  value: unknown,
): number | string | boolean {
  if (value === undefined) return parameter.default;
  if ("words" in parameter) return wordOf(where, name, value, parameter.words);
  if (typeof value !== typeof parameter.default) {
    const what = `${name} to be a ${typeof parameter.default}`;
    throw expected("ERR_ARGUMENT", where, what, describe(value));
  }
  if (!("range" in parameter)) return value as boolean;
  const [low, high] = parameter.range;
  const number = value as number;
  const isKind = parameter.whole ? Number.isSafeInteger(number) : Number.isFinite(number);
  if (isKind && number >= low && number <= high) return number;
  const kind = parameter.whole ? "an integer" : "a finite number";
  throw expected("ERR_RANGE", where, `${name} to be ${kind}${rangeOf(low, high)}`, describe(value));
}

function rangeOf(low: number, high: number): string {
  if (high < Number.MAX_SAFE_INTEGER) return ` in ${low}…${high}`;
  return low === Number.MIN_VALUE ? " above 0" : ` from ${low} up`;
}
