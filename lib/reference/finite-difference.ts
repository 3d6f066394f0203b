/** Gradients by differences of the value alone: what closed forms are held against. */
import { checkNumber } from "./checks.js";

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
 */
export function finiteDifference(
  f: (x: Float64Array) => number,
  at: ArrayLike<number>,
  options: FiniteDifferenceOptions = {},
): Float64Array {
  const { step = 1e-3 } = options;
  const isStep = (value: number): boolean => value > 0 && value < Infinity;
  checkNumber("reference.finiteDifference", "step", step, "finite and above 0", isStep);
  const x = Float64Array.from(at);
  const gradient = new Float64Array(x.length);
  for (const i of options.elements ?? x.keys()) {
    const center = x[i] as number;
    const valueAt = (steps: number): number => {
      x[i] = center + steps * step;
      return f(x);
    };
    const near = valueAt(1) - valueAt(-1);
    const far = valueAt(2) - valueAt(-2);
    gradient[i] = (8 * near - far) / (12 * step);
    x[i] = center;
  }
  return gradient;
}
