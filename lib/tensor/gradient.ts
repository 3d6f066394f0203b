/** The tensor a gradient is written to: made, or the caller's own after a check. */
import { describe, expected } from "../core/errors.js";
import { sameShape, showShape } from "../core/shape.js";
import { clearHostRows, clearRows } from "./copy.js";
import { freshTensor } from "./fresh.js";
import { overlapOf } from "./overlap.js";
import { Tensor } from "./tensor.js";

export interface GradientOptions {
  /** The caller's own memory: same shape, any pitch, dtype of the tensor or float32. */
  readonly out?: Tensor | undefined;
  /** Of a fresh gradient: that of the tensor if not said. */
  readonly dtype?: "float32" | undefined;
  /** Whether `out` may be the very memory of the tensor, for kernels that read an element before they write it. */
  readonly inPlace?: boolean | undefined;
  /** Whether an op writes every element before anybody reads one: then fresh memory of a device is not zeroed first. */
  readonly overwritten?: boolean | undefined;
}

/**
 * A tensor for the gradient of `of`, on its device; a fresh one is contiguous and zero.
 *
 * @param name  of the gradient in messages, such as "gradLogits"
 * @throws PapoError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE_MISMATCH where `out` does not fit; ERR_BUFFER where it overlaps the tensor
 */
export function gradientTensor(
  where: string,
  name: string,
  of: Tensor,
  { out, dtype, inPlace = false, overwritten = false }: GradientOptions = {},
): Tensor {
  if (out === undefined) {
    const { shape, device } = of;
    return freshTensor(where, { shape, device, dtype: dtype ?? of.dtype }, !overwritten);
  }
  if (!(out instanceof Tensor)) {
    throw expected("ERR_ARGUMENT", where, `${name} to be a Tensor`, describe(out));
  }
  if (!sameShape(out.shape, of.shape)) {
    throw expected("ERR_SHAPE", where, `${name} ${showShape(of.shape)}`, showShape(out.shape));
  }
  if (out.dtype !== (dtype ?? of.dtype) && out.dtype !== "float32") {
    const dtypes = [...new Set(dtype === undefined ? [of.dtype, "float32"] : [dtype])];
    throw expected("ERR_DTYPE", where, `${name} to hold ${dtypes.join(" or ")}`, out.dtype);
  }
  if (out.device !== of.device) {
    throw expected("ERR_DEVICE_MISMATCH", where, `${name} on ${of.device}`, out.device);
  }
  checkOverlap(where, name, of, out, inPlace);
  return out;
}

/**
 * Sets the elements to 0; what lies between rows stays.
 *
 * @param name  of the tensor in messages
 * @param only  [rows] rows that hold 0 here stay, too
 * @throws PapoError ERR_DISPOSED
 */
export function fillZero(where: string, name: string, tensor: Tensor, only?: Int32Array): void {
  const native = tensor.toNative(where, name);
  for (const [begin, end] of ranges(tensor, only)) clearRows(where, native, begin, end);
}

/** `fillZero` for large tensors beside which the event loop goes on. Throws as it does, also halfway, and for an abort. */
export async function fillZeroAsync(
  where: string,
  name: string,
  tensor: Tensor,
  only: Int32Array | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (tensor.device !== "cpu") return fillZero(where, name, tensor, only);
  const native = () => tensor.toNative(where, name);
  for (const [begin, end] of ranges(tensor, only)) await clearHostRows(native, begin, end, signal);
}

/** Rows side by side that are to be cleared: all, or those that do not hold 0 in `only`. */
function* ranges({ rows }: Tensor, only: Int32Array | undefined): Generator<[number, number]> {
  if (only === undefined) {
    yield [0, rows];
    return;
  }
  for (let begin = 0; begin < rows; begin++) {
    if (only[begin] === 0) continue;
    let end = begin + 1;
    while (end < rows && only[end] !== 0) end++;
    yield [begin, end];
    begin = end;
  }
}

/** Lets go of memory that a failed call leaves behind: on a device it would stay until it is collected. */
export function disposeAll(tensors: Iterable<Tensor | undefined>): void {
  for (const tensor of tensors) tensor?.dispose();
}

function checkOverlap(where: string, name: string, of: Tensor, out: Tensor, inPlace: boolean) {
  const overlap = overlapOf(where, of, out);
  if (overlap === "none" || (inPlace && overlap === "same")) return;
  const very = inPlace ? "the very memory of its tensor or " : "";
  throw expected(
    "ERR_BUFFER",
    where,
    `${name} in ${very}memory of its own`,
    "memory that overlaps",
  );
}
