/** How rows make up sequences: padded, packed, or one after the other. */

import { numbersOf } from "../core/arguments.js";
import { isArray } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { MOST_EMPTY_SEQUENCES, MOST_ROWS, type Shape, showShape } from "../core/shape.js";
import { typedArrayClass } from "../core/typed-array.js";

export interface Layout {
  /** Tokens of the call, those that do not count included. */
  readonly rows: number;
  readonly sequences: number;
  /** [sequences + 1] The rows of sequence s are offsets[s] … offsets[s + 1] − 1. */
  readonly offsets: Int32Array;
  /** Tokens a sequence could have had: the padded width, or the longest packed sequence. */
  readonly maxLength: number;
}

/**
 * The layout of a batch.
 *
 * @param leading    dimensions before the vocabulary: [sequences, tokens], or [rows]
 * @param cuSeqlens  [sequences + 1] row offsets of packed sequences, from 0 to rows; with [rows] only.
 *                   [rows] without them is one sequence.
 * @throws PapoError ERR_SHAPE, ERR_RANGE, ERR_ARGUMENT
 */
export function layoutOf(
  where: string,
  leading: Shape,
  cuSeqlens?: Int32Array | readonly number[],
): Layout {
  const [first = 1, tokens] = leading;
  if (leading.length < 1 || leading.length > 2) {
    const what = "rows in one dimension, or sequences and tokens in two";
    throw expected("ERR_SHAPE", where, what, showShape(leading));
  }
  if (cuSeqlens !== undefined) {
    if (tokens !== undefined) {
      const what = "cuSeqlens only with logits [rows, vocab]";
      throw expected("ERR_ARGUMENT", where, what, `sequences and tokens ${showShape(leading)}`);
    }
    return packed(where, first, cuSeqlens);
  }
  const [sequences, maxLength] = tokens === undefined ? [1, first] : [first, tokens];
  checkSizes(where, leading, sequences, maxLength);
  const offsets = new Int32Array(sequences + 1);
  for (let s = 1; s <= sequences; s++) offsets[s] = s * maxLength;
  return { rows: sequences * maxLength, sequences, offsets, maxLength };
}

function checkSizes(where: string, leading: Shape, sequences: number, length: number): void {
  if (sequences * length > MOST_ROWS) {
    throw expected("ERR_SHAPE", where, `at most ${MOST_ROWS} rows`, showShape(leading));
  }
  if (length === 0 && sequences > MOST_EMPTY_SEQUENCES) {
    const what = `at most ${MOST_EMPTY_SEQUENCES} sequences without tokens`;
    throw expected("ERR_SHAPE", where, what, showShape(leading));
  }
}

function packed(where: string, rows: number, cuSeqlens: Int32Array | readonly number[]): Layout {
  if (!isArray(cuSeqlens) && typedArrayClass(cuSeqlens) !== "Int32Array") {
    const what = "cuSeqlens to be an Int32Array or an array of numbers";
    throw expected("ERR_ARGUMENT", where, what, describe(cuSeqlens));
  }
  const given = numbersOf(where, "cuSeqlens", cuSeqlens);
  if (given.length === 0) {
    throw expected("ERR_SHAPE", where, "cuSeqlens [sequences + 1]", "no elements");
  }
  checkSizes(where, [rows], 1, rows);
  const offsets = Int32Array.from(given);
  const last = offsets.length - 1;
  const refuse = (s: number, range: string) =>
    expected("ERR_RANGE", where, `cuSeqlens[${s}] to be ${range}`, describe(given[s]));
  if (given[0] !== 0) throw refuse(0, "0");
  let maxLength = 0;
  for (let s = 1; s <= last; s++) {
    const [start, end] = [offsets[s - 1] as number, offsets[s] as number];
    if (given[s] !== end || end < start || end > rows) throw refuse(s, `in ${start}…${rows}`);
    maxLength = Math.max(maxLength, end - start);
  }
  if (offsets[last] !== rows) throw refuse(last, `${rows}, the number of rows`);
  return { rows, sequences: last, offsets, maxLength };
}
