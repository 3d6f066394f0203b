/** A quantity over the steps: a robust baseline in log space, and the median of its last measurements. */

/**
 * How a quantity is followed. Everything is in logarithms, so that a factor is a distance and no unit matters.
 *
 * - `floor`   smaller values count as this one: below it a ratio would be one of noise
 * - `recent`  measurements whose median is the present value
 * - `warmUp`  first measurements whose median is the baseline
 * - `memory`  measurements that the baseline averages over
 * - `pull`    natural log of the largest factor by which one measurement seems to differ from the baseline to its update
 */
export interface TrackRule {
  readonly floor: number;
  readonly recent: number;
  readonly warmUp: number;
  readonly memory: number;
  readonly pull: number;
}

/** A track as JSON. */
export interface TrackState {
  /** Measurements in the baseline. */
  readonly count: number;
  /** Natural log of the baseline; 0 before the first measurement. */
  readonly baseline: number;
  /** Natural logs of the last measurements, the oldest first; a baseline that warms up is their median. */
  readonly recent: readonly number[];
  /** Step of the last measurement; −1 before the first. */
  readonly at: number;
}

/** What an infinite measurement counts as: a number whose exp of a log is finite, so that reports and states are JSON. */
const LARGEST = 1e300;

export const EMPTY_TRACK: TrackState = Object.freeze({
  count: 0,
  baseline: 0,
  recent: Object.freeze([]),
  at: -1,
});

/**
 * The track after one more measurement.
 *
 * The baseline is the median of the first few, then an average with weight max(1/n, 1/memory): a plain mean at first
 * (nothing to correct for), an EMA later. A measurement moves it as if it were at most e^pull away (Huber's influence):
 * a wild value is harmless, and a runaway does not lift for itself what it is compared with.
 *
 * @param step     of the measurement, after `state.at`
 * @param value    a number or Infinity; what is below the floor counts as the floor
 * @param emerges  whether values at the floor are no measurements until one is above it
 */
export function track(
  state: TrackState,
  step: number,
  value: number,
  rule: TrackRule,
  emerges: boolean,
): TrackState {
  if (emerges && state.count === 0 && !(value > rule.floor)) return state;
  const log = logOf(value, rule.floor);
  const recent = [...state.recent, log].slice(-Math.max(rule.recent, rule.warmUp));
  const count = Math.min(state.count + 1, Number.MAX_SAFE_INTEGER);
  if (count <= rule.warmUp) return { count, baseline: medianOf(recent), recent, at: step };
  const weight = Math.max(1 / count, 1 / rule.memory);
  const away = Math.min(Math.max(log - state.baseline, -rule.pull), rule.pull);
  return { count, baseline: state.baseline + weight * away, recent, at: step };
}

/** The track after a gap: what was last is not what is present, and a baseline that was warming up begins anew. */
export function afterGap({ count, baseline, at }: TrackState, { warmUp }: TrackRule): TrackState {
  return count >= warmUp ? { count, baseline, recent: [], at } : EMPTY_TRACK;
}

/** Natural log of a value that is not NaN, as it is followed. */
export function logOf(value: number, floor: number): number {
  return Math.log(Math.min(Math.max(value, floor), LARGEST));
}

/** Median of the last measurements, in the quantity's own unit; undefined before there are enough. */
export function presentOf(state: TrackState, rule: TrackRule): number | undefined {
  if (state.recent.length < rule.recent) return undefined;
  return Math.exp(medianOf(state.recent.slice(-rule.recent)));
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** A least-squares line through `[step, value]` points. */
export interface Trend {
  /** Change of the value in one step. */
  readonly slope: number;
  /** The slope in its standard errors, as if the residuals were independent; ± Infinity for a perfect line. */
  readonly t: number;
  readonly mean: number;
}

/** The trend of three points or more, undefined where there are fewer. */
export function trendOf(
  points: readonly (readonly [step: number, value: number])[],
): Trend | undefined {
  const n = points.length;
  if (n < 3) return undefined;
  const meanStep = points.reduce((sum, [step]) => sum + step, 0) / n;
  const mean = points.reduce((sum, [, value]) => sum + value, 0) / n;
  let [xx, xy] = [0, 0];
  for (const [step, value] of points) {
    xx += (step - meanStep) ** 2;
    xy += (step - meanStep) * (value - mean);
  }
  const slope = xy / xx;
  const residual = points.reduce(
    (sum, [step, value]) => sum + (value - mean - slope * (step - meanStep)) ** 2,
    0,
  );
  const error = Math.sqrt(residual / (n - 2) / xx);
  return { slope, t: slope === 0 ? 0 : slope / error, mean };
}
