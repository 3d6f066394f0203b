/** Exact fractions of big integers, as large as an answer may reasonably be. */

/** A fraction in lowest terms; the denominator is above 0. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Beyond this many bits a number is not written out. */
const MOST_BITS = 4096;
const LIMIT = 1n << BigInt(MOST_BITS);

/** numerator / denominator; undefined for a denominator of 0 and for numbers that are too large. */
export function rational(numerator: bigint, denominator: bigint = 1n): Rational | undefined {
  if (denominator === 0n || magnitude(numerator) > LIMIT || magnitude(denominator) > LIMIT) {
    return undefined;
  }
  const sign = denominator < 0n ? -1n : 1n;
  const divisor = greatestCommonDivisor(magnitude(numerator), magnitude(denominator));
  return {
    numerator: (sign * numerator) / divisor,
    denominator: (sign * denominator) / divisor,
  };
}

export function add(a: Rational, b: Rational): Rational | undefined {
  const numerator = a.numerator * b.denominator + b.numerator * a.denominator;
  return rational(numerator, a.denominator * b.denominator);
}

export function multiply(a: Rational, b: Rational): Rational | undefined {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator);
}

export function divide(a: Rational, b: Rational): Rational | undefined {
  return rational(a.numerator * b.denominator, a.denominator * b.numerator);
}

/** base ^ exponent where that is a fraction again: whole exponents, and roots of perfect powers, odd ones of negatives too. */
export function power(base: Rational, exponent: Rational): Rational | undefined {
  const { numerator, denominator } = exponent;
  if (magnitude(numerator) > 4096n || denominator > 64n) return undefined;
  const [top, bottom] = [
    rootOf(base.numerator, denominator),
    rootOf(base.denominator, denominator),
  ];
  if (top === undefined || bottom === undefined) return undefined;
  const times = magnitude(numerator);
  if (BigInt(Math.max(bitsOf(top), bitsOf(bottom))) * times > BigInt(MOST_BITS)) return undefined;
  const [high, low] = [top ** times, bottom ** times];
  return numerator < 0n ? rational(low, high) : rational(high, low);
}

/** The nearest float64; never NaN. */
export function toNumber({ numerator, denominator }: Rational): number {
  // Both sides cut to what a float64 can hold, the quotient with 64 bits to spare.
  const excess = bitsOf(numerator) - bitsOf(denominator);
  const shift = 64 - excess;
  const quotient =
    shift > 0
      ? (numerator << BigInt(shift)) / denominator
      : numerator / (denominator << BigInt(-shift));
  return scaled(Number(quotient), -shift);
}

/** value · 2^exponent in two steps, so that neither factor leaves the range before the product does. */
function scaled(value: number, exponent: number): number {
  const half = Math.trunc(exponent / 2);
  return value * 2 ** half * 2 ** (exponent - half);
}

/** The whole n-th root where there is one. */
function rootOf(value: bigint, n: bigint): bigint | undefined {
  if (n === 1n) return value;
  if (value < 0n) {
    const root = n % 2n === 1n ? rootOf(-value, n) : undefined;
    return root === undefined ? undefined : -root;
  }
  if (value < 2n) return value;
  // Newton's method from above.
  let root = 1n << BigInt(Math.ceil(bitsOf(value) / Number(n)));
  for (;;) {
    const next = ((n - 1n) * root + value / root ** (n - 1n)) / n;
    if (next >= root) return root ** n === value ? root : undefined;
    root = next;
  }
}

function bitsOf(value: bigint): number {
  return magnitude(value).toString(2).length;
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 0n ? 1n : x;
}
