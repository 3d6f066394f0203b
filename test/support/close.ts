/** Comparison of numbers: where NaN and the infinities lie first, then the error against a stated tolerance. */
import type { Tolerance } from "./tolerances.js";

export interface Report {
  readonly ok: boolean;
  /** Element that is furthest beyond (or nearest to) what is allowed; −1 for no elements. */
  readonly worstIndex: number;
  /** |actual − expected| there; Infinity where one is finite and the other is not. */
  readonly error: number;
  /** What the tolerance allows there. */
  readonly allowed: number;
  /** All of it in a sentence, with the name of the quantity. */
  readonly message: string;
}

export interface CompareOptions {
  /** Elements to compare, all by default. */
  readonly elements?: readonly number[];
}

/**
 * Compares two lists of numbers: |error| ≤ rtol·scale + atol for each element.
 *
 * The scale of a list is its largest finite expected magnitude, or the element's own with `scale: "each"`.
 * Non-finite numbers hold only where both are the same one.
 */
export function compare(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  options: CompareOptions = {},
): Report {
  if (actual.length !== expected.length) {
    const message = `${name}: ${actual.length} elements, expected ${expected.length}`;
    return { ok: false, worstIndex: -1, error: Infinity, allowed: 0, message };
  }
  const elements = options.elements ?? Array.from({ length: expected.length }, (_, i) => i);
  let largest = 0;
  for (const i of elements) {
    const magnitude = Math.abs(expected[i] as number);
    if (magnitude < Infinity && magnitude > largest) largest = magnitude;
  }

  let worst = { index: -1, error: 0, allowed: tolerance.atol, excess: -Infinity };
  for (const index of elements) {
    const [a, e] = [actual[index] as number, expected[index] as number];
    const scale = tolerance.scale === "each" && Number.isFinite(e) ? Math.abs(e) : largest;
    const allowed = tolerance.rtol * scale + tolerance.atol;
    const bothFinite = Number.isFinite(a) && Number.isFinite(e);
    const error = Object.is(a, e) || a === e ? 0 : bothFinite ? Math.abs(a - e) : Infinity;
    const excess = allowed > 0 ? error / allowed : error === 0 ? 0 : Infinity;
    if (excess > worst.excess) worst = { index, error, allowed, excess };
  }
  const ok = worst.excess <= 1 || worst.index < 0;
  const { index, error, allowed } = worst;
  const where = index < 0 ? "" : `[${index}] is ${actual[index]}, expected ${expected[index]}: `;
  const message = `${name}${where}error ${error.toExponential(2)}, allowed ${allowed.toExponential(2)}`;
  return { ok, worstIndex: index, error, allowed, message };
}

/** The part of AVA's `t` that a comparison needs. */
export interface Assertions {
  true(actual: unknown, message?: string): unknown;
}

/** Asserts `compare`; the message names the quantity and its worst element. A single number is a list of one. */
export function assertClose(
  t: Assertions,
  name: string,
  actual: ArrayLike<number> | number,
  expected: ArrayLike<number> | number,
  tolerance: Tolerance,
  options: CompareOptions = {},
): void {
  const list = (value: ArrayLike<number> | number): ArrayLike<number> =>
    typeof value === "number" ? [value] : value;
  const { ok, message } = compare(name, list(actual), list(expected), tolerance, options);
  t.true(ok, message);
}
