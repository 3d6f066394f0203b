/** The file that `papo loss --out` writes: gradients while they come, everything else at the end, complete or not at all. */
import {
  type Evaluation,
  type LogitsDType,
  type ObjectiveSpec,
  type SafetensorsEntry,
  SafetensorsWriter,
  version,
} from "../index.js";
import type { BatchFile } from "../io/batch-file.js";
import type { GradientBlock } from "./evaluate-file.js";
import { SCALARS, TOKEN_VALUES, tokenValuesOf } from "./quantities.js";

const FILE_DTYPES = { float32: "F32", bfloat16: "BF16", float16: "F16" } as const;

export interface ResultFileOptions {
  readonly spec: ObjectiveSpec;
  /** Of the gradients. */
  readonly gradDType: LogitsDType;
  readonly gradScale: number;
  readonly step: number | undefined;
}

/** A result file being written. `grad_masked_logits` is absent where it would be all zeros: a constant masked branch. */
export class ResultFile {
  readonly #writer: SafetensorsWriter;

  private constructor(writer: SafetensorsWriter) {
    this.#writer = writer;
  }

  /** Begins the file of an evaluation of `batch`; errors as `SafetensorsWriter.create`. */
  static async create(
    path: string,
    batch: BatchFile,
    { spec, gradDType, gradScale, step }: ResultFileOptions,
  ): Promise<ResultFile> {
    const gradient = { dtype: FILE_DTYPES[gradDType], shape: [...batch.shape, batch.vocabSize] };
    const isDifferentiable = batch.has.maskedLogits && spec.maskedBranch === "differentiable";
    const entries: Record<string, SafetensorsEntry> = {
      grad_logits: gradient,
      ...(isDifferentiable ? { grad_masked_logits: gradient } : {}),
    };
    for (const name of SCALARS.keys()) entries[name] = { dtype: "F64", shape: [1] };
    for (const name of tokenValuesOf(batch, spec)) {
      entries[name] = { dtype: "F64", shape: batch.shape };
    }
    const metadata = {
      objective: JSON.stringify(spec),
      grad_scale: String(gradScale),
      ...(step === undefined ? {} : { step: String(step) }),
      papo: version,
    };
    return new ResultFile(await SafetensorsWriter.create(path, entries, metadata));
  }

  async writeGradients(block: GradientBlock): Promise<void> {
    const { rowStart, gradLogits, gradMaskedLogits } = block;
    await this.#writer.writeRows("grad_logits", rowStart, gradLogits);
    if (gradMaskedLogits === undefined) return;
    await this.#writer.writeRows("grad_masked_logits", rowStart, gradMaskedLogits);
  }

  /** Writes loss, terms and per-token values, and gives the file its name. */
  async finish(evaluation: Evaluation): Promise<void> {
    for (const [name, scalarOf] of SCALARS) {
      await this.#writer.write(name, Float64Array.of(scalarOf(evaluation)));
    }
    for (const [name, key] of TOKEN_VALUES) {
      if (!this.#writer.tensors.has(name)) continue;
      const values = evaluation.tokens?.[key];
      await this.#writer.write(name, values?.data ?? new Float64Array(0));
    }
    await this.#writer.finish();
  }

  /** Leaves nothing of a file that is not finished. */
  async abandon(): Promise<void> {
    await this.#writer.abandon();
  }
}
