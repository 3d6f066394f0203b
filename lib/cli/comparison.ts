/** Comparison of computed numbers with expected ones, piece by piece: the largest error against what is allowed. */

import type { LogitsDType } from "../index.js";

/** A quantity holds where |error| ≤ factor · scale + FLOOR. */
const FLOOR = 2e-8;

/**
 * The factor: float32 computations everywhere, and the rounding of gradients that come in 16 bits.
 * Source: the rule of the golden files, test/golden/README.md.
 */
export const FACTORS: Readonly<Record<LogitsDType, number>> = {
  float32: 1e-5,
  bfloat16: 2 ** -8,
  float16: 2 ** -11,
};

export interface ComparisonResult {
  readonly holds: boolean;
  /** Largest |computed − expected|; Infinity where only one of them is a finite number. */
  readonly error: number;
  readonly allowed: number;
  /** Largest expected magnitude. */
  readonly scale: number;
  /** Numbers that were compared. */
  readonly compared: number;
  /** Where the error is largest; absent where there is none. */
  readonly worst?: { readonly index: number; readonly expected: number; readonly computed: number };
}

/** Takes a quantity in any number of pieces; its scale is known only at the end, and so is the verdict. */
export class Comparison {
  readonly #factor: number;
  #error = 0;
  #scale = 0;
  #compared = 0;
  #worst: ComparisonResult["worst"];

  constructor(factor: number) {
    this.#factor = factor;
  }

  /** One number; `index` counts from the start of the quantity. */
  add(computed: number, expected: number, index: number): void {
    this.#compared++;
    const magnitude = Math.abs(expected);
    if (magnitude > this.#scale && magnitude < Number.POSITIVE_INFINITY) this.#scale = magnitude;
    if (computed === expected) return;
    const difference = Math.abs(computed - expected);
    // NaN is never right, an infinity only where the same one is expected.
    const error = Number.isFinite(difference) ? difference : Number.POSITIVE_INFINITY;
    if (error <= this.#error) return;
    this.#error = error;
    this.#worst = { index, expected, computed };
  }

  /** A run of numbers from `start` on; undefined stands for zeros. */
  addRun(
    computed: ArrayLike<number> | undefined,
    expected: ArrayLike<number>,
    length: number,
    start: number,
  ): void {
    for (let i = 0; i < length; i++) {
      this.add(
        computed === undefined ? 0 : (computed[i] as number),
        expected[i] as number,
        start + i,
      );
    }
  }

  result(): ComparisonResult {
    const allowed = this.#factor * this.#scale + FLOOR;
    return {
      holds: this.#error <= allowed,
      error: this.#error,
      allowed,
      scale: this.#scale,
      compared: this.#compared,
      ...(this.#worst === undefined ? {} : { worst: this.#worst }),
    };
  }
}
