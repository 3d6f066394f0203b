/** Each token's share of the covariance of advantage and log-prob: what Clip-Cov and KL-Cov choose tokens by. */
import type { SurrogateTokens } from "./surrogate.js";

/** Counted rows, and the centred product of each; NaN for rows that do not count or have no finite log-prob. */
export interface Covariances {
  /** Rows that count. */
  readonly count: number;
  /** [rows] (A − mean A)·(ℓ − mean ℓ), means over the counted rows of this call. */
  readonly products: Float64Array;
}

export function covariances({ mask, logProbs, advantages }: SurrogateTokens): Covariances {
  const products = new Float64Array(logProbs.length).fill(Number.NaN);
  const usable: number[] = [];
  let count = 0;
  for (let row = 0; row < logProbs.length; row++) {
    if (mask?.[row] === 0) continue;
    count++;
    if (Number.isFinite(logProbs[row])) usable.push(row);
  }
  const mean = (values: Float64Array) =>
    usable.reduce((sum, row) => sum + (values[row] as number), 0) / usable.length;
  const [meanAdvantage, meanLogProb] = [mean(advantages), mean(logProbs)];
  for (const row of usable) {
    const advantage = (advantages[row] as number) - meanAdvantage;
    products[row] = advantage * ((logProbs[row] as number) - meanLogProb);
  }
  return { count, products };
}

/** How many of `count` tokens a fraction is: rounded down, but at least one. */
export function shareOf(fraction: number, count: number): number {
  return Math.max(1, Math.floor(fraction * count));
}
