/** Putting the measurements of a step into a monitor's state. */
import { type MergedMetrics, QUANTITIES, QUANTITY_NAMES, type Quantity } from "./measurements.js";
import { presentMaskedEntropy, trackRule } from "./signs.js";
import type { MonitorState } from "./state.js";
import { afterGap, logOf, track } from "./track.js";

/** A step that was measured and not yet judged. */
export interface Measurement {
  readonly before: MonitorState;
  /** `before` with the step's measurements; its signs and its level are still the old ones. */
  readonly state: MonitorState;
  readonly invalid: readonly Quantity[];
}

/** The state with the measurements of a step in it. */
export function measure(
  before: MonitorState,
  step: number,
  merged: MergedMetrics,
  reward: number | undefined,
): Measurement {
  const { rules } = before;
  const invalid: Quantity[] = [];
  const sources: Partial<Record<Quantity, number>> = { ...before.sources };
  const tracks = { ...before.tracks };
  const trends = { ...before.trends };
  for (const name of QUANTITY_NAMES) {
    const found = readingOf(merged, name, sources[name]);
    if (found === undefined) continue;
    if (!(found.value > Number.NEGATIVE_INFINITY)) {
      invalid.push(name);
      continue;
    }
    sources[name] = found.source;
    const rule = trackRule(rules, name);
    const stale = tracks[name].at >= 0 && step - tracks[name].at > rules.gap;
    const state = stale ? afterGap(tracks[name], rule) : tracks[name];
    // Clips start at 0 in health; a perception KL of 0 is a policy that does not look yet, and no baseline.
    tracks[name] = track(state, step, found.value, rule, name.startsWith("perceptionKl"));
    if (name === "entropy" || name === "maskedEntropy") {
      const earlier = stale ? [] : trends[name];
      const point = [step, logOf(found.value, rule.floor)] as const;
      trends[name] = [...earlier, point].slice(-rules.window);
    }
  }
  const rewards =
    reward === undefined
      ? before.rewards
      : [...before.rewards, [step, reward] as const].slice(-rules.window);
  const tokens = merged.tokens ?? before.tokens;
  const next = { ...before, step, tokens, sources, tracks, trends, rewards };
  return { before, state: { ...next, leastMaskedEntropy: leastOf(next) }, invalid };
}

/** The first metric that is there and stands for the quantity; once chosen, only that one. */
function readingOf(
  merged: MergedMetrics,
  name: Quantity,
  chosen: number | undefined,
): { value: number; source: number } | undefined {
  for (const [source, key] of QUANTITIES[name].entries()) {
    if (chosen !== undefined && chosen !== source) continue;
    const negated = key === "-logProbs" || key === "-maskedLogProbs";
    const value = merged[(negated ? key.slice(1) : key) as keyof MergedMetrics];
    if (value !== undefined) return { value: negated ? -value : value, source };
  }
  return undefined;
}

/** The smallest present value of the masked entropy so far, as a log. */
function leastOf(state: MonitorState): number | undefined {
  const { leastMaskedEntropy: least } = state;
  const present = presentMaskedEntropy(state, state.rules);
  if (present === undefined) return least;
  return least === undefined ? present : Math.min(least, present);
}
