/** Statistics of a vocabulary that no single place holds: a state per token and part, their merge, and its end. */

import { checkNumber, checkSignal, checkText, readOptions } from "../core/arguments.js";
import { listLength } from "../core/arrays.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { showShape } from "../core/shape.js";
import { STATES } from "../ops/lines.js";
import type { TokenLogits } from "../ops/token-stats.js";
import { tokenStatsFinish } from "../ops/token-stats-finish.js";
import { tokenStatsMerge } from "../ops/token-stats-merge.js";
import {
  tokenStatsPartial as tokenStatsPartialOp,
  tokenStatsPartialAsync as tokenStatsPartialOpAsync,
  type VocabShard,
} from "../ops/token-stats-partial.js";
import { type Logits, Tensor } from "../tensor/tensor.js";
import { type MaskInput, maskRows, type TokenIdsInput, tokenIdRows } from "./inputs.js";
import { checkGradDType, checkLogits } from "./logits.js";
import {
  constantStatistics,
  type PairStatistics,
  recordedStatistics,
  type TokenStatistics,
} from "./token-stats.js";

/**
 * [12, rows] float64: what the logits of a part of the vocabulary say about each token, ready to be sent and merged.
 * The lines are references, sums of exponentials and their moments, and the sampled token's logits.
 */
export type TokenStates = Tensor<"float64", 2>;

/** The logits of a part of the vocabulary: those of one rank, or one chunk of columns. */
export interface TokenStatsPartialOptions {
  /** [rows, columns] or [sequences, tokens, columns]: the tokens vocabOffset, vocabOffset + 1, … of the vocabulary. */
  readonly logits: Logits;
  /** The same tokens seen with the masked image: same shape and dtype. In all parts or in none. */
  readonly maskedLogits?: Logits | undefined;
  /** [rows] the sampled tokens, in 0 … vocabTotal − 1: the same in every part, whichever holds them. */
  readonly tokenIds: TokenIdsInput;
  /** [rows] 0 or 1; rows with 0 are not read. All rows count if not said. */
  readonly responseMask?: MaskInput | undefined;
  /** Logits are divided by it first. Default 1. */
  readonly temperature?: number | undefined;
  /** Tokens of the vocabulary before the first column. Default 0. */
  readonly vocabOffset?: number | undefined;
  /** Tokens of the whole vocabulary. Default: those up to the last column. */
  readonly vocabTotal?: number | undefined;
}

/** Options of `finishTokenStats`. */
export interface FinishTokenStatsOptions extends Partial<TokenStatsPartialOptions> {
  /** Merged of parts that cover the vocabulary once. */
  readonly states: TokenStates;
  /** Whether the states are of two policies. If not said, whether there are `maskedLogits`. */
  readonly hasMasked?: boolean | undefined;
  /** What a counted row of only −Infinity, or with NaN or +Infinity in some part, does: "error" (default), or "skip": as if masked. */
  readonly onInvalid?: "error" | "skip" | undefined;
  /** Dtype of gradients for which no memory is given: that of the logits (default), or float32. */
  readonly gradDType?: "float32" | undefined;
}

const PARTIAL_OPTIONS = [
  "logits",
  "maskedLogits",
  "tokenIds",
  "responseMask",
  "temperature",
  "vocabOffset",
  "vocabTotal",
] as const;

/** Those that say how logits lie, and mean nothing without them. */
const LOGITS_OPTIONS = [
  "maskedLogits",
  "tokenIds",
  "vocabOffset",
  "vocabTotal",
  "gradDType",
] as const;

/**
 * The state of each token over the columns that are here. One walk over them, nothing about the other parts is needed.
 *
 * With the vocabulary spread over ranks, a loss takes one exchange of 12 numbers per token and rank:
 *
 *     const { temperature, maskedBranch } = loss.spec;
 *     const shard = { logits, maskedLogits, tokenIds, responseMask, temperature, vocabOffset, vocabTotal };
 *     const parts = await allGather(tokenStatsPartial(shard));     // [12, rows] of every rank, in rank order
 *     const states = mergeTokenStats(parts);
 *     const evaluation = loss.evaluate({ ...finishTokenStats({ ...shard, states }), ...rowData });
 *     const gradients = tokenStatsGrad({ ...shard, states, gradients: evaluation, maskedBranch });
 *
 * Every rank computes the same loss and the gradient of its own columns. For functions of your own on the tape,
 * `finishTokenStats` gives tensors whose gradients flow to this rank's logits.
 *
 * A part may hold nothing but −Infinity. NaN and +Infinity are found when the states are finished.
 *
 * @throws PapoError ERR_SHAPE, ERR_DTYPE, ERR_RANGE (ids outside the vocabulary, columns past its end, mask, temperature)
 */
export function tokenStatsPartial(options: TokenStatsPartialOptions): TokenStates {
  const where = "tokenStatsPartial";
  const args = shardArgs(where, readOptions(where, options, PARTIAL_OPTIONS));
  return statesTensor(where, tokenStatsPartialOp(args));
}

/** `tokenStatsPartial` off the event loop; the logits must stay as they are until it settles. */
export async function tokenStatsPartialAsync(
  options: TokenStatsPartialOptions & { readonly signal?: AbortSignal | undefined },
): Promise<TokenStates> {
  const where = "tokenStatsPartialAsync";
  const { signal, ...given } = readOptions(where, options, [...PARTIAL_OPTIONS, "signal"]);
  checkSignal(where, signal);
  const args = shardArgs(where, given);
  return statesTensor(where, await tokenStatsPartialOpAsync(args, signal));
}

/**
 * The states of several parts of the vocabulary as those of all of them together, in fresh memory.
 *
 * Merged in the order given, so that the same parts in the same order give the same bits on every rank. In another order
 * or grouping the statistics agree to 1e-12 of their largest terms. Two parts may be exchanged, and a part of only
 * −Infinity added, without changing a bit.
 *
 * @param states  one or more, of the same tokens and temperature, without a common column
 * @throws PapoError ERR_ARGUMENT, ERR_DTYPE, ERR_SHAPE; ERR_NOT_FINITE and ERR_RANGE for numbers that are no state
 */
export function mergeTokenStats(states: readonly TokenStates[]): TokenStates {
  const where = "mergeTokenStats";
  const parts = listLength(states) ?? 0;
  if (parts === 0) {
    const received = listLength(states) === 0 ? "none" : describe(states);
    throw expected("ERR_ARGUMENT", where, "an array of one or more states", received);
  }
  let merged: Float64Array | undefined;
  for (let part = 0; part < parts; part++) {
    const rows = merged && merged.length / STATES.length;
    const next = statesOf(where, `states[${part}]`, states[part], rows);
    merged = merged ? mergedTwo(where, part, merged, next) : next.slice();
  }
  return statesTensor(where, merged as Float64Array);
}

/** What the native check calls states and otherStates are the caller's states[0] and states[part]. */
function mergedTwo(where: string, part: number, states: Float64Array, otherStates: Float64Array) {
  try {
    return tokenStatsMerge({ where, states, otherStates });
  } catch (error) {
    if (!(error instanceof PapoError)) throw error;
    const message = error.message
      .replace("] expected otherStates.", `] expected states[${part}].`)
      .replace("] expected states.", "] expected states[0].");
    const { code, row } = error;
    throw new PapoError(
      code,
      message,
      row === undefined ? { cause: error } : { cause: error, row },
    );
  }
}

/**
 * Log-probabilities, entropies and exact KLs of every token from its state over the whole vocabulary.
 *
 * Of a single part (of two columns or more) they are those of `tokenStats`, to the bit, but for small KLs: below 1e-3
 * `tokenStats` walks a row once more and keeps their digits, which takes all logits in one place. Here they stay what one
 * pass gives, to a few 1e-7 nats.
 *
 * Given a part's `logits` (as to `tokenStatsPartial`), the statistics are differentiable in these: `backward` gives each
 * rank the gradient of its own columns. Without them they are constants.
 *
 * @returns [rows] float64 tensors
 * @throws PapoError as `tokenStats`; ERR_NOT_FINITE names the first row that some part has NaN or +Infinity in
 */
export function finishTokenStats(
  options: FinishTokenStatsOptions &
    ({ readonly maskedLogits: Logits } | { readonly hasMasked: true }),
): PairStatistics;
export function finishTokenStats(options: FinishTokenStatsOptions): TokenStatistics;
export function finishTokenStats(options: FinishTokenStatsOptions): TokenStatistics {
  const where = "finishTokenStats";
  const given = readOptions(where, options, [
    ...PARTIAL_OPTIONS,
    "states",
    "hasMasked",
    "onInvalid",
    "gradDType",
  ]);
  const { logits, tokenIds, temperature = 1, onInvalid = "error", gradDType } = given;
  const hasMasked = masked(where, given);
  checkText(where, "onInvalid", onInvalid);
  if (logits === undefined) {
    const stray = LOGITS_OPTIONS.find((name) => given[name] !== undefined);
    if (stray !== undefined) {
      throw expected("ERR_ARGUMENT", where, `${stray} only with logits`, "no logits");
    }
    checkNumber(where, "temperature", temperature);
    const states = statesOf(where, "states", given.states);
    const rows = states.length / STATES.length;
    const responseMask = maskRows(where, "responseMask", given.responseMask, rows);
    const args = { where, states, hasMasked, responseMask, temperature, onInvalid };
    return constantStatistics(where, hasMasked, tokenStatsFinish(args));
  }
  checkGradDType(where, gradDType);
  const shard = shardArgs(where, { ...given, logits, tokenIds: tokenIds as TokenIdsInput });
  const states = statesOf(where, "states", given.states, logits.rows);
  const result = tokenStatsFinish({ ...shard, states, hasMasked, onInvalid });
  return recordedStatistics(shard, result, gradDType);
}

/** Checks a part's logits and brings its [rows] data to the form the ops take. */
export function shardArgs(
  where: string,
  options: TokenStatsPartialOptions,
): TokenLogits & VocabShard {
  const { logits, maskedLogits, temperature = 1, vocabOffset, vocabTotal } = options;
  checkLogits(where, logits, maskedLogits);
  checkNumber(where, "temperature", temperature);
  if (vocabOffset !== undefined) checkNumber(where, "vocabOffset", vocabOffset);
  if (vocabTotal !== undefined) checkNumber(where, "vocabTotal", vocabTotal);
  const responseMask = maskRows(where, "responseMask", options.responseMask, logits.rows);
  const tokenIds = tokenIdRows(where, options.tokenIds, logits.rows, responseMask);
  const shard = { vocabOffset, vocabTotal };
  return { where, logits, maskedLogits, tokenIds, responseMask, temperature, ...shard };
}

/** The numbers of a caller's states, [12, rows]; throws ERR_ARGUMENT, ERR_DTYPE, ERR_SHAPE, ERR_DEVICE_MISMATCH, ERR_DISPOSED. */
export function statesOf(where: string, name: string, value: unknown, rows?: number): Float64Array {
  if (!(value instanceof Tensor)) {
    throw expected("ERR_ARGUMENT", where, `${name} to be a Tensor`, describe(value));
  }
  if (value.dtype !== "float64") {
    throw expected("ERR_DTYPE", where, `${name} to hold float64`, value.dtype);
  }
  const lines = STATES.length;
  const { shape, columns, rowPitch } = value;
  const isMatrix = shape.length === 2 && shape[0] === lines;
  if (!isMatrix || (rows !== undefined && columns !== rows) || rowPitch !== columns) {
    const pitch = rowPitch === columns ? "" : ` with a row pitch of ${rowPitch}`;
    const what = `${name} [${lines}, ${rows ?? "rows"}] without gaps`;
    throw expected("ERR_SHAPE", where, what, `${showShape(shape)}${pitch}`);
  }
  return (value.hostData(where, name) as Float64Array).subarray(0, lines * columns);
}

function statesTensor(where: string, states: Float64Array): TokenStates {
  return new Tensor(where, states, { shape: [STATES.length, states.length / STATES.length] });
}

/** Whether the statistics of two policies are wanted. */
function masked(where: string, { logits, maskedLogits, hasMasked }: FinishTokenStatsOptions) {
  const given = maskedLogits !== undefined;
  if (hasMasked === undefined) return given;
  if (typeof hasMasked !== "boolean") {
    throw expected("ERR_ARGUMENT", where, "hasMasked to be a boolean", describe(hasMasked));
  }
  if (logits !== undefined && hasMasked !== given) {
    const what = `hasMasked to be ${given}, as logits come ${given ? "with" : "without"} maskedLogits`;
    throw expected("ERR_ARGUMENT", where, what, `${hasMasked}`);
  }
  return hasMasked;
}
