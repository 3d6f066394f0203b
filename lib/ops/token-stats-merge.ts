/** The op `token_stats_merge`: states of two parts of the vocabulary to those of both together. No vocabulary here. */
import { linesTensor, newLines, STATES } from "./lines.js";
import { runOp } from "./run-op.js";

export interface TokenStatsMergeArgs {
  readonly where: string;
  /** [12, rows] */
  readonly states: Float64Array;
  /** [12, rows] of the same tokens over another part. */
  readonly otherStates: Float64Array;
}

/** [12, rows], fresh. Cheap next to anything over a vocabulary, so it has no asynchronous form. */
export function tokenStatsMerge({ where, states, otherStates }: TokenStatsMergeArgs): Float64Array {
  const merged = newLines(STATES, states.length / STATES.length);
  runOp({
    op: "tokenStatsMerge",
    where,
    inputs: {
      states: linesTensor(states, STATES),
      otherStates: linesTensor(otherStates, STATES),
    },
    outputs: { mergedStates: linesTensor(merged, STATES) },
    attributes: {},
  });
  return merged;
}
