/** A batch of some size, the same everywhere, and its loss. */
import { type LogitsBatch, type Objective, objective, tensor } from "papo";

export const papo: Objective = objective("papo-g-7b-no-ref").build();

/** One sequence of tokens. Logits follow from their indices alone. */
export function makeBatch(rows: number, vocabSize: number): LogitsBatch {
  const values = (factor: number) =>
    Float32Array.from({ length: rows * vocabSize }, (_, i) => Math.sin(factor * i) * 3);
  const shape = [1, rows, vocabSize] as const;
  return {
    logits: tensor(values(0.7), { shape }),
    maskedLogits: tensor(values(1.3), { shape }),
    tokenIds: Array.from({ length: rows }, (_, row) => (row * 7) % vocabSize),
    advantages: [1],
  };
}
