/** Log-probability and entropy of each token, one set of logits. */
import type { Rows } from "../tensor/tensor.js";
import { type TokenStatsOptions, tokenStats } from "./token-stats.js";

export type SelectiveLogSoftmaxOptions = Pick<
  TokenStatsOptions,
  "logits" | "tokenIds" | "responseMask" | "temperature" | "gradDType"
>;

/**
 * log softmax(logits / temperature) of the chosen token of each row, [rows] nats, differentiable in the logits.
 * Errors are those of `tokenStats`, which gives both sets of logits, entropies and KLs at the same price.
 */
export function selectiveLogSoftmax(options: SelectiveLogSoftmaxOptions): Rows {
  return tokenStats(options).logProbs;
}

export type TokenEntropyOptions = Omit<SelectiveLogSoftmaxOptions, "tokenIds">;

/**
 * Exact entropy of softmax(logits / temperature) of each row, [rows] nats, differentiable in the logits.
 * (The sampled estimate is `neg(logProbs)`.)
 */
export function tokenEntropy(options: TokenEntropyOptions): Rows {
  // The entropy knows no sampled token; the kernel wants one, and any will do.
  const tokenIds = new Int32Array(options?.logits?.rows ?? 0);
  return tokenStats({ ...options, tokenIds }).entropy;
}
