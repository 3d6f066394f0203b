/** How far the policy that trains is from the engine that sampled: KL, perplexities, chi-square. */
import { k3Of, limitedLogRatio, logRatio, sequenceLogRatio } from "./log-ratio.js";

/** Means over counted tokens, or over sequences with a counted token where said; all 0 for a batch without one. */
export interface RolloutDiagnostics {
  /** KL(π_rollout ‖ π), nats: mean of ℓ_rollout − ℓ (k1), each within ± the limit. */
  readonly klK1: number;
  /** The same by k3: mean of e^Δ − 1 − Δ with Δ = ℓ − ℓ_rollout; less noise, never negative. */
  readonly klK3: number;
  /** Mean |ℓ − ℓ_rollout|, nats. */
  readonly logProbGapMean: number;
  /** Largest |ℓ − ℓ_rollout|, nats. */
  readonly logProbGapMax: number;
  /** Mean over sequences of exp(−mean ℓ). */
  readonly perplexity: number;
  /** Mean over sequences of exp(−mean ℓ_rollout). */
  readonly rolloutPerplexity: number;
  /** Mean over sequences of −mean ℓ, nats. */
  readonly logPerplexity: number;
  /** Mean over sequences of −mean ℓ_rollout, nats. */
  readonly rolloutLogPerplexity: number;
  /** Mean over sequences of mean(ℓ_rollout − ℓ), nats; positive: the sampler is surer. */
  readonly logPerplexityGap: number;
  /** Mean over sequences of |mean(ℓ_rollout − ℓ)|, nats. */
  readonly logPerplexityGapMagnitude: number;
  /** Least mean(ℓ_rollout − ℓ) of a sequence, nats. */
  readonly logPerplexityGapMin: number;
  /** Largest mean(ℓ_rollout − ℓ) of a sequence, nats. */
  readonly logPerplexityGapMax: number;
  /** Mean over sequences of perplexity / rollout perplexity. */
  readonly perplexityRatio: number;
  /** χ²(π ‖ π_rollout) of a token: mean ρ² − 1, the variance of token weights. */
  readonly chiSquareToken: number;
  /** … of a sequence: mean over sequences of (Π ρ)² − 1, the product's log limited as that of sequence weights. */
  readonly chiSquareSequence: number;
}

/** Mean −ℓ beyond which a perplexity is not followed any further, nats: e^80 is finite in float32 too. */
const PERPLEXITY_LIMIT = 80;

/**
 * Diagnostics of a batch. Nothing is checked here; `rolloutDiagnostics` is the door.
 *
 * A log-prob of −Infinity leaves all of them but `logProbGapMax` finite: log ratios are within ± limit, the mean −ℓ of a
 * sequence is at most 80. (verl limits the ratios of the chi-squares only, and counts a sequence without a token as one of
 * perplexity 1.)
 *
 * @see verl rollout_corr_helper.py compute_offpolicy_metrics
 */
export function rolloutDiagnosticsOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  logProbs: Float64Array,
  rolloutLogProbs: Float64Array,
  limit: number,
): RolloutDiagnostics {
  const mean = new Map<keyof RolloutDiagnostics, number>();
  const add = (key: keyof RolloutDiagnostics, value: number) =>
    mean.set(key, (mean.get(key) ?? 0) + value);
  let [tokens, sequences, gapMin, gapMax, largest] = [0, 0, Infinity, -Infinity, 0];
  for (let s = 0; s + 1 < offsets.length; s++) {
    const [start, end] = [offsets[s] as number, offsets[s + 1] as number];
    let [count, sum, rolloutSum, deltas] = [0, 0, 0, 0];
    for (let row = start; row < end; row++) {
      if (mask?.[row] === 0) continue;
      const [own, rollout] = [logProbs[row] as number, rolloutLogProbs[row] as number];
      const delta = limitedLogRatio(own, rollout, limit);
      add("klK1", -delta);
      add("klK3", k3Of(delta));
      add("logProbGapMean", Math.abs(delta));
      add("chiSquareToken", Math.expm1(2 * delta));
      largest = Math.max(largest, Math.abs(logRatio(own, rollout)));
      [count, sum, rolloutSum, deltas] = [
        count + 1,
        sum + own,
        rolloutSum + rollout,
        deltas + delta,
      ];
    }
    if (count === 0) continue;
    tokens += count;
    sequences++;
    const logPerplexity = Math.min(-sum / count, PERPLEXITY_LIMIT);
    const rolloutLogPerplexity = Math.min(-rolloutSum / count, PERPLEXITY_LIMIT);
    // Of the limited ratios, so that it is finite wherever they are.
    const gap = -deltas / count;
    add("logPerplexity", logPerplexity);
    add("rolloutLogPerplexity", rolloutLogPerplexity);
    add("perplexity", Math.exp(logPerplexity));
    add("rolloutPerplexity", Math.exp(rolloutLogPerplexity));
    add("logPerplexityGap", gap);
    add("logPerplexityGapMagnitude", Math.abs(gap));
    add("perplexityRatio", Math.exp(gap));
    const product = sequenceLogRatio(logProbs, rolloutLogProbs, mask, start, end, limit);
    add("chiSquareSequence", Math.expm1(2 * product));
    [gapMin, gapMax] = [Math.min(gapMin, gap), Math.max(gapMax, gap)];
  }
  const perToken = (key: keyof RolloutDiagnostics) => (mean.get(key) ?? 0) / Math.max(tokens, 1);
  const perSequence = (key: keyof RolloutDiagnostics) =>
    (mean.get(key) ?? 0) / Math.max(sequences, 1);
  return {
    klK1: perToken("klK1"),
    klK3: perToken("klK3"),
    logProbGapMean: perToken("logProbGapMean"),
    logProbGapMax: largest,
    perplexity: perSequence("perplexity"),
    rolloutPerplexity: perSequence("rolloutPerplexity"),
    logPerplexity: perSequence("logPerplexity"),
    rolloutLogPerplexity: perSequence("rolloutLogPerplexity"),
    logPerplexityGap: perSequence("logPerplexityGap"),
    logPerplexityGapMagnitude: perSequence("logPerplexityGapMagnitude"),
    logPerplexityGapMin: sequences === 0 ? 0 : gapMin,
    logPerplexityGapMax: sequences === 0 ? 0 : gapMax,
    perplexityRatio: perSequence("perplexityRatio"),
    chiSquareToken: perToken("chiSquareToken"),
    chiSquareSequence: perSequence("chiSquareSequence"),
  };
}
