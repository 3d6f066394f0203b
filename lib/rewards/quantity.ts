/** Numbers as answers hold them: exact while they are fractions, otherwise float64 with a bound on its error. */
import * as exact from "./rational.js";
import { type Rational, rational, toNumber } from "./rational.js";

/** A real number: exactly, or within `error` of `value`; NaN where there is none. */
export interface Quantity {
  readonly exact: Rational | undefined;
  readonly value: number;
  readonly error: number;
}

const UNIT = 2 ** -53;
/** Bounds below are first order; this many times the bound is taken for equality. */
const SLACK = 64;

export const NOT_A_QUANTITY: Quantity = { exact: undefined, value: Number.NaN, error: 0 };
export const INFINITE: Quantity = { exact: undefined, value: Infinity, error: 0 };

export function ofRational(value: Rational | undefined): Quantity {
  if (value === undefined) return NOT_A_QUANTITY;
  const number = toNumber(value);
  return { exact: value, value: number, error: Math.abs(number) * UNIT };
}

export function ofInteger(value: bigint): Quantity {
  return ofRational(rational(value));
}

/** A rounded number. One that has left the range of float64 is none, so that two of them are not alike. */
export function rounded(value: number, error: number): Quantity {
  if (!Number.isFinite(value)) return NOT_A_QUANTITY;
  return { exact: undefined, value, error: error + Math.abs(value) * UNIT };
}

/**
 * Whether two quantities are the same number, or apart by at most `tolerance` times the second.
 * Fractions are compared exactly, all others to some 14 digits.
 */
export function sameQuantity(a: Quantity, b: Quantity, tolerance: number): boolean {
  if (a.exact && b.exact) {
    const [x, y] = [a.exact, b.exact];
    if (x.numerator === y.numerator && x.denominator === y.denominator) return true;
    return tolerance > 0 && Math.abs(a.value - b.value) <= tolerance * Math.abs(b.value);
  }
  if (a.value === b.value) return true;
  const allowed = SLACK * (a.error + b.error) + tolerance * Math.abs(b.value);
  return Math.abs(a.value - b.value) <= allowed && Math.abs(a.value) < Infinity;
}

export function sum(a: Quantity, b: Quantity): Quantity {
  const both = a.exact && b.exact && exact.add(a.exact, b.exact);
  if (both) return ofRational(both);
  const value = a.value + b.value;
  if (Math.abs(value) === Infinity && (isInfinite(a) || isInfinite(b)))
    return { ...INFINITE, value };
  return rounded(value, a.error + b.error);
}

export function negated(a: Quantity): Quantity {
  const opposite = a.exact && rational(-a.exact.numerator, a.exact.denominator);
  return { exact: opposite, value: -a.value, error: a.error };
}

export function product(a: Quantity, b: Quantity): Quantity {
  const both = a.exact && b.exact && exact.multiply(a.exact, b.exact);
  if (both) return ofRational(both);
  return rounded(a.value * b.value, Math.abs(a.value) * b.error + Math.abs(b.value) * a.error);
}

export function quotient(a: Quantity, b: Quantity): Quantity {
  if (b.value === 0) return NOT_A_QUANTITY;
  const both = a.exact && b.exact && exact.divide(a.exact, b.exact);
  if (both) return ofRational(both);
  const value = a.value / b.value;
  return rounded(value, (a.error + Math.abs(value) * b.error) / Math.abs(b.value));
}

/** base ^ exponent over the real numbers; odd roots of negative numbers are real too. */
export function raised(base: Quantity, exponent: Quantity): Quantity {
  if (base.value === 0 && exponent.value <= 0) {
    return exponent.value === 0 && base.exact ? ofInteger(1n) : NOT_A_QUANTITY;
  }
  const both = base.exact && exponent.exact && exact.power(base.exact, exponent.exact);
  if (both) return ofRational(both);
  const root = exponent.exact?.denominator ?? 1n;
  const value =
    base.value < 0 && root % 2n === 1n && root > 1n
      ? signOf(exponent.exact as Rational) * (-base.value) ** exponent.value
      : base.value ** exponent.value;
  const [size, slope] = [Math.abs(value), Math.log(Math.abs(base.value))];
  const relative = Math.abs(exponent.value) * (base.error / Math.abs(base.value));
  return rounded(value, size * (relative + Math.abs(slope) * exponent.error + 4 * UNIT));
}

/** Of (−1) ^ (p/q) with odd q. */
function signOf({ numerator }: Rational): number {
  return numerator % 2n === 0n ? 1 : -1;
}

/** f(a) where f is smooth, with its slope at a. */
export function applied(
  a: Quantity,
  f: (x: number) => number,
  slope: (x: number) => number,
): Quantity {
  const value = f(a.value);
  return rounded(value, Math.abs(slope(a.value)) * a.error + 4 * UNIT * Math.abs(value));
}

function isInfinite({ value }: Quantity): boolean {
  return Math.abs(value) === Infinity;
}
