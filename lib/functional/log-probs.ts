/** Log-probability and entropy of each token, one set of logits. */
import { readOptions } from "../core/arguments.js";
import type { Rows } from "../tensor/tensor.js";
import { checkLogits } from "./logits.js";
import { statisticsOf, type TokenStatsOptions } from "./token-stats.js";

export type SelectiveLogSoftmaxOptions = Pick<
  TokenStatsOptions,
  "logits" | "tokenIds" | "responseMask" | "temperature" | "gradDType"
>;

const ENTROPY_OPTIONS = ["logits", "responseMask", "temperature", "gradDType"] as const;

/**
 * log softmax(logits / temperature) of the chosen token of each row, [rows] nats, differentiable in the logits.
 * Errors are those of `tokenStats`, which gives both sets of logits, entropies and KLs at the same price.
 */
export function selectiveLogSoftmax(options: SelectiveLogSoftmaxOptions): Rows {
  const where = "selectiveLogSoftmax";
  return statisticsOf(where, readOptions(where, options, [...ENTROPY_OPTIONS, "tokenIds"]))
    .logProbs;
}

export type TokenEntropyOptions = Omit<SelectiveLogSoftmaxOptions, "tokenIds">;

/**
 * Exact entropy of softmax(logits / temperature) of each row, [rows] nats, differentiable in the logits.
 * (The sampled estimate is `neg(logProbs)`.)
 */
export function tokenEntropy(options: TokenEntropyOptions): Rows {
  const where = "tokenEntropy";
  const given = readOptions(where, options, ENTROPY_OPTIONS);
  checkLogits(where, given.logits);
  // The entropy knows no sampled token; the kernel wants one, and any will do.
  const tokenIds = new Int32Array(given.logits.rows);
  return statisticsOf(where, { ...given, tokenIds }).entropy;
}
