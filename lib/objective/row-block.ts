/** One block of rows of a streamed evaluation: its checks, and its errors in the rows of the whole batch. */
import { readOptions } from "../core/arguments.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { showShape } from "../core/shape.js";
import { checkLogits } from "../functional/logits.js";
import type { Logits, Tensor } from "../tensor/tensor.js";

/** Rows `rowStart` … `rowStart + rows of the logits − 1` of the batch. */
export interface RowBlock {
  /** First row of the block in the batch. */
  readonly rowStart: number;
  /** [rows of the block, vocab] */
  readonly logits: Logits;
  /** In every block or in none. */
  readonly maskedLogits?: Logits | undefined;
  /** Of the reference; in every block or in none. */
  readonly refLogits?: Logits | undefined;
  /** Where this block's gradients are written; fresh memory if absent. */
  readonly gradLogits?: Tensor | undefined;
  /** Where the gradients of the masked logits are written; fresh memory if absent. */
  readonly gradMaskedLogits?: Tensor | undefined;
  /** As the options of `evaluate`. */
  readonly inPlace?: boolean | undefined;
  /** As the option of `evaluate`: the memory holds zeros where the mask is 0. */
  readonly gradsZeroed?: boolean | undefined;
}

const KEYS = [
  "rowStart",
  "logits",
  "maskedLogits",
  "refLogits",
  "gradLogits",
  "gradMaskedLogits",
  "inPlace",
  "gradsZeroed",
] as const;

/** A block of a batch of `rows` rows, each field read once; its keys, logits and place are checked. */
export function readRowBlock(
  where: string,
  block: RowBlock,
  rows: number,
  vocabSize: number,
): RowBlock {
  const given = readOptions(where, block, KEYS, "the block");
  checkLogits(where, given.logits, given.maskedLogits);
  if (given.refLogits !== undefined) checkLogits(where, given.logits, given.refLogits, "refLogits");
  const { rowStart, logits } = given;
  if (logits.columns !== vocabSize) {
    const what = `logits [rows, ${vocabSize}] as vocabSize says`;
    throw expected("ERR_SHAPE", where, what, showShape(logits.shape));
  }
  if (!Number.isSafeInteger(rowStart) || rowStart < 0 || rowStart + logits.rows > rows) {
    const what = `rowStart and logits to be rows within the ${rows} of the batch`;
    throw expected("ERR_RANGE", where, what, `${logits.rows} from row ${describe(rowStart)} on`);
  }
  return given;
}

/** An op counts rows from the start of its block; messages and `row` count from the start of the batch. */
export function inBatchRows(error: unknown, rowStart: number): unknown {
  if (!(error instanceof PapoError) || error.row === undefined || rowStart === 0) return error;
  const row = error.row + rowStart;
  const message = error.message
    .replaceAll(`[${error.row}]`, `[${row}]`)
    .replaceAll(new RegExp(`\\brow ${error.row}\\b`, "g"), `row ${row}`);
  return new PapoError(error.code, message, { cause: error, row });
}
