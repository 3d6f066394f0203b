/** The lift of the clip itself: its one formula is native, here it only gets its log-ratios. */
import { COTANGENTS, line, newLines, STATISTICS, TERMS } from "../ops/lines.js";
import { tokenObjective } from "../ops/token-objective.js";
import type { SurrogateResult, SurrogateTokens } from "./surrogate.js";

/**
 * The clipped surrogate of every token, with ratios exp(logProbs − otherLogProbs) and the spec's clip.
 *
 * @param logProbs       [rows] differentiated; with `otherLogProbs` of zeros they are the log-ratios themselves
 * @param otherLogProbs  [rows] constant
 * @returns slopes are d Σ weights · values / d logProbs
 */
export function clipped(
  tokens: SurrogateTokens,
  logProbs: Float64Array,
  otherLogProbs: Float64Array,
): SurrogateResult {
  const { where, mask, advantages, weights, clip, logRatioLimit } = tokens;
  const rows = logProbs.length;
  const statistics = newLines(STATISTICS, rows);
  line(statistics, STATISTICS, "logProbs").set(logProbs);
  const { terms, cotangents = newLines(COTANGENTS, rows) } = tokenObjective({
    where,
    statistics,
    hasMasked: false,
    oldLogProbs: otherLogProbs,
    responseMask: mask,
    advantages,
    weights,
    entropyWeights: new Float64Array(rows),
    attributes: { clipLow: clip.low, clipHigh: clip.high, clipDual: clip.dual, logRatioLimit },
  });
  return {
    values: line(terms, TERMS, "surrogate"),
    slopes: line(cotangents, COTANGENTS, "logProbs"),
    ratios: line(terms, TERMS, "ratio"),
    clips: line(terms, TERMS, "clip"),
  };
}

/** The clipped surrogate of log-ratios [rows]; slopes are those in the log-ratios. */
export function clippedLogRatios(
  tokens: SurrogateTokens,
  logRatios: Float64Array,
): SurrogateResult {
  return clipped(tokens, logRatios, new Float64Array(logRatios.length));
}
