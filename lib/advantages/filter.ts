/** Dynamic sampling: which groups have anything to learn from. */
import { checkNumber, readOptions } from "../core/arguments.js";
import { expected } from "../core/errors.js";
import { type GroupOptions, groupsOf } from "./groups.js";
import { wordOf } from "./parameters.js";
import { MISSING, type Missing, type RewardsInput, rewardNumbers } from "./reward-numbers.js";
import { statisticsOf } from "./statistics.js";

/** Words of `FilterRule`. */
export const FILTER_RULES: readonly ["mean", "spread"] = ["mean", "spread"];
/**
 * What keeps a group: a mean strictly between `low` and `high` (DAPO, PAPO's authors), or scores that are not all equal
 * (verl's DAPO recipe, which also keeps groups of one).
 */
export type FilterRule = (typeof FILTER_RULES)[number];

/** Words of `FilterFallback`. */
export const FILTER_FALLBACKS: readonly ["none", "keep-all"] = ["none", "keep-all"];
/** Where no group is kept: none is (the paper's rule), or all are (the authors' code). */
export type FilterFallback = (typeof FILTER_FALLBACKS)[number];

/** Options of `filterGroups`. */
export interface GroupFilterOptions extends GroupOptions {
  /** [sequences] what is averaged: accuracy in the authors' DAPO scripts, the overall reward in their yaml. */
  readonly scores: RewardsInput;
  /** "mean" if not said. */
  readonly rule?: FilterRule;
  /** Default 0.01. */
  readonly low?: number;
  /** Default 0.99. */
  readonly high?: number;
  /** "none" if not said. */
  readonly fallback?: FilterFallback;
  /** A missing score: "error" if not said; "skip" leaves it out of its group, and out of what is kept. */
  readonly missing?: Missing;
}

/** Which sequences `filterGroups` keeps. */
export interface GroupFilter {
  /** [sequences] 1 where the sequence is kept. */
  readonly keep: Int32Array;
  /** Indices of the sequences that are kept, ascending. */
  readonly kept: Int32Array;
  /** Groups there are. */
  readonly groups: number;
  /** Groups that are kept. */
  readonly keptGroups: number;
  /** Whether all were kept because none would have been. */
  readonly fellBack: boolean;
}

const OPTIONS: readonly (keyof GroupFilterOptions)[] = [
  "scores",
  "groups",
  "groupSize",
  "rule",
  "low",
  "high",
  "fallback",
  "missing",
];

/**
 * The groups that dynamic sampling keeps. How often to sample again when they are too few is the caller's to decide:
 * `keptGroups` says how many there are (the authors try 20 times, then raise).
 * A group without any score is never kept.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE, ERR_NOT_FINITE
 * @see DAPO, arXiv 2503.14476; PAPO, arXiv 2507.06448, Eq. 3
 */
export function filterGroups(options: GroupFilterOptions): GroupFilter {
  const where = "filterGroups";
  const given = readOptions(where, options, OPTIONS);
  const { rule: word = "mean", low = 0.01, high = 0.99 } = given;
  const { fallback: otherwise = "none", missing: absent = "error" } = given;
  const rule = wordOf(where, "rule", word, FILTER_RULES);
  const fallback = wordOf(where, "fallback", otherwise, FILTER_FALLBACKS);
  const missing = wordOf(where, "missing", absent, MISSING);
  checkNumber(where, "low", low);
  checkNumber(where, "high", high);
  if (!(low < high)) {
    throw expected("ERR_RANGE", where, "low to be less than high", `${low} and ${high}`);
  }
  const scores = rewardNumbers(where, "scores", given.scores, missing);
  const groups = groupsOf(where, given, scores.length);
  if (groups === undefined) {
    throw expected("ERR_ARGUMENT", where, "groups or groupSize", "neither");
  }
  const scored = groups
    .map((members) => members.filter((i) => !Number.isNaN(scores[i])))
    .filter((members) => members.length > 0);
  const chosen = scored.filter((members) => {
    const { count, mean, std } = statisticsOf(
      Float64Array.from(members, (i) => scores[i] as number),
    );
    return rule === "spread" ? std > 0 || count === 1 : low < mean && mean < high;
  });
  const fellBack = chosen.length === 0 && scored.length > 0 && fallback === "keep-all";
  const keep = new Int32Array(scores.length);
  for (const members of fellBack ? scored : chosen) for (const i of members) keep[i] = 1;
  return {
    keep,
    kept: Int32Array.from(keep.keys()).filter((i) => keep[i] === 1),
    groups: scored.length,
    keptGroups: fellBack ? scored.length : chosen.length,
    fellBack,
  };
}
