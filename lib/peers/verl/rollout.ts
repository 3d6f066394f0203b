/** verl's rollout correction in words of ours: thresholds as numbers or "lower_upper" text, old and new names. */
import { describe, expected } from "../../core/errors.js";
import type { Reader } from "../../objective/spec-values.js";

/** Bounds of a ratio or a divergence. */
export interface Bounds {
  readonly lower: number | null;
  readonly upper: number;
}

/** One rejection, as in `rolloutCorrection.reject` of a spec. */
export interface Rejection {
  readonly by: "k1" | "k2" | "k3";
  readonly level: "token" | "sequence-sum" | "sequence-mean" | "sequence-max";
  readonly max: number;
  readonly min?: number;
}

/** What verl calls rejection modes, and ours. */
const LEVELS: Readonly<Record<string, Rejection["level"]>> = {
  token: "token",
  seq_sum: "sequence-sum",
  seq_mean: "sequence-mean",
  seq_max: "sequence-max",
};

/** The modes of the time before estimators were named: bounds on the ratio itself, not on its inverse. */
const OLD_MODES: Readonly<Record<string, Rejection["level"]>> = {
  token: "token",
  sequence: "sequence-sum",
  geometric: "sequence-mean",
};

export interface RejectionMode {
  readonly by: Rejection["by"];
  readonly level: Rejection["level"];
  /** Whether thresholds bound π_old / π_rollout, as they did under the old names. */
  readonly old: boolean;
}

/** A comma-separated list of modes, or null. */
export const readModes: Reader<readonly RejectionMode[] | null> = (where, name, value) => {
  if (value === null) return null;
  if (typeof value !== "string") {
    throw expected("ERR_ARGUMENT", where, `${name} to be text or null`, describe(value));
  }
  return value.split(",").map((word) => modeOf(where, name, word.trim()));
};

function modeOf(where: string, name: string, word: string): RejectionMode {
  if (Object.hasOwn(OLD_MODES, word)) {
    return { by: "k1", level: OLD_MODES[word] as Rejection["level"], old: true };
  }
  const [, levelWord = "", by] = /^(token|seq_sum|seq_mean|seq_max)_(k[123])$/.exec(word) ?? [];
  const level = Object.hasOwn(LEVELS, levelWord) ? LEVELS[levelWord] : undefined;
  if (level === undefined || by === undefined) {
    const what = `${name} to list modes such as token_k1, seq_sum_k1, seq_mean_k3, seq_max_k2`;
    throw expected("ERR_ARGUMENT", where, what, describe(word));
  }
  return { by: by as Rejection["by"], level, old: false };
}

/** A number, or text: a number, "lower_upper", or several of them with commas between. */
export const readThresholds: Reader<readonly Bounds[] | null> = (where, name, value) => {
  if (value === null) return null;
  if (typeof value === "number") return [boundsOf(where, name, [value])];
  if (typeof value !== "string") {
    const what = `${name} to be a number, or text such as "0.5_2.0"`;
    throw expected("ERR_ARGUMENT", where, what, describe(value));
  }
  return value.split(",").map((part) => {
    const numbers = part.split("_").map((text) => (text.trim() === "" ? Number.NaN : Number(text)));
    return boundsOf(where, name, numbers);
  });
};

function boundsOf(where: string, name: string, numbers: readonly number[]): Bounds {
  const [first = Number.NaN, second] = numbers;
  const bounds =
    second === undefined ? { lower: null, upper: first } : { lower: first, upper: second };
  const fits = numbers.length <= 2 && numbers.every((x) => x > 0 && Number.isFinite(x));
  if (fits && (bounds.lower === null || bounds.lower < bounds.upper)) return bounds;
  const what = `${name} to be above 0, as one number or as lower_upper`;
  throw expected("ERR_RANGE", where, what, numbers.join("_"));
}

/** The rejections of a list of modes; one threshold serves all, and the weights' own where there is none. */
export function rejectionsOf(
  modes: readonly RejectionMode[],
  thresholds: readonly Bounds[],
  lowerOf: number | null,
): readonly Rejection[] {
  return modes.map(({ by, level, old }, i) => {
    const bounds = (thresholds[i] ?? thresholds[0]) as Bounds;
    const { upper } = bounds;
    if (by !== "k1") return { by, level, max: upper };
    const lower = bounds.lower ?? lowerOf ?? 1 / upper;
    // Ours bounds π_rollout / π_old, as verl's present modes do.
    return old
      ? { by, level, max: 1 / lower, min: 1 / upper }
      : { by, level, max: upper, min: lower };
  });
}

/** Drops every sequence with a token whose π_old / π_rollout is below `threshold`. */
export function vetoOf(threshold: number): Rejection {
  return { by: "k1", level: "sequence-max", max: 1 / threshold, min: Number.MIN_VALUE };
}
