/** The tensor a gradient is written to: made, or the caller's own after a check. */
import { allocate, type DType } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { showShape } from "../core/shape.js";
import { Tensor } from "./tensor.js";

export interface GradientOptions {
  /** The caller's own memory: same shape, any pitch, dtype of the tensor or float32. */
  readonly out?: Tensor | undefined;
  /** Of a fresh gradient: that of the tensor if not said. */
  readonly dtype?: "float32" | undefined;
  /** Whether `out` may be the very memory of the tensor, for kernels that read an element before they write it. */
  readonly inPlace?: boolean | undefined;
}

/**
 * A tensor for the gradient of `of`; a fresh one is contiguous and zero.
 *
 * @param name  of the gradient in messages, such as "gradLogits"
 * @throws PapoError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE_MISMATCH where `out` does not fit; ERR_BUFFER where it overlaps the tensor
 */
export function gradientTensor(
  where: string,
  name: string,
  of: Tensor,
  { out, dtype, inPlace = false }: GradientOptions = {},
): Tensor {
  if (out === undefined) return freshGradient(of, dtype ?? of.dtype);
  if (!(out instanceof Tensor)) {
    throw expected("ERR_ARGUMENT", where, `${name} to be a Tensor`, describe(out));
  }
  if (showShape(out.shape) !== showShape(of.shape)) {
    throw expected("ERR_SHAPE", where, `${name} ${showShape(of.shape)}`, showShape(out.shape));
  }
  const dtypes = [...new Set(dtype === undefined ? [of.dtype, "float32"] : [dtype])];
  if (!dtypes.includes(out.dtype)) {
    throw expected("ERR_DTYPE", where, `${name} to hold ${dtypes.join(" or ")}`, out.dtype);
  }
  if (out.device !== of.device) {
    throw expected("ERR_DEVICE_MISMATCH", where, `${name} on ${of.device}`, out.device);
  }
  checkOverlap(where, name, of, out, inPlace);
  return out;
}

/** Sets the elements that count to 0; what lies between rows stays. */
export function fillZero(tensor: Tensor): void {
  const { data, rows, columns, rowPitch } = tensor;
  if (columns === 0) return;
  for (let row = 0; row < rows; row++) data.fill(0, row * rowPitch, row * rowPitch + columns);
}

function freshGradient({ shape, device, size }: Tensor, dtype: DType): Tensor {
  return new Tensor("gradient", allocate(dtype, size), { dtype, shape, device });
}

function checkOverlap(where: string, name: string, of: Tensor, out: Tensor, inPlace: boolean) {
  const [read, written] = [of.data, out.data];
  const overlap =
    read.buffer === written.buffer &&
    read.byteOffset < written.byteOffset + written.byteLength &&
    written.byteOffset < read.byteOffset + read.byteLength;
  const same =
    read.byteOffset === written.byteOffset &&
    of.dtype === out.dtype &&
    of.rowPitch === out.rowPitch;
  if (!overlap || (inPlace && same)) return;
  const very = inPlace ? "the very memory of its tensor or " : "";
  throw expected(
    "ERR_BUFFER",
    where,
    `${name} in ${very}memory of its own`,
    "memory that overlaps",
  );
}
