/** What the reference demands of its arguments: lengths, ranges, and numbers where numbers are needed. */
import { arrayLength } from "../core/arrays.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { MOST_ROWS } from "../core/shape.js";

/** Throws ERR_NOT_FINITE that names the row, in the message and in `row`. */
export function notFinite(where: string, what: string, row: number, received: string): PapoError {
  return new PapoError("ERR_NOT_FINITE", `[${where}] expected ${what}, received ${received}`, {
    row,
  });
}

/** A number of rows or of sequences, or ERR_RANGE. */
export function checkCount(where: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > MOST_ROWS) {
    const what = `${name} to be an integer from 0 to ${MOST_ROWS}`;
    throw expected("ERR_RANGE", where, what, describe(value));
  }
}

/** A number for which `holds` is true, or ERR_RANGE with the range in words. */
export function checkNumber(
  where: string,
  name: string,
  value: number,
  range: string,
  holds: (value: number) => boolean,
): void {
  if (typeof value !== "number" || !holds(value)) {
    throw expected("ERR_RANGE", where, `${name} to be ${range}`, describe(value));
  }
}

/** One of a few words, or ERR_ARGUMENT. */
export function checkWord(
  where: string,
  name: string,
  value: unknown,
  words: readonly string[],
): void {
  if ((words as readonly unknown[]).includes(value)) return;
  throw expected(
    "ERR_ARGUMENT",
    where,
    `${name} to be one of ${words.join(", ")}`,
    describe(value),
  );
}

/** An array or typed array of `length` numbers, or ERR_SHAPE; ERR_ARGUMENT where it is none or holds something else. */
export function checkNumbers(
  where: string,
  name: string,
  values: ArrayLike<number>,
  length: number,
): void {
  checkArray(where, name, values);
  if (arrayLength(values) !== length) {
    const received = String(arrayLength(values));
    throw expected("ERR_SHAPE", where, `${name} to hold ${length} numbers`, received);
  }
  checkElements(where, name, values, 0, length);
}

/** An array or typed array, or ERR_ARGUMENT. */
export function checkArray(where: string, name: string, values: unknown): void {
  if (arrayLength(values) !== undefined) return;
  throw expected("ERR_ARGUMENT", where, `${name} to be an array of numbers`, describe(values));
}

/** Numbers from `start` to before `end`, or ERR_ARGUMENT. */
export function checkElements(
  where: string,
  name: string,
  values: ArrayLike<number>,
  start: number,
  end: number,
): void {
  for (let i = start; i < end; i++) {
    const value: unknown = values[i];
    if (typeof value === "number") continue;
    throw expected("ERR_ARGUMENT", where, `${name}[${i}] to be a number`, describe(value));
  }
}

/** Which rows count: `[rows]` of 0 and 1, all of them where no mask is given. */
export function countedRows(
  where: string,
  responseMask: ArrayLike<number> | undefined,
  rows: number,
): Uint8Array {
  if (responseMask === undefined) return new Uint8Array(rows).fill(1);
  checkNumbers(where, "responseMask", responseMask, rows);
  return Uint8Array.from({ length: rows }, (_, row) => {
    const value = responseMask[row] as number;
    if (value === 0 || value === 1) return value;
    throw expected("ERR_RANGE", where, `responseMask[${row}] to be 0 or 1`, describe(value));
  });
}
