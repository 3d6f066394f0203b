/** Where the gradient of a tensor gathers during a walk back. */
import { expected } from "../core/errors.js";
import { gradientTensor } from "../tensor/gradient.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * One per tensor and walk, shared by every op that read the tensor.
 *
 * A vjp writes to `buffer` where there is one (adding if `accumulate`) and puts one there if there is none;
 * then it sets `accumulate`. A buffer must be memory of its own: a later vjp may add to it.
 */
export interface Sink {
  buffer: Tensor | undefined;
  /** Whether `buffer` holds a part of the gradient already. */
  accumulate: boolean;
  /** Whether a `buffer` that nobody wrote to yet is all zero: then what an op leaves out needs no zeros. */
  readonly zeroed?: boolean;
}

/** Gives `values`, d loss / d elements of `of` in order, to its sink. Throws ERR_DTYPE where that would hold bits. */
export function deposit(sink: Sink, of: Tensor, values: Float64Array): void {
  sink.buffer ??= gradientTensor("backward", "grad", of);
  if (sink.buffer.dtype !== "float32" && sink.buffer.dtype !== "float64") {
    throw expected("ERR_DTYPE", "backward", "grad to hold float32 or float64", sink.buffer.dtype);
  }
  const { rows, columns, rowPitch } = sink.buffer;
  const data = sink.buffer.hostData("backward", "grad");
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * rowPitch + column;
      const value = values[row * columns + column] as number;
      data[at] = sink.accumulate ? (data[at] as number) + value : value;
    }
  }
  sink.accumulate = true;
}
