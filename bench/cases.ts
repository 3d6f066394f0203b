/** What is evaluated: one objective, and seeded batches that every contender makes for itself, of any size within seconds. */
import { toBfloat16, toFloat16 } from "../lib/index.js";
import type { Row } from "./result.js";

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

export type InputDType = Row["dtype"];
/** Logits as numbers, or the bits of 16-bit ones. */
export type LogitsArray = Float32Array | Uint16Array;

/**
 * What the logits look like.
 *
 * - `plain`          as a trained model gives them: noise of spread 2 and one peak that holds about half of the mass;
 *                    the masked policy is the same with some noise more
 * - `near-equal`     a masked policy that differs by 1e-4
 * - `denormals`      all but two lie 85 to 103 below the peak: their probabilities and gradients are denormal, or none
 * - `minus infinity` every second column, as constrained decoding leaves them
 * - `lowest`         the same with float32's lowest number
 * - `ascending`      each logit above the one before it, by 700 nats over the whole row, the masked ones with noise: the
 *                    worst case of a lazily shifted softmax, which moves its shift every 900 columns
 */
export const DISTRIBUTIONS = [
  "plain",
  "near-equal",
  "denormals",
  "minus infinity",
  "lowest",
  "ascending",
] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** The arguments of one loss, in plain arrays. */
export interface Batch<L extends LogitsArray = Float32Array> {
  readonly rows: number;
  readonly vocab: number;
  /** [rows, vocab] */
  readonly logits: L;
  readonly maskedLogits: L;
  /** [rows] */
  readonly tokenIds: Int32Array;
  readonly oldLogProbs: Float64Array;
  readonly refLogProbs: Float64Array;
  readonly advantages: Float64Array;
  /** Absent where every row counts. */
  readonly responseMask?: Int32Array;
}

/** Rows that are drawn; later ones repeat them, rotated by some columns, which costs no more than a copy. */
const DRAWN_ROWS = 16;
/** Columns by which each repetition is rotated further; prime, so that none is met twice soon. */
const ROTATION = 4099;

/** A batch; equal for equal arguments, and the first rows of a larger one are those of a smaller one. */
export function makeBatch(
  rows: number,
  vocab: number,
  distribution: Distribution = "plain",
): Batch<Float32Array> {
  return batchOf(
    rows,
    vocab,
    distribution,
    (length) => new Float32Array(length),
    (drawn) => drawn,
  );
}

/** The same, its logits rounded to a 16-bit dtype. */
export function makeHalfBatch(
  rows: number,
  vocab: number,
  dtype: "float16" | "bfloat16",
  distribution: Distribution = "plain",
): Batch<Uint16Array> {
  const round = (drawn: Float32Array) => {
    if (dtype === "bfloat16") return toBfloat16(drawn);
    // Where Node knows float16, it is an array of such numbers; their bits are wanted.
    const { buffer, byteOffset, length } = toFloat16(drawn);
    return new Uint16Array(buffer, byteOffset, length);
  };
  return batchOf(rows, vocab, distribution, (length) => new Uint16Array(length), round);
}

function batchOf<L extends LogitsArray>(
  rows: number,
  vocab: number,
  distribution: Distribution,
  allocate: (length: number) => L,
  round: (drawn: Float32Array) => L,
): Batch<L> {
  const drawn = draw(Math.min(rows, DRAWN_ROWS), vocab, distribution);
  const [seeing, hidden] = [round(drawn.logits), round(drawn.maskedLogits)];
  const [logits, maskedLogits] = [allocate(rows * vocab), allocate(rows * vocab)];
  const tokenIds = new Int32Array(rows);
  const oldLogProbs = new Float64Array(rows);
  const refLogProbs = new Float64Array(rows);
  const advantages = new Float64Array(rows);
  const bell = bellTable();
  const random = xorshift(77);
  for (let row = 0; row < rows; row++) {
    const source = row % DRAWN_ROWS;
    const repetition = Math.floor(row / DRAWN_ROWS);
    // An ascending row would not be one if it were rotated.
    const shift = distribution === "ascending" ? 0 : (repetition * ROTATION) % vocab;
    rotate(seeing, source * vocab, logits, row * vocab, vocab, shift);
    rotate(hidden, source * vocab, maskedLogits, row * vocab, vocab, shift);
    const logProb = drawn.logProbs[source] as number;
    tokenIds[row] = ((drawn.tokenIds[source] as number) + shift) % vocab;
    oldLogProbs[row] = logProb + 0.2 * (bell[random() & 0xffff] as number);
    refLogProbs[row] = logProb + 0.1 * (bell[random() & 0xffff] as number);
    advantages[row] = bell[random() & 0xffff] as number;
  }
  return {
    rows,
    vocab,
    logits,
    maskedLogits,
    tokenIds,
    oldLogProbs,
    refLogProbs,
    advantages,
  };
}

/** Copies one row so that its column v becomes column v + shift. */
function rotate<L extends LogitsArray>(
  from: L,
  start: number,
  to: L,
  target: number,
  length: number,
  shift: number,
): void {
  to.set(from.subarray(start, start + length - shift), target + shift);
  to.set(from.subarray(start + length - shift, start + length), target);
}

interface Drawn {
  readonly logits: Float32Array;
  readonly maskedLogits: Float32Array;
  readonly tokenIds: Int32Array;
  readonly logProbs: Float64Array;
}

function draw(rows: number, vocab: number, distribution: Distribution): Drawn {
  const logits = new Float32Array(rows * vocab);
  const maskedLogits = new Float32Array(rows * vocab);
  const tokenIds = new Int32Array(rows);
  const logProbs = new Float64Array(rows);
  const pair = pairOf(distribution, vocab);
  for (let row = 0; row < rows; row++) {
    const random = xorshift(row + 1);
    const start = row * vocab;
    for (let v = 0; v < vocab; v++) pair(logits, maskedLogits, start + v, random(), v);
    const token = distribution === "ascending" ? vocab - 1 : random() % vocab;
    if (distribution !== "ascending") {
      logits[start + token] = PEAK;
      maskedLogits[start + token] = distribution === "near-equal" ? PEAK : PEAK - 1;
    }
    if (distribution === "denormals") {
      // A rival, or there would be no gradient but denormal ones, and no error to speak of.
      const rival = (token + 1) % vocab;
      logits[start + rival] = PEAK - 1;
      maskedLogits[start + rival] = PEAK - 1;
    }
    tokenIds[row] = token;
    const own = logits.subarray(start, start + vocab);
    logProbs[row] = (logits[start + token] as number) - logSumExp(own);
  }
  return { logits, maskedLogits, tokenIds, logProbs };
}

const PEAK = 14;
const LOWEST = -3.4028234663852886e38;

type Pair = (
  seeing: Float32Array,
  hidden: Float32Array,
  at: number,
  bits: number,
  column: number,
) => void;

/** What writes one logit of each policy from 32 random bits. */
function pairOf(distribution: Distribution, vocab: number): Pair {
  const bell = bellTable();
  const plain: Pair = (seeing, hidden, at, bits) => {
    const x = bell[bits & 0xffff] as number;
    seeing[at] = 2 * x;
    hidden[at] = 2 * x + 0.5 * (bell[bits >>> 16] as number);
  };
  const holes =
    (hole: number): Pair =>
    (seeing, hidden, at, bits, column) => {
      if (column % 2 === 0) return plain(seeing, hidden, at, bits, column);
      seeing[at] = hole;
      hidden[at] = hole;
    };
  switch (distribution) {
    case "plain":
      return plain;
    case "near-equal":
      return (seeing, hidden, at, bits) => {
        const x = bell[bits & 0xffff] as number;
        seeing[at] = 2 * x;
        hidden[at] = 2 * x + 1e-4 * (bell[bits >>> 16] as number);
      };
    case "denormals":
      return (seeing, hidden, at, bits) => {
        seeing[at] = PEAK - 85 - (18 * (bits & 0xffff)) / 65_536;
        hidden[at] = PEAK - 86 - (18 * (bits >>> 16)) / 65_536;
      };
    case "minus infinity":
      return holes(Number.NEGATIVE_INFINITY);
    case "lowest":
      return holes(LOWEST);
    case "ascending":
      return (seeing, hidden, at, bits, column) => {
        seeing[at] = PEAK - 700 * (1 - column / vocab);
        hidden[at] = (seeing[at] as number) + 0.5 * (bell[bits & 0xffff] as number);
      };
  }
}

/** The mask of a batch of which `padding` of the rows do not count, spread over it evenly; undefined for none. */
export function paddingMask(rows: number, padding: number): Int32Array | undefined {
  if (padding === 0) return undefined;
  return Int32Array.from({ length: rows }, (_, row) =>
    Math.floor((row + 1) * padding) > Math.floor(row * padding) ? 0 : 1,
  );
}

/** Some rows as a batch of their own; shares the memory. */
export function slice<L extends LogitsArray>(
  batch: Batch<L>,
  start: number,
  rows: number,
): Batch<L> {
  const { vocab, responseMask } = batch;
  const end = start + rows;
  return {
    rows,
    vocab,
    logits: batch.logits.subarray(start * vocab, end * vocab) as L,
    maskedLogits: batch.maskedLogits.subarray(start * vocab, end * vocab) as L,
    tokenIds: batch.tokenIds.subarray(start, end),
    oldLogProbs: batch.oldLogProbs.subarray(start, end),
    refLogProbs: batch.refLogProbs.subarray(start, end),
    advantages: batch.advantages.subarray(start, end),
    ...(responseMask && { responseMask: responseMask.subarray(start, end) }),
  };
}

function logSumExp(values: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) largest = Math.max(largest, value);
  let sum = 0;
  for (const value of values) sum += Math.exp(value - largest);
  return largest + Math.log(sum);
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
