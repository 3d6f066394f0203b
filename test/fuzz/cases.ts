/** A case of the fuzzer: a valid call by name and what is wrong with it, in words that can be written to a file. */

import fc from "fast-check";
import { isRevoked } from "../../lib/core/arrays.js";
import { VALUES } from "./values.js";
import { WAYS } from "./ways.js";

export interface Mutation {
  /** Where: keys from the call's fields down, joined by dots. */
  readonly place: string;
  /** How: a name of `WAYS`. */
  readonly way: string;
  /** What with: a name of `VALUES`. */
  readonly value: string;
}

export interface Case {
  readonly door: string;
  /** Bytes between a guard zone's end and the memory behind it, a multiple of 8; -1 leaves memory as it is. */
  readonly shift: number;
  readonly mutations: readonly Mutation[];
}

const SHIFTS = [0, 8, 24, 56, -1];

/** Cases of a door: mostly with one thing wrong, a few with nothing or with two things. Shrinks to one, and to 0. */
export function casesOf(door: string, places: readonly string[]): fc.Arbitrary<Case> {
  const mutation = fc.record({
    place: fc.constantFrom(...places),
    way: fc.constantFrom(...WAYS_BY_WEIGHT),
    value: fc.constantFrom(...Object.keys(VALUES)),
  });
  const mutations = fc.oneof(
    { arbitrary: fc.array(mutation, { minLength: 1, maxLength: 1 }), weight: 16 },
    { arbitrary: fc.array(mutation, { minLength: 2, maxLength: 2 }), weight: 3 },
    { arbitrary: fc.constant([]), weight: 1 },
  );
  return fc.record({ door: fc.constant(door), shift: fc.constantFrom(...SHIFTS), mutations });
}

const WAYS_BY_WEIGHT = Object.entries(WAYS).flatMap(([name, { weight }]) =>
  new Array<string>(weight).fill(name),
);

/** Every place of some fields: keys of objects and elements of arrays, three levels down; of long arrays the ends. */
export function placesOf(fields: object, depth = 3): string[] {
  const keys = Array.isArray(fields)
    ? [...new Set([0, Math.floor(fields.length / 2), fields.length - 1])].filter((i) => i >= 0)
    : Object.keys(fields);
  return keys.flatMap((key) => {
    const value = (fields as Record<string | number, unknown>)[key];
    const below = depth > 1 && isContainer(value) ? placesOf(value, depth - 1) : [];
    return [String(key), ...below.map((place) => `${key}.${place}`)];
  });
}

/** Objects and arrays of the caller's, that are looked into. */
export function isContainer(value: unknown): value is object {
  // Nothing can be put into it.
  if (isRevoked(value)) return false;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}
