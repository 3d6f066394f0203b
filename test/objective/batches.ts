/** The batches of test/support as the engine takes them, and ways to cut, pack and read them. */
import type { LogitsDType } from "../../lib/core/dtype.js";
import {
  type Device,
  type Evaluation,
  fromBfloat16,
  fromFloat16,
  type Logits,
  type LogitsBatch,
  Tensor,
  tensor,
  toBfloat16,
  toFloat16,
} from "../../lib/index.js";
import type { GoldenCase } from "../support/golden.js";
import type { Batch } from "../support/inputs.js";

/** Logits over existing memory, or a copy of it on a device. */
export function logitsTensor(
  data: Float32Array | Uint16Array | Float16Array,
  shape: readonly number[],
  dtype: LogitsDType = "float32",
  rowPitch?: number,
  device: Device = "cpu",
): Logits {
  return new Tensor("test", data, { shape, dtype, rowPitch, device }) as Logits;
}

/** A padded batch [sequences, tokens, vocab]; half dtypes round the logits. */
export function logitsBatch(
  batch: Batch,
  dtype: LogitsDType = "float32",
  device: Device = "cpu",
): LogitsBatch {
  const { sequences, tokens, vocabSize, rowPitch } = batch;
  const shape = [sequences, tokens, vocabSize];
  const logits = (data: Float32Array) =>
    logitsTensor(stored(data, dtype), shape, dtype, rowPitch, device);
  return {
    logits: logits(batch.logits),
    maskedLogits: logits(batch.maskedLogits),
    tokenIds: batch.tokenIds,
    oldLogProbs: batch.oldLogProbs,
    refLogProbs: batch.refLogProbs,
    advantages: batch.advantages,
    responseMask: batch.responseMask,
  };
}

function stored(data: Float32Array, dtype: LogitsDType): Float32Array | Uint16Array | Float16Array {
  if (dtype === "float16") return toFloat16(data);
  return dtype === "bfloat16" ? toBfloat16(data) : data.slice();
}

/** Some rows of a batch in a padded or packed layout of their own; without pitch. */
export function takeRows(
  batch: Batch,
  rows: readonly number[],
  layout: { shape: readonly number[] } | { cuSeqlens: readonly number[] },
): LogitsBatch {
  const { vocabSize, rowPitch } = batch;
  const shape = "shape" in layout ? layout.shape : [rows.length];
  const logits = (data: Float32Array) => {
    const taken = new Float32Array(rows.length * vocabSize);
    rows.forEach((row, i) => {
      taken.set(data.subarray(row * rowPitch, row * rowPitch + vocabSize), i * vocabSize);
    });
    return logitsTensor(taken, [...shape, vocabSize]);
  };
  const pick = (values: Float64Array) => Float64Array.from(rows, (row) => values[row] as number);
  return {
    logits: logits(batch.logits),
    maskedLogits: logits(batch.maskedLogits),
    tokenIds: Int32Array.from(rows, (row) => batch.tokenIds[row] as number),
    oldLogProbs: pick(batch.oldLogProbs),
    refLogProbs: pick(batch.refLogProbs),
    advantages: pick(batch.advantages),
    responseMask: Int32Array.from(rows, (row) => batch.responseMask[row] as number),
    ...("cuSeqlens" in layout ? { cuSeqlens: layout.cuSeqlens } : {}),
  };
}

/** Some sequences of a batch, padded as they are. */
export function takeSequences(batch: Batch, sequences: readonly number[]): LogitsBatch {
  const { tokens } = batch;
  const rows = sequences.flatMap((s) => Array.from({ length: tokens }, (_, t) => s * tokens + t));
  return takeRows(batch, rows, { shape: [sequences.length, tokens] });
}

/** The counted rows of a batch, one sequence after the other. */
export function packed(batch: Batch): { batch: LogitsBatch; rows: readonly number[] } {
  const rows: number[] = [];
  const cuSeqlens = [0];
  for (let s = 0; s < batch.sequences; s++) {
    for (let row = s * batch.tokens; row < (s + 1) * batch.tokens; row++) {
      if (batch.responseMask[row] === 1) rows.push(row);
    }
    cuSeqlens.push(rows.length);
  }
  return { batch: takeRows(batch, rows, { cuSeqlens }), rows };
}

/** The elements of a tensor that count, as numbers, row after row. */
export function valuesOf(of: Tensor | undefined): Float64Array {
  if (of === undefined) throw new Error("expected a tensor, received none");
  const onHost = of.to("cpu");
  const { dtype, rows, columns, rowPitch } = onHost;
  const data =
    dtype === "bfloat16"
      ? fromBfloat16(onHost.data as Uint16Array)
      : dtype === "float16"
        ? fromFloat16(onHost.data as Uint16Array)
        : onHost.data;
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns);
    return data[row * rowPitch + (i - row * columns)] as number;
  });
}

/** Gradients by name, as numbers. */
export function gradientsOf(evaluation: Evaluation): Record<string, Float64Array> {
  const entries = Object.entries(evaluation).filter(([name]) => name.startsWith("grad"));
  return Object.fromEntries(entries.map(([name, of]) => [name, valuesOf(of as Tensor)]));
}

/** A golden case; `fresh` copies of the logits, so that they may be consumed. */
export function goldenBatch(golden: GoldenCase, device: Device = "cpu"): LogitsBatch {
  const { stored, shape, dtype } = golden;
  const logits = (data: Float32Array | Uint16Array) =>
    logitsTensor(data.slice(), shape, dtype, undefined, device);
  return {
    logits: logits(stored.logits),
    maskedLogits: logits(stored.maskedLogits),
    tokenIds: golden.tokenIds,
    oldLogProbs: golden.oldLogProbs,
    refLogProbs: golden.refLogProbs,
    advantages: golden.advantages,
    ...(golden.responseMask ? { responseMask: golden.responseMask } : {}),
    ...(golden.cuSeqlens ? { cuSeqlens: golden.cuSeqlens } : {}),
  };
}

/** One float64 number per row, as a tensor. */
export function rowsTensor(
  values: Float64Array,
  shape: readonly number[],
): Tensor<"float64", 1 | 2> {
  return tensor(values, { shape }) as Tensor<"float64", 1 | 2>;
}
