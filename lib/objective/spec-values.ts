/** Readers of single values from outside: each checks one value and returns it, frozen where it is an object. */
import { describe, expected } from "../core/errors.js";
import { nearestOf, ownValues } from "./plain-object.js";

/** Checks `value`; throws ERR_ARGUMENT for the wrong kind and ERR_RANGE for a number outside its range. */
export type Reader<V> = (where: string, name: string, value: unknown) => V;

/** A finite number for which `holds`. */
export function numberWhere(range: string, holds: (x: number) => boolean): Reader<number> {
  return (where, name, value) => {
    if (typeof value !== "number") {
      throw expected("ERR_ARGUMENT", where, `${name} to be a number ${range}`, describe(value));
    }
    if (!Number.isFinite(value) || !holds(value)) {
      throw expected("ERR_RANGE", where, `${name} to be a number ${range}`, describe(value));
    }
    return value;
  };
}

/** One of a few words; another one is answered with the nearest. */
export function oneOf<T extends string>(words: readonly T[]): Reader<T> {
  return (where, name, value) => {
    const word = words.find((candidate) => candidate === value);
    if (word !== undefined) return word;
    const list = words.map((candidate) => `"${candidate}"`).join(", ");
    const nearest = typeof value === "string" ? nearestOf(value, words) : undefined;
    const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
    const what = `${name} to be one of ${list}`;
    throw expected("ERR_ARGUMENT", where, what, describe(value) + hint);
  };
}

/** true or false. */
export const readFlag: Reader<boolean> = (where, name, value) => {
  if (typeof value === "boolean") return value;
  throw expected("ERR_ARGUMENT", where, `${name} to be a boolean`, describe(value));
};

/** A bound above 0, or null for none. */
export const readLimit: Reader<number | null> = (where, name, value) => {
  // JSON has no Infinity, so "no limit" is null; the number means the same to a JavaScript caller.
  if (value === null || value === Number.POSITIVE_INFINITY) return null;
  return numberWhere("above 0, or null (no limit)", (x) => x > 0)(where, name, value);
};

/** null, which switches something off, or what `reader` reads. */
export function nullOr<V>(reader: Reader<V>): Reader<V | null> {
  return (where, name, value) => (value === null ? null : reader(where, name, value));
}

/** A field of an object: its reader, and its value where it is left out; without one it has to be given. */
export interface Field<V> {
  readonly read: Reader<V>;
  readonly otherwise?: V;
}

/** A plain object with these fields and no others, complete and frozen. */
export function objectOf<V extends object>(
  fields: {
    readonly [K in keyof V & string]: Field<V[K]>;
  },
): Reader<V> {
  const keys = Object.keys(fields) as (keyof V & string)[];
  return (where, name, value) => {
    const given = ownValues(where, name, value, keys);
    const read = keys.map((key) => {
      const { otherwise } = fields[key];
      if (!given.has(key) && otherwise !== undefined) return [key, otherwise];
      return [key, fields[key].read(where, `${name}.${key}`, given.get(key))];
    });
    return Object.freeze(Object.fromEntries(read)) as V;
  };
}
