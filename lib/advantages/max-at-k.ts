/** Unbiased estimates of pass@k and max_g@k from n ≥ k answers. */
import { numbersOf } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";

/**
 * Weight of each rank, lowest reward first, in the mean of the maximum over all sets of k of n rewards:
 * C(i − 1, k − 1) / C(n, k) for rank i from 1. No binomial is formed. 1 ≤ k ≤ n.
 */
export function maxWeights(n: number, k: number): Float64Array {
  const weights = new Float64Array(n);
  let weight = k / n;
  for (let rank = n; rank >= k; rank--) {
    weights[rank - 1] = weight;
    weight *= (rank - k) / (rank - 1);
  }
  return weights;
}

/**
 * Mean of the best of k over all sets of k of the rewards: the unbiased estimate of max_g@k.
 *
 * @param rewards  [n] finite numbers, n ≥ k
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_NOT_FINITE
 * @see arXiv 2505.15201, Eq. 12
 */
export function maxAtK(rewards: ArrayLike<number>, k: number): number {
  const where = "maxAtK";
  const ascending = numbersOf(where, "rewards", rewards);
  for (let i = 0; i < ascending.length; i++) {
    if (Number.isFinite(ascending[i])) continue;
    const what = `rewards[${i}] to be finite`;
    throw expected("ERR_NOT_FINITE", where, what, describe(ascending[i]));
  }
  checkWhole(where, "k", k, 1, ascending.length);
  ascending.sort();
  const weights = maxWeights(ascending.length, k);
  return ascending.reduce((sum, reward, i) => sum + (weights[i] as number) * reward, 0);
}

/**
 * 1 − C(n − c, k) / C(n, k): the unbiased estimate of pass@k from n answers of which c are correct.
 *
 * @throws PapoError ERR_RANGE unless 0 ≤ c ≤ n and 1 ≤ k ≤ n, all whole
 * @see arXiv 2107.03374; arXiv 2505.15201, Eq. 5
 */
export function passAtK(n: number, c: number, k: number): number {
  const where = "passAtK";
  checkWhole(where, "n", n, 1, Number.MAX_SAFE_INTEGER);
  checkWhole(where, "c", c, 0, n);
  checkWhole(where, "k", k, 1, n);
  let allWrong = 1;
  // Π (1 − c / i) over the fewer of its two forms' factors: C(n − c, k) / C(n, k) is symmetric in c and k.
  const [few, many] = c < k ? [c, k] : [k, c];
  for (let i = 0; i < few && allWrong > 0; i++) allWrong *= Math.max(0, 1 - many / (n - i));
  return 1 - allWrong;
}

function checkWhole(where: string, name: string, value: unknown, low: number, high: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high) return;
  throw expected("ERR_RANGE", where, `${name} to be an integer in ${low}…${high}`, describe(value));
}
