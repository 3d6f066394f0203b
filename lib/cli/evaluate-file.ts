/** Evaluates a batch file block of rows by block of rows, in memory that does not grow with the file. */
import type { Device, Evaluation, LogitsDType, Objective } from "../index.js";
import type { BatchFile, BatchFileRows, LogitsArray } from "../io/batch-file.js";
import { BlockMemory, bytesOf } from "./block-memory.js";

/** Bytes that the buffers of one block may take, logits and gradients of both policies together. */
const BLOCK_BYTES = 256 * 2 ** 20;

export interface FileEvaluationOptions {
  readonly device: Device;
  readonly blockRows: number | "automatic";
  readonly step: number | undefined;
  readonly seed?: number | undefined;
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
 * Memory: 256 MiB for a block, or what `blockRows` rows take, the same again on a device, and some numbers for each row
 * of the file. With gradients of an objective that couples rows, the block is all of them.
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
  const { gradients, signal, step, seed } = options;
  const evaluation = objective.begin(
    { ...rowData, shape, vocabSize },
    {
      gradients: gradients !== undefined,
      gradDType: gradients?.dtype,
      gradScale: gradients?.scale,
      step,
      seed,
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
  // Where gradients couple rows, one block is the only way, whatever it takes.
  const whole = gradients !== undefined && evaluation.coupledBecause !== undefined;
  const fitting = whole ? rows : Math.max(1, Math.floor(BLOCK_BYTES / (perElement * vocabSize)));
  const blockRows = Math.min(options.blockRows === "automatic" ? fitting : options.blockRows, rows);
  const memories: BlockMemory[] = [];
  const memory = (of: LogitsDType): BlockMemory => {
    const made = new BlockMemory(of, blockRows, vocabSize, options.device);
    memories.push(made);
    return made;
  };
  try {
    const logits = memory(dtype);
    const maskedLogits = hasMasked ? memory(dtype) : undefined;
    const gradLogits = gradients && memory(gradDType);
    const gradMaskedLogits = gradients && hasMaskedGradient ? memory(gradDType) : undefined;
    let rowStart = 0;
    // A batch without rows is one empty block.
    do {
      const count = Math.min(blockRows, rows - rowStart);
      await batch.readLogits("logits", rowStart, count, logits.array);
      if (maskedLogits) {
        await batch.readLogits("masked_logits", rowStart, count, maskedLogits.array);
      }
      const block = {
        rowStart,
        logits: await logits.upload(count),
        maskedLogits: await maskedLogits?.upload(count),
        gradLogits: gradLogits?.tensor(count),
        gradMaskedLogits: gradMaskedLogits?.tensor(count),
      };
      await evaluation.addAsync(block, { signal });
      if (gradients && gradLogits) {
        await gradients.take({
          rowStart,
          rows: count,
          gradLogits: await gradLogits.download(count),
          gradMaskedLogits: await gradMaskedLogits?.download(count),
        });
      }
      rowStart += count;
    } while (rowStart < rows);
    return evaluation.finish();
  } finally {
    for (const one of memories) one.dispose();
  }
}
