/** Evaluates a batch file block of rows by block of rows, in memory that does not grow with the file. */
import {
  type Device,
  type Evaluation,
  type Logits,
  type LogitsDType,
  type Objective,
  PapoError,
  tensor,
} from "../index.js";
import type { BatchFile, BatchFileRows, LogitsArray } from "../io/batch-file.js";

/** Bytes that the buffers of one block may take, logits and gradients of both policies together. */
const BLOCK_BYTES = 256 * 2 ** 20;

export interface FileEvaluationOptions {
  readonly device: Device;
  readonly blockRows: number | "automatic";
  readonly step: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** What becomes of the gradients; without it none are computed. */
  readonly gradients?: GradientsWanted | undefined;
}

export interface GradientsWanted {
  /** float32 instead of the logits' dtype. */
  readonly dtype?: "float32" | undefined;
  readonly scale?: number | undefined;
  /** Bytes that `take` needs for each element of one set of logits. */
  readonly bytesToTake?: number;
  /** Called with every block, in order; its arrays are overwritten by the next one. */
  readonly take: (block: GradientBlock) => Promise<void>;
}

export interface GradientBlock {
  readonly rowStart: number;
  readonly rows: number;
  /** [rows, vocab], bits in a Uint16Array for float16 and bfloat16. */
  readonly gradLogits: LogitsArray;
  /** Absent where no gradient flows into the masked policy. */
  readonly gradMaskedLogits: LogitsArray | undefined;
}

/**
 * Loss, terms, metrics and per-token values of a batch file; gradients go to `options.gradients.take`.
 *
 * Memory: 256 MiB for a block, or what `blockRows` rows take, and some numbers for each row of the file.
 *
 * @throws PapoError as `Objective.begin` and `RowBlockEvaluation.add`; ERR_FILE where reading fails
 */
export async function evaluateFile(
  batch: BatchFile,
  rowData: BatchFileRows,
  objective: Objective,
  options: FileEvaluationOptions,
): Promise<Evaluation> {
  const { dtype, shape, rows, vocabSize } = batch;
  const { gradients, signal, step } = options;
  const evaluation = objective.begin(
    { ...rowData, shape, vocabSize },
    {
      gradients: gradients !== undefined,
      gradDType: gradients?.dtype,
      gradScale: gradients?.scale,
      step,
      perToken: true,
    },
  );
  const gradDType = gradients?.dtype ?? dtype;
  const hasMasked = batch.has.maskedLogits;
  const hasMaskedGradient = hasMasked && objective.spec.maskedBranch === "differentiable";
  const perElement =
    bytesOf(dtype) * (hasMasked ? 2 : 1) +
    (gradients ? bytesOf(gradDType) * (hasMaskedGradient ? 2 : 1) : 0) +
    (gradients?.bytesToTake ?? 0);
  const fitting = Math.max(1, Math.floor(BLOCK_BYTES / (perElement * vocabSize)));
  const blockRows = Math.min(options.blockRows === "automatic" ? fitting : options.blockRows, rows);
  const memory = (wanted: boolean, of: LogitsDType): LogitsArray | undefined =>
    wanted ? newArray(of, blockRows * vocabSize) : undefined;
  const logits = newArray(dtype, blockRows * vocabSize);
  const maskedLogits = memory(hasMasked, dtype);
  const gradLogits = memory(gradients !== undefined, gradDType);
  const gradMaskedLogits = memory(gradients !== undefined && hasMaskedGradient, gradDType);

  let rowStart = 0;
  // A batch without rows is one empty block.
  do {
    const count = Math.min(blockRows, rows - rowStart);
    const view = (array: LogitsArray | undefined, of: LogitsDType): Logits | undefined =>
      array && logitsTensor(array, of, [count, vocabSize], options.device);
    await batch.readLogits("logits", rowStart, count, logits);
    if (maskedLogits) await batch.readLogits("masked_logits", rowStart, count, maskedLogits);
    const block = {
      rowStart,
      logits: view(logits, dtype) as Logits,
      maskedLogits: view(maskedLogits, dtype),
      gradLogits: view(gradLogits, gradDType),
      gradMaskedLogits: view(gradMaskedLogits, gradDType),
    };
    await evaluation.addAsync(block, { signal });
    await gradients?.take({
      rowStart,
      rows: count,
      gradLogits: block.gradLogits?.data as LogitsArray,
      gradMaskedLogits: block.gradMaskedLogits?.data as LogitsArray | undefined,
    });
    rowStart += count;
  } while (rowStart < rows);
  return evaluation.finish();
}

function bytesOf(dtype: LogitsDType): number {
  return dtype === "float32" ? 4 : 2;
}

function newArray(dtype: LogitsDType, length: number): LogitsArray {
  try {
    return dtype === "float32" ? new Float32Array(length) : new Uint16Array(length);
  } catch (cause) {
    const message = `[evaluateFile] expected memory for ${length} logits at a time, received none: a smaller --block-rows needs less`;
    throw new PapoError("ERR_OUT_OF_MEMORY", message, { cause });
  }
}

function logitsTensor(
  array: LogitsArray,
  dtype: LogitsDType,
  shape: readonly [number, number],
  device: Device,
): Logits {
  const data = array.subarray(0, shape[0] * shape[1]);
  return data instanceof Float32Array
    ? tensor(data, { shape, device })
    : tensor(data, { shape, device, dtype: dtype as "float16" | "bfloat16" });
}
