/** Arrays as callers hand them in: a proxy of one says what it likes of its length, and a revoked one nothing. */
import { typedArrayClass, typedArrayLength } from "./typed-array.js";

/** Whether a value is a proxy that was revoked, of which nothing can be asked. */
export function isRevoked(value: unknown): boolean {
  try {
    // The one question about a proxy that runs no code of its handler.
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
}

/** `Array.isArray`; false for a proxy that was revoked, where that throws. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/**
 * Length of an array or a typed array; undefined for everything else: strings, objects with a length, and proxies of
 * arrays whose length is none.
 */
export function arrayLength(value: unknown): number | undefined {
  if (isArray(value)) return lengthOf(value);
  return typedArrayClass(value) === undefined ? undefined : typedArrayLength(value as object);
}

/** Length of an array, but not of a typed one. */
export function listLength(value: unknown): number | undefined {
  return isArray(value) ? lengthOf(value) : undefined;
}

function lengthOf({ length }: { readonly length: unknown }): number | undefined {
  const isLength = typeof length === "number" && length >= 0 && length < 2 ** 32;
  return isLength && Number.isInteger(length) ? length : undefined;
}
