/** A tiny batch that every adapter is tested with, and a policy of two matrices that is trained on it. */
import { type Evaluation, type Objective, objective, tensor } from "../../lib/index.js";

export const SEQUENCES = 4;
export const TOKENS = 3;
export const VOCAB = 11;
export const WIDTH = 5;
export const ROWS: number = SEQUENCES * TOKENS;
export const SHAPE: readonly [number, number, number] = [SEQUENCES, TOKENS, VOCAB];

const waves = (length: number, step: number, height: number) =>
  Float32Array.from({ length }, (_, i) => height * Math.sin(step * (i + 1)));

export const LOGITS: Float32Array = waves(ROWS * VOCAB, 1.3, 2);
export const MASKED_LOGITS: Float32Array = waves(ROWS * VOCAB, 0.7, 1);
/** What the policy sees of each row, and what of it when the image is masked. */
export const INPUTS: Float32Array = waves(ROWS * WIDTH, 2.1, 1);
export const MASKED_INPUTS: Float32Array = INPUTS.map((x, i) => (i % 2 === 0 ? 0 : x));
export const WEIGHTS: Float32Array = waves(WIDTH * VOCAB, 0.9, 0.3);

/** Everything of [rows]; one row does not count. */
export const TOKEN_BATCH: {
  readonly tokenIds: Int32Array;
  readonly responseMask: Int32Array;
  readonly oldLogProbs: Float64Array;
  readonly advantages: readonly number[];
} = {
  tokenIds: Int32Array.from({ length: ROWS }, (_, row) => (row * 7 + 3) % VOCAB),
  responseMask: Int32Array.from({ length: ROWS }, (_, row) => (row === 5 ? 0 : 1)),
  oldLogProbs: Float64Array.from({ length: ROWS }, (_, row) => -2.4 - 0.1 * Math.cos(row)),
  advantages: [1, -0.5, 0.75, -1.25],
};

/** PAPO-G as the paper means it: exact KL and entropies, gradients in both branches. */
export const PAPO: Objective = objective("papo-g-3b-no-ref", { form: "corrected" }).build();

/** `PAPO` of plain arrays: what adapters must give, to the bit. */
export function plain(
  logits: Float32Array = LOGITS,
  maskedLogits: Float32Array = MASKED_LOGITS,
): Evaluation {
  return PAPO.evaluate({
    logits: tensor(logits, { shape: SHAPE }),
    maskedLogits: tensor(maskedLogits, { shape: SHAPE }),
    ...TOKEN_BATCH,
  });
}

/** The largest difference between the two. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0);
}

/** [rows, width] · [width, vocab] in float64. */
export function product(inputs: ArrayLike<number>, weights: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: ROWS * VOCAB }, (_, at) => {
    const [row, word] = [Math.floor(at / VOCAB), at % VOCAB];
    let sum = 0;
    for (let i = 0; i < WIDTH; i++) {
      sum += (inputs[row * WIDTH + i] as number) * (weights[i * VOCAB + word] as number);
    }
    return sum;
  });
}
