/** What can be said from a few seeds: means with t-intervals, paired differences, areas under learning curves. */
import { Studentt } from "distributions";

/** A mean over seeds and how far it may be off. */
export interface Estimate {
  /** Number of values. */
  readonly count: number;
  readonly mean: number;
  /** Sample standard deviation (divisor count − 1); NaN for one value. */
  readonly deviation: number;
  /** Half the width of the interval, and its ends; NaN for one value, which says nothing about its spread. */
  readonly halfWidth: number;
  readonly low: number;
  readonly high: number;
}

/** Numbers by seed. */
export type BySeed = ReadonlyMap<number, number>;

/** Probability that such an interval covers the true mean, if the values are normal. */
const LEVEL = 0.95;

/**
 * Mean with Student's t-interval: mean ± t(count − 1) · deviation / √count.
 *
 * @param values  one number per seed, at least one
 * @param level   probability of the interval, between 0 and 1
 */
export function estimate(values: readonly number[], level: number = LEVEL): Estimate {
  const count = values.length;
  if (count === 0) throw new Error("expected at least one value to estimate a mean from");
  const mean = sum(values) / count;
  const squares = sum(values.map((value) => (value - mean) ** 2));
  const deviation = count === 1 ? Number.NaN : Math.sqrt(squares / (count - 1));
  const halfWidth = (quantileOfT(level, count - 1) * deviation) / Math.sqrt(count);
  return { count, mean, deviation, halfWidth, low: mean - halfWidth, high: mean + halfWidth };
}

/**
 * `first − second` over the seeds that both have: what the seeds share (cold start, problems, masks) cancels.
 *
 * @returns undefined where no seed is common
 */
export function pairedDifference(
  first: BySeed,
  second: BySeed,
  level: number = LEVEL,
): Estimate | undefined {
  const differences = [...first].flatMap(([seed, value]) => {
    const other = second.get(seed);
    return other === undefined ? [] : [value - other];
  });
  return differences.length === 0 ? undefined : estimate(differences, level);
}

/**
 * Area under a learning curve by trapezoids, divided by its length: the curve's mean height, in its own unit.
 *
 * @param x  rising, such as batches; at least two
 * @param y  as many heights
 */
export function areaUnderCurve(x: readonly number[], y: readonly number[]): number {
  if (x.length !== y.length) {
    throw new Error(`expected as many heights as places, received ${y.length} and ${x.length}`);
  }
  const length = (x.at(-1) ?? 0) - (x[0] ?? 0);
  const rising = x.every((place, i) => i === 0 || place > (x[i - 1] ?? place));
  if (!rising || length === 0) throw new Error("expected two or more places, each above the last");
  const strips = x.slice(1).map((place, i) => {
    const [from, left, right] = [x[i], y[i], y[i + 1]] as [number, number, number];
    return ((place - from) * (left + right)) / 2;
  });
  return sum(strips) / length;
}

/** t such that Student's distribution has the probability `level` between −t and t; NaN without a degree of freedom. */
function quantileOfT(level: number, freedom: number): number {
  return freedom === 0 ? Number.NaN : new Studentt(freedom).inv((1 + level) / 2);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
