/** What surrogates with a ratio per sequence have in common. */
import type { SurrogateResult, SurrogateTokens } from "./surrogate.js";

/** A stand-in for an infinite log-ratio: any limit holds what is left of it in a mean. */
const FAR = 1e100;

/** What a mean log-ratio is made of. */
type RatioTokens = Pick<SurrogateTokens, "offsets" | "mask" | "logProbs" | "oldLogProbs">;

/** Calls `visit` with the counted rows of each sequence that has any. */
export function eachSequence(
  { offsets, mask }: Pick<SurrogateTokens, "offsets" | "mask">,
  visit: (rows: readonly number[]) => void,
): void {
  for (let s = 0; s + 1 < offsets.length; s++) {
    const rows: number[] = [];
    const end = offsets[s + 1] as number;
    for (let row = offsets[s] as number; row < end; row++) {
      if (mask?.[row] !== 0) rows.push(row);
    }
    if (rows.length > 0) visit(rows);
  }
}

/** log-prob − old log-prob of a row, 0 where both are −Infinity, and never infinite. */
export function logRatioOf({ logProbs, oldLogProbs }: RatioTokens, row: number): number {
  const [own, old] = [logProbs[row] as number, oldLogProbs[row] as number];
  return own === old ? 0 : Math.min(Math.max(own - old, -FAR), FAR);
}

/** Σ of `term` over rows. */
export function sumOver(rows: readonly number[], term: (row: number) => number): number {
  let sum = 0;
  for (const row of rows) sum += term(row);
  return sum;
}

/** Σ of `log`, log-ratios made of `logRatioOf`: opposite infinite ones cancel, and leave the others whole. */
export function sumOfLogRatios(rows: readonly number[], log: (row: number) => number): number {
  let [sum, infinite] = [0, 0];
  for (const row of rows) {
    const value = log(row);
    if (Math.abs(value) === FAR) infinite += Math.sign(value);
    else sum += value;
  }
  return sum + infinite * FAR;
}

/** Takes the slope from tokens that the policy rules out (ℓ = −Infinity), which a ratio of the sequence gives them. */
export function withoutRuledOut(
  { logProbs }: SurrogateTokens,
  result: SurrogateResult,
): SurrogateResult {
  for (let row = 0; row < logProbs.length; row++) {
    if (logProbs[row] === -Infinity) result.slopes[row] = 0;
  }
  return result;
}

/** The mean log-ratio of its sequence on each counted row, [rows]; GSPO's log s. Not limited. */
export function meanLogRatios(tokens: RatioTokens): Float64Array {
  const means = new Float64Array(tokens.logProbs.length);
  eachSequence(tokens, (rows) => {
    const mean = sumOfLogRatios(rows, (row) => logRatioOf(tokens, row)) / rows.length;
    for (const row of rows) means[row] = mean;
  });
  return means;
}
