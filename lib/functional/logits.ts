/** Checks of logits and of their gradients, with the public name in every message. */
import type { LogitsDType } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { sameShape, showShape } from "../core/shape.js";
import { type Logits, Tensor } from "../tensor/tensor.js";

const LOGITS_DTYPES: readonly string[] = ["float32", "float16", "bfloat16"] satisfies LogitsDType[];

/**
 * Checks one or two sets of logits: rank 2 or 3, a floating-point dtype of at most 32 bits, equal shape and dtype.
 * Throws ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_DEVICE_MISMATCH, ERR_DISPOSED.
 *
 * @param name  of the second set in messages
 */
export function checkLogits(
  where: string,
  logits: unknown,
  others?: unknown,
  name = "maskedLogits",
): void {
  checkOne(where, "logits", logits);
  if (others === undefined) return;
  checkOne(where, name, others);
  if (!sameShape(others.shape, logits.shape)) {
    const what = `${name} ${showShape(logits.shape)} to match logits`;
    throw expected("ERR_SHAPE", where, what, showShape(others.shape));
  }
  if (others.dtype !== logits.dtype) {
    const what = `${name} to hold ${logits.dtype} as logits do`;
    throw expected("ERR_DTYPE", where, what, others.dtype);
  }
  if (others.device !== logits.device) {
    const what = `${name} on ${logits.device} as logits are`;
    throw expected("ERR_DEVICE_MISMATCH", where, what, others.device);
  }
}

function checkOne(where: string, name: string, logits: unknown): asserts logits is Logits {
  if (!(logits instanceof Tensor)) {
    throw expected("ERR_ARGUMENT", where, `${name} to be a Tensor`, describe(logits));
  }
  if (!LOGITS_DTYPES.includes(logits.dtype)) {
    throw expected("ERR_DTYPE", where, `${name} to hold ${LOGITS_DTYPES.join(", ")}`, logits.dtype);
  }
  const rank = logits.shape.length;
  if (rank < 2 || logits.columns < 1) {
    const what = `${name} [rows, vocab] or [sequences, tokens, vocab] with a vocab of at least 1`;
    throw expected("ERR_SHAPE", where, what, showShape(logits.shape));
  }
  logits.toNative(where, name);
}

/** Throws ERR_DTYPE unless the dtype of gradients is left open or float32. */
export function checkGradDType(where: string, dtype: unknown): void {
  if (dtype === undefined || dtype === "float32") return;
  const what = 'gradDType to be "float32", or not given (that of the logits)';
  throw expected("ERR_DTYPE", where, what, describe(dtype));
}
