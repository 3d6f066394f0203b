/** Where the gradients of a batch of logits go: fresh memory, the caller's, or the logits themselves. */
import { expected } from "../core/errors.js";
import { gradientTensor } from "../tensor/gradient.js";
import type { Logits, Tensor } from "../tensor/tensor.js";

/** What the caller says about memory, for a whole batch or a block of rows. */
export interface GradientRequest {
  readonly logits: Logits;
  readonly maskedLogits?: Logits | undefined;
  readonly gradLogits?: Tensor | undefined;
  readonly gradMaskedLogits?: Tensor | undefined;
  readonly inPlace: boolean;
}

export interface GradientMemory {
  readonly gradLogits: Tensor | undefined;
  /** Absent where the masked branch is constant: then no gradient work is done there. */
  readonly gradMaskedLogits: Tensor | undefined;
  /** Memory given for that of a constant masked branch, to be filled with zeros once the rest is done. */
  readonly constantGradient: Tensor | undefined;
}

/**
 * Makes or checks the memory of both gradients, and writes to none.
 *
 * @throws PapoError ERR_ARGUMENT for memory that is given twice or for nothing, ERR_SHAPE, ERR_DTYPE and ERR_BUFFER
 *         for memory that does not fit or overlaps what is still read
 */
export function gradientMemory(
  where: string,
  request: GradientRequest,
  wanted: {
    readonly gradients: boolean;
    readonly differentiableMasked: boolean;
    readonly dtype: "float32" | undefined;
  },
): GradientMemory {
  const { logits, maskedLogits, gradLogits, gradMaskedLogits, inPlace } = request;
  const given = inPlace || gradLogits !== undefined || gradMaskedLogits !== undefined;
  if (!wanted.gradients) {
    if (given)
      throw expected(
        "ERR_ARGUMENT",
        where,
        "memory for gradients only where gradients are asked for",
        "gradients: false",
      );
    return { gradLogits: undefined, gradMaskedLogits: undefined, constantGradient: undefined };
  }
  if (inPlace && (gradLogits !== undefined || gradMaskedLogits !== undefined)) {
    throw expected("ERR_ARGUMENT", where, "either inPlace or memory for gradients", "both");
  }
  if (gradMaskedLogits !== undefined && maskedLogits === undefined) {
    throw expected(
      "ERR_ARGUMENT",
      where,
      "gradMaskedLogits only with maskedLogits",
      "it without them",
    );
  }
  const memory = (name: string, of: Logits, out: Tensor | undefined) =>
    gradientTensor(where, name, of, { out: inPlace ? of : out, dtype: wanted.dtype, inPlace });
  const own = memory("gradLogits", logits, gradLogits);
  const none = { gradLogits: own, gradMaskedLogits: undefined, constantGradient: undefined };
  if (maskedLogits === undefined) return none;
  if (inPlace || gradLogits !== undefined) checkApart(where, "gradLogits", own, maskedLogits);
  if (!wanted.differentiableMasked && gradMaskedLogits === undefined) return none;
  const masked = memory("gradMaskedLogits", maskedLogits, gradMaskedLogits);
  checkApart(where, "gradMaskedLogits", masked, logits);
  checkApart(where, "gradMaskedLogits", masked, own);
  return wanted.differentiableMasked
    ? { ...none, gradMaskedLogits: masked }
    : { ...none, constantGradient: masked };
}

/** A gradient must not lie on the other branch's logits, which the op still reads, nor on the other gradient. */
function checkApart(where: string, name: string, written: Tensor, other: Tensor): void {
  const [a, b] = [written.data, other.data];
  if (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength
  ) {
    const what = `${name} in memory of its own`;
    throw expected("ERR_BUFFER", where, what, "memory that overlaps");
  }
}
