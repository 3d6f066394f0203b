/** The off-policy sequence mask (OPSM): no push away from sequences that the policy would hardly sample any more. */
import { logRatio } from "./log-ratio.js";

/**
 * [rows] 1 for counted tokens that are kept: those with A ≥ 0, and those of sequences with mean(ℓ_sampler − ℓ) ≤ threshold,
 * the mean over counted tokens. The advantage is each token's own. Nothing is checked here.
 *
 * Log-probs of −Infinity: a token the policy excludes makes the mean +Infinity, one that only the sampler excludes
 * −Infinity; where a sequence has both, the former decides.
 *
 * @see DeepSeek-V3.2 (arXiv 2512.02556); TRL grpo_trainer.py:2920-2939, whose sampler is the rollout engine where its
 * log-probs are known and the old policy otherwise
 */
export function offPolicyMaskOf(
  offsets: Int32Array,
  mask: Int32Array | undefined,
  logProbs: Float64Array,
  samplerLogProbs: Float64Array,
  advantages: Float64Array,
  threshold: number,
): Int32Array {
  const keep = new Int32Array(logProbs.length);
  for (let s = 0; s + 1 < offsets.length; s++) {
    const [start, end] = [offsets[s] as number, offsets[s + 1] as number];
    const near = meanGap(mask, logProbs, samplerLogProbs, start, end) <= threshold;
    for (let row = start; row < end; row++) {
      if (mask?.[row] === 0) continue;
      keep[row] = near || (advantages[row] as number) >= 0 ? 1 : 0;
    }
  }
  return keep;
}

/** mean(ℓ_sampler − ℓ) of a sequence; 0 without a counted token. */
function meanGap(
  mask: Int32Array | undefined,
  logProbs: Float64Array,
  samplerLogProbs: Float64Array,
  start: number,
  end: number,
): number {
  let [sum, count] = [0, 0];
  for (let row = start; row < end; row++) {
    if (mask?.[row] === 0) continue;
    count++;
    const gap = logRatio(samplerLogProbs[row] as number, logProbs[row] as number);
    if (sum < Infinity) sum = gap === Infinity ? gap : sum + gap;
  }
  return count === 0 ? 0 : sum / count;
}
