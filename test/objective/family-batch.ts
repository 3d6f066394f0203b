/** A small batch of the family, and its terms written out in plain float64. */
import {
  type EvaluateOptions,
  type Evaluation,
  Objective,
  type ObjectiveSpecInput,
} from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";

type Field =
  | "logProbs"
  | "oldLogProbs"
  | "rolloutLogProbs"
  | "refLogProbs"
  | "maskedLogProbs"
  | "entropy"
  | "maskedEntropy"
  | "advantages"
  | "accuracies"
  | "responseMask"
  | "cuSeqlens";

// Three sequences of 4, 3 and 2 tokens, the last token of the second does not count.
export const OFFSETS: number[] = [0, 4, 7, 9];
export const MASK: number[] = [1, 1, 1, 1, 1, 1, 0, 1, 1];
export const BATCH: Readonly<Record<Field, number[]>> = {
  logProbs: [-0.4, -1.3, -2.2, -0.1, -0.9, -0.6, Number.NaN, -1.7, -0.3],
  oldLogProbs: [-0.5, -1.1, -2.0, -0.2, -1.2, -0.6, Number.NaN, -1.5, -0.2],
  rolloutLogProbs: [-0.6, -1.3, -1.4, -0.2, -2.4, -0.5, Number.NaN, -1.6, -0.9],
  refLogProbs: [-0.7, -1.2, -2.6, -0.1, -1.0, -0.4, Number.NaN, -1.6, -0.5],
  maskedLogProbs: [-1.4, -1.2, -2.9, -0.8, -0.7, -2.1, Number.NaN, -1.9, -0.35],
  entropy: [0.4, 1.9, 2.3, 0.05, 1.1, 0.8, 0, 1.5, 0.3],
  maskedEntropy: [0.9, 2.1, 2.4, 0.6, 1.2, 1.3, 0, 1.4, 0.2],
  advantages: [1.2, -0.7, 0.4],
  accuracies: [0.9, 0.05, 0.5],
  responseMask: MASK,
  cuSeqlens: OFFSETS,
};
export const EXACT: ObjectiveSpecInput = {
  entropyEstimator: "exact",
  maskedBranch: "differentiable",
};
export const COUNTED: number[] = [0, 1, 2, 3, 4, 5, 7, 8];
export const TOKENS: number = COUNTED.length;
export const NONE: ObjectiveSpecInput = { denominatorEpsilon: 0 };

export const at = (values: readonly number[], row: number): number => values[row] as number;
export const sequenceOf = (row: number): number => (row < 4 ? 0 : row < 7 ? 1 : 2);
export const rowsOf = (s: number): number[] => COUNTED.filter((row) => sequenceOf(row) === s);
export const sum = (rows: readonly number[], f: (row: number) => number): number =>
  rows.reduce((total, row) => total + f(row), 0);
export const delta = (row: number): number => at(BATCH.logProbs, row) - at(BATCH.oldLogProbs, row);
export const advantage = (row: number): number => at(BATCH.advantages, sequenceOf(row));
/** PPO's clip at ±0.2. */
export const surrogate = (row: number, A: number = advantage(row)): number => {
  const r = Math.exp(delta(row));
  return -Math.min(r * A, Math.min(Math.max(r, 0.8), 1.2) * A);
};
/** k3 of the masked policy. */
export const perception = (row: number): number => {
  const x = at(BATCH.maskedLogProbs, row) - at(BATCH.logProbs, row);
  return Math.exp(x) - x - 1;
};

export function evaluate(
  spec: ObjectiveSpecInput,
  options: EvaluateOptions = {},
  more: object = {},
): Evaluation {
  return new Objective({ ...NONE, ...spec }).evaluate({ ...BATCH, ...more }, options);
}

/** Linear interpolation between sorted values, as numpy has it. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const low = Math.floor(place);
  const [a, b] = [sorted[low] as number, sorted[Math.min(low + 1, sorted.length - 1)] as number];
  return a + (place - low) * (b - a);
}

export function close(
  t: Parameters<typeof assertClose>[0],
  name: string,
  a: number,
  b: number,
): void {
  assertClose(t, name, a, b, TOLERANCES.engineRows);
}
