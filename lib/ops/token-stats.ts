/** The op `token_stats`: logits, one set or two, down to a few numbers per token. */
import type { Logits } from "../tensor/tensor.js";
import { linesTensor, newLines, STATISTICS } from "./lines.js";
import { type OpCall, rowsTensor, runOp, runOpAsync } from "./run-op.js";

/** The logits of a call and the rows of them that count. */
export interface TokenLogits {
  /** The public verb messages begin with. */
  readonly where: string;
  /** [rows, vocab] or [sequences, tokens, vocab]; `maskedLogits` of the same shape and dtype. */
  readonly logits: Logits;
  readonly maskedLogits?: Logits | undefined;
  /** [rows] */
  readonly tokenIds: Int32Array;
  /** [rows] of 0 and 1; rows with 0 are not read. */
  readonly responseMask?: Int32Array | undefined;
  readonly temperature: number;
}

export interface TokenStatsArgs extends TokenLogits {
  /** "skip" marks unusable rows in `invalid` where "error" throws. */
  readonly onInvalid: "error" | "skip";
}

export interface TokenStatsResult {
  /** [8, rows], lines STATISTICS. */
  readonly statistics: Float64Array;
  /** [rows], 1 where a counted row was unusable; only with `onInvalid: "skip"`. */
  readonly invalid: Int32Array | undefined;
}

export function tokenStats(args: TokenStatsArgs): TokenStatsResult {
  const { call, result } = prepare(args);
  runOp(call);
  return result;
}

export async function tokenStatsAsync(
  args: TokenStatsArgs,
  signal?: AbortSignal,
): Promise<TokenStatsResult> {
  const { call, result } = prepare(args);
  await runOpAsync(call, signal);
  return result;
}

function prepare(args: TokenStatsArgs): { call: OpCall; result: TokenStatsResult } {
  const { where, temperature, onInvalid } = args;
  const { rows } = args.logits;
  const statistics = newLines(STATISTICS, rows);
  const invalid = onInvalid === "skip" ? new Int32Array(rows) : undefined;
  const outputs = {
    statistics: linesTensor(statistics, STATISTICS),
    invalid: rowsTensor(invalid),
  };
  const attributes = { temperature, onInvalid };
  const call = { op: "tokenStats", where, inputs: logitsInputs(args), outputs, attributes };
  return { call, result: { statistics, invalid } };
}

/** The inputs that every op over logits shares. */
export function logitsInputs(args: TokenLogits): OpCall["inputs"] {
  const { where } = args;
  return {
    logits: args.logits.toNative(where, "logits"),
    maskedLogits: args.maskedLogits?.toNative(where, "maskedLogits"),
    tokenIds: rowsTensor(args.tokenIds),
    responseMask: rowsTensor(args.responseMask),
  };
}
