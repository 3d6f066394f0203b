/** What a monitor says about a step. */
import type { Advice } from "./advice.js";
import type { Quantity } from "./measurements.js";
import type { Sign, SignName } from "./signs.js";

/** "warning": a sign shows. "alarm": two or more, one of them strong. */
export type MonitorLevel = "calm" | "warning" | "alarm";

/** Plain data, frozen; `JSON.stringify` holds all of it. */
export interface MonitorReport {
  /** The step it is of. */
  readonly step: number;
  /** How bad it is. */
  readonly level: MonitorLevel;
  /** First step of this level; absent while calm. */
  readonly since?: number;
  /** Whether the level is another than at the step before. */
  readonly changed: boolean;
  /** Those that show, in the order of `SIGN_NAMES`. */
  readonly signs: readonly Sign[];
  /**
   * Whether the reward falls while a sign shows: over the window by more than 5 % of its mean, three standard errors
   * away from flat. It confirms and never alarms by itself: it falls last.
   */
  readonly confirmed: boolean;
  /** What to change, the most urgent first; empty while calm. */
  readonly advice: readonly Advice[];
  /**
   * Signs that could show by now: measured, and past the warm-up. With fewer than `rules.signs` of them there cannot be
   * an alarm.
   */
  readonly watching: readonly SignName[];
  /** Quantities that were NaN or −Infinity: no measurement, and worth a look of their own. */
  readonly invalid: readonly Quantity[];
  /** All of it in a sentence or two. */
  readonly message: string;
}

const WORDS: Readonly<Record<SignName, string>> = {
  "perception-kl": "perception KL",
  "perception-kl-variance": "variance of the per-token KL",
  "clip-fraction": "clip fraction",
  entropies: "both entropies rise, masked entropy",
};

/** The message of a report. */
export function messageOf(report: Omit<MonitorReport, "message">): string {
  const { level, signs, confirmed, advice } = report;
  if (signs.length === 0) return "calm";
  const shown = signs.map(({ name, value, factor, since }) => {
    const of = name === "entropies" ? "minimum" : "baseline";
    return `${WORDS[name]} ${short(value)}, ${short(factor)} times its ${of}, since step ${since}`;
  });
  const todo = advice
    .filter(({ action }) => action !== "keep")
    .map(({ coefficient, action, to }) => `${action} ${coefficient} to ${short(to ?? 0)}`);
  const told = todo.length > 0 ? `. To try: ${todo.join(", ")}` : "";
  return `${level}: ${shown.join("; ")}${confirmed ? "; the reward falls" : ""}${told}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
