/** The numbers of the monitor, each a parameter, with where it comes from. */
import { readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { finiteNumber, numberWithin, positiveNumber } from "../core/option-values.js";

/** When a quantity is a sign: how many times its baseline (the masked entropy: its minimum) it is. */
export interface Threshold {
  /** Above this factor the sign shows. */
  readonly warn: number;
  /** Above this one it is strong; at least `warn`. */
  readonly alarm: number;
  /** Smallest value that counts as a baseline, in the unit of the quantity: a sign is above `warn · floor`. */
  readonly floor: number;
}

/** Every parameter of a monitor, resolved: plain JSON. */
export interface MonitorRules {
  /** Of the sign "perception-kl", times its baseline and nats. */
  readonly perceptionKl: Threshold;
  /** Of the sign "perception-kl-variance", times its baseline and nats². */
  readonly perceptionKlVariance: Threshold;
  /** Of the sign "clip-fraction", times its baseline and a fraction of the tokens. */
  readonly clipFraction: Threshold;
  /** Of the sign "entropies", times the minimum of the masked entropy and nats. */
  readonly maskedEntropy: Threshold;
  /** Signs at once that an alarm needs at least, 2 to 4. */
  readonly signs: number;
  /** What they have to weigh together, 2 to 8: a strong sign weighs 2, another one 1. */
  readonly weight: number;
  /**
   * Clipped tokens of a step that count as a baseline of the clip fraction at least, from 0 up: of a few hundred tokens
   * one or two that are clipped are no fraction. Without `tokens` in the metrics it has no effect.
   */
  readonly clipTokens: number;
  /** Measurements of a quantity before it can be a sign. */
  readonly warmUp: number;
  /** Last measurements whose median is the present value, odd numbers are best. */
  readonly recent: number;
  /** Measurements that a baseline averages over. */
  readonly memory: number;
  /** Largest factor by which one measurement seems to differ from its baseline to the baseline, > 1. */
  readonly pull: number;
  /** Measurements of a trend, of entropies and of the reward. */
  readonly window: number;
  /** A trend is one from so many standard errors of its slope up. */
  readonly trend: number;
  /** A sign that shows is over below this share of its `warn`, in (0, 1]. */
  readonly release: number;
  /** After more steps than this without a measurement the last ones are forgotten; baselines are kept. */
  readonly gap: number;
}

/** Any part of the rules; what is left out has its default, within a threshold too. */
export type MonitorRulesInput = {
  readonly [K in keyof MonitorRules]?: MonitorRules[K] extends Threshold
    ? Partial<Threshold>
    : MonitorRules[K];
};

/**
 * The defaults.
 *
 * The paper (arXiv 2507.06448 v5, §5 and its figures) has curves of one stable and one collapsed 7B run, no thresholds.
 * What its curves say: perception KL 0.03–0.05 → about 0.9 (20 times) from step 130; clip fraction (both sides)
 * 0.0005 → 0.007–0.008 (14 times); entropy 0.2 → 0.4 and masked entropy 0.4 → 1.3–1.7; variance of the per-token KL
 * 1.5 → 12.5 (8.4 times) between the runs; the reward falls after the others. All numbers here are ours, chosen so that
 * those curves cross both thresholds and healthy noise none; see docs/monitor.md for how often each happens.
 */
export const MONITOR_DEFAULTS: MonitorRules = Object.freeze({
  perceptionKl: Object.freeze({ warn: 4, alarm: 10, floor: 0.01 }),
  perceptionKlVariance: Object.freeze({ warn: 4, alarm: 8, floor: 0.001 }),
  // 5 · 0.0006: five times its baseline and above 0.003.
  clipFraction: Object.freeze({ warn: 5, alarm: 10, floor: 0.0006 }),
  maskedEntropy: Object.freeze({ warn: 2, alarm: 3, floor: 0.05 }),
  signs: 2,
  // Two signs one of which is strong, or three.
  weight: 3,
  // So that a step needs more than ten clipped tokens; of the 30 000 and more of the paper's steps 0.0006 are 18.
  clipTokens: 2,
  warmUp: 20,
  recent: 5,
  memory: 200,
  pull: 1.5,
  window: 20,
  trend: 2,
  release: 0.7,
  gap: 50,
});

const KEYS = Object.keys(MONITOR_DEFAULTS) as (keyof MonitorRules)[];
const THRESHOLD_KEYS = ["warn", "alarm", "floor"] as const;
export const THRESHOLD_NAMES = [
  "perceptionKl",
  "perceptionKlVariance",
  "clipFraction",
  "maskedEntropy",
] as const;
export type ThresholdName = (typeof THRESHOLD_NAMES)[number];

/**
 * The rules in full, checked and frozen.
 *
 * @param complete  whether each has to be said: in a checkpoint, a default of another version must not slip in
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE
 */
export function readRules(
  where: string,
  value: unknown,
  name = "rules",
  complete = false,
): MonitorRules {
  const given = readOptions(where, value as MonitorRulesInput, KEYS, name);
  const scope = { where, name, complete };
  const threshold = (key: ThresholdName) => readThreshold(scope, key, given[key]);
  const count = (key: CountName, low: number, most = 1e6) =>
    wholeNumber(where, `${name}.${key}`, ruleOf(scope, key, given[key]), low, most);
  const number = (key: NumberName, low: number, high?: number) =>
    numberWithin(where, `${name}.${key}`, ruleOf(scope, key, given[key]), low, high);
  return Object.freeze({
    perceptionKl: threshold("perceptionKl"),
    perceptionKlVariance: threshold("perceptionKlVariance"),
    clipFraction: threshold("clipFraction"),
    maskedEntropy: threshold("maskedEntropy"),
    signs: count("signs", 2, 4),
    weight: count("weight", 2, 8),
    clipTokens: number("clipTokens", 0),
    warmUp: count("warmUp", 1, 1000),
    recent: count("recent", 1, 1000),
    memory: count("memory", 1),
    pull: above(where, `${name}.pull`, number("pull", 1), 1),
    window: count("window", 3, 1000),
    trend: number("trend", 0),
    release: above(where, `${name}.release`, number("release", 0, 1), 0),
    gap: number("gap", 1),
  });
}

type CountName = "signs" | "weight" | "warmUp" | "recent" | "memory" | "window";
type NumberName = "clipTokens" | "pull" | "trend" | "release" | "gap";

interface Scope {
  readonly where: string;
  readonly name: string;
  readonly complete: boolean;
}

function ruleOf(scope: Scope, key: CountName | NumberName, given: unknown): unknown {
  return orDefault(scope, key, given, MONITOR_DEFAULTS[key]);
}

/** What is given, or the default where one is allowed. */
function orDefault(
  { where, name, complete }: Scope,
  key: string,
  given: unknown,
  otherwise: unknown,
): unknown {
  if (given !== undefined) return given;
  if (!complete) return otherwise;
  throw expected("ERR_ARGUMENT", where, `${name}.${key} to be a value`, "none");
}

function readThreshold(scope: Scope, key: ThresholdName, value: unknown): Threshold {
  const { where, complete } = scope;
  const name = `${scope.name}.${key}`;
  const defaults = MONITOR_DEFAULTS[key];
  const part = orDefault(scope, key, value, defaults) as Partial<Threshold>;
  const given = readOptions(where, part, THRESHOLD_KEYS, name);
  const own: Scope = { where, name, complete };
  const warn = above(where, `${name}.warn`, orDefault(own, "warn", given.warn, defaults.warn), 1);
  // A warn threshold above the default alarm moves both.
  const alarm = orDefault(own, "alarm", given.alarm, Math.max(defaults.alarm, warn));
  const floor = orDefault(own, "floor", given.floor, defaults.floor);
  return Object.freeze({
    warn,
    alarm: numberWithin(where, `${name}.alarm`, alarm, warn),
    floor: positiveNumber(where, `${name}.floor`, floor),
  });
}

function above(where: string, name: string, value: unknown, low: number): number {
  const number = finiteNumber(where, name, value);
  if (number > low) return number;
  throw expected("ERR_RANGE", where, `${name} to be a number above ${low}`, describe(value));
}

/** An integer from `low` to `high`. */
export function wholeNumber(
  where: string,
  name: string,
  value: unknown,
  low: number,
  high: number = Number.MAX_SAFE_INTEGER,
): number {
  const number = numberWithin(where, name, value, low, high);
  if (Number.isInteger(number)) return number;
  throw expected("ERR_RANGE", where, `${name} to be an integer`, describe(value));
}
