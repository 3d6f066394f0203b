/** What the reference demands of its arguments: lengths, ranges, and numbers where numbers are needed. */
import { describe, expected, PapoError } from "../core/errors.js";

/** Throws ERR_NOT_FINITE that names the row, in the message and in `row`. */
export function notFinite(where: string, what: string, row: number, received: string): PapoError {
  return new PapoError("ERR_NOT_FINITE", `[${where}] expected ${what}, received ${received}`, {
    row,
  });
}

/** A non-negative integer, or ERR_RANGE. */
export function checkCount(where: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw expected("ERR_RANGE", where, `${name} to be a non-negative integer`, describe(value));
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

/** `length` numbers in anything with a length, or ERR_SHAPE; ERR_ARGUMENT where it has none. */
export function checkLength(
  where: string,
  name: string,
  values: ArrayLike<number>,
  length: number,
): void {
  if (typeof values !== "object" || values === null || typeof values.length !== "number") {
    throw expected("ERR_ARGUMENT", where, `${name} to be an array of numbers`, describe(values));
  }
  if (values.length !== length) {
    throw expected("ERR_SHAPE", where, `${name} to hold ${length} numbers`, String(values.length));
  }
}

/** Which rows count: `[rows]` of 0 and 1, all of them where no mask is given. */
export function countedRows(
  where: string,
  responseMask: ArrayLike<number> | undefined,
  rows: number,
): readonly boolean[] {
  if (responseMask === undefined) return Array.from({ length: rows }, () => true);
  checkLength(where, "responseMask", responseMask, rows);
  return Array.from(responseMask, (value, row) => {
    if (value !== 0 && value !== 1) {
      throw expected("ERR_RANGE", where, `responseMask[${row}] to be 0 or 1`, describe(value));
    }
    return value === 1;
  });
}
