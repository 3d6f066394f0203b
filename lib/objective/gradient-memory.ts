/** Where the gradients of a batch of logits go: fresh memory, the caller's, or the logits themselves. */
import { expected } from "../core/errors.js";
import { freshIsZero } from "../tensor/fresh.js";
import { disposeAll, gradientTensor } from "../tensor/gradient.js";
import { overlapOf } from "../tensor/overlap.js";
import type { Logits, Tensor } from "../tensor/tensor.js";

/** What the caller says about memory, for a whole batch or a block of rows. */
export interface GradientRequest {
  readonly logits: Logits;
  readonly maskedLogits?: Logits | undefined;
  readonly refLogits?: Logits | undefined;
  readonly gradLogits?: Tensor | undefined;
  readonly gradMaskedLogits?: Tensor | undefined;
  readonly inPlace: boolean;
  readonly gradsZeroed: boolean;
}

export interface GradientMemory {
  readonly gradLogits: Tensor | undefined;
  /** Absent where the masked branch is constant: then no gradient work is done there. */
  readonly gradMaskedLogits: Tensor | undefined;
  /** Whether rows with mask 0 hold zeros in all of it: then they are left alone. */
  readonly gradsZeroed: boolean;
  /** Memory given for that of a constant masked branch, to be filled with zeros once the rest is done. */
  readonly constantGradient: Tensor | undefined;
  /** Those of them that nobody else knows: to be let go of if the call fails. */
  readonly fresh: readonly Tensor[];
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
  const { logits, maskedLogits, refLogits, gradLogits, gradMaskedLogits, inPlace, gradsZeroed } =
    request;
  const isGiven = gradLogits !== undefined || gradMaskedLogits !== undefined;
  if (!wanted.gradients) {
    if (inPlace || isGiven || gradsZeroed)
      throw expected(
        "ERR_ARGUMENT",
        where,
        "memory for gradients only where gradients are asked for",
        "gradients: false",
      );
    return memoryOf(undefined, false, [], undefined, undefined);
  }
  if (inPlace && isGiven) {
    throw expected("ERR_ARGUMENT", where, "either inPlace or memory for gradients", "both");
  }
  if (inPlace && gradsZeroed) {
    throw expected("ERR_ARGUMENT", where, "either inPlace or gradsZeroed", "both");
  }
  if (gradsZeroed && !isGiven) {
    throw expected("ERR_ARGUMENT", where, "gradsZeroed only with memory for gradients", "none");
  }
  if (gradMaskedLogits !== undefined && maskedLogits === undefined) {
    throw expected(
      "ERR_ARGUMENT",
      where,
      "gradMaskedLogits only with maskedLogits",
      "it without them",
    );
  }
  const fresh: Tensor[] = [];
  const memory = (name: string, of: Logits, given: Tensor | undefined) => {
    const out = inPlace ? of : given;
    // Beside memory that is zero where rows do not count, fresh memory is too.
    const how = { out, dtype: wanted.dtype, inPlace, overwritten: !gradsZeroed };
    const gradient = gradientTensor(where, name, of, how);
    if (out === undefined) fresh.push(gradient);
    return gradient;
  };
  try {
    const own = memory("gradLogits", logits, gradLogits);
    const zeroed = gradsZeroed || (!isGiven && !inPlace && freshIsZero(logits.device));
    const none = () => memoryOf(own, zeroed, fresh, undefined, undefined);
    if (refLogits && gradLogits !== undefined) checkApart(where, "gradLogits", own, refLogits);
    if (maskedLogits === undefined) return none();
    if (inPlace || gradLogits !== undefined) checkApart(where, "gradLogits", own, maskedLogits);
    if (!wanted.differentiableMasked && gradMaskedLogits === undefined) return none();
    const masked = memory("gradMaskedLogits", maskedLogits, gradMaskedLogits);
    checkApart(where, "gradMaskedLogits", masked, logits);
    checkApart(where, "gradMaskedLogits", masked, own);
    if (refLogits) checkApart(where, "gradMaskedLogits", masked, refLogits);
    return wanted.differentiableMasked
      ? memoryOf(own, zeroed, fresh, masked, undefined)
      : memoryOf(own, zeroed, fresh, undefined, masked);
  } catch (error) {
    disposeAll(fresh);
    throw error;
  }
}

function memoryOf(
  gradLogits: Tensor | undefined,
  gradsZeroed: boolean,
  fresh: readonly Tensor[],
  gradMaskedLogits: Tensor | undefined,
  constantGradient: Tensor | undefined,
): GradientMemory {
  return { gradLogits, gradMaskedLogits, gradsZeroed, constantGradient, fresh };
}

/** A gradient must not lie on the other branch's logits, which the op still reads, nor on the other gradient. */
function checkApart(where: string, name: string, written: Tensor, other: Tensor): void {
  if (overlapOf(where, written, other) === "none") return;
  throw expected("ERR_BUFFER", where, `${name} in memory of its own`, "memory that overlaps");
}
