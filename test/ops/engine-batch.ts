/** Batches of the test support as the engine takes them, in any dtype, beside the exact values the reference sees. */
import type { LogitsDType } from "../../lib/core/dtype.js";
import { tensor } from "../../lib/tensor/create.js";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16Bits } from "../../lib/tensor/half.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import { type Batch, type BatchOptions, makeBatch } from "../support/inputs.js";

export const LOGITS_DTYPES = ["float32", "float16", "bfloat16"] as const;

export interface EngineBatch {
  /** Everything in the reference's words; logits are what the tensors hold, to the last bit. */
  readonly reference: Batch;
  readonly logits: Tensor<LogitsDType, 2>;
  readonly maskedLogits: Tensor<LogitsDType, 2>;
  readonly tokenIds: Int32Array;
  readonly responseMask: Int32Array;
}

/** A batch whose logits are rounded to `dtype`. */
export function engineBatch(
  options: BatchOptions = {},
  dtype: LogitsDType = "float32",
): EngineBatch {
  const batch = makeBatch(options);
  const logits = asTensor(batch, batch.logits, dtype);
  const maskedLogits = asTensor(batch, batch.maskedLogits, dtype);
  const reference = { ...batch, logits: valuesOf(logits), maskedLogits: valuesOf(maskedLogits) };
  const { tokenIds, responseMask } = batch;
  return { reference, logits, maskedLogits, tokenIds, responseMask };
}

function asTensor(
  { rows, vocabSize, rowPitch }: Batch,
  values: Float32Array,
  dtype: LogitsDType,
): Tensor<LogitsDType, 2> {
  const data =
    dtype === "float32" ? values : dtype === "float16" ? toFloat16Bits(values) : toBfloat16(values);
  return new Tensor("engineBatch", data, { shape: [rows, vocabSize], dtype, rowPitch });
}

/** Every element of a tensor's array as a number, padding included. */
export function valuesOf({ dtype, data }: Tensor): Float32Array {
  if (dtype === "float16") return fromFloat16(data as Uint16Array);
  if (dtype === "bfloat16") return fromBfloat16(data as Uint16Array);
  return Float32Array.from(data);
}

/** The elements that count, without the padding. */
export function elementsOf(of: Tensor): Float32Array {
  const values = valuesOf(of);
  return Float32Array.from({ length: of.size }, (_, i) => {
    const row = Math.floor(i / of.columns);
    return values[row * of.rowPitch + (i % of.columns)] as number;
  });
}

/** The bytes behind a tensor, to compare two results bit for bit. */
export function bitsOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Rows × vocab of small whole numbers, for tests that do not look at values. */
export function plainLogits(rows: number, vocab: number): Tensor<"float32", 2> {
  const data = Float32Array.from({ length: rows * vocab }, (_, i) => ((i * 7) % 11) - 5);
  return tensor(data, { shape: [rows, vocab] });
}
