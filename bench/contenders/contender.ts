/** What a contender is: one process that evaluates the loss and both gradients of one batch, again and again. */
import type { Batch, InputDType } from "../cases.js";

/** Gradients of the last run, [rows, vocab] without pitch. */
export interface Gradients {
  readonly gradLogits: ArrayLike<number>;
  readonly gradMaskedLogits: ArrayLike<number>;
}

export interface Evaluation {
  /** Before every run, outside the measured time. */
  prepare?(): void;
  /** Loss and both gradients, complete when it returns. Gives the loss. */
  run(): number;
  gradients(): Gradients;
  /** Bytes of outputs that a run allocates anew; 0 where they were allocated, and touched, before. */
  readonly freshOutputBytes: number;
}

export interface Variant {
  readonly dtype: InputDType;
  readonly inPlace: boolean;
}

/** Sets up everything that is not the evaluation: inputs in the library's own memory, outputs where it takes them. */
export type SetUp = (batch: Batch, variant: Variant) => Evaluation | Promise<Evaluation>;

export interface Contender {
  readonly name: string;
  readonly label: string;
  readonly rows: number;
  readonly threads: 1 | "all";
  readonly variant: Variant;
  /** Outputs: where they are, for the table. */
  readonly outputs: string;
  readonly setUp: () => Promise<SetUp>;
}
