/** Shapes: checks and the words they are shown in. */
import { listLength } from "./arrays.js";
import { describe, expected } from "./errors.js";

/** Sizes of the dimensions, outermost first. */
export type Shape = readonly number[];

/** Rows of one call, so that the offsets of its sequences fit 32 bits. */
export const MOST_ROWS: number = 2 ** 31 - 1;

/** Sequences without tokens in one call: they take no logits, so that nothing else bounds them. */
export const MOST_EMPTY_SEQUENCES: number = 2 ** 20;

/** `[512, 151936]` as it appears in messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Whether two shapes have the same dimensions. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

/** A frozen copy of `shape`; throws unless it is an array of non-negative safe integers whose product is one too. */
export function checkShape(where: string, name: string, shape: unknown): Shape {
  const length = listLength(shape);
  if (length === undefined || length > 3) {
    throw expected(
      "ERR_SHAPE",
      where,
      `${name} to be an array of at most 3 sizes`,
      describe(shape),
    );
  }
  const copy = Array.from({ length }, (_, i): number => {
    const size: unknown = (shape as readonly unknown[])[i];
    if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0) return size;
    throw expected(
      "ERR_SHAPE",
      where,
      `${name}[${i}] to be a non-negative integer`,
      describe(size),
    );
  });
  if (!Number.isSafeInteger(sizeOf(copy))) {
    throw expected("ERR_SHAPE", where, `${name} to have a size below 2^53`, showShape(copy));
  }
  return Object.freeze(copy);
}
