/** A batch that can be made any number of times, and the bits of what is computed of it. */
import { createHash } from "node:crypto";
import {
  type Evaluation,
  type Objective,
  objective,
  type Tensor,
  tensor,
} from "../../lib/index.js";
import { Random } from "../support/inputs.js";

/** Gradients in both branches, exact terms: everything that walks over the vocabulary. */
export const papo: Objective = objective("papo-g-7b-no-ref", { form: "corrected" }).build();

export interface Problem {
  /** Tensors over memory of their own at every call. */
  batch(): LogitsBatch;
  /** Those of `evaluate` on this thread. */
  readonly bits: string;
}

type Matrix = Tensor<"float32", 2>;

/** All of a batch that the objective asks for. */
interface LogitsBatch {
  readonly logits: Matrix;
  readonly maskedLogits: Matrix;
  readonly tokenIds: Int32Array;
  readonly oldLogProbs: Float64Array;
  readonly advantages: Float64Array;
  readonly cuSeqlens: readonly number[];
}

const matrix = (data: Float32Array, rows: number): Matrix =>
  tensor(data, { shape: [rows, data.length / rows] });

/** Sizes from one that no second thread sees to one of many blocks. */
export const SIZES: readonly (readonly [rows: number, vocab: number])[] = [
  [1, 32],
  [3, 1000],
  [40, 4099],
  [96, 8192],
];

export function problem(rows: number, vocab: number, seed: number): Problem {
  const random = new Random(seed);
  const numbers = () => Float32Array.from({ length: rows * vocab }, () => 4 * random.uniform() - 2);
  const [logits, maskedLogits] = [numbers(), numbers()];
  const tokenIds = Int32Array.from({ length: rows }, () => random.below(vocab));
  const oldLogProbs = new Float64Array(rows).fill(-Math.log(vocab));
  const batch = () => ({
    logits: matrix(logits.slice(), rows),
    maskedLogits: matrix(maskedLogits.slice(), rows),
    tokenIds: tokenIds.slice(),
    oldLogProbs: oldLogProbs.slice(),
    advantages: Float64Array.of(1.5),
    cuSeqlens: [0, rows],
  });
  return { batch, bits: bitsOf(papo.evaluate(batch())) };
}

/** SHA-1 of the loss and of both gradients. */
export function bitsOf({ loss, gradLogits, gradMaskedLogits }: Evaluation): string {
  const hash = createHash("sha1").update(Float64Array.of(loss));
  for (const gradient of [gradLogits, gradMaskedLogits]) {
    if (gradient) hash.update(bytesOf(gradient.data as Float32Array));
  }
  return hash.digest("hex");
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
