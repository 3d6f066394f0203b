/** ℓ_old − ℓ_rollout of a token and of a sequence, defined for every pair of log-probabilities. */

/** Bound on a log ratio before it is exponentiated, nats: verl's SAFETY_BOUND, and papo's `logRatioLimit`. */
export const LOG_RATIO_LIMIT = 20;

/**
 * ℓ − ℓ_rollout without a limit; 0 where both are −Infinity, since two policies that exclude a token agree on it.
 */
export function logRatio(logProb: number, rolloutLogProb: number): number {
  return logProb === rolloutLogProb ? 0 : logProb - rolloutLogProb;
}

/** The log ratio within ± limit. */
export function limitedLogRatio(logProb: number, rolloutLogProb: number, limit: number): number {
  return within(logRatio(logProb, rolloutLogProb), limit);
}

/**
 * The log ratio of a whole sequence: the sum over its counted tokens, within ± limit. Tokens are not limited one by one.
 * A token that the training policy excludes (−Infinity) decides, whatever the others say.
 */
export function sequenceLogRatio(
  logProbs: Float64Array,
  rolloutLogProbs: Float64Array,
  mask: Int32Array | undefined,
  start: number,
  end: number,
  limit: number,
): number {
  let sum = 0;
  let excluded = false;
  for (let row = start; row < end; row++) {
    if (mask?.[row] === 0) continue;
    const ratio = logRatio(logProbs[row] as number, rolloutLogProbs[row] as number);
    if (ratio === -Infinity) excluded = true;
    else sum += ratio;
  }
  return excluded ? -limit : within(sum, limit);
}

/** exp(x) − 1 − x ≥ 0, without cancellation near 0. */
export function k3Of(x: number): number {
  // Below 1e-5 the series has more digits than expm1(x) − x.
  return Math.abs(x) < 1e-5 ? x * x * (0.5 + x / 6) : Math.expm1(x) - x;
}

function within(value: number, limit: number): number {
  return Math.min(Math.max(value, -limit), limit);
}
