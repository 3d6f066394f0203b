/** Reading a peer's config: nested sections, dotted names or both; own data only, every name known, near or reported. */
import { describe, expected } from "../core/errors.js";
import { OTHER_WORDS } from "../objective/other-words.js";
import { isPlainObject, nearestOf } from "../objective/plain-object.js";
import type { Peer, PeerOption } from "./peer.js";

/** A config with every option of the table: those that were given, and the peer's defaults. */
export interface ReadConfig<O> {
  readonly values: O;
  readonly given: ReadonlySet<keyof O & string>;
  readonly ignored: readonly string[];
}

/** Deeper than any config; a cycle ends here. */
const MOST_LEVELS = 16;

/**
 * Reads `config` by the table of `peer`.
 *
 * A name may be given with as much of its section as one likes: `clip_ratio_low`, `actor.clip_ratio_low` and
 * `{ actor_rollout_ref: { actor: { clip_ratio_low } } }` are the same option.
 *
 * @throws PapoError ERR_ARGUMENT for what is no plain object, getters, an option given twice, and unknown names that are
 *         near a known one; what the option's reader throws for a bad value
 */
export function readConfig<O extends object>(peer: Peer<O>, config: unknown): ReadConfig<O> {
  const { where } = peer;
  if (!isPlainObject(config)) {
    throw expected("ERR_ARGUMENT", where, "a config to be a plain object", describe(config));
  }
  const names = Object.keys(peer.options) as (keyof O & string)[];
  const defaults = Object.fromEntries(names.map((name) => [name, peer.options[name].default])) as O;
  const given = new Map<keyof O & string, string>();
  // Without a prototype: what Object.prototype was given is no option.
  const own: Partial<O> = Object.create(null);
  const ignored: string[] = [];
  const nameOf = (path: string) =>
    names.find((name) => pathsOf(name, peer.options[name]).some((full) => ends(full, path)));
  // A name may be that of an option and of a section, as verl's policy_loss.
  const isSection = (path: string) =>
    nameOf(path) === undefined ||
    names.some((name) => `.${fullName(name, peer.options[name])}`.includes(`.${path}.`));
  for (const [path, value] of leavesOf(where, config, isSection, "", 0)) {
    const name = nameOf(path);
    if (name === undefined) {
      if (isUnrelated(peer.unrelated, path)) continue;
      refuseNear(peer, names, path);
      ignored.push(path);
      continue;
    }
    const before = given.get(name);
    if (before !== undefined) {
      throw expected("ERR_ARGUMENT", where, `${name} once`, `${before} and ${path}`);
    }
    given.set(name, path);
    own[name] = peer.options[name].read(where, path, value);
  }
  const values = { ...defaults, ...peer.under?.(own), ...own };
  return { values, given: new Set(given.keys()), ignored };
}

/** The full name of an option in the peer's own config. */
export function fullName<V, O>(name: string, { section }: PeerOption<V, O>): string {
  return section === undefined ? name : `${section}.${name}`;
}

/** All full names of an option. */
function pathsOf<V, O>(name: string, option: PeerOption<V, O>): readonly string[] {
  return [fullName(name, option), ...(option.alsoNamed ?? [])];
}

/** Whether `path` is `full` or the end of it. */
function ends(full: string, path: string): boolean {
  return full === path || full.endsWith(`.${path}`);
}

/** Own names and symbols; ERR_ARGUMENT for a proxy that refuses to tell them. */
function keysOf(where: string, config: object): readonly (string | symbol)[] {
  try {
    return Reflect.ownKeys(config);
  } catch {
    throw expected("ERR_ARGUMENT", where, "options that can be read", describe(config));
  }
}

/** Paths and values of everything that is no section. An undefined value counts as absent. */
function* leavesOf(
  where: string,
  config: object,
  isSection: (path: string) => boolean,
  prefix: string,
  level: number,
): Generator<[path: string, value: unknown]> {
  if (level > MOST_LEVELS) {
    throw expected("ERR_ARGUMENT", where, `at most ${MOST_LEVELS} levels of sections`, "more");
  }
  for (const key of keysOf(where, config)) {
    if (typeof key === "symbol") {
      throw expected("ERR_ARGUMENT", where, "names of options", describe(key));
    }
    const path = `${prefix}${key}`;
    const property = Object.getOwnPropertyDescriptor(config, key);
    if (property?.get !== undefined || property?.set !== undefined) {
      throw expected("ERR_ARGUMENT", where, `${path} to be a plain value`, "a getter or setter");
    }
    const value: unknown = property?.value;
    if (value === undefined) continue;
    if (isPlainObject(value) && isSection(path)) {
      yield* leavesOf(where, value, isSection, `${path}.`, level + 1);
    } else yield [path, value];
  }
}

function isUnrelated(unrelated: readonly string[], path: string): boolean {
  return unrelated.some((entry) =>
    entry.endsWith(".*") ? `.${path}.`.includes(`.${entry.slice(0, -1)}`) : ends(path, entry),
  );
}

/** Throws where `path` was probably meant to be an option of the table: misspelt, ours, or another peer's word. */
function refuseNear<O>(peer: Peer<O>, names: readonly (keyof O & string)[], path: string): void {
  const word = path.slice(path.lastIndexOf(".") + 1);
  const ofKey = new Map<string, string>();
  // An option that lands in one place only is the better answer for that place.
  const sharpest = [...names].sort(
    (a, b) => peer.options[a].ours.length - peer.options[b].ours.length,
  );
  for (const name of sharpest) {
    const option = peer.options[name];
    for (const place of option.ours) {
      if (!ofKey.has(place)) ofKey.set(place, fullName(name, option));
    }
  }
  const otherWords = new Map<string, string>();
  for (const [other, key] of [...OTHER_WORDS, ...[...ofKey.keys()].map(lowered)]) {
    const name = ofKey.get(key);
    if (name !== undefined) otherWords.set(other, name);
  }
  const nearest = nearestOf(word, names, otherWords);
  if (nearest === undefined) return;
  const full = names.find((name) => name === nearest);
  const hint = full === undefined ? nearest : fullName(full, peer.options[full]);
  const what = `options of ${peer.name}`;
  throw expected("ERR_ARGUMENT", peer.where, what, `${describe(path)} (did you mean ${hint}?)`);
}

function lowered(key: string): [word: string, key: string] {
  return [key.toLowerCase(), key];
}
