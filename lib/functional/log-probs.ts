/** Log-probability and entropy of each token, one set of logits. */
import { readOptions } from "../core/arguments.js";
import type { Rows } from "../tensor/tensor.js";
import { checkLogits } from "./logits.js";
import { statisticsOf, statisticsOfAsync, type TokenStatsOptions } from "./token-stats.js";

/** Options of `selectiveLogSoftmax`: those of `tokenStats` for one policy. */
export type SelectiveLogSoftmaxOptions = Pick<
  TokenStatsOptions,
  "logits" | "tokenIds" | "responseMask" | "temperature" | "gradDType"
>;
/** Options of `tokenEntropy`: those of `selectiveLogSoftmax` without the tokens. */
export type TokenEntropyOptions = Omit<SelectiveLogSoftmaxOptions, "tokenIds">;

interface Abortable {
  readonly signal?: AbortSignal;
}

const ENTROPY_OPTIONS = ["logits", "responseMask", "temperature", "gradDType"] as const;
const LOG_PROB_OPTIONS = [...ENTROPY_OPTIONS, "tokenIds"] as const;

/**
 * log softmax(logits / temperature) of the chosen token of each row, [rows] nats, differentiable in the logits.
 * Errors are those of `tokenStats`, which gives both sets of logits, entropies and KLs at the same price.
 */
export function selectiveLogSoftmax(options: SelectiveLogSoftmaxOptions): Rows {
  const where = "selectiveLogSoftmax";
  return statisticsOf(where, readOptions(where, options, LOG_PROB_OPTIONS)).logProbs;
}

/** `selectiveLogSoftmax` off the event loop; the logits must stay as they are until it settles. */
export async function selectiveLogSoftmaxAsync(
  options: SelectiveLogSoftmaxOptions & Abortable,
): Promise<Rows> {
  const where = "selectiveLogSoftmaxAsync";
  const given = readOptions(where, options, [...LOG_PROB_OPTIONS, "signal"]);
  return (await statisticsOfAsync(where, given)).logProbs;
}

/**
 * Exact entropy of softmax(logits / temperature) of each row, [rows] nats, differentiable in the logits.
 * (The sampled estimate is `neg(logProbs)`.)
 */
export function tokenEntropy(options: TokenEntropyOptions): Rows {
  const where = "tokenEntropy";
  return statisticsOf(where, anyToken(where, readOptions(where, options, ENTROPY_OPTIONS))).entropy;
}

/** `tokenEntropy` off the event loop; the logits must stay as they are until it settles. */
export async function tokenEntropyAsync(options: TokenEntropyOptions & Abortable): Promise<Rows> {
  const where = "tokenEntropyAsync";
  const given = readOptions(where, options, [...ENTROPY_OPTIONS, "signal"]);
  return (await statisticsOfAsync(where, anyToken(where, given))).entropy;
}

/** The entropy knows no sampled token; the kernel wants one, and any will do. */
function anyToken<O extends TokenEntropyOptions>(where: string, options: O) {
  checkLogits(where, options.logits);
  return { ...options, tokenIds: new Int32Array(options.logits.rows) };
}
