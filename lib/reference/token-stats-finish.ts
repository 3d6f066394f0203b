/** The op token_stats_finish in float64: states over the whole vocabulary down to statistics. */
import { checkCount, checkNumber, checkWord, countedRows, notFinite } from "./checks.js";
import { MASS_FLOOR } from "./log-softmax.js";
import { readOnce } from "./read-once.js";
import { STATISTICS, type StatisticName, type TokenStats } from "./token-stats.js";
import { checkStates, type TokenStates } from "./token-stats-partial.js";

/** Options of `tokenStatsFinish`. */
export interface TokenStatsFinishOptions {
  /** Of the whole vocabulary: merged of parts that cover it. */
  readonly states: TokenStates;
  /** Rows there are, counted or not. */
  readonly rows: number;
  /** Whether the states are of two policies; the masked statistics are 0 if not. False by default. */
  readonly hasMasked?: boolean | undefined;
  /** [rows] of 0 and 1; rows with 0 are not read. All rows count where it is absent. */
  readonly responseMask?: ArrayLike<number> | undefined;
  /** That of the states; 1 by default. */
  readonly temperature?: number | undefined;
  /** What a counted row does whose logits were no distribution: `"error"` (default) throws, `"skip"` masks it. */
  readonly onInvalid?: "error" | "skip" | undefined;
}

/**
 * The statistics of the rows whose states are given:
 * log Σ e^z = r + log sum, entropy = log sum − dot/sum, KL = cross/sum − log sum + log of the other's sum.
 *
 * The KLs are differences of sums, so policies that nearly agree lose their digits here where `tokenStats` keeps them.
 *
 * @throws PapoError as `tokenStats`
 */
export function tokenStatsFinish(options: TokenStatsFinishOptions): TokenStats {
  const where = "reference.tokenStatsFinish";
  options = readOnce(where, options);
  const { states, rows, hasMasked = false, temperature = 1, onInvalid = "error" } = options;
  checkCount(where, "rows", rows);
  checkStates(where, "states", states, rows);
  checkWord(where, "onInvalid", onInvalid, ["error", "skip"]);
  const isTemperature = (value: number) => Number.isFinite(value) && value > 0;
  checkNumber(where, "temperature", temperature, "finite and above 0", isTemperature);
  const counted = countedRows(where, options.responseMask, rows);

  const stats = Object.fromEntries(
    STATISTICS.map((name) => [name, new Float64Array(rows)]),
  ) as Record<StatisticName, Float64Array>;
  const invalid = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    if (!counted[row]) continue;
    const isUsable = (sum: number) => sum > 0 && sum < Infinity;
    const [sum, maskedSum] = [states.sum[row] as number, states.maskedSum[row] as number];
    if (!isUsable(sum) || (hasMasked && !isUsable(maskedSum))) {
      if (onInvalid === "error") {
        const broken = isUsable(sum) ? maskedSum : sum;
        const name = isUsable(sum) ? "maskedLogits" : "logits";
        const what = `${name}[${row}] to hold numbers or −Infinity, and a finite one among them`;
        throw notFinite(where, what, row, broken === 0 ? "only −Infinity" : "NaN or Infinity");
      }
      invalid[row] = 1;
      continue;
    }
    const at = (line: keyof TokenStates) => states[line][row] as number;
    const logSum = Math.log(sum);
    stats.logProbs[row] = Math.min(0, at("chosen") / temperature - at("reference") - logSum);
    stats.entropy[row] = Math.max(0, logSum - at("dot") / sum);
    stats.logSumExp[row] = at("reference") + logSum;
    if (!hasMasked) continue;

    const logMasked = Math.log(maskedSum);
    const maskedChosen = at("maskedChosen") / temperature;
    stats.maskedLogProbs[row] = Math.min(0, maskedChosen - at("maskedReference") - logMasked);
    stats.maskedEntropy[row] = Math.max(0, logMasked - at("maskedDot") / maskedSum);
    stats.maskedLogSumExp[row] = at("maskedReference") + logMasked;
    stats.kl[row] =
      at("uncovered") - at("reference") >= MASS_FLOOR
        ? Infinity
        : Math.max(0, at("cross") / sum - logSum + logMasked);
    stats.reverseKl[row] =
      at("maskedUncovered") - at("maskedReference") >= MASS_FLOOR
        ? Infinity
        : Math.max(0, at("maskedCross") / maskedSum - logMasked + logSum);
  }
  return { ...stats, invalid };
}
