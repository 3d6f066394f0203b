/** The parts of a spec that are objects or words: what they hold, what they default to, and how they are read. */
import { isArray, listLength } from "../core/arrays.js";
import type { RolloutCorrectionRule } from "../rollout/correction.js";
import {
  checkRuleCount,
  type RolloutCorrectionInput,
  readRolloutCorrection,
} from "../rollout/rules.js";
import {
  TOP_TOKEN_CHOICES,
  TOP_TOKEN_LEVELS,
  type TopTokenChoice,
  type TopTokenLevel,
} from "../selection/top-tokens.js";
import { ownValues } from "./plain-object.js";
import { nullOr, numberWhere, objectOf, oneOf, type Reader } from "./spec-values.js";

export const PERCEPTION_WEIGHTINGS = ["all", "correct-only", "accuracy-weighted"] as const;
/** Which sequences the perception term counts for: all, those that are correct, or incorrect ones less. */
export type PerceptionWeighting = (typeof PERCEPTION_WEIGHTINGS)[number];

export const ENTROPY_ANNEALINGS = ["own", "with-perception"] as const;
/** "with-perception": both entropy coefficients times γ now / γ at the start, as the authors do. */
export type EntropyAnnealing = (typeof ENTROPY_ANNEALINGS)[number];

const DENOMINATORS = ["all", "kept"] as const;
/** What a mean over kept tokens divides by: all counted tokens, as published, or those kept. */
export type TokenMaskDenominator = (typeof DENOMINATORS)[number];

/** A term only on the tokens where a quantity is largest. */
export interface TokenMask {
  /** Fraction of the counted tokens, above 0 and at most 1. */
  readonly top: number;
  /** Among the tokens of each sequence, or of the whole call. */
  readonly level: TopTokenLevel;
  /** Every token from the (1 − top)-quantile up (PAPO, TRL), or exactly ⌈top · n⌉ (VPPO). */
  readonly choice: TopTokenChoice;
  /** What a mean over kept tokens divides by: all counted tokens, as published, or those kept. */
  readonly denominator: TokenMaskDenominator;
}

const TOKEN_QUANTITIES = ["entropy", "perception"] as const;

/** The surrogate only on the tokens where the exact entropy, or the value of the perception term, is largest. */
export interface PolicyTokenMask extends TokenMask {
  /** What ranks the tokens: their exact entropy, or the value of their perception term. */
  readonly by: (typeof TOKEN_QUANTITIES)[number];
}

/** VPPO: advantages of a sequence times a factor that grows with its mean perception term, 1 on average. */
export interface AdvantageShaping {
  /** VPPO's, the only one there is. */
  readonly kind: "vppo";
  /** Factor of the sequence with the smallest mean. Default 0.9. */
  readonly min: number;
}

const ENTROPY_BOUND_LEVELS = ["token", "batch"] as const;

/** Both entropies H become max(0, low − H) + max(0, H − high), with slope −1, 0 or 1. */
export interface EntropyBounds {
  /** Lower bound, nats; null = none. Default 0.1. */
  readonly low: number | null;
  /** Upper bound, nats; null = none. Default 2. */
  readonly high: number | null;
  /** Of every token, or of the mean over the counted tokens of the call. Default "token". */
  readonly level: (typeof ENTROPY_BOUND_LEVELS)[number];
}

/** A sequence with mean(sampler's − own log-prob) above the threshold keeps only tokens with an advantage ≥ 0. */
export interface OffPolicyMask {
  /** Nats. */
  readonly threshold: number;
}

/** An object of a spec as it may be given: what is left out has its default. */
export type PartInput<T> = { readonly [K in keyof T]?: T[K] | undefined };

const readTop = numberWhere("above 0 and at most 1", (x) => x > 0 && x <= 1);
const readFinite = numberWhere("that is finite", () => true);

function tokenMaskFields(level: TopTokenLevel) {
  return {
    top: { read: readTop },
    level: { read: oneOf(TOP_TOKEN_LEVELS), otherwise: level },
    choice: { read: oneOf(TOP_TOKEN_CHOICES), otherwise: "quantile" },
    denominator: { read: oneOf(DENOMINATORS), otherwise: "all" },
  } as const;
}

/** Per sequence and of all tokens if not said, as the PAPO authors have it. */
export const readPerceptionTokenMask: Reader<TokenMask | null> = nullOr(
  objectOf<TokenMask>(tokenMaskFields("sequence")),
);

/** Over the batch and of all tokens if not said, as TRL has it. */
export const readPolicyTokenMask: Reader<PolicyTokenMask | null> = nullOr(
  objectOf<PolicyTokenMask>({
    by: { read: oneOf(TOKEN_QUANTITIES) },
    ...tokenMaskFields("batch"),
  }),
);

export const readAdvantageShaping: Reader<AdvantageShaping | null> = nullOr(
  objectOf<AdvantageShaping>({
    kind: { read: oneOf(["vppo"]) },
    min: { read: numberWhere("from 0 to 1", (x) => x >= 0 && x <= 1), otherwise: 0.9 },
  }),
);

export const readEntropyBounds: Reader<EntropyBounds | null> = nullOr(
  objectOf<EntropyBounds>({
    low: { read: nullOr(readFinite), otherwise: 0.1 },
    high: { read: nullOr(readFinite), otherwise: 2 },
    level: { read: oneOf(ENTROPY_BOUND_LEVELS), otherwise: "token" },
  }),
);

export const readOffPolicyMask: Reader<OffPolicyMask | null> = nullOr(
  objectOf<OffPolicyMask>({ threshold: { read: readFinite } }),
);

export const readBound: Reader<number | null> = nullOr(readFinite);

const ROLLOUT_KEYS = ["level", "mode", "max", "min", "batchNormalize", "reject"] as const;

/** As `rolloutWeights` reads its options; a spec is JSON, so that `max` is finite here. */
export const readRollout: Reader<RolloutCorrectionRule | null> = nullOr((where, name, value) => {
  const given = ownValues(where, name, value, ROLLOUT_KEYS);
  const max = given.get("max");
  if (max !== undefined) readFinite(where, `${name}.max`, max);
  const reject = given.get("reject");
  // Holes take their time, too.
  const length = listLength(reject);
  if (length !== undefined) checkRuleCount(where, `${name}.reject`, reject, length);
  const plain =
    length === undefined
      ? plainOf(reject)
      : Array.from({ length }, (_, i) => plainOf((reject as readonly unknown[])[i]));
  const input = { ...Object.fromEntries(given), reject: plain } as RolloutCorrectionInput;
  return readRolloutCorrection(where, name, input);

  /** A rejection rule without inherited properties and getters; anything else is for the reader to refuse. */
  function plainOf(rule: unknown): unknown {
    if (typeof rule !== "object" || rule === null || isArray(rule)) return rule;
    const keys = ["by", "level", "max", "min"] as const;
    return Object.fromEntries(ownValues(where, `${name}.reject`, rule, keys));
  }
});
