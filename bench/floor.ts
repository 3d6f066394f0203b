/** The least that an evaluation can cost: the bytes it must move, the exponentials it must take, and the time of both. */
import { paddingMask } from "./cases.js";
import type { Operation, Outputs, Row } from "./result.js";

/** One round's measurements of the machine, on one number of threads: bytes and exponentials per second. */
export interface Limits {
  readonly read: number;
  readonly copy: number;
  readonly streamingCopy: number;
  readonly twoByTwo: number;
  readonly update: number;
  readonly write: number;
  readonly exponentials: Readonly<Record<string, number>>;
}

export interface Work {
  readonly rows: number;
  /** Rows that count: the others are not read. */
  readonly countedRows: number;
  readonly bytes: number;
  readonly exponentials: number;
}

type Evaluated = Pick<Row, "operation" | "outputs" | "rows" | "vocab" | "dtype" | "padding">;

/**
 * Each logit of a counted row is read once, in both sets; each gradient is written once, that of an uncounted row too
 * (its zeros) unless the memory is known to be zero; one exponential per logit read.
 */
export function workOf({ operation, outputs, rows, vocab, dtype, padding }: Evaluated): Work {
  const mask = paddingMask(rows, padding);
  const countedRows = mask === undefined ? rows : mask.reduce((sum, counts) => sum + counts, 0);
  const written = writtenRows(operation, outputs, rows, countedRows);
  const rowBytes = 2 * vocab * (dtype === "float32" ? 4 : 2);
  return {
    rows,
    countedRows,
    bytes: (countedRows + written) * rowBytes,
    exponentials: 2 * countedRows * vocab,
  };
}

function writtenRows(
  operation: Operation,
  outputs: Outputs,
  rows: number,
  countedRows: number,
): number {
  if (operation !== "gradients") return 0;
  return outputs === "given, zeroed" ? countedRows : rows;
}

/** Seconds: the larger of bytes over the bandwidth of such traffic, at its best, and exponentials over their throughput. */
export function floorOf(
  { bytes, exponentials }: Work,
  { operation, outputs }: Pick<Row, "operation" | "outputs">,
  limits: Limits,
  isa: string,
): number {
  const rate = limits.exponentials[isa];
  if (rate === undefined) throw new Error(`the exponentials of ${isa} were not measured`);
  return Math.max(bytes / bandwidthOf(operation, outputs, limits), exponentials / rate);
}

function bandwidthOf(operation: Operation, outputs: Outputs, limits: Limits): number {
  if (operation !== "gradients") return limits.read;
  const copies = Math.max(limits.copy, limits.streamingCopy, limits.twoByTwo);
  return outputs === "in place" ? Math.max(copies, limits.update) : copies;
}
