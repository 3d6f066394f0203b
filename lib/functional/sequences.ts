/** Options that say how [rows] arguments without logits make up sequences, and which of their rows count. */
import { PapoError } from "../core/errors.js";
import { checkShape } from "../core/shape.js";
import { type MaskInput, maskRows, type NumbersInput, shapeOf } from "./inputs.js";
import { type Layout, layoutOf } from "./layout.js";

export interface SequenceOptions {
  /** [rows] 0 or 1: whether the token counts. All do if not said. */
  readonly responseMask?: MaskInput | undefined;
  /** [sequences, tokens] of padded rows; [rows] is one sequence, or several with `cuSeqlens`. */
  readonly shape?: readonly [sequences: number, tokens: number] | readonly [rows: number];
  /** [sequences + 1] row offsets of packed sequences. */
  readonly cuSeqlens?: Int32Array | readonly number[] | undefined;
}

export const SEQUENCE_OPTIONS = ["responseMask", "shape", "cuSeqlens"] as const;

export interface Sequences {
  readonly layout: Layout;
  readonly mask: Int32Array | undefined;
}

/**
 * Layout and mask of a call.
 *
 * @param leading  the argument whose own shape counts where `shape` is not given
 * @throws PapoError ERR_SHAPE, ERR_RANGE, ERR_ARGUMENT
 */
export function sequencesOf(
  where: string,
  leading: NumbersInput,
  options: SequenceOptions,
): Sequences {
  const { shape: said = shapeOf(leading) } = options;
  const shape = checkShape(where, "shape", said);
  const layout = layoutOf(where, shape, options.cuSeqlens);
  return { layout, mask: maskRows(where, "responseMask", options.responseMask, layout.rows) };
}

/** Throws ERR_NOT_FINITE for NaN and +Infinity in a row that counts; −Infinity is the log-prob of what cannot be. */
export function checkLogProbs(
  where: string,
  name: string,
  values: Float64Array,
  mask: Int32Array | undefined,
): void {
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as number;
    if (mask?.[row] === 0 || value < Infinity) continue;
    throw notFinite(where, `${name}[${row}] to be a log-probability`, value, row);
  }
}

/** Throws ERR_NOT_FINITE for NaN and the infinities in a row that counts. */
export function checkFinite(
  where: string,
  name: string,
  values: Float64Array,
  mask: Int32Array | undefined,
): void {
  for (let row = 0; row < values.length; row++) {
    const value = values[row] as number;
    if (mask?.[row] === 0 || Number.isFinite(value)) continue;
    throw notFinite(where, `${name}[${row}] to be finite`, value, row);
  }
}

function notFinite(where: string, what: string, value: number, row: number): PapoError {
  return new PapoError("ERR_NOT_FINITE", `[${where}] expected ${what}, received ${value}`, { row });
}
