/** VPPO's advantage shaping: sequences that depended on the image count more, on average as much as before. */

/** Range of the sequences' mean divergence and mean of what it becomes in 0 … 1, over the whole batch. */
export interface DivergenceRange {
  /** Smallest mean divergence of a sequence, nats. */
  readonly low: number;
  /** Largest mean divergence of a sequence, nats. */
  readonly high: number;
  /** Mean over the sequences of (D − low)/(high − low). */
  readonly mean: number;
}

export interface VppoRule {
  /** Factor of the sequence with the smallest mean divergence, 0 … 1. VPPO's runs use 0.9. */
  readonly min: number;
  /** Of the whole batch, where this call sees a part of it; otherwise taken from the sequences here. */
  readonly range?: DivergenceRange | undefined;
}

/** Sequences closer together than this are not told apart. */
const LEAST_WIDTH = 1e-6;
const MEAN_EPSILON = 1e-8;

/**
 * [sequences] factors of the advantages, constant for gradients; 1 for a sequence without a counted token.
 *
 * With D the mean divergence of a sequence's counted tokens and n = (D − min D)/(max D − min D) within 0 … 1:
 * factor = min + n · (1 − min)/(mean n + 1e-8), which is 1 on average and `min` at the least. The largest factor is
 * min + (1 − min)/mean n: it grows with the batch when one sequence stands out. All factors are 1 where fewer than two
 * sequences have tokens or their D are within 1e-6.
 *
 * Nothing is checked here; `vppoAdvantages` is the door.
 *
 * @see VPPO (arXiv 2510.09285); its repository's verl/workers/actor/dp_actor.py, which takes the range over a mini-batch
 * and the mean over a micro-batch, so that its factors are 1 on average in each micro-batch; here both are of the batch
 */
export function vppoFactorsOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  divergences: Float64Array,
  rule: VppoRule,
): Float64Array {
  const means = sequenceMeans(offsets, mask, divergences);
  const factors = new Float64Array(means.length).fill(1);
  const { low, high, mean } = rule.range ?? rangeOf(means);
  if (!(high - low > LEAST_WIDTH)) return factors;
  const slope = (1 - rule.min) / (mean + MEAN_EPSILON);
  for (let s = 0; s < means.length; s++) {
    const D = means[s] as number;
    if (!Number.isNaN(D)) factors[s] = rule.min + slope * unit(D, low, high);
  }
  return factors;
}

/** The range of a batch, for calls that see parts of it. */
export function divergenceRangeOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  divergences: Float64Array,
): DivergenceRange {
  return rangeOf(sequenceMeans(offsets, mask, divergences));
}

/** [sequences] mean over counted tokens; NaN for a sequence without one. */
export function sequenceMeans(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  values: Float64Array,
): Float64Array {
  const means = new Float64Array(Math.max(offsets.length - 1, 0));
  for (let s = 0; s < means.length; s++) {
    let [sum, count] = [0, 0];
    for (let row = offsets[s] as number; row < (offsets[s + 1] as number); row++) {
      if (mask?.[row] === 0) continue;
      sum += values[row] as number;
      count++;
    }
    means[s] = count === 0 ? Number.NaN : sum / count;
  }
  return means;
}

function rangeOf(means: Float64Array): DivergenceRange {
  const known = means.filter((mean) => !Number.isNaN(mean));
  if (known.length < 2) return { low: 0, high: 0, mean: 0 };
  const low = known.reduce((least, mean) => Math.min(least, mean), Infinity);
  const high = known.reduce((most, mean) => Math.max(most, mean), -Infinity);
  const sum = known.reduce((total, mean) => total + unit(mean, low, high), 0);
  return { low, high, mean: sum / known.length };
}

/** Where a value lies between two bounds, within 0 … 1. */
function unit(value: number, low: number, high: number): number {
  return high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0;
}
