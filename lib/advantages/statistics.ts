/** Means, deviations and whitening over the numbers that are there. */
import type { AdvantageDefinition } from "./definition.js";

export interface Statistics {
  readonly count: number;
  readonly mean: number;
  /** Unbiased, n − 1 below; 0 for fewer than two numbers and, exactly, for equal ones. */
  readonly std: number;
}

/** Of all of `values`; equal numbers have exactly themselves as their mean. */
export function statisticsOf(values: Float64Array): Statistics {
  const count = values.length;
  if (count === 0) return { count, mean: 0, std: 0 };
  const first = values[0] as number;
  if (values.every((value) => value === first)) return { count, mean: first, std: 0 };
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / count;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { count, mean, std: Math.sqrt(squares / (count - 1)) };
}

export interface Whitening {
  /** Added to the variance under the root. */
  readonly varianceEpsilon: number;
  /** Added to the number of tokens that means are divided by. */
  readonly denominatorEpsilon: number;
}

export const WHITENING_PARAMETERS: AdvantageDefinition<Whitening>["parameters"] = {
  varianceEpsilon: {
    default: 1e-8,
    range: [0, Number.MAX_VALUE],
    meaning: "added to the variance of the whitening, under the root",
  },
  denominatorEpsilon: {
    default: 1e-8,
    range: [0, Number.MAX_VALUE],
    meaning: "added to the count that the whitening's means are divided by",
  },
};

/**
 * (value − mean) / √(variance + ε) in place, element i counted `weights[i]` times; what counts 0 times becomes 0.
 * Equal values become exactly 0.
 */
export function whiten(
  values: Float64Array,
  weights: ArrayLike<number>,
  { varianceEpsilon, denominatorEpsilon }: Whitening,
): void {
  let [count, sum] = [0, 0];
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    const weight = weights[i] as number;
    if (weight === 0) continue;
    const value = values[i] as number;
    count += weight;
    sum += weight * value;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (!(most > least)) {
    values.fill(0);
    return;
  }
  const mean = sum / (count + denominatorEpsilon);
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const weight = weights[i] as number;
    if (weight !== 0) squares += weight * ((values[i] as number) - mean) ** 2;
  }
  const variance = (squares / (count + denominatorEpsilon)) * (count / (count - 1));
  const scale = 1 / Math.sqrt(variance + varianceEpsilon);
  for (let i = 0; i < values.length; i++) {
    values[i] = weights[i] === 0 ? 0 : ((values[i] as number) - mean) * scale;
  }
}
