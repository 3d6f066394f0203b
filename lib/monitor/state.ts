/** A monitor's state as plain JSON, and its strict reading. */
import { readOptions } from "../core/arguments.js";
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { finiteNumber, numberWithin, oneOf } from "../core/option-values.js";
import { QUANTITY_NAMES, type Quantity } from "./measurements.js";
import type { MonitorLevel } from "./report.js";
import { type MonitorRules, readRules, wholeNumber } from "./rules.js";
import { type Measured, type Point, SIGN_NAMES, type SignName, type SignState } from "./signs.js";
import { EMPTY_TRACK, type TrackState } from "./track.js";

/** Version of the layout; another one is refused. */
const VERSION = 1;

/** All that a monitor knows. Belongs into the checkpoint of the step it was taken at. */
export interface MonitorState extends Measured {
  /** Marks the state. */
  readonly kind: "collapse-monitor";
  /** Form of the state. */
  readonly version: typeof VERSION;
  /** The parameters of the monitor, resolved. */
  readonly rules: MonitorRules;
  /** The last step; −1 before the first. */
  readonly step: number;
  /** How bad it was. */
  readonly level: MonitorLevel;
  /** First step of the level; 0 before the first step. */
  readonly since: number;
  /** Which of its metrics stands for a quantity, by the order of preference; chosen once. */
  readonly sources: Readonly<Partial<Record<Quantity, number>>>;
  /** The signs that show. */
  readonly signs: Readonly<Partial<Record<SignName, SignState>>>;
  /** Last rewards, `[step, reward]`. */
  readonly rewards: readonly Point[];
}

const STATE_KEYS = [
  "kind",
  "version",
  "rules",
  "step",
  "level",
  "since",
  "sources",
  "tokens",
  "tracks",
  "leastMaskedEntropy",
  "trends",
  "signs",
  "rewards",
] as const;

/** The state at the start. */
export function emptyState(rules: MonitorRules): MonitorState {
  const tracks = Object.fromEntries(
    QUANTITY_NAMES.map((name) => [name, EMPTY_TRACK]),
  ) as unknown as Record<Quantity, TrackState>;
  return {
    kind: "collapse-monitor",
    version: VERSION,
    rules,
    step: -1,
    level: "calm",
    since: 0,
    sources: {},
    tokens: 0,
    tracks,
    leastMaskedEntropy: undefined,
    trends: { entropy: [], maskedEntropy: [] },
    signs: {},
    rewards: [],
  };
}

/**
 * A state from outside, checked to the last number.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE; ERR_UNSUPPORTED for another version
 */
export function readState(where: string, value: unknown): MonitorState {
  const given = readOptions(where, value as MonitorState, STATE_KEYS, "state");
  oneOf(where, "state.kind", given.kind, ["collapse-monitor"]);
  if (given.version !== VERSION) {
    const what = `state.version to be ${VERSION}`;
    throw expected("ERR_UNSUPPORTED", where, what, describe(given.version));
  }
  const rules = readRules(where, given.rules, "state.rules", true);
  const step = wholeNumber(where, "state.step", given.step, -1);
  const least = given.leastMaskedEntropy;
  return {
    kind: "collapse-monitor",
    version: VERSION,
    rules,
    step,
    level: oneOf(where, "state.level", given.level, ["calm", "warning", "alarm"]),
    since: wholeNumber(where, "state.since", given.since, 0, Math.max(step, 0)),
    sources: sourcesOf(where, given.sources),
    tokens: numberWithin(where, "state.tokens", given.tokens, 0),
    tracks: tracksOf(where, given.tracks, rules, step),
    leastMaskedEntropy:
      least === undefined ? undefined : finiteNumber(where, "state.leastMaskedEntropy", least),
    trends: trendsOf(where, given.trends, rules, step),
    signs: signsOf(where, given.signs, step),
    rewards: pointsOf(where, "state.rewards", given.rewards, rules.window, step),
  };
}

function sourcesOf(where: string, value: unknown): MonitorState["sources"] {
  const given = readOptions(
    where,
    value as MonitorState["sources"],
    QUANTITY_NAMES,
    "state.sources",
  );
  const sources: Partial<Record<Quantity, number>> = {};
  for (const name of QUANTITY_NAMES) {
    if (given[name] === undefined) continue;
    sources[name] = wholeNumber(where, `state.sources.${name}`, given[name], 0, 1);
  }
  return sources;
}

function tracksOf(
  where: string,
  value: unknown,
  rules: MonitorRules,
  step: number,
): MonitorState["tracks"] {
  const given = readOptions(where, value as MonitorState["tracks"], QUANTITY_NAMES, "state.tracks");
  const keys = ["count", "baseline", "recent", "at"] as const;
  const read = (quantity: Quantity): TrackState => {
    const name = `state.tracks.${quantity}`;
    const one = readOptions(where, given[quantity], keys, name);
    const count = wholeNumber(where, `${name}.count`, one.count, 0);
    const most = Math.min(count, Math.max(rules.recent, rules.warmUp));
    const recent = listOf(where, `${name}.recent`, one.recent, most);
    return {
      count,
      baseline: finiteNumber(where, `${name}.baseline`, one.baseline),
      recent: recent.map((number, at) => finiteNumber(where, `${name}.recent[${at}]`, number)),
      at: wholeNumber(where, `${name}.at`, one.at, -1, step),
    };
  };
  return Object.fromEntries(
    QUANTITY_NAMES.map((quantity) => [quantity, read(quantity)]),
  ) as unknown as Record<Quantity, TrackState>;
}

function trendsOf(
  where: string,
  value: unknown,
  { window }: MonitorRules,
  step: number,
): MonitorState["trends"] {
  const keys = ["entropy", "maskedEntropy"] as const;
  const given = readOptions(where, value as MonitorState["trends"], keys, "state.trends");
  const read = (key: (typeof keys)[number]) =>
    pointsOf(where, `state.trends.${key}`, given[key], window, step);
  return { entropy: read("entropy"), maskedEntropy: read("maskedEntropy") };
}

function signsOf(where: string, value: unknown, step: number): MonitorState["signs"] {
  const given = readOptions(where, value as MonitorState["signs"], SIGN_NAMES, "state.signs");
  const keys = ["level", "since", "peak"] as const;
  const signs: Partial<Record<SignName, SignState>> = {};
  for (const sign of SIGN_NAMES) {
    if (given[sign] === undefined) continue;
    const name = `state.signs.${sign}`;
    const one = readOptions(where, given[sign], keys, name);
    signs[sign] = {
      level: oneOf(where, `${name}.level`, one.level, ["warn", "alarm"]),
      since: wholeNumber(where, `${name}.since`, one.since, 0, Math.max(step, 0)),
      peak: numberWithin(where, `${name}.peak`, one.peak, 0),
    };
  }
  return signs;
}

/** Points whose steps go up and end at `last` or before. */
function pointsOf(
  where: string,
  name: string,
  value: unknown,
  most: number,
  last: number,
): readonly Point[] {
  let before = -1;
  return listOf(where, name, value, most).map((point, at) => {
    const pair = listOf(where, `${name}[${at}]`, point, 2);
    const step = wholeNumber(where, `${name}[${at}][0]`, pair[0], before + 1, Math.max(last, 0));
    before = step;
    return [step, finiteNumber(where, `${name}[${at}][1]`, pair[1])] as const;
  });
}

function listOf(where: string, name: string, value: unknown, most: number): readonly unknown[] {
  const length = listLength(value);
  if (length === undefined || length > most) {
    throw expected(
      "ERR_ARGUMENT",
      where,
      `${name} to be an array of up to ${most}`,
      describe(value),
    );
  }
  return Array.from({ length }, (_, at) => (value as readonly unknown[])[at]);
}
