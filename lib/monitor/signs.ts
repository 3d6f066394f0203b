/** The four signs: from what was measured to whether, how strongly and since when each shows. */
import type { Quantity } from "./measurements.js";
import type { MonitorRules, Threshold, ThresholdName } from "./rules.js";
import { medianOf, presentOf, type TrackRule, type TrackState, trendOf } from "./track.js";

/** Signs of a collapse, in the order in which reports have them. */
export const SIGN_NAMES = [
  "perception-kl",
  "perception-kl-variance",
  "clip-fraction",
  "entropies",
] as const;
/** The name of a sign of collapse. */
export type SignName = (typeof SIGN_NAMES)[number];

/** Which quantity's threshold a sign has. */
export const THRESHOLD_OF: Readonly<Record<SignName, ThresholdName>> = {
  "perception-kl": "perceptionKl",
  "perception-kl-variance": "perceptionKlVariance",
  "clip-fraction": "clipFraction",
  entropies: "maskedEntropy",
};

/** "warn": above the first threshold; "alarm": above the second. */
export type SignLevel = "warn" | "alarm";

/** A sign that shows. */
export interface Sign {
  /** Which sign. */
  readonly name: SignName;
  /** How strongly it shows. */
  readonly level: SignLevel;
  /** Median of the last measurements, in the unit of the quantity (entropies: of the masked one, over the window). */
  readonly value: number;
  /** What it is compared with: the baseline; entropies: the minimum of the masked one. */
  readonly baseline: number;
  /** value / baseline, "how strongly". */
  readonly factor: number;
  /** Largest factor since it shows. */
  readonly peak: number;
  /** First step at which it showed. */
  readonly since: number;
}

/** What a sign remembers while it shows, as JSON. */
export interface SignState {
  /** How strongly it shows. */
  readonly level: SignLevel;
  /** First step at which it showed. */
  readonly since: number;
  /** Largest factor since it shows. */
  readonly peak: number;
}

export type Point = readonly [step: number, value: number];

/** All that was measured, as the state has it. */
export interface Measured {
  /** Counted tokens of the last step that had them; 0 where none had. */
  readonly tokens: number;
  /** What is remembered of each quantity. */
  readonly tracks: Readonly<Record<Quantity, TrackState>>;
  /** Natural log of the smallest present value of the masked entropy; absent before there is one. */
  readonly leastMaskedEntropy: number | undefined;
  /** Last measurements of both entropies, `[step, log]`. */
  readonly trends: Readonly<Record<"entropy" | "maskedEntropy", readonly Point[]>>;
}

/** How a quantity is followed under the rules. */
export function trackRule(rules: MonitorRules, quantity: Quantity): TrackRule {
  const name = quantity === "entropy" ? "maskedEntropy" : quantity;
  const { recent, warmUp, memory } = rules;
  return { floor: rules[name].floor, recent, warmUp, memory, pull: Math.log(rules.pull) };
}

/** Natural log of the masked entropy over the trend's window, where it is full: noise makes a minimum of shorter ones. */
export function presentMaskedEntropy(
  { trends }: Measured,
  rules: MonitorRules,
): number | undefined {
  const points = trends.maskedEntropy;
  return points.length < rules.window ? undefined : medianOf(points.map(([, log]) => log));
}

/** The quantity's present value and its baseline; undefined during its warm-up. */
function comparison(
  name: SignName,
  measured: Measured,
  rules: MonitorRules,
  step: number,
): { value: number; baseline: number } | undefined {
  const quantity = THRESHOLD_OF[name];
  const state = measured.tracks[quantity];
  if (state.count < rules.warmUp || step - state.at > rules.gap) return undefined;
  if (name === "entropies") {
    const present = presentMaskedEntropy(measured, rules);
    const { leastMaskedEntropy, tracks } = measured;
    if (present === undefined || leastMaskedEntropy === undefined) return undefined;
    if (tracks.entropy.count < rules.warmUp) return undefined;
    return { value: Math.exp(present), baseline: Math.exp(leastMaskedEntropy) };
  }
  const value = presentOf(state, trackRule(rules, quantity));
  if (value === undefined) return undefined;
  // A clip fraction is a count of tokens, and one of a few says nothing.
  const { tokens } = measured;
  const counted = name === "clip-fraction" && tokens > 0 ? rules.clipTokens / tokens : 0;
  return { value, baseline: Math.max(Math.exp(state.baseline), counted) };
}

/** Whether a sign could show at all by now: its quantities are measured and past their warm-up. */
export function isWatched(
  name: SignName,
  measured: Measured,
  rules: MonitorRules,
  step: number,
): boolean {
  return comparison(name, measured, rules, step) !== undefined;
}

/**
 * The sign after a step, or undefined where it does not show.
 *
 * It begins above `warn`; it ends below `release · warn`, so that it does not flicker. The entropies begin only while
 * both rise, and stay for as long as the masked one stays up: a policy that has collapsed does not rise any more.
 *
 * @param before  its state after the last step, undefined where it did not show
 */
export function signAt(
  name: SignName,
  measured: Measured,
  rules: MonitorRules,
  before: SignState | undefined,
  step: number,
): Sign | undefined {
  const compared = comparison(name, measured, rules, step);
  if (compared === undefined) return undefined;
  const { value, baseline } = compared;
  // Both are at most 1e300 and at least a floor; the factor stays a number that JSON can hold.
  const factor = Math.min(value / baseline, Number.MAX_VALUE);
  const threshold = rules[THRESHOLD_OF[name]];
  const level = levelOf(factor, threshold, rules.release, before?.level);
  if (level === undefined) return undefined;
  if (before === undefined && name === "entropies" && !bothRise(measured, rules)) return undefined;
  const since = before?.since ?? step;
  return { name, level, value, baseline, factor, peak: Math.max(before?.peak ?? 0, factor), since };
}

function levelOf(
  factor: number,
  { warn, alarm }: Threshold,
  release: number,
  before: SignLevel | undefined,
): SignLevel | undefined {
  if (factor > alarm || (before === "alarm" && factor > release * alarm)) return "alarm";
  return factor > warn || (before !== undefined && factor > release * warn) ? "warn" : undefined;
}

function bothRise({ trends }: Measured, { window, trend }: MonitorRules): boolean {
  return [trends.entropy, trends.maskedEntropy].every((points) => {
    if (points.length < window) return false;
    const found = trendOf(points);
    return found !== undefined && found.slope > 0 && found.t >= trend;
  });
}
