/** A penalty on log-ratios beside a surrogate: it acts on tokens whatever their advantage. */
import {
  logRatio,
  type SurrogateResult,
  type SurrogateTokens,
  type TokenLoss,
  weighted,
} from "./surrogate.js";

/** Adds `penalty` of the log-ratio to values and slopes of the rows; where the limit binds it has no slope. */
export function addPenalty(
  tokens: SurrogateTokens,
  result: SurrogateResult,
  rows: Iterable<number>,
  penalty: (log: number) => TokenLoss,
  other: Float64Array = tokens.oldLogProbs,
): void {
  const { logProbs, weights, mask, logRatioLimit } = tokens;
  for (const row of rows) {
    if (mask?.[row] === 0) continue;
    const log = logRatio(logProbs[row] as number, other[row] as number, logRatioLimit);
    const { value, slope } = penalty(log.value);
    result.values[row] = (result.values[row] as number) + value;
    const pull = log.free ? weighted(weights[row] as number, slope) : 0;
    result.slopes[row] = (result.slopes[row] as number) + pull;
  }
}

/** c·|x|, with slope 0 at 0. */
export const absolute =
  (coefficient: number) =>
  (log: number): TokenLoss => ({
    value: coefficient * Math.abs(log),
    slope: coefficient * Math.sign(log),
  });

/** c·x². */
export const squared =
  (coefficient: number) =>
  (log: number): TokenLoss => ({
    value: coefficient * log * log,
    slope: 2 * coefficient * log,
  });
