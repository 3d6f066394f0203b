/** The op `token_stats_partial`: logits of a part of the vocabulary down to the state of each token over that part. */
import { linesTensor, newLines, STATES } from "./lines.js";
import { type OpCall, runOp, runOpAsync } from "./run-op.js";
import { logitsInputs, type TokenLogits } from "./token-stats.js";

/** Which part of the vocabulary the columns of the logits are; token ids count over the whole of it. */
export interface VocabShard {
  /** Tokens before the first column; 0 if not said. */
  readonly vocabOffset?: number | undefined;
  /** Tokens in all; if not said, the last column is the last of them. */
  readonly vocabTotal?: number | undefined;
}

export type TokenStatsPartialArgs = TokenLogits & VocabShard;

/** [12, rows], lines STATES; the empty state where a row does not count. */
export function tokenStatsPartial(args: TokenStatsPartialArgs): Float64Array {
  const { call, states } = prepare(args);
  runOp(call);
  return states;
}

export async function tokenStatsPartialAsync(
  args: TokenStatsPartialArgs,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { call, states } = prepare(args);
  await runOpAsync(call, signal);
  return states;
}

function prepare(args: TokenStatsPartialArgs): { call: OpCall; states: Float64Array } {
  const { where, temperature } = args;
  const states = newLines(STATES, args.logits.rows);
  const outputs = { states: linesTensor(states, STATES) };
  const attributes = { temperature, ...shardAttributes(args) };
  const call = { op: "tokenStatsPartial", where, inputs: logitsInputs(args), outputs, attributes };
  return { call, states };
}

/** The attributes of an op on a shard, where they are said: 0 is the native word for "not said". */
export function shardAttributes({ vocabOffset, vocabTotal }: VocabShard): OpCall["attributes"] {
  return {
    ...(vocabOffset === undefined ? {} : { vocabOffset }),
    ...(vocabTotal === undefined ? {} : { vocabTotal }),
  };
}
