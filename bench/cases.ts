/** What is measured: one objective, the sizes, and a seeded batch that every contender makes for itself. */

/** Columns of the logits of Qwen2.5-VL-3B. */
export const VOCAB = 151_936;

/**
 * Everything that walks the vocabulary at once: a surrogate, a reference KL, the exact perception KL with gradient into
 * both policies, and both exact entropies.
 */
export const OBJECTIVE = {
  clipLow: 0.2,
  clipHigh: 0.3,
  clipDual: 3,
  refKlCoef: 0.01,
  refKlEstimator: "k3",
  perceptionKlCoef: 0.02,
  perceptionKlEstimator: "exact",
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.03,
  entropyEstimator: "exact",
  maskedBranch: "differentiable",
  reduction: "token-mean",
  denominatorEpsilon: 0,
} as const;

export type InputDType = "float32" | "bfloat16";

/** The arguments of one loss, in plain arrays. */
export interface Batch {
  readonly rows: number;
  readonly vocab: number;
  /** [rows, vocab] */
  readonly logits: Float32Array;
  readonly maskedLogits: Float32Array;
  /** [rows] */
  readonly tokenIds: Int32Array;
  readonly oldLogProbs: Float64Array;
  readonly refLogProbs: Float64Array;
  readonly advantages: Float64Array;
}

/**
 * Logits as a trained model gives them: noise of spread 2 with one peak per row that holds about half of the mass,
 * and the same with some noise more where the image is hidden. Equal for equal sizes; the first rows of a larger batch are
 * those of a smaller one.
 */
export function makeBatch(rows: number, vocab: number): Batch {
  const logits = new Float32Array(rows * vocab);
  const maskedLogits = new Float32Array(rows * vocab);
  const batch: Batch = {
    rows,
    vocab,
    logits,
    maskedLogits,
    tokenIds: new Int32Array(rows),
    oldLogProbs: new Float64Array(rows),
    refLogProbs: new Float64Array(rows),
    advantages: new Float64Array(rows),
  };
  const bell = bellTable();
  for (let row = 0; row < rows; row++) {
    const random = xorshift(row + 1);
    const start = row * vocab;
    for (let v = start; v < start + vocab; v++) {
      const bits = random();
      const x = bell[bits & 0xffff] as number;
      logits[v] = 2 * x;
      maskedLogits[v] = 2 * x + 0.5 * (bell[bits >>> 16] as number);
    }
    const token = random() % vocab;
    logits[start + token] = 14;
    maskedLogits[start + token] = 13;
    const logProb = 14 - logSumExp(logits.subarray(start, start + vocab));
    batch.tokenIds[row] = token;
    batch.oldLogProbs[row] = logProb + 0.2 * (bell[random() & 0xffff] as number);
    batch.refLogProbs[row] = logProb + 0.1 * (bell[random() & 0xffff] as number);
    batch.advantages[row] = bell[random() & 0xffff] as number;
  }
  return batch;
}

/** The first `rows` rows as a batch of their own; shares the memory. */
export function firstRows(batch: Batch, rows: number): Batch {
  const { vocab } = batch;
  return {
    rows,
    vocab,
    logits: batch.logits.subarray(0, rows * vocab),
    maskedLogits: batch.maskedLogits.subarray(0, rows * vocab),
    tokenIds: batch.tokenIds.subarray(0, rows),
    oldLogProbs: batch.oldLogProbs.subarray(0, rows),
    refLogProbs: batch.refLogProbs.subarray(0, rows),
    advantages: batch.advantages.subarray(0, rows),
  };
}

function logSumExp(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += Math.exp(value - 14);
  return 14 + Math.log(sum);
}

/** 65536 draws of about a standard normal (a sum of twelve uniforms), so that one draw is one look-up. */
function bellTable(): Float32Array {
  const random = xorshift(2026);
  return Float32Array.from({ length: 65_536 }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += random() / 2 ** 32;
    return sum;
  });
}

/** 32 random bits at a time (Marsaglia's xorshift32). */
function xorshift(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
