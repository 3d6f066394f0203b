/** Gradients by differences of the value alone: what closed forms are held against. */
import { checkFunction, checkObject, numbersOf } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { checkNumber } from "./checks.js";

/** Options of `finiteDifference`. */
export interface FiniteDifferenceOptions {
  /** Distance of the points, 1e-3 by default. The function must be smooth within 2 steps of the point. */
  readonly step?: number | undefined;
  /** Which elements to differentiate by, all by default; the others come back 0. */
  readonly elements?: readonly number[] | undefined;
}

/**
 * Central differences of fourth order, (8·(f(x+h) − f(x−h)) − (f(x+2h) − f(x−2h))) / 12h, element by element.
 *
 * The error is about h⁴·|f⁽⁵⁾|/30 of the formula plus 1e-16·|f|/h of rounding: near 1e-12 with the default step
 * for a function of order 1. `at` comes back unchanged; `f` sees one array that changes between its calls.
 *
 * @throws PapoError ERR_ARGUMENT where something else than numbers goes in or comes out of `f`, ERR_RANGE for the options
 */
export function finiteDifference(
  f: (x: Float64Array) => number,
  at: ArrayLike<number>,
  options: FiniteDifferenceOptions = {},
): Float64Array {
  const where = "reference.finiteDifference";
  checkFunction(where, "f", f);
  checkObject(where, "options", options);
  const { step = 1e-3, elements } = options;
  const isStep = (value: number): boolean => value > 0 && value < Infinity;
  checkNumber(where, "step", step, "finite and above 0", isStep);
  const x = numbersOf(where, "at", at);
  const isElement = (i: number): boolean => Number.isInteger(i) && i >= 0 && i < x.length;
  const gradient = new Float64Array(x.length);
  for (const i of elements === undefined ? x.keys() : numbersOf(where, "elements", elements)) {
    checkNumber(where, "elements", i, `indices below ${x.length}`, isElement);
    const center = x[i] as number;
    const valueAt = (steps: number): number => {
      x[i] = center + steps * step;
      const value: unknown = f(x);
      if (typeof value === "number") return value;
      throw expected("ERR_ARGUMENT", where, "f to return a number", describe(value));
    };
    const near = valueAt(1) - valueAt(-1);
    const far = valueAt(2) - valueAt(-2);
    gradient[i] = (8 * near - far) / (12 * step);
    x[i] = center;
  }
  return gradient;
}
