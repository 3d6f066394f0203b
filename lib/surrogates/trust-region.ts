/** Surrogates that keep a token or drop it, by how far the policy is from the sampler. */
import { addPenalty, squared } from "./penalty.js";
import {
  CLIP,
  type SurrogateResult,
  type SurrogateTokens,
  type Token,
  tokenwise,
  unclipped,
} from "./surrogate.js";

/** Probabilities of a sampled token are kept this far from 0 and 1 before a binary KL is taken. */
const SMALLEST_PROBABILITY = 1e-6;

/** Whether a token stays, by its probabilities under the policy (p) and the sampler (q). */
export type Keeps = (token: Token, p: number, q: number) => boolean;

/**
 * −ρ·A on kept tokens and nothing on dropped ones, ρ = exp(ℓ − ℓ_sampler); `logRatioPenalty`·(ℓ − ℓ_sampler)² on all.
 * The decision is a constant for gradients. Where a batch has no log-probs of the sampler, the old policy's stand in.
 */
export function trustRegion(
  tokens: SurrogateTokens,
  keeps: Keeps,
  logRatioPenalty = 0,
): SurrogateResult {
  const sampler = tokens.rolloutLogProbs ?? tokens.oldLogProbs;
  const result = tokenwise(
    tokens,
    (token) => {
      const [p, q] = [Math.exp(token.logProb), Math.exp(sampler[token.row] as number)];
      if (keeps(token, p, q)) return unclipped(token);
      return { value: 0, slope: 0, clip: CLIP.dropped };
    },
    sampler,
  );
  if (logRatioPenalty !== 0) {
    addPenalty(tokens, result, sampler.keys(), squared(logRatioPenalty), sampler);
  }
  return result;
}

/** KL of "this token or another": p·ln(p/q) + (1 − p)·ln((1 − p)/(1 − q)), probabilities within [1e-6, 1 − 1e-6]. */
export function binaryKl(p: number, q: number): number {
  const a = inside(p);
  const b = inside(q);
  return a * Math.log(a / b) + (1 - a) * Math.log((1 - a) / (1 - b));
}

function inside(probability: number): number {
  return Math.min(Math.max(probability, SMALLEST_PROBABILITY), 1 - SMALLEST_PROBABILITY);
}
