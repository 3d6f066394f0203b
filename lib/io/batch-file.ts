/**
 * A batch as a safetensors file: which tensors it may hold, of which dtypes and shapes, and their reading.
 *
 * `logits` and `masked_logits` are [sequences, tokens, vocab], or [rows, vocab] (packed with `cu_seqlens`), before the
 * temperature; everything else is one number per token. `expected.NAME` are answers that come with the batch, and the
 * metadata `objective` is what they are answers to. The format is told in full in test/golden/README.md.
 */
import type { LogitsDType } from "../core/dtype.js";
import { type Shape, showShape, sizeOf } from "../core/shape.js";
import { SafetensorsFile } from "./safetensors.js";
import {
  fileError,
  type SafetensorsDType,
  type SafetensorsInfo,
  show,
} from "./safetensors-format.js";

/** Names of the two sets of logits. */
export type LogitsName = "logits" | "masked_logits";

/** Logits as they are read: bits in a Uint16Array for float16 and bfloat16. */
export type LogitsArray = Float32Array | Uint16Array;

/** Log-probs and advantages as they are read. */
type Numbers = Float32Array | Float64Array;

/** Everything of a batch that is one number per token or per sequence, flat. */
export interface BatchFileRows {
  readonly tokenIds: Int32Array | BigInt64Array;
  /** One per row or one per sequence. */
  readonly advantages: Numbers;
  readonly oldLogProbs?: Numbers;
  readonly refLogProbs?: Numbers;
  readonly rolloutLogProbs?: Numbers;
  /** One per sequence. */
  readonly accuracies?: Numbers;
  readonly maskedLogProbs?: Numbers;
  readonly responseMask?: Float32Array | Int32Array | Uint8Array;
  readonly cuSeqlens?: Int32Array;
}

/** dtypes of logits in a file, and what they are called outside of it. */
const LOGITS_DTYPES: Readonly<Partial<Record<SafetensorsDType, LogitsDType>>> = {
  F32: "float32",
  BF16: "bfloat16",
  F16: "float16",
};

/** F64 too, since that is what a result file holds: its log-probs may be the next batch's old ones. */
const NUMBERS: readonly SafetensorsDType[] = ["F32", "F64"];

/** dtypes of everything that is one number per row. */
const ROW_DTYPES: Readonly<Record<string, readonly SafetensorsDType[]>> = {
  token_ids: ["I32", "I64"],
  advantages: NUMBERS,
  old_log_probs: NUMBERS,
  ref_log_probs: NUMBERS,
  rollout_log_probs: NUMBERS,
  accuracies: NUMBERS,
  masked_log_probs: NUMBERS,
  response_mask: ["F32", "I32", "U8", "BOOL"],
  cu_seqlens: ["I32"],
};

type ShapeTexts = (of: { perRow: string; perSequence: string }) => readonly string[];

/** Those that are not one number per row only. */
const ROW_SHAPES: Readonly<Partial<Record<string, ShapeTexts>>> = {
  advantages: ({ perRow, perSequence }) => [perRow, perSequence],
  accuracies: ({ perSequence }) => [perSequence],
};

const EXPECTED = "expected.";
const INPUTS = ["logits", "masked_logits", ...Object.keys(ROW_DTYPES)];

/** A batch file opened for reading: its header checked, its tensors read when asked for. */
export class BatchFile {
  readonly path: string;
  readonly dtype: LogitsDType;
  /** Dimensions before the vocabulary: [sequences, tokens], or [rows]. */
  readonly shape: Shape;
  readonly rows: number;
  readonly sequences: number;
  readonly vocabSize: number;
  readonly has: Readonly<Record<"maskedLogits" | "maskedLogProbs" | "refLogProbs", boolean>>;
  /** What the file says of its answers, by the name after `expected.`. */
  readonly expected: ReadonlyMap<string, SafetensorsInfo>;
  /** The metadata `objective`, JSON text. */
  readonly objective: string | undefined;
  readonly #file: SafetensorsFile;

  private constructor(file: SafetensorsFile) {
    const { shape, dtype } = checkInputs(file);
    this.path = file.path;
    this.dtype = LOGITS_DTYPES[dtype] as LogitsDType;
    this.shape = shape.slice(0, -1);
    this.rows = sizeOf(this.shape);
    this.sequences = sequencesOf(file, this.shape);
    this.vocabSize = shape.at(-1) as number;
    this.has = {
      maskedLogits: file.tensors.has("masked_logits"),
      maskedLogProbs: file.tensors.has("masked_log_probs"),
      refLogProbs: file.tensors.has("ref_log_probs"),
    };
    this.expected = new Map(
      [...file.tensors]
        .filter(([name]) => name.startsWith(EXPECTED))
        .map(([name, info]) => [name.slice(EXPECTED.length), info]),
    );
    this.objective = file.metadata.get("objective");
    this.#file = file;
  }

  /**
   * Opens the file and checks its header: known names, dtypes, shapes that fit together. Reads no tensor.
   *
   * @throws PapoError ERR_FILE that names the file and the first thing that does not fit
   */
  static async open(path: string): Promise<BatchFile> {
    const file = await SafetensorsFile.open(path);
    try {
      return new BatchFile(file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Reads everything that is not of the size of the vocabulary; whether the numbers make sense is not looked at. */
  async readRowData(): Promise<BatchFileRows> {
    const read = async <T>(name: string) =>
      this.#file.tensors.has(name) ? ((await this.#file.read(name)) as T) : undefined;
    const rows = {
      tokenIds: await read<Int32Array>("token_ids"),
      advantages: await read<Numbers>("advantages"),
      oldLogProbs: await read<Numbers>("old_log_probs"),
      refLogProbs: await read<Numbers>("ref_log_probs"),
      rolloutLogProbs: await read<Numbers>("rollout_log_probs"),
      accuracies: await read<Numbers>("accuracies"),
      maskedLogProbs: await read<Numbers>("masked_log_probs"),
      responseMask: await read<Int32Array>("response_mask"),
      cuSeqlens: await read<Int32Array>("cu_seqlens"),
    };
    const present = Object.entries(rows).filter(([, values]) => values !== undefined);
    return Object.fromEntries(present) as unknown as BatchFileRows;
  }

  /** Rows `start` … `start + count − 1` of one set of logits, into memory for at least as many. */
  async readLogits(
    name: LogitsName,
    start: number,
    count: number,
    into: LogitsArray,
  ): Promise<void> {
    await this.#file.readRows(name, start, count, into);
  }

  /** A whole answer, flat; for those of the size of the tokens or less. */
  async readExpected(name: string): Promise<Numbers> {
    return (await this.#file.read(EXPECTED + name)) as Numbers;
  }

  /** Rows of an answer that is as large as the logits; errors as `SafetensorsFile.readRows`. */
  async readExpectedRows(
    name: string,
    start: number,
    count: number,
    into: Numbers,
  ): Promise<Numbers> {
    return await this.#file.readRows(EXPECTED + name, start, count, into);
  }

  /** Closes the file; what was read stays. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Checks every tensor but the answers against the logits, whose header entry it gives. */
function checkInputs(file: SafetensorsFile): SafetensorsInfo {
  const { path, tensors } = file;
  const stranger = [...tensors.keys()].find(
    (name) => !INPUTS.includes(name) && !name.startsWith(EXPECTED),
  );
  if (stranger !== undefined) {
    // A misspelt response_mask would otherwise be a batch where every token counts.
    const what = `only the tensors of a batch (${INPUTS.join(", ")}, ${EXPECTED}*)`;
    throw fileError(path, what, show(stranger));
  }
  for (const name of ["logits", "token_ids", "advantages"]) file.info(name);
  const logits = checkLogits(file);
  const shape = logits.shape.slice(0, -1);
  const sequences = sequencesOf(file, shape);
  for (const [name, dtypes] of Object.entries(ROW_DTYPES)) {
    const info = tensors.get(name);
    if (info === undefined) continue;
    checkDType(path, name, info, dtypes);
    if (name !== "cu_seqlens") checkRowShape(path, name, info.shape, shape, sequences);
  }
  return logits;
}

function checkLogits(file: SafetensorsFile): SafetensorsInfo {
  const { path, tensors } = file;
  const logits = file.info("logits");
  checkDType(path, "logits", logits, Object.keys(LOGITS_DTYPES) as SafetensorsDType[]);
  const { dtype, shape } = logits;
  if (shape.length < 2 || shape.length > 3 || shape.at(-1) === 0) {
    const what = '"logits" [sequences, tokens, vocab] or [rows, vocab] with a vocab of at least 1';
    throw fileError(path, what, showShape(shape));
  }
  const masked = tensors.get("masked_logits");
  if (masked === undefined) return logits;
  if (masked.dtype !== dtype || showShape(masked.shape) !== showShape(shape)) {
    const what = `"masked_logits" ${dtype} ${showShape(shape)} to match "logits"`;
    throw fileError(path, what, `${masked.dtype} ${showShape(masked.shape)}`);
  }
  if (tensors.has("masked_log_probs")) {
    throw fileError(path, '"masked_logits" or "masked_log_probs"', "both");
  }
  return logits;
}

/** Sequences of the batch; without `cu_seqlens`, rows in one dimension are one sequence. */
function sequencesOf(file: SafetensorsFile, shape: Shape): number {
  const offsets = file.tensors.get("cu_seqlens");
  if (offsets === undefined) return shape.length === 2 ? (shape[0] as number) : 1;
  if (shape.length === 2) {
    const what = '"cu_seqlens" only beside logits [rows, vocab]';
    throw fileError(file.path, what, "logits of three dimensions");
  }
  const [length = 0] = offsets.shape;
  if (offsets.shape.length !== 1 || length === 0) {
    throw fileError(file.path, '"cu_seqlens" [sequences + 1]', showShape(offsets.shape));
  }
  return length - 1;
}

function checkDType(
  path: string,
  name: string,
  { dtype }: SafetensorsInfo,
  dtypes: readonly SafetensorsDType[],
): void {
  if (dtypes.includes(dtype)) return;
  throw fileError(path, `the dtype of ${show(name)} to be one of ${dtypes.join(", ")}`, dtype);
}

function checkRowShape(
  path: string,
  name: string,
  received: Shape,
  shape: Shape,
  sequences: number,
): void {
  const [perRow, perSequence] = [showShape(shape), showShape([sequences])];
  const text = showShape(received);
  const shapes = ROW_SHAPES[name]?.({ perRow, perSequence }) ?? [perRow];
  if (shapes.includes(text)) return;
  const what = shapes.join(" or ");
  throw fileError(path, `${show(name)} ${what}`, text);
}
