/** What the runner and its contenders agree on: what is set up, what one evaluation is, and what a peer is. */
import type { Batch, Distribution, InputDType, LogitsArray } from "../cases.js";
import type { Mode, Operation, Outputs } from "../result.js";

/** What a contender computed in its last run, for comparison with float64; what it does not give is left out. */
export interface Results {
  readonly loss?: number;
  /** [rows], nats. */
  readonly logProbs?: ArrayLike<number>;
  readonly entropy?: ArrayLike<number>;
  readonly kl?: ArrayLike<number>;
  /** [rows, vocab] without pitch. */
  readonly gradLogits?: ArrayLike<number>;
  readonly gradMaskedLogits?: ArrayLike<number>;
}

export interface Setting {
  readonly operation: Operation;
  readonly dtype: InputDType;
  readonly outputs: Outputs;
  readonly threads: number;
}

export interface Evaluation {
  /** Before every run, outside the measured time. */
  prepare?(): void | Promise<void>;
  /**
   * One evaluation, complete when it returns or, for a promise, settles. A number, or a promise of one, is its own measure of
   * the time, seconds (work in another process).
   */
  run(): unknown;
  results(): Results | Promise<Results>;
  /** Bytes of outputs that a run allocates anew; 0 where they were allocated, and touched, before. */
  readonly freshOutputBytes: number;
  /** Process whose resident memory counts, where it is not this one. */
  readonly pid?: number;
  /** What is worth saying of the runs, for the table. */
  note?(): string | undefined | Promise<string | undefined>;
  close?(): void | Promise<void>;
}

/** Sets up everything that is not the evaluation: inputs in the library's own memory, outputs where it takes them. */
export type SetUp = (batch: Batch, setting: Setting) => Evaluation | Promise<Evaluation>;

/** A peer: another engine on which the same loss is written. */
export interface Peer {
  readonly name: string;
  readonly label: string;
  /** Operations it can do; papo's "forward" is log-probs, both entropies, both KLs and the loss. */
  readonly operations: readonly Operation[];
  /** Numbers of threads it can be held to. */
  readonly threads: "one" | "any";
  /** Most logits (rows · vocab) it can hold, or reach in reasonable time, for an operation; with the reason, for the table. */
  largest(operation: Operation): { readonly logits: number; readonly reason: string } | undefined;
  /** Undefined if it can run here, else the reason why not ("not installed: npm ci --prefix bench/peers", "no Python with torch was found"). */
  absent(): Promise<string | undefined>;
  version(): Promise<string>;
  readonly setUp: SetUp;
  /** Environment of the process it lives in (thread counts, allocator settings). */
  environment?(setting: Setting): Readonly<Record<string, string>>;
}
// bench/contenders/peers.ts (B2) exports `PEERS: readonly Peer[]`.

/** What a contender of our own is told beyond a peer's setting. */
export interface OwnSetting extends Setting {
  readonly mode: Mode;
  readonly distribution: Distribution;
  /** Row of the process's output memory at which this batch's begins. */
  readonly firstRow: number;
}

/** papo by one of its doors; several of these share a process, its inputs and its output memory. */
export type OwnSetUp = (
  batch: Batch<LogitsArray>,
  setting: OwnSetting,
) => Evaluation | Promise<Evaluation>;
