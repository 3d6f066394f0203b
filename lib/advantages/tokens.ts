/** The tokens of a batch as estimators walk them: what counts, how many there are, what they hold. */
import { arrayLength } from "../core/arrays.js";
import { allocate } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, type Shape } from "../core/shape.js";
import {
  type MaskInput,
  maskRows,
  type NumbersInput,
  numberRows,
  shapeOf,
} from "../functional/inputs.js";
import { type Layout, layoutOf } from "../functional/layout.js";

export interface TokenLayoutOptions {
  /** [sequences, tokens] of padded rows; [rows] is one sequence, or several with `cuSeqlens`. */
  readonly shape?: readonly [sequences: number, tokens: number] | readonly [rows: number];
  /** [sequences + 1] row offsets of packed sequences. */
  readonly cuSeqlens?: Int32Array | readonly number[] | undefined;
  /** [rows] 0 or 1: whether the token counts. All do if not said. */
  readonly responseMask?: MaskInput | undefined;
}

/** [rows] inputs beside the layout, any of which says how many rows there are. */
interface RowInputs extends TokenLayoutOptions {
  readonly values?: NumbersInput | undefined;
  readonly tokenRewards?: NumbersInput | undefined;
}

/**
 * Rows of each sequence's tokens that count; none where `present` is 0.
 *
 * @throws PapoError ERR_ARGUMENT where nothing says how many rows there are, ERR_SHAPE, ERR_RANGE
 */
export function countedTokens(
  where: string,
  given: RowInputs,
  present: Int32Array,
): { readonly rows: number; readonly tokens: Int32Array[] } {
  const sequences = present.length;
  const check = (received: number | undefined): void => {
    if (received === sequences) return;
    const what = `a layout of ${sequences} sequences, one for each reward`;
    throw expected("ERR_SHAPE", where, what, `${received}`);
  };
  const shape = leadingShape(where, given);
  // Before offsets are made for as many sequences as a shape can name.
  if (shape.length === 2) check(shape[0]);
  const layout: Layout = layoutOf(where, shape, given.cuSeqlens);
  check(layout.sequences);
  const mask = maskRows(where, "responseMask", given.responseMask, layout.rows);
  const tokens = Array.from({ length: sequences }, (_, s) => {
    const begin = layout.offsets[s] as number;
    const end = layout.offsets[s + 1] as number;
    const rows = allocate("int32", present[s] === 1 ? end - begin : 0);
    let count = 0;
    for (let row = begin; row < begin + rows.length; row++) {
      if (mask?.[row] !== 0) rows[count++] = row;
    }
    return rows.subarray(0, count);
  });
  return { rows: layout.rows, tokens };
}

function leadingShape(where: string, given: RowInputs): Shape {
  if (given.shape !== undefined) return checkShape(where, "shape", given.shape);
  const rows = given.values ?? given.tokenRewards;
  if (rows !== undefined) return shapeOf(rows);
  if (given.cuSeqlens !== undefined) {
    // What is wrong with them is for the layout to say.
    const length = arrayLength(given.cuSeqlens) ?? 0;
    const last: unknown = length === 0 ? 0 : given.cuSeqlens[length - 1];
    return [Number.isSafeInteger(last) && (last as number) >= 0 ? (last as number) : 0];
  }
  throw expected("ERR_ARGUMENT", where, "shape or cuSeqlens", "neither");
}

/** One number per row; those of tokens that count must be finite, the others become 0. */
export function countedNumbers(
  where: string,
  name: string,
  value: NumbersInput,
  rows: number,
  tokens: readonly Int32Array[],
): Float64Array {
  const numbers = numberRows(where, name, value, rows);
  const counted = allocate("float64", rows);
  for (const own of tokens) {
    for (const row of own) {
      const number = numbers[row] as number;
      if (!Number.isFinite(number)) {
        const what = `${name}[${row}] to be finite`;
        throw expected("ERR_NOT_FINITE", where, what, describe(number));
      }
      counted[row] = number;
    }
  }
  return counted;
}
