/** Attention of response tokens to the prefix of their prompt and to the tokens before them, with its gradient. */
import * as tf from "@tensorflow/tfjs-core";
import { kernel } from "./kernels.js";
import { differentiable } from "./layers.js";

/** Rows of [width], `heads` side by side in each. */
export interface KeysValues {
  readonly keys: tf.Tensor;
  readonly values: tf.Tensor;
}

/** How rows are arranged. */
export interface Arrangement {
  readonly heads: number;
  /** Prompts, each with the same number of prefix rows and of query rows. */
  readonly prompts: number;
  /** Sequences of `own` tokens, each with the same number of query rows: those of its last tokens. */
  readonly sequences: number;
}

/**
 * Multi-head attention of every query to all shared keys of its prompt, and to the keys of its own sequence up to its
 * own place: one softmax over both.
 *
 * @param queries  [prompts · …, width], in the order of sequences and tokens
 * @param shared   [prompts · prefix, width]; computed once for all sequences of a prompt
 * @param own      [sequences · tokens, width], or none
 */
export function attend(
  queries: tf.Tensor,
  shared: KeysValues,
  own: KeysValues | undefined,
  { heads, prompts, sequences }: Arrangement,
): tf.Tensor2D {
  const [rows, width] = queries.shape as [number, number];
  const depth = width / heads;
  const scale = 1 / Math.sqrt(depth);
  /** [blocks · rows, width] → [blocks, heads, rows, depth], or the transpose of its last two axes. */
  const split = (x: tf.Tensor, blocks: number, order = [0, 2, 1, 3]): tf.Tensor =>
    tf.transpose(tf.reshape(x, [blocks, x.size / blocks / width, heads, depth]), order);
  const turned = (x: tf.Tensor, blocks: number): tf.Tensor => split(x, blocks, [0, 2, 3, 1]);
  /** Back to [blocks · rows, width]. */
  const join = (x: tf.Tensor): tf.Tensor => tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, width]);
  const parts = [{ ...shared, blocks: prompts }];
  if (own) parts.push({ ...own, blocks: sequences });

  return differentiable(
    [queries, ...parts.flatMap(({ keys, values }) => [keys, values])],
    (save) => {
      const scaled = tf.mul(queries, scale);
      const scores = parts.map(({ keys, blocks }) =>
        tf.matMul(split(scaled, blocks), turned(keys, blocks)),
      );
      const shares = softmax(scores, { heads, prompts, sequences });
      const results = parts.map(({ values, blocks }, at) =>
        join(tf.matMul(shares[at] as tf.Tensor, split(values, blocks))),
      );
      const result = sum(results);
      save(scaled, result, ...parts.flatMap(({ keys, values }) => [keys, values]), ...shares);
      return result;
    },
    (dy, [scaled, result, ...saved]) => {
      // How much a share's gradient exceeds the mean over its row, weighted by the shares: Σ dy · result of its head.
      const mean = tf.sum(tf.reshape(tf.mul(dy, result as tf.Tensor), [rows, heads, depth]), 2);
      const results = parts.map(({ blocks }, at) => {
        const [keys, values] = [saved[2 * at] as tf.Tensor, saved[2 * at + 1] as tf.Tensor];
        const share = saved[2 * parts.length + at] as tf.Tensor;
        const slopes = split(dy, blocks);
        const means = tf.transpose(
          tf.reshape(mean, [blocks, rows / blocks, heads, 1]),
          [0, 2, 1, 3],
        );
        const shareSlopes = tf.matMul(slopes, turned(values, blocks));
        const scoreSlopes = tf.mul(share, tf.sub(shareSlopes, means));
        return {
          queries: join(tf.matMul(scoreSlopes, split(keys, blocks))),
          keys: join(tf.matMul(scoreSlopes, split(scaled as tf.Tensor, blocks), true)),
          values: join(tf.matMul(share, slopes, true)),
        };
      });
      const queries = tf.mul(sum(results.map((result) => result.queries)), scale);
      return [queries, ...results.flatMap(({ keys, values }) => [keys, values])];
    },
  );
}

function sum(parts: readonly tf.Tensor[]): tf.Tensor {
  return parts.reduce((total, part) => tf.add(total, part));
}

/**
 * Softmax over the scores of both parts, [prompts, heads, rows, prefix] and [sequences, heads, queries, tokens], as
 * shares of the same shapes. A query sees the own tokens up to its place; the share of others is 0.
 */
function softmax(
  scores: readonly tf.Tensor[],
  { heads, prompts, sequences }: Arrangement,
): tf.Tensor[] {
  const [shared, own] = scores as [tf.Tensor, tf.Tensor | undefined];
  const [rows, prefix] = shared.shape.slice(2) as [number, number];
  const [queries, tokens] = (own?.shape.slice(2) ?? [rows, 0]) as [number, number];
  const group = own ? sequences / prompts : 1;
  return kernel(
    scores,
    scores.map(({ shape }) => shape),
    ([from, fromOwn], [to, toOwn]) => {
      const none = new Float32Array(0);
      const views = [from ?? none, fromOwn ?? none, to ?? none, toOwn ?? none] as const;
      for (let row = 0; row < prompts * heads * rows; row++) {
        const head = Math.floor(row / rows) % heads;
        const query = row % queries;
        const sequence =
          Math.floor(row / rows / heads) * group + Math.floor((row % rows) / queries);
        const start = ((sequence * heads + head) * queries + query) * tokens;
        softmaxRow(views, row * prefix, prefix, start, own ? query + 1 + tokens - queries : 0);
        if (own) views[3].fill(0, start + query + 1 + tokens - queries, start + tokens);
      }
    },
  );
}

type Views = readonly [Float32Array, Float32Array, Float32Array, Float32Array];

/** One softmax over `count` scores from `at` in the first view and `ownCount` from `ownAt` in the second one. */
function softmaxRow(
  [from, fromOwn, to, toOwn]: Views,
  at: number,
  count: number,
  ownAt: number,
  ownCount: number,
): void {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = at; i < at + count; i++) top = Math.max(top, from[i] as number);
  for (let i = ownAt; i < ownAt + ownCount; i++) top = Math.max(top, fromOwn[i] as number);
  let total = 0;
  for (let i = at; i < at + count; i++) total += to[i] = Math.exp((from[i] as number) - top);
  for (let i = ownAt; i < ownAt + ownCount; i++) {
    total += toOwn[i] = Math.exp((fromOwn[i] as number) - top);
  }
  const factor = 1 / total;
  for (let i = at; i < at + count; i++) to[i] = (to[i] as number) * factor;
  for (let i = ownAt; i < ownAt + ownCount; i++) toOwn[i] = (toOwn[i] as number) * factor;
}
