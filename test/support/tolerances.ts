/** The one table of tolerances, each with its reason. */

/** |error| ≤ rtol·scale + atol; the scale is the tensor's largest magnitude, or each element's own. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
  readonly scale?: "tensor" | "each";
}

export type ToleranceName =
  | "golden"
  | "reference"
  | "printed"
  | "printedShort"
  | "finiteDifference"
  | "float64"
  | "exact"
  | "engineStatistics"
  | "deviceStatistics"
  | "deviceTerms"
  | "engineStates"
  | "engineRows";

export const TOLERANCES: Readonly<Record<ToleranceName, Tolerance>> = {
  /** The rule of the golden files, for everything but 16-bit gradients. */
  golden: { rtol: 1e-5, atol: 2e-8 },
  /**
   * The reference against the golden numbers: float64 on both sides, so a few roundings of sums. The golden KL of
   * near policies was itself computed with cancellation, which leaves 1e-16 of its terms: hence the atol.
   */
  reference: { rtol: 1e-12, atol: 1e-14 },
  /** Ten printed decimals. */
  printed: { rtol: 0, atol: 6e-11 },
  /** Seven printed decimals. */
  printedShort: { rtol: 0, atol: 6e-8 },
  /** Fourth-order differences with step 1e-3 of functions of order 1 to 10: 1e-12 of h⁴ and of rounding/h, and a margin. */
  finiteDifference: { rtol: 1e-9, atol: 1e-10 },
  /** Two ways to the same float64 number. */
  float64: { rtol: 1e-13, atol: 1e-15 },
  /** The same number. */
  exact: { rtol: 0, atol: 0 },
  /** The engine's statistics: float32 exponentials over the vocabulary carry 1e-7 each, their sums are float64. */
  engineStatistics: { rtol: 1e-5, atol: 2e-8 },
  /**
   * The same by way of states, where a small KL stays the difference of one pass, with the rounding of float32 lane sums
   * in it: 3e-7 nats at worst, where one lane does all the adding (scalar); the target is 1e-6.
   */
  engineStates: { rtol: 1e-5, atol: 5e-7 },
  /**
   * Those of a device, at any temperature: 1e-6 nats, and 2^-22 (2.4e-7) of the largest, since that is what one of its
   * exponentials may be off by. Seen in simulation: 7e-7 below 1 nat, 2e-6 of a KL of 10.
   */
  deviceStatistics: { rtol: 3e-7, atol: 1e-6 },
  /** Terms from them: exponentials of log-ratios of up to 20. */
  deviceTerms: { rtol: 1e-5, atol: 1e-6 },
  /** The engine's float64 arithmetic on [rows] lines: the reference's formulas in another order. */
  engineRows: { rtol: 1e-12, atol: 1e-14 },
};

/**
 * Gradients of logits by dtype: float32 exponentials, and the rounding of the result to 24, 8 or 11 bits; float16 has
 * nothing between multiples of 2^-24, so that small results round by up to half of that.
 */
export const GRADIENT_TOLERANCES: Readonly<Record<"float32" | "bfloat16" | "float16", Tolerance>> =
  {
    float32: { rtol: 1e-5, atol: 2e-8 },
    bfloat16: { rtol: 2 ** -8, atol: 2e-8 },
    float16: { rtol: 2 ** -11, atol: 2e-8 + 2 ** -25 },
  };
