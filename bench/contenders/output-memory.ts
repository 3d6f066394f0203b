/** Memory for gradients, shared by all cases of a process: touched once, as a trainer's would be, and never given back. */
import type { Logits } from "../../lib/index.js";
import type { Batch, InputDType, LogitsArray } from "../cases.js";
import { papo } from "./built.js";

const buffers: [ArrayBuffer, ArrayBuffer] = [new ArrayBuffer(0), new ArrayBuffer(0)];

/** Makes room for two tensors of so many bytes; before any case is set up. */
export function reserveOutputs(bytes: number): void {
  for (const i of [0, 1] as const) {
    if (buffers[i].byteLength >= bytes) continue;
    buffers[i] = new ArrayBuffer(bytes);
    new Uint8Array(buffers[i]).fill(1);
  }
}

/** Both gradients of a batch, in the dtype of its logits, `firstRow` rows into the memory. */
export function gradients(
  batch: Batch<LogitsArray>,
  dtype: InputDType,
  firstRow: number,
): readonly [Logits, Logits] {
  return [tensorOf(0), tensorOf(1)];

  function tensorOf(i: 0 | 1): Logits {
    const { rows, vocab, logits } = batch;
    const offset = firstRow * vocab * logits.BYTES_PER_ELEMENT;
    const length = rows * vocab;
    const data =
      dtype === "float32"
        ? new Float32Array(buffers[i], offset, length)
        : new Uint16Array(buffers[i], offset, length);
    return logitsTensor(data, rows, vocab, dtype);
  }
}

export function logitsTensor(
  data: LogitsArray,
  rows: number,
  vocab: number,
  dtype: InputDType,
): Logits {
  const shape = [rows, vocab] as const;
  return dtype === "float32"
    ? papo.tensor(data as Float32Array, { shape })
    : papo.tensor(data as Uint16Array, { shape, dtype });
}
