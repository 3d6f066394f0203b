/** What an objective is evaluated on, in its three forms, and the reading of its [rows] data. */
import { checkKeys, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, type Shape } from "../core/shape.js";
import {
  advantageRows,
  type MaskInput,
  maskRows,
  type NumbersInput,
  optionalNumberRows,
  shapeOf,
  type TokenIdsInput,
  tokenIdRows,
} from "../functional/inputs.js";
import { type Layout, layoutOf } from "../functional/layout.js";
import { checkFinite, checkLogProbs } from "../functional/sequences.js";
import type { Logits } from "../tensor/tensor.js";

/** What every form of a batch has: [rows], or [sequences, tokens] where the batch is padded. All are constants. */
export interface RowsInput {
  /** Log-probs of the sampled tokens under the policy that sampled them, nats; if absent the policy is its own old policy. */
  readonly oldLogProbs?: NumbersInput | undefined;
  /** Under the frozen reference, nats. */
  readonly refLogProbs?: NumbersInput | undefined;
  /** Under the sampler that drew the tokens (an inference engine), where it is not the old policy, nats. */
  readonly rolloutLogProbs?: NumbersInput | undefined;
  /** One per row or one per sequence, already normalised. */
  readonly advantages: NumbersInput;
  /** [sequences] accuracy of each answer, for what an objective weighs by correctness. */
  readonly accuracies?: NumbersInput | undefined;
  /** 1 (true) where the token counts; every token if absent. Rows with 0 are not read. */
  readonly responseMask?: MaskInput | undefined;
  /** [sequences + 1] row offsets of packed sequences, from 0 to rows. */
  readonly cuSeqlens?: Int32Array | readonly number[] | undefined;
}

/** A batch as logits: the usual form. They may lie on a device, both on one; everything of one number per token is on the host. */
export interface LogitsBatch extends RowsInput {
  /** [sequences, tokens, vocab], or [rows, vocab], before the temperature. */
  readonly logits: Logits;
  /** Of the same shape and dtype, scored on the masked image. */
  readonly maskedLogits?: Logits | undefined;
  /** Instead of `maskedLogits`: log-probs of the sampled tokens on the masked image, nats, constants. */
  readonly maskedLogProbs?: NumbersInput | undefined;
  /** Of the frozen reference, of the same shape and dtype, instead of `refLogProbs`; constants. */
  readonly refLogits?: Logits | undefined;
  /** The sampled tokens; anything where the mask is 0. */
  readonly tokenIds: TokenIdsInput;
}

/** A batch as per-token statistics that a trainer computed itself, nats, after the temperature. */
export interface LogProbsBatch extends RowsInput {
  /** Log-probs of the sampled tokens under the policy; gradients are taken in them. */
  readonly logProbs: NumbersInput;
  /** Log-probs of the sampled tokens under the masked policy, [rows] nats. */
  readonly maskedLogProbs?: NumbersInput | undefined;
  /** Exact statistics, needed where an exact estimator is asked for. */
  readonly entropy?: NumbersInput | undefined;
  /** Exact entropy of the masked policy, [rows] nats. */
  readonly maskedEntropy?: NumbersInput | undefined;
  /** KL(policy ‖ masked policy). */
  readonly kl?: NumbersInput | undefined;
  /** KL(masked policy ‖ policy). */
  readonly reverseKl?: NumbersInput | undefined;
  /** KL(policy ‖ reference) and KL(reference ‖ policy), for an exact refKlEstimator. */
  readonly refKl?: NumbersInput | undefined;
  /** KL(reference ‖ policy), for an exact refKlEstimator. */
  readonly refReverseKl?: NumbersInput | undefined;
}

/** The [rows] data of a batch whose logits come in blocks. */
export interface RowBlocksBatch extends RowsInput {
  /** [rows] the sampled tokens. */
  readonly tokenIds: TokenIdsInput;
  /** [rows] nats, instead of masked logits in the blocks: scored once and constant. */
  readonly maskedLogProbs?: NumbersInput | undefined;
  /** Columns of the logits that count. */
  readonly vocabSize: number;
  /** [sequences, tokens] or [rows]; that of `tokenIds` if absent. */
  readonly shape?: Shape | undefined;
}

/** What an objective is evaluated on: two sets of logits, or log-probs. */
export type Batch = LogitsBatch | LogProbsBatch;

/** The [rows] data in the one form the ops take; copies, so that the caller's arrays may change afterwards. */
export interface RowData {
  /** Dimensions before the vocabulary, which results of [rows] are given in. */
  readonly shape: Shape;
  readonly layout: Layout;
  readonly mask: Int32Array | undefined;
  readonly oldLogProbs: Float64Array | undefined;
  readonly refLogProbs: Float64Array | undefined;
  readonly rolloutLogProbs: Float64Array | undefined;
  readonly maskedLogProbs: Float64Array | undefined;
  readonly advantages: Float64Array;
  /** [sequences] */
  readonly accuracies: Float64Array | undefined;
}

/** The data of a batch that has tokens, as opposed to log-probs. */
export interface TokenRowData extends RowData {
  readonly tokenIds: Int32Array;
}

const ROWS_KEYS = [
  "oldLogProbs",
  "refLogProbs",
  "rolloutLogProbs",
  "maskedLogProbs",
  "advantages",
  "accuracies",
  "responseMask",
  "cuSeqlens",
] as const;
const LOGITS_KEYS = [...ROWS_KEYS, "logits", "maskedLogits", "refLogits", "tokenIds"] as const;
const BLOCKS_KEYS = [...ROWS_KEYS, "tokenIds", "vocabSize", "shape"] as const;
const STATISTICS_KEYS = [
  "logProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
  "refKl",
  "refReverseKl",
] as const;
const EITHER_KEYS = [...LOGITS_KEYS, ...STATISTICS_KEYS];
const LOG_PROBS_KEYS = [...ROWS_KEYS, ...STATISTICS_KEYS] as const;

/** A batch in either form, each field read once; throws ERR_ARGUMENT for what is neither, or both, or has unknown keys. */
export function readBatch(where: string, batch: Batch): Batch {
  const either = readOptions<Partial<LogitsBatch & LogProbsBatch>>(
    where,
    batch,
    EITHER_KEYS,
    "the batch",
  );
  const hasLogits = either.logits !== undefined;
  if (hasLogits === (either.logProbs !== undefined)) {
    const received = hasLogits ? "both" : "neither";
    throw expected("ERR_ARGUMENT", where, "a batch with logits or with logProbs", received);
  }
  checkKeys(where, either, hasLogits ? LOGITS_KEYS : LOG_PROBS_KEYS, "the batch");
  return either as Batch;
}

/** What says which rows there are and which of them count. */
export type RowFrame = Pick<RowData, "shape" | "layout" | "mask">;

/** Reads the layout and the mask of any form, `shape` being the dimensions before the vocabulary. */
export function rowFrame(where: string, batch: RowsInput, shape: Shape): RowFrame {
  const layout = layoutOf(where, shape, batch.cuSeqlens);
  const mask = maskRows(where, "responseMask", batch.responseMask, layout.rows);
  return { shape, layout, mask };
}

/** Reads the tokens and [rows] data of a batch of logits. */
export function tokenRowData(
  where: string,
  batch: LogitsBatch | RowBlocksBatch,
  shape: Shape,
): TokenRowData {
  const frame = rowFrame(where, batch, shape);
  const tokenIds = tokenIdRows(where, batch.tokenIds, frame.layout.rows, frame.mask);
  return Object.assign(rowData(where, batch, frame), { tokenIds });
}

/** Reads the [rows] data that every form has. */
export function rowData(
  where: string,
  batch: RowsInput & { readonly maskedLogProbs?: NumbersInput | undefined },
  frame: RowFrame,
): RowData {
  const { shape, layout, mask } = frame;
  const { rows } = layout;
  const numbers = (
    name: "oldLogProbs" | "refLogProbs" | "rolloutLogProbs" | "maskedLogProbs",
  ): Float64Array | undefined => optionalNumberRows(where, name, batch[name], rows);
  const rolloutLogProbs = numbers("rolloutLogProbs");
  // The ops check what they take; they do not take this.
  if (rolloutLogProbs) checkLogProbs(where, "rolloutLogProbs", rolloutLogProbs, mask);
  return {
    shape,
    layout,
    mask,
    oldLogProbs: numbers("oldLogProbs"),
    refLogProbs: numbers("refLogProbs"),
    rolloutLogProbs,
    maskedLogProbs: numbers("maskedLogProbs"),
    advantages: advantageRows(where, batch.advantages, layout),
    accuracies: accuraciesOf(where, batch.accuracies, layout),
  };
}

/** One accuracy per sequence, finite; undefined where there are none. */
export function accuraciesOf(
  where: string,
  value: NumbersInput | undefined,
  { sequences }: Layout,
): Float64Array | undefined {
  const accuracies = optionalNumberRows(where, "accuracies", value, sequences);
  if (accuracies) checkFinite(where, "accuracies", accuracies, undefined);
  return accuracies;
}

/** A batch whose logits come in blocks, each field read once, and its leading shape. */
export function readBlocksBatch(
  where: string,
  batch: RowBlocksBatch,
): { given: RowBlocksBatch; shape: Shape } {
  const given = readOptions(where, batch, BLOCKS_KEYS, "the batch");
  const { vocabSize, tokenIds, shape = shapeOf(tokenIds) } = given;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < 1) {
    throw expected("ERR_RANGE", where, "vocabSize to be an integer from 1 up", describe(vocabSize));
  }
  return { given, shape: checkShape(where, "shape", shape) };
}
