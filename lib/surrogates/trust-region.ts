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

/** A token with its probabilities. */
export interface RegionToken extends Token {
  /** Of the token under the policy. */
  readonly p: number;
  /** And under the sampler. */
  readonly q: number;
}

/**
 * −ρ·A on kept tokens and nothing on dropped ones, ρ = exp(ℓ − ℓ_sampler); `logRatioPenalty`·(ℓ − ℓ_sampler)² on all.
 * The decision is a constant for gradients. Where a batch has no log-probs of the sampler, the old policy's stand in.
 */
export function trustRegion(
  tokens: SurrogateTokens,
  keeps: (token: RegionToken) => boolean,
  logRatioPenalty = 0,
): SurrogateResult {
  const sampler = tokens.rolloutLogProbs ?? tokens.oldLogProbs;
  const result = tokenwise(
    tokens,
    (token) => {
      const [p, q] = [Math.exp(token.logProb), Math.exp(sampler[token.row] as number)];
      if (keeps({ ...token, p, q })) return unclipped(token);
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
  const within = (x: number) =>
    Math.min(Math.max(x, SMALLEST_PROBABILITY), 1 - SMALLEST_PROBABILITY);
  const [a, b] = [within(p), within(q)];
  return a * Math.log(a / b) + (1 - a) * Math.log((1 - a) / (1 - b));
}
