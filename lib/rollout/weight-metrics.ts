/** What a batch's importance weights look like: their size, how many were bounded, how many samples they are worth. */

/** Means, extremes and fractions over counted tokens unless said otherwise; all 0 for a batch without one. */
export interface RolloutWeightMetrics {
  /** Of the weights in force, before `batchNormalize`. */
  readonly weightMean: number;
  /** Smallest weight in force, before `batchNormalize`. */
  readonly weightMin: number;
  /** Largest weight in force, before `batchNormalize`. */
  readonly weightMax: number;
  /** Smallest ratio, before truncation and masking. */
  readonly ratioMin: number;
  /** Largest ratio, before truncation and masking. */
  readonly ratioMax: number;
  /** Tokens whose ratio is above `max`. */
  readonly aboveFraction: number;
  /** Tokens whose ratio is below `min`. */
  readonly belowFraction: number;
  /** Tokens whose ratio is above `max` or below `min`. */
  readonly clippedFraction: number;
  /** Tokens that are kept. */
  readonly keptFraction: number;
  /** Effective sample size (Σ w)² / Σ w², divided by the number of tokens; in 0 … 1. */
  readonly effectiveSampleFraction: number;
  /** The same of the sequences' mean weights, divided by the number of sequences with a counted token. */
  readonly sequenceEffectiveSampleFraction: number;
  /** Mean over sequences with a counted token of their mean weight. */
  readonly sequenceWeightMean: number;
  /** What the weights were divided by; 1 without `batchNormalize`. */
  readonly normalizer: number;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/**
 * @see verl rollout_corr_helper.py compute_is_metrics; its `rollout_is_eff_sample_size` is `effectiveSampleFraction`,
 * its fractions of sequences and its lower bound 1/max where none is set are not taken over
 */
export function describeWeights(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  ratios: Float64Array,
  weights: Float64Array,
  keep: Int32Array,
  bounds: Bounds,
): RolloutWeightMetrics {
  const tokens = new Sums();
  const sequences = new Sums();
  let [ratioMin, ratioMax, above, below, kept] = [Infinity, 0, 0, 0, 0];
  for (let s = 0; s + 1 < offsets.length; s++) {
    const sequence = new Sums();
    for (let row = offsets[s] as number; row < (offsets[s + 1] as number); row++) {
      if (mask?.[row] === 0) continue;
      const ratio = ratios[row] as number;
      tokens.add(weights[row] as number);
      sequence.add(weights[row] as number);
      ratioMin = Math.min(ratioMin, ratio);
      ratioMax = Math.max(ratioMax, ratio);
      if (ratio > bounds.max) above++;
      if (ratio < bounds.min) below++;
      kept += keep[row] as number;
    }
    if (sequence.count > 0) sequences.add(sequence.mean);
  }
  const fraction = (count: number) => (tokens.count === 0 ? 0 : count / tokens.count);
  return {
    weightMean: tokens.mean,
    weightMin: tokens.count === 0 ? 0 : tokens.least,
    weightMax: tokens.most,
    ratioMin: tokens.count === 0 ? 0 : ratioMin,
    ratioMax,
    aboveFraction: fraction(above),
    belowFraction: fraction(below),
    clippedFraction: fraction(above + below),
    keptFraction: fraction(kept),
    effectiveSampleFraction: tokens.effectiveFraction,
    sequenceEffectiveSampleFraction: sequences.effectiveFraction,
    sequenceWeightMean: sequences.mean,
    normalizer: 1,
  };
}

/** Sums over weights, which are never negative. */
class Sums {
  count = 0;
  #sum = 0;
  #squares = 0;
  least = Infinity;
  most = 0;

  add(weight: number): void {
    this.count++;
    this.#sum += weight;
    this.#squares += weight * weight;
    this.least = Math.min(this.least, weight);
    this.most = Math.max(this.most, weight);
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  get effectiveFraction(): number {
    return this.#squares === 0 ? 0 : this.#sum ** 2 / (this.count * this.#squares);
  }
}
