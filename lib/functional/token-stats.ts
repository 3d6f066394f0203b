/** Per-token statistics of one or two sets of logits, as differentiable tensors. */
import { type Cotangents, type Entry, record, type Sinks } from "../autograd/tape.js";
import { checkNumber, checkSignal, checkText, readOptions } from "../core/arguments.js";
import { COTANGENTS, type CotangentName, line, newLines, STATISTICS } from "../ops/lines.js";
import {
  type TokenLogits,
  type TokenStatsArgs,
  type TokenStatsResult,
  tokenStats as tokenStatsOp,
  tokenStatsAsync as tokenStatsOpAsync,
} from "../ops/token-stats.js";
import { gradientCalls, tokenStatsGrad, tokenStatsGradAsync } from "../ops/token-stats-grad.js";
import type { VocabShard } from "../ops/token-stats-partial.js";
import { type Logits, type Rows, Tensor } from "../tensor/tensor.js";
import { type MaskInput, maskRows, type TokenIdsInput, tokenIdRows } from "./inputs.js";
import { checkGradDType, checkLogits } from "./logits.js";

/** Options of `tokenStats`. */
export interface TokenStatsOptions {
  /** [rows, vocab] or [sequences, tokens, vocab], on the host or a device; receives gradient, there. */
  readonly logits: Logits;
  /** The same tokens seen with the masked image: same shape and dtype; receives gradient. */
  readonly maskedLogits?: Logits | undefined;
  /** [rows] the sampled tokens, in 0 … vocab − 1. */
  readonly tokenIds: TokenIdsInput;
  /** [rows] 0 or 1; rows with 0 are not read and give 0. All rows count if not said. */
  readonly responseMask?: MaskInput | undefined;
  /** Logits are divided by it first. Default 1. */
  readonly temperature?: number;
  /** What a counted row of only −Infinity, or with NaN or +Infinity, does: "error" (default), or "skip": as if masked. */
  readonly onInvalid?: "error" | "skip";
  /** Dtype of gradients for which no memory is given: that of the logits (default), or float32. */
  readonly gradDType?: "float32" | undefined;
}

/** Each [rows] float64, nats, after temperature. */
export interface TokenStatistics {
  /** log π(token) */
  readonly logProbs: Rows;
  /** −Σ π log π */
  readonly entropy: Rows;
  /** [rows] 1 where a counted row was unusable; only with `onInvalid: "skip"`. */
  readonly invalid?: Int32Array;
}

/** What `tokenStats` gives of two policies. Each [rows] float64, nats, after temperature. */
export interface PairStatistics extends TokenStatistics {
  /** log π_mask(token) */
  readonly maskedLogProbs: Rows;
  /** −Σ π_mask log π_mask */
  readonly maskedEntropy: Rows;
  /** KL(policy ‖ masked policy) over the vocabulary; Infinity where the masked policy has no mass and the policy does. */
  readonly kl: Rows;
  /** KL(masked policy ‖ policy). */
  readonly reverseKl: Rows;
}

type PairOptions = TokenStatsOptions & { readonly maskedLogits: Logits };

/**
 * Log-probabilities, entropies and exact KLs of every token in one pass over the logits; all their gradients in one more.
 *
 * @returns [rows] float64 tensors, differentiable in both sets of logits (`detach` one to stop there)
 * @throws PapoError ERR_SHAPE, ERR_DTYPE, ERR_RANGE (ids, mask, temperature), ERR_NOT_FINITE naming the first unusable row
 */
export function tokenStats(options: PairOptions): PairStatistics;
export function tokenStats(options: TokenStatsOptions): TokenStatistics;
export function tokenStats(options: TokenStatsOptions): TokenStatistics {
  return statisticsOf("tokenStats", readOptions("tokenStats", options, OPTIONS));
}

/** `tokenStats` off the event loop; the logits must stay as they are until it settles. */
export function tokenStatsAsync(
  options: PairOptions & { readonly signal?: AbortSignal },
): Promise<PairStatistics>;
export function tokenStatsAsync(
  options: TokenStatsOptions & { readonly signal?: AbortSignal },
): Promise<TokenStatistics>;
export async function tokenStatsAsync(
  options: TokenStatsOptions & { readonly signal?: AbortSignal },
): Promise<TokenStatistics> {
  const where = "tokenStatsAsync";
  return statisticsOfAsync(where, readOptions(where, options, [...OPTIONS, "signal"]));
}

/** The statistics for options that were read already, in the name of the verb that read them. */
export function statisticsOf(where: string, options: TokenStatsOptions): TokenStatistics {
  const args = prepare(where, options);
  return recordedStatistics(args, tokenStatsOp(args), options.gradDType);
}

/** The same off the event loop. */
export async function statisticsOfAsync(
  where: string,
  { signal, ...options }: TokenStatsOptions & { readonly signal?: AbortSignal },
): Promise<TokenStatistics> {
  checkSignal(where, signal);
  const args = prepare(where, options);
  return recordedStatistics(args, await tokenStatsOpAsync(args, signal), options.gradDType);
}

const OPTIONS: readonly (keyof TokenStatsOptions)[] = [
  "logits",
  "maskedLogits",
  "tokenIds",
  "responseMask",
  "temperature",
  "onInvalid",
  "gradDType",
];

function prepare(where: string, options: TokenStatsOptions): TokenStatsArgs {
  const { logits, maskedLogits, temperature = 1, onInvalid = "error" } = options;
  checkLogits(where, logits, maskedLogits);
  checkGradDType(where, options.gradDType);
  checkNumber(where, "temperature", temperature);
  checkText(where, "onInvalid", onInvalid);
  const responseMask = maskRows(where, "responseMask", options.responseMask, logits.rows);
  const tokenIds = tokenIdRows(where, options.tokenIds, logits.rows, responseMask);
  return { where, logits, maskedLogits, tokenIds, responseMask, temperature, onInvalid };
}

/** The statistics with their way back to the logits, which may be a shard of those they were made of. */
export function recordedStatistics(
  args: TokenLogits & VocabShard,
  result: TokenStatsResult,
  gradDType: "float32" | undefined,
): TokenStatistics {
  const hasMasked = args.maskedLogits !== undefined;
  const tensors = constantStatistics(args.where, hasMasked, result);
  const names = namesOf(hasMasked);
  const outputs = names.map((name) => (tensors as PairStatistics)[name]);
  const responseMask = usableRows(args.responseMask, result.invalid);
  record(entryOf({ ...args, responseMask }, result.statistics, names, outputs, gradDType));
  return tensors;
}

/** The statistics as tensors without history. */
export function constantStatistics(
  where: string,
  hasMasked: boolean,
  { statistics, invalid }: TokenStatsResult,
): TokenStatistics {
  // Copies: what a caller writes into a result must not reach the statistics that a gradient is made from.
  const tensors = namesOf(hasMasked).map((name) => {
    const values = line(statistics, STATISTICS, name).slice();
    return [name, new Tensor<"float64", 1>(where, values, { shape: [values.length] })] as const;
  });
  const result = Object.fromEntries(tensors);
  return { ...result, ...(invalid && { invalid }) } as unknown as TokenStatistics;
}

function namesOf(hasMasked: boolean): readonly CotangentName[] {
  return hasMasked ? COTANGENTS : ["logProbs", "entropy"];
}

function entryOf(
  args: TokenLogits & VocabShard,
  statistics: Float64Array,
  names: readonly CotangentName[],
  outputs: readonly Rows[],
  gradDType: "float32" | undefined,
): Entry {
  const calls = (upstream: Cotangents, sinks: Sinks) => {
    const cotangents = newLines(COTANGENTS, args.logits.rows);
    names.forEach((name, i) => {
      const values = upstream[i]?.data as Float64Array | undefined;
      if (values) line(cotangents, COTANGENTS, name).set(values);
    });
    return gradientCalls({ statistics, cotangents, gradScale: 1, ...args }, sinks, gradDType);
  };
  return {
    inputs: [args.logits, args.maskedLogits],
    outputs,
    vjp: (upstream, sinks) => {
      for (const call of calls(upstream, sinks)) tokenStatsGrad(call);
    },
    vjpAsync: async (upstream, sinks, signal) => {
      for (const call of calls(upstream, sinks)) await tokenStatsGradAsync(call, signal);
    },
  };
}

/** The rows that count once those found unusable are taken away. */
export function usableRows(
  responseMask: Int32Array | undefined,
  invalid: Int32Array | undefined,
): Int32Array | undefined {
  if (invalid === undefined) return responseMask;
  return invalid.map((flag, row) => (flag === 1 ? 0 : (responseMask?.[row] ?? 1)));
}
