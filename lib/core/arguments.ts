/** Reading what callers hand in: every value is looked at once, and none is converted by code of its own. */
import { arrayLength, isRevoked } from "./arrays.js";
import { describe, expected } from "./errors.js";
import { innerArray } from "./slab.js";

/** Throws ERR_ARGUMENT for what is no object. */
export function checkObject(where: string, name: string, value: unknown): asserts value is object {
  if (typeof value === "object" && value !== null && !isRevoked(value)) return;
  throw expected("ERR_ARGUMENT", where, `${name} to be an object`, describe(value));
}

/**
 * The options that were given, each read once: what is checked afterwards is what is used, whatever a getter says next.
 * An option that is undefined counts as not given.
 *
 * @param name  of the object in messages
 * @throws PapoError ERR_ARGUMENT for what is no object, and for an option that is not among `known`: a misspelt one
 * would be silently without effect
 */
export function readOptions<O extends object>(
  where: string,
  options: O,
  known: readonly (keyof O & string)[],
  name = "options",
): O {
  checkObject(where, name, options);
  checkKeys(where, options, known, name);
  // A plain loop: this is the most frequent code of the library, several times in every call.
  const given: Partial<O> = {};
  for (const key of known) {
    const value = options[key];
    if (value !== undefined) given[key] = value;
  }
  return given as O;
}

/** Throws ERR_ARGUMENT for an option that is not among `known`. */
export function checkKeys(
  where: string,
  options: object,
  known: readonly string[],
  name: string,
): void {
  for (const key of keysOf(where, options, name)) {
    if (known.includes(key)) continue;
    const what = `${name} to hold only ${known.join(", ")}`;
    throw expected("ERR_ARGUMENT", where, what, describe(key));
  }
}

/** Own keys; ERR_ARGUMENT for a proxy that refuses to tell them. */
export function keysOf(where: string, options: object, name: string): readonly string[] {
  try {
    return Object.keys(options);
  } catch {
    throw expected("ERR_ARGUMENT", where, `${name} that can be read`, describe(options));
  }
}

/** Throws ERR_ARGUMENT for what cannot be called. */
export function checkFunction(where: string, name: string, value: unknown): void {
  if (typeof value === "function" && !isRevoked(value)) return;
  throw expected("ERR_ARGUMENT", where, `${name} to be a function`, describe(value));
}

/** Throws ERR_ARGUMENT for anything but a number; whether it is in its range is for others to check. */
export function checkNumber(where: string, name: string, value: unknown): void {
  if (typeof value === "number") return;
  throw expected("ERR_ARGUMENT", where, `${name} to be a number`, describe(value));
}

/** Throws ERR_ARGUMENT for anything but a string. */
export function checkText(where: string, name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw expected("ERR_ARGUMENT", where, `${name} to be a string`, describe(value));
}

/** A boolean option; anything else throws ERR_ARGUMENT. */
export function flag(where: string, name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === "boolean") return value;
  throw expected("ERR_ARGUMENT", where, `${name} to be a boolean`, describe(value));
}

/** `instanceof`; false for a proxy that was revoked or refuses to say. */
export function isOf<T>(Class: abstract new (...values: never) => T, value: unknown): value is T {
  try {
    return value instanceof Class;
  } catch {
    return false;
  }
}

/** What is only of the prototype refuses to say whether it was aborted. */
function isSignal(value: unknown): boolean {
  try {
    return value instanceof AbortSignal && typeof value.aborted === "boolean";
  } catch {
    return false;
  }
}

/** Throws ERR_ARGUMENT unless a signal is left out or can be listened to. */
export function checkSignal(where: string, signal: unknown): void {
  if (signal === undefined || isSignal(signal)) return;
  throw expected("ERR_ARGUMENT", where, "signal to be an AbortSignal", describe(signal));
}

/**
 * A float64 copy of an array or typed array, not to be handed to a caller (see `innerArray`); throws ERR_ARGUMENT unless
 * it holds numbers and nothing else.
 */
export function numbersOf(where: string, name: string, values: unknown): Float64Array {
  const length = arrayLength(values);
  if (length === undefined) {
    throw expected("ERR_ARGUMENT", where, `${name} to be an array of numbers`, describe(values));
  }
  const numbers = innerArray("float64", length);
  for (let i = 0; i < length; i++) {
    const value = (values as ArrayLike<unknown>)[i];
    if (typeof value !== "number") {
      throw expected("ERR_ARGUMENT", where, `${name}[${i}] to be a number`, describe(value));
    }
    numbers[i] = value;
  }
  return numbers;
}
