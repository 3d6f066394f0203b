/** Attention of response tokens to the prefix of their prompt and to the tokens before them, with its gradient. */
import type * as tf from "@tensorflow/tfjs-core";
import { kernel } from "./kernels.js";
import { differentiable } from "./layers.js";
import { addProduct, type Block, turned } from "./small-products.js";

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
  const parts = [new Part(rows, width, heads, prompts, shared.keys)];
  if (own) parts.push(new Part(rows, width, heads, sequences, own.keys));
  const keysValues = own ? [shared, own] : [shared];
  const inputs = [queries, ...keysValues.flatMap(({ keys, values }) => [keys, values])];
  const inputShapes = inputs.map(({ shape }) => shape);
  const shareShapes = parts.map(({ keys }) => [rows, heads * keys]);

  return differentiable(
    inputs,
    (save) => {
      const made = kernel(inputs, [[rows, width], ...shareShapes], (from, [result, ...shares]) => {
        const [query, ...others] = from as [Float32Array, ...Float32Array[]];
        parts.forEach((part, at) => {
          part.score(query, others[2 * at], shares[at]);
        });
        softmax(rows, heads, parts, shares);
        result?.fill(0);
        parts.forEach((part, at) => {
          part.mix(shares[at], others[2 * at + 1], result);
        });
      });
      save(...inputs, ...made);
      return made[0] as tf.Tensor;
    },
    (dy, saved) =>
      kernel([dy, ...saved], inputShapes, ([slopes, query, ...from], [querySlopes, ...to]) => {
        const [result, ...shares] = from.splice(2 * parts.length);
        for (const gradient of [querySlopes, ...to]) gradient?.fill(0);
        const means = headProducts(slopes, result, width / heads);
        parts.forEach((part, at) => {
          const [keys, values] = [from[2 * at], from[2 * at + 1]];
          part.mixBack(shares[at], slopes, to[2 * at + 1]);
          const scoreSlopes = part.scoreSlopes(slopes, values, shares[at], means);
          part.mix(scoreSlopes, keys, querySlopes);
          part.mixBack(scoreSlopes, query, to[2 * at]);
        });
      }),
  );
}

/** Float32 values; the type of a view that the caller knows to be there. */
type Values = Float32Array | undefined;

/** The products of queries with one kind of keys, block by block and head by head. */
class Part {
  /** Keys of a block. */
  readonly keys: number;
  readonly #blocks: number;
  /** Rows of a block that ask. */
  readonly #queries: number;
  readonly #heads: number;
  readonly #width: number;
  readonly #depth: number;

  constructor(rows: number, width: number, heads: number, blocks: number, keys: tf.Tensor) {
    this.keys = (keys.shape[0] as number) / blocks;
    this.#queries = rows / blocks;
    this.#depth = width / heads;
    [this.#blocks, this.#heads, this.#width] = [blocks, heads, width];
  }

  /** scores = queries · keysᵀ / √depth, [rows, heads · keys]. */
  score(queries: Values, keys: Values, scores: Values): void {
    scores?.fill(0);
    this.#each((block, head) => {
      addProduct(
        this.#rowsOf(queries, this.#queries, block, head),
        turned(this.#rowsOf(keys, this.keys, block, head)),
        this.#sharesOf(scores, block, head),
        [this.#queries, this.keys, this.#depth],
      );
    });
    const scale = 1 / Math.sqrt(this.#depth);
    if (scores) for (let i = 0; i < scores.length; i++) (scores[i] as number) *= scale;
  }

  /** results += shares · values, [rows, width]. */
  mix(shares: Values, values: Values, results: Values): void {
    this.#each((block, head) => {
      addProduct(
        this.#sharesOf(shares, block, head),
        this.#rowsOf(values, this.keys, block, head),
        this.#rowsOf(results, this.#queries, block, head),
        [this.#queries, this.#depth, this.keys],
      );
    });
  }

  /** results += sharesᵀ · rows, [blocks · keys, width]. */
  mixBack(shares: Values, rows: Values, results: Values): void {
    this.#each((block, head) => {
      addProduct(
        turned(this.#sharesOf(shares, block, head)),
        this.#rowsOf(rows, this.#queries, block, head),
        this.#rowsOf(results, this.keys, block, head),
        [this.keys, this.#depth, this.#queries],
      );
    });
  }

  /** The gradient in queries · keysᵀ: shares · (slopes · valuesᵀ − means) / √depth. */
  scoreSlopes(slopes: Values, values: Values, shares: Values, means: Float32Array): Float32Array {
    const result = new Float32Array(means.length * this.keys);
    this.score(slopes, values, result);
    const scale = 1 / Math.sqrt(this.#depth);
    for (let i = 0, at = 0; i < means.length; i++) {
      const mean = (means[i] as number) * scale;
      for (const end = at + this.keys; at < end; at++) {
        result[at] = (shares?.[at] as number) * ((result[at] as number) - mean);
      }
    }
    return result;
  }

  /** How many keys of its block a row sees, when a block's queries are its last tokens and none sees a later one. */
  seenFrom(row: number): number {
    return this.keys - this.#queries + (row % this.#queries) + 1;
  }

  #each(work: (block: number, head: number) => void): void {
    for (let block = 0; block < this.#blocks; block++) {
      for (let head = 0; head < this.#heads; head++) work(block, head);
    }
  }

  #rowsOf(values: Values, perBlock: number, block: number, head: number): Block {
    const start = block * perBlock * this.#width + head * this.#depth;
    return { values: values as Float32Array, start, row: this.#width, column: 1 };
  }

  #sharesOf(values: Values, block: number, head: number): Block {
    const start = (block * this.#queries * this.#heads + head) * this.keys;
    return { values: values as Float32Array, start, row: this.#heads * this.keys, column: 1 };
  }
}

/** Σ a · b within each head of each row: [rows · heads]. For slopes and results, the mean slope of the shares. */
function headProducts(a: Values, b: Values, depth: number): Float32Array {
  const [left, right] = [a as Float32Array, b as Float32Array];
  const sums = new Float32Array(left.length / depth);
  for (let i = 0, at = 0; i < sums.length; i++) {
    let sum = 0;
    for (const end = at + depth; at < end; at++) {
      sum += (left[at] as number) * (right[at] as number);
    }
    sums[i] = sum;
  }
  return sums;
}

/** In place, over the scores of both parts; an own token after the query's place gets the share 0. */
function softmax(
  rows: number,
  heads: number,
  [shared, own]: readonly Part[],
  [scores, ownScores]: readonly Values[],
): void {
  const first = scores as Float32Array;
  const second = ownScores ?? new Float32Array(0);
  const [count, tokens] = [shared?.keys as number, own?.keys ?? 0];
  for (let i = 0; i < rows * heads; i++) {
    const seen = own ? own.seenFrom(Math.floor(i / heads)) : 0;
    softmaxRow(first, i * count, count, second, i * tokens, seen);
    second.fill(0, i * tokens + seen, (i + 1) * tokens);
  }
}

/** One softmax over `count` values of `a` from `at`, and `otherCount` of `b` from `otherAt`. */
function softmaxRow(
  a: Float32Array,
  at: number,
  count: number,
  b: Float32Array,
  otherAt: number,
  otherCount: number,
): void {
  const [end, otherEnd] = [at + count, otherAt + otherCount];
  let top = Number.NEGATIVE_INFINITY;
  for (let i = at; i < end; i++) top = Math.max(top, a[i] as number);
  for (let i = otherAt; i < otherEnd; i++) top = Math.max(top, b[i] as number);
  let total = 0;
  for (let i = at; i < end; i++) {
    const exp = Math.exp((a[i] as number) - top);
    a[i] = exp;
    total += exp;
  }
  for (let i = otherAt; i < otherEnd; i++) {
    const exp = Math.exp((b[i] as number) - top);
    b[i] = exp;
    total += exp;
  }
  const factor = 1 / total;
  for (let i = at; i < end; i++) (a[i] as number) *= factor;
  for (let i = otherAt; i < otherEnd; i++) (b[i] as number) *= factor;
}
