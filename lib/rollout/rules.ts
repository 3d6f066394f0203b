/** Reading correction rules from outside: every key read once, checked, with its default; frozen. */

import { flag, readOptions } from "../core/arguments.js";
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { oneOf } from "../core/option-values.js";
import type { RolloutCorrectionRule } from "./correction.js";
import {
  REJECTION_ESTIMATORS,
  REJECTION_LEVELS,
  type RejectionLevel,
  type RejectionRule,
} from "./rejection.js";
import {
  ROLLOUT_WEIGHT_LEVELS,
  ROLLOUT_WEIGHT_MODES,
  type RolloutWeightRule,
} from "./rollout-weights.js";

/** A weight rule as callers write it: what is left out has its default. */
export type RolloutWeightInput = { readonly [K in keyof RolloutWeightRule]?: RolloutWeightRule[K] };

/** A rejection rule as callers write it: tokens are rejected if no `level` is said. */
export type RejectionInput = Omit<RejectionRule, "level"> & {
  /** What is compared with the bounds; "token" if not said. */
  readonly level?: RejectionLevel | undefined;
};

/** The same of a whole correction. */
export interface RolloutCorrectionInput extends RolloutWeightInput {
  /** One rule or several, all of which have to be met; null, as if not said, rejects nothing. */
  readonly reject?: RejectionInput | readonly RejectionInput[] | null;
}

/** Truncation of each token's ratio at 2, as verl does; TRL's numbers are "sequence", "mask", 3. */
export const ROLLOUT_WEIGHT_DEFAULTS: RolloutWeightRule = Object.freeze({
  level: "token",
  mode: "truncate",
  max: 2,
  min: 0,
  batchNormalize: false,
});

export const ROLLOUT_WEIGHT_KEYS = ["level", "mode", "max", "min", "batchNormalize"] as const;
const CORRECTION_KEYS = [...ROLLOUT_WEIGHT_KEYS, "reject"] as const;
const REJECTION_KEYS = ["by", "level", "max", "min"] as const;

/**
 * A correction rule with every key, from `value`.
 *
 * @param name  of the object in messages
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE
 */
export function readRolloutCorrection(
  where: string,
  name: string,
  value: RolloutCorrectionInput,
): RolloutCorrectionRule {
  const given = readOptions(where, value, CORRECTION_KEYS, name);
  const { reject = null } = given;
  return Object.freeze({
    ...readWeightRule(where, `${name}.`, given),
    reject: readRejections(where, `${name}.reject`, reject),
  });
}

/** The keys of a weight rule, from options that were already read; `prefix` precedes their names in messages. */
export function readWeightRule(
  where: string,
  prefix: string,
  given: RolloutWeightInput,
): RolloutWeightRule {
  const defaults = ROLLOUT_WEIGHT_DEFAULTS;
  // Only what is undefined has its default: null is no way to say "none" here.
  const known = { ...defaults, ...given };
  const level = oneOf(where, `${prefix}level`, known.level, ROLLOUT_WEIGHT_LEVELS);
  const mode = oneOf(where, `${prefix}mode`, known.mode, ROLLOUT_WEIGHT_MODES);
  const max = bound(where, `${prefix}max`, known.max, 0, false, Infinity);
  const min = bound(where, `${prefix}min`, known.min, 0, true, max);
  const name = `${prefix}batchNormalize`;
  const batchNormalize = flag(where, name, given.batchNormalize, defaults.batchNormalize);
  return Object.freeze({ level, mode, max, min, batchNormalize });
}

/** Far more than there are ways to reject. */
const MOST_RULES = 1024;

/** Throws ERR_ARGUMENT for an array of more rules than anybody means. */
export function checkRuleCount(where: string, name: string, rules: unknown, count: number): void {
  if (count <= MOST_RULES) return;
  const what = `${name} to hold at most ${MOST_RULES} rules`;
  throw expected("ERR_ARGUMENT", where, what, describe(rules));
}

/** One rejection rule, several or null. */
export function readRejections(
  where: string,
  name: string,
  value: RejectionInput | readonly RejectionInput[] | null,
): RolloutCorrectionRule["reject"] {
  if (value === null) return null;
  const length = listLength(value);
  if (length === undefined) return readRejection(where, name, value as RejectionInput);
  checkRuleCount(where, name, value, length);
  const rules: RejectionRule[] = [];
  for (let i = 0; i < length; i++) {
    rules.push(
      readRejection(
        where,
        `${name}[${i}]`,
        (value as readonly RejectionInput[])[i] as RejectionInput,
      ),
    );
  }
  return Object.freeze(rules);
}

/** One rejection rule. `by` and `max` have no default. */
export function readRejection(where: string, name: string, value: RejectionInput): RejectionRule {
  const given = readOptions(where, value, REJECTION_KEYS, name);
  const by = oneOf(where, `${name}.by`, given.by, REJECTION_ESTIMATORS);
  const { level: ofLevel = "token" } = given;
  const level = oneOf(where, `${name}.level`, ofLevel, REJECTION_LEVELS);
  const max = bound(where, `${name}.max`, given.max, 0, false, Number.MAX_VALUE);
  if (by !== "k1") {
    if (given.min === undefined) return Object.freeze({ by, level, max });
    const what = `no ${name}.min with "${by}", which is never negative`;
    throw expected("ERR_ARGUMENT", where, what, describe(given.min));
  }
  const { min: least = 1 / max } = given;
  const min = bound(where, `${name}.min`, least, 0, false, max);
  return Object.freeze({ by, level, max, min });
}

/** A number from `low` (itself only with `closed`) to `high`. */
function bound(
  where: string,
  name: string,
  value: unknown,
  low: number,
  closed: boolean,
  high: number,
): number {
  if (typeof value !== "number") {
    throw expected("ERR_ARGUMENT", where, `${name} to be a number`, describe(value));
  }
  if ((closed ? value >= low : value > low) && value <= high) return value;
  const upTo = high < Number.MAX_VALUE ? ` and at most ${high}` : "";
  const what = `${name} to be a number ${closed ? "from" : "above"} ${low}${upTo}`;
  throw expected("ERR_RANGE", where, what, describe(value));
}
