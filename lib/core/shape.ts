/** Shapes: checks and the words they are shown in. */
import { describe, expected } from "./errors.js";

/** Sizes of the dimensions, outermost first. */
export type Shape = readonly number[];

/** `[512, 151936]` as it appears in messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

/** Throws unless `shape` is an array of non-negative safe integers whose product is one too. */
export function checkShape(where: string, name: string, shape: unknown): Shape {
  if (!Array.isArray(shape) || shape.length > 3) {
    throw expected(
      "ERR_SHAPE",
      where,
      `${name} to be an array of at most 3 sizes`,
      describe(shape),
    );
  }
  const copy = shape.map(Number);
  for (let i = 0; i < copy.length; i++) {
    if (typeof shape[i] !== "number" || !Number.isSafeInteger(copy[i]) || (copy[i] as number) < 0) {
      throw expected(
        "ERR_SHAPE",
        where,
        `${name}[${i}] to be a non-negative integer`,
        describe(shape[i]),
      );
    }
  }
  if (!Number.isSafeInteger(sizeOf(copy))) {
    throw expected("ERR_SHAPE", where, `${name} to have a size below 2^53`, showShape(copy));
  }
  return Object.freeze(copy);
}
