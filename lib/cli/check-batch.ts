/** Checks one batch file: evaluates it and compares everything it names under `expected.*`. */
import {
  type Device,
  type Evaluation,
  fromBfloat16,
  fromFloat16,
  type LogitsDType,
  PapoError,
} from "../index.js";
import type { BatchFile, LogitsArray } from "../io/batch-file.js";
import { Comparison, type ComparisonResult, FACTORS } from "./comparison.js";
import { evaluateFile, type FileEvaluationOptions, type GradientBlock } from "./evaluate-file.js";
import type { ChosenObjective } from "./evaluation-options.js";
import { GRADIENTS, type GradientName, isGradient, SCALARS, TOKEN_VALUES } from "./quantities.js";

/** One quantity of a file. */
export interface QuantityReport {
  readonly name: string;
  readonly holds: boolean;
  /** Absent where nothing could be compared. */
  readonly result?: ComparisonResult;
  readonly shape: readonly number[];
  /** Why nothing could be compared. */
  readonly reason?: string;
}

export interface FileReport {
  readonly file: string;
  readonly dtype: LogitsDType;
  /** Of the logits. */
  readonly shape: readonly number[];
  readonly chosen: ChosenObjective;
  readonly notes: readonly string[];
  readonly holds: boolean;
  readonly quantities: readonly QuantityReport[];
}

export interface CheckOptions {
  readonly device: string;
  readonly blockRows: number | "automatic";
  readonly step?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes for each element of a block of gradients: the expected float64, and a 16-bit gradient as float32. */
const BYTES_TO_COMPARE = 8 + 4;

/**
 * Compares every answer of the file with what the engine computes.
 *
 * @throws PapoError ERR_FILE for a file without answers, and for answers whose dtype or shape is not theirs; otherwise as
 *         `evaluateFile`
 */
export async function checkBatch(
  batch: BatchFile,
  chosen: ChosenObjective,
  options: CheckOptions,
): Promise<FileReport> {
  if (batch.expected.size === 0) throw fileError(batch, "expected.* tensors to check", "none");
  const shape = [...batch.shape, batch.vocabSize];
  for (const name of batch.expected.keys()) checkAnswer(batch, name, shape);
  const rowData = await batch.readRowData();
  const gradients = new GradientComparison(batch);
  const evaluation = await evaluateFile(batch, rowData, chosen.objective, {
    device: options.device as Device,
    blockRows: options.blockRows,
    step: options.step,
    seed: options.seed,
    signal: options.signal,
    gradients: gradients.wanted,
  });
  const quantities: QuantityReport[] = [];
  for (const [name, info] of batch.expected) {
    const report = { name, shape: info.shape };
    const result = isGradient(name)
      ? gradients.result(name)
      : await compareValues(batch, name, evaluation, rowData.responseMask);
    quantities.push(
      typeof result === "string"
        ? { ...report, holds: false, reason: result }
        : { ...report, holds: result.holds, result },
    );
  }
  if (quantities.every(({ holds, result }) => holds && result?.compared === 0)) {
    throw fileError(batch, "something to compare", "answers about no counted token only");
  }
  const holds = quantities.every((quantity) => quantity.holds);
  const { path: file, dtype } = batch;
  return { file, dtype, shape, chosen, notes: chosen.notes, holds, quantities };
}

function fileError({ path }: BatchFile, what: string, received: string): PapoError {
  return new PapoError("ERR_FILE", `[safetensors: ${path}] expected ${what}, received ${received}`);
}

/** An answer of the wrong shape is a broken file; an unknown one is reported with the others. */
function checkAnswer(batch: BatchFile, name: string, logitsShape: readonly number[]): void {
  const known = SCALARS.has(name)
    ? [1]
    : TOKEN_VALUES.has(name)
      ? batch.shape
      : isGradient(name)
        ? logitsShape
        : undefined;
  const info = batch.expected.get(name);
  if (known === undefined || info === undefined) return;
  const [wanted, received] = [known, info.shape].map((shape) => `[${shape.join(", ")}]`);
  if (wanted !== received) {
    throw fileError(batch, `"expected.${name}" ${wanted}`, received as string);
  }
  if (info.dtype !== "F64" && info.dtype !== "F32") {
    throw fileError(batch, `the dtype of "expected.${name}" to be one of F64, F32`, info.dtype);
  }
}

/** A number or one per token; a sentence where there is nothing to compare with. */
async function compareValues(
  batch: BatchFile,
  name: string,
  evaluation: Evaluation,
  responseMask: ArrayLike<number> | undefined,
): Promise<ComparisonResult | string> {
  const comparison = new Comparison(FACTORS.float32);
  const scalar = SCALARS.get(name);
  const key = TOKEN_VALUES.get(name);
  if (scalar !== undefined) {
    const [expected] = await batch.readExpected(name);
    comparison.add(scalar(evaluation), expected as number, 0);
    return comparison.result();
  }
  if (key === undefined) return "unknown quantity";
  const computed = evaluation.tokens?.[key]?.data;
  if (computed === undefined) return "not computed: the file has no input for it";
  const expected = await batch.readExpected(name);
  for (let row = 0; row < batch.rows; row++) {
    if (responseMask?.[row] === 0) continue;
    comparison.add(computed[row] as number, expected[row] as number, row);
  }
  return comparison.result();
}

/** Compares gradients while they come. */
class GradientComparison {
  readonly #batch: BatchFile;
  readonly #comparisons: ReadonlyMap<GradientName, Comparison>;
  #expected = new Float64Array(0);

  constructor(batch: BatchFile) {
    this.#batch = batch;
    const named = GRADIENTS.filter((name) => batch.expected.has(name));
    const factor = FACTORS[batch.dtype];
    this.#comparisons = new Map(named.map((name) => [name, new Comparison(factor)]));
  }

  /** What the evaluation has to give; nothing where no gradient is expected. */
  get wanted(): FileEvaluationOptions["gradients"] {
    if (this.#comparisons.size === 0) return undefined;
    return { bytesToTake: BYTES_TO_COMPARE, take: (block) => this.#take(block) };
  }

  result(name: GradientName): ComparisonResult {
    return (this.#comparisons.get(name) as Comparison).result();
  }

  async #take(block: GradientBlock): Promise<void> {
    const { vocabSize } = this.#batch;
    for (const [name, comparison] of this.#comparisons) {
      const length = block.rows * vocabSize;
      const expected = await this.#read(name, block);
      const bits = name === "grad_logits" ? block.gradLogits : block.gradMaskedLogits;
      const computed = bits && this.#numbers(bits);
      comparison.addRun(computed, expected, length, block.rowStart * vocabSize);
    }
  }

  /** Into memory that the next block uses again. */
  async #read(name: GradientName, { rowStart, rows }: GradientBlock): Promise<ArrayLike<number>> {
    const length = rows * this.#batch.vocabSize;
    if (this.#expected.length < length) this.#expected = new Float64Array(length);
    const isFloat64 = this.#batch.expected.get(name)?.dtype === "F64";
    const { buffer } = this.#expected;
    const into = isFloat64 ? this.#expected : new Float32Array(buffer, 0, length);
    return await this.#batch.readExpectedRows(name, rowStart, rows, into);
  }

  #numbers(gradient: LogitsArray): ArrayLike<number> {
    if (gradient instanceof Float32Array) return gradient;
    return this.#batch.dtype === "bfloat16" ? fromBfloat16(gradient) : fromFloat16(gradient);
  }
}
