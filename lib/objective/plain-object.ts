/** Reading plain objects that came from outside: own data properties only, each read once, unknown keys named. */
import { isArray } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";

/**
 * The own data properties of `value`, by key.
 *
 * Nothing is inherited (a polluted `Object.prototype` changes nothing), no getter is run, and `__proto__` from
 * `JSON.parse` is an unknown key like any other. A property whose value is `undefined` counts as absent.
 *
 * @param where  name in brackets at the start of messages
 * @param what   what the object is, for messages: "an objective", "the clip options"
 * @param keys   the keys it may have
 * @param otherWords  what other libraries call some of these keys, for the suggestion
 * @throws PapoError ERR_ARGUMENT for anything but a plain object, for accessors and for unknown keys
 */
export function ownValues<K extends string>(
  where: string,
  what: string,
  value: unknown,
  keys: readonly K[],
  otherWords?: ReadonlyMap<string, K>,
): Map<K, unknown> {
  const properties = ownProperties(value);
  if (properties === undefined) {
    throw expected("ERR_ARGUMENT", where, `${what} to be a plain object`, describe(value));
  }
  const values = new Map<K, unknown>();
  for (const [key, property] of properties) {
    const known = keys.find((candidate) => candidate === key);
    if (known === undefined) throw unknownKey(where, what, key, keys, otherWords);
    if (property === undefined || property.value === undefined) {
      if (property?.get === undefined && property?.set === undefined) continue;
      throw expected("ERR_ARGUMENT", where, `${known} to be a plain value`, "a getter or setter");
    }
    values.set(known, property.value);
  }
  return values;
}

/** An object literal of any realm, or one without a prototype; not a proxy that refuses to say. */
export function isPlainObject(value: unknown): value is object {
  try {
    if (typeof value !== "object" || value === null || isArray(value)) return false;
    const prototype: unknown = Object.getPrototypeOf(value);
    return prototype === null || Object.getPrototypeOf(prototype) === null;
  } catch {
    return false;
  }
}

/** The own properties of a plain object; undefined for anything else, and for a proxy that refuses to be read. */
export function ownProperties(
  value: unknown,
): [string | symbol, PropertyDescriptor | undefined][] | undefined {
  if (!isPlainObject(value)) return undefined;
  try {
    return Reflect.ownKeys(value).map((key) => [key, Object.getOwnPropertyDescriptor(value, key)]);
  } catch {
    return undefined;
  }
}

function unknownKey(
  where: string,
  what: string,
  key: string | symbol,
  keys: readonly string[],
  otherWords: ReadonlyMap<string, string> | undefined,
): Error {
  const nearest = typeof key === "string" ? nearestOf(key, keys, otherWords) : undefined;
  const hint = nearest === undefined ? "" : ` (did you mean ${nearest}?)`;
  return expected("ERR_ARGUMENT", where, `${what} to have known keys only`, describe(key) + hint);
}

/**
 * The known word that `word` was most probably meant to be, or undefined if none is near.
 * Case, `_` and `-` do not count; otherwise at most a third of the letters may differ.
 */
export function nearestOf(
  word: string,
  known: readonly string[],
  otherWords?: ReadonlyMap<string, string>,
): string | undefined {
  // Longer words are not near anything; the bound keeps hostile keys cheap.
  if (word.length > 64) return undefined;
  const bare = bareOf(word);
  const translated = otherWords?.get(bare);
  if (translated !== undefined) return translated;
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(bare, bareOf(candidate));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return least <= Math.max(1, Math.floor(bare.length / 3)) ? nearest : undefined;
}

function bareOf(word: string): string {
  return word.toLowerCase().replace(/[_\-\s]/g, "");
}

/** Insertions, deletions and replacements of one letter, and swaps of two neighbours. */
function editDistance(a: string, b: string): number {
  const row = (i: number) => Array.from({ length: b.length + 1 }, (_, j) => (j === 0 ? i : 0));
  let [older, previous] = [row(0), row(0).map((_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const current = row(i);
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? (older[j - 2] as number) + 1
          : replaced;
      const moved = Math.min(previous[j] as number, current[j - 1] as number) + 1;
      current[j] = Math.min(replaced, swapped, moved);
    }
    [older, previous] = [previous, current];
  }
  return previous[b.length] as number;
}
