/** The op `token_stats_finish`: states over the whole vocabulary to the statistics of each token. No vocabulary here. */
import { linesTensor, newLines, STATES, STATISTICS } from "./lines.js";
import { rowsTensor, runOp } from "./run-op.js";
import type { TokenStatsResult } from "./token-stats.js";

export interface TokenStatsFinishArgs {
  readonly where: string;
  /** [12, rows] */
  readonly states: Float64Array;
  /** Whether the states are of two policies. */
  readonly hasMasked: boolean;
  /** [rows] of 0 and 1; rows with 0 are not read and give 0. */
  readonly responseMask?: Int32Array | undefined;
  /** That of the partial states. */
  readonly temperature: number;
  /** "skip" marks unusable rows in `invalid` where "error" throws. */
  readonly onInvalid: "error" | "skip";
}

/** Cheap next to anything over a vocabulary, so it has no asynchronous form. */
export function tokenStatsFinish(args: TokenStatsFinishArgs): TokenStatsResult {
  const { where, states, hasMasked, temperature, onInvalid } = args;
  const rows = states.length / STATES.length;
  const statistics = newLines(STATISTICS, rows);
  const invalid = onInvalid === "skip" ? new Int32Array(rows) : undefined;
  runOp({
    op: "tokenStatsFinish",
    where,
    inputs: {
      states: linesTensor(states, STATES),
      responseMask: rowsTensor(args.responseMask),
    },
    outputs: {
      statistics: linesTensor(statistics, STATISTICS),
      invalid: rowsTensor(invalid),
    },
    attributes: { temperature, hasMasked, onInvalid },
  });
  return { statistics, invalid };
}
