/** An objective as plain JSON data: its keys, its defaults, and the strict reading of one from outside. */
import { checkText } from "../core/arguments.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { OBJECTIVE_DEFAULTS } from "../functional/papo-loss-options.js";
import { REDUCTIONS, type Reduction } from "../functional/row-weights.js";
import {
  type KlEstimator,
  SAMPLED_KL_ESTIMATORS,
  type SampledKlEstimator,
} from "../ops/token-objective.js";
import type { SurrogateSpec } from "../surrogates/table.js";
import { OTHER_WORDS } from "./other-words.js";
import { ownValues } from "./plain-object.js";
import { type Coefficient, readCoefficient } from "./schedule.js";
import { numberWhere, oneOf, type Reader, readLimit } from "./spec-values.js";
import { DEFAULT_SURROGATE, readSurrogate, type SurrogateInput } from "./surrogate-spec.js";

/** Estimators of the KL to the reference policy, from the log-probs of the sampled tokens. */
export const REF_KL_ESTIMATORS: readonly SampledKlEstimator[] = SAMPLED_KL_ESTIMATORS;

/** Estimators of the KL to the masked policy; the exact ones are sums over the vocabulary. */
export const PERCEPTION_KL_ESTIMATORS: readonly KlEstimator[] = [
  ...REF_KL_ESTIMATORS,
  "exact",
  "exact-reverse",
];

export const ENTROPY_ESTIMATORS = ["sampled", "exact"] as const;
export type EntropyEstimator = (typeof ENTROPY_ESTIMATORS)[number];

const MASKED_BRANCHES = ["constant", "differentiable"] as const;
export type MaskedBranch = (typeof MASKED_BRANCHES)[number];

const ENTROPY_REDUCTIONS = ["token-mean", "same"] as const;
export type EntropyReduction = (typeof ENTROPY_REDUCTIONS)[number];

/**
 * What the loss is, completely: two evaluations with equal specs, batches and steps give equal numbers.
 *
 * loss = surrogate + refKlCoef · refKl − perceptionKlCoef · perceptionKl + entropyCoef · entropy
 * + maskedEntropyCoef · maskedEntropy, each term after its reduction. Losses are minimised: the perception KL is
 * raised, the entropies are kept low. Plain JSON: `JSON.parse(JSON.stringify(spec))` is the same objective.
 */
export interface ObjectiveSpec {
  /** The policy-gradient loss of a token, with its parameters. Default { kind: "ppo-clip" }. */
  readonly surrogate: SurrogateSpec;
  /** The ratio is clipped below at 1 − clipLow; fraction, 0 to 1. Default 0.2. */
  readonly clipLow: number;
  /** The ratio is clipped above at 1 + clipHigh; 0 or more. Default 0.2. */
  readonly clipHigh: number;
  /** For negative advantages the loss is at most clipDual · |advantage|; above 1 + clipHigh, or 0 = off. Default 0. */
  readonly clipDual: number;
  /** β, added. Default 0. */
  readonly refKlCoef: Coefficient;
  /** Default "k3". */
  readonly refKlEstimator: SampledKlEstimator;
  /** γ, *subtracted*. Default 0. */
  readonly perceptionKlCoef: Coefficient;
  /** Default "k3". */
  readonly perceptionKlEstimator: KlEstimator;
  /** η of the policy's entropy, *added* (the entropy is kept low). Default 0. */
  readonly entropyCoef: Coefficient;
  /** η of the masked policy's entropy, *added*. Default 0. */
  readonly maskedEntropyCoef: Coefficient;
  /** "sampled" is −log-prob of the sampled token (for the masked policy a cross-entropy); "exact" sums over the vocabulary. Default "sampled". */
  readonly entropyEstimator: EntropyEstimator;
  /** Whether gradient flows into the masked policy. Default "constant". */
  readonly maskedBranch: MaskedBranch;
  /** How the surrogate and both KLs become scalars. Default "token-mean". */
  readonly reduction: Reduction;
  /** How both entropies do: token mean whatever the reduction says (the authors), or the same. Default "token-mean". */
  readonly entropyReduction: EntropyReduction;
  /** Logits are divided by it first; above 0. Default 1. */
  readonly temperature: number;
  /** Bound on every log-prob difference before exp, nats, gradient 0 where it binds; above 0, at most 700 (exp stays finite). Default 20. */
  readonly logRatioLimit: number;
  /** Bound on the value of k3 (also in k3+ and unbiased) and jsd, nats, gradient 0 where it binds; null = none. Default 10. */
  readonly klLimit: number | null;
  /** Bound on an exact perception KL, nats, gradient 0 where it binds; null = none. Default null. */
  readonly exactKlLimit: number | null;
  /** Added to every token count that is divided by; 0 or more. Default 1e-8. */
  readonly denominatorEpsilon: number;
}

/** Any part of an objective; what is absent has its default. */
export type ObjectiveSpecInput = {
  readonly [K in keyof ObjectiveSpec]?:
    | ObjectiveSpec[K]
    | (K extends "surrogate" ? SurrogateInput : never)
    | undefined;
};

/** Key of an objective. */
export type SpecKey = keyof ObjectiveSpec;

/** Those of the ops that are keys of a spec under the same name. */
const { perceptionKlMin, perceptionKlMax, entropyLow, entropyHigh, ...OWN_DEFAULTS } =
  OBJECTIVE_DEFAULTS;

/** What a key holds where it is not given: PPO's clip with a token mean, every other term off. */
export const SPEC_DEFAULTS: ObjectiveSpec = Object.freeze({
  surrogate: DEFAULT_SURROGATE,
  ...OWN_DEFAULTS,
  // JSON has no Infinity, which is how the ops say "no limit".
  exactKlLimit: null,
  reduction: "token-mean",
  entropyReduction: "token-mean",
  temperature: 1,
  denominatorEpsilon: 1e-8,
});

/** Keys of an objective, in the order in which they are shown. */
export const SPEC_KEYS = Object.keys(SPEC_DEFAULTS) as readonly SpecKey[];

const READERS: { readonly [K in SpecKey]: Reader<ObjectiveSpec[K]> } = {
  surrogate: readSurrogate,
  clipLow: numberWhere("from 0 to 1", (x) => x >= 0 && x <= 1),
  clipHigh: numberWhere("from 0 up", (x) => x >= 0),
  clipDual: numberWhere("0 (off) or above 1", (x) => x === 0 || x > 1),
  refKlCoef: readCoefficient,
  refKlEstimator: oneOf(REF_KL_ESTIMATORS),
  perceptionKlCoef: readCoefficient,
  perceptionKlEstimator: oneOf(PERCEPTION_KL_ESTIMATORS),
  entropyCoef: readCoefficient,
  maskedEntropyCoef: readCoefficient,
  entropyEstimator: oneOf(ENTROPY_ESTIMATORS),
  maskedBranch: oneOf(MASKED_BRANCHES),
  reduction: oneOf(REDUCTIONS),
  entropyReduction: oneOf(ENTROPY_REDUCTIONS),
  temperature: numberWhere("above 0", (x) => x > 0),
  logRatioLimit: numberWhere("above 0 and at most 700", (x) => x > 0 && x <= 700),
  klLimit: readLimit,
  exactKlLimit: readLimit,
  denominatorEpsilon: numberWhere("from 0 up", (x) => x >= 0),
};

/** Checks one value of an objective as it would be checked inside a whole one. */
export function readSpecValue<K extends SpecKey>(
  where: string,
  key: K,
  value: unknown,
): ObjectiveSpec[K] {
  return READERS[key](where, key, value);
}

/**
 * Reads an objective from outside: every key known, every value in its range, what is absent filled with its default.
 *
 * @param json   a plain object, such as JSON.parse gives; never changed and not kept
 * @param where  name in brackets at the start of messages
 * @returns a frozen copy without inherited properties' influence
 * @throws PapoError ERR_ARGUMENT for unknown keys (the nearest known one is named), wrong kinds and unknown words;
 *         ERR_RANGE for numbers outside their range and a dual clip not above 1 + clipHigh
 */
export function validateSpec(json: unknown, where = "objective"): ObjectiveSpec {
  checkText("validateSpec", "where", where);
  const values = ownValues(where, "an objective", json, SPEC_KEYS, OTHER_WORDS);
  const spec = { ...SPEC_DEFAULTS };
  for (const [key, value] of values) assign(spec, key, readSpecValue(where, key, value));
  if (spec.clipDual !== 0 && spec.clipDual <= 1 + spec.clipHigh) {
    // Below that the ordinary clip of positive advantages and the dual clip would overlap.
    const what = `clipDual to be 0 (off) or above 1 + clipHigh = ${1 + spec.clipHigh}`;
    throw expected("ERR_RANGE", where, what, String(spec.clipDual));
  }
  return Object.freeze(spec);
}

function assign<K extends SpecKey>(
  spec: { -readonly [P in SpecKey]: ObjectiveSpec[P] },
  key: K,
  value: ObjectiveSpec[K],
): void {
  spec[key] = value;
}

/**
 * Reads an objective from JSON text, such as the `objective` metadata of a batch file.
 *
 * @throws PapoError ERR_ARGUMENT where the text is not JSON; otherwise as `validateSpec`
 */
export function parseSpec(text: string, where = "objective"): ObjectiveSpec {
  checkText("parseSpec", "where", where);
  if (typeof text !== "string") {
    throw expected("ERR_ARGUMENT", where, "JSON text", describe(text));
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "unreadable text";
    throw new PapoError("ERR_ARGUMENT", `[${where}] expected JSON text, received ${message}`, {
      cause,
    });
  }
  return validateSpec(json, where);
}
