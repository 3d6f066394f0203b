/** An objective as plain JSON data: its keys, its defaults, and the strict reading of one from outside. */
import { checkText } from "../core/arguments.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { OBJECTIVE_DEFAULTS } from "../functional/papo-loss-options.js";
import type { EmptySequences, Reduction } from "../functional/row-weights.js";
import type { KlEstimator } from "../ops/token-objective.js";
import type { RolloutCorrectionRule } from "../rollout/correction.js";
import type { RolloutCorrectionInput } from "../rollout/rules.js";
import type { SurrogateSpec } from "../surrogates/table.js";
import { OTHER_WORDS } from "./other-words.js";
import { ownValues } from "./plain-object.js";
import { type Coefficient, startOf } from "./schedule.js";
import type {
  AdvantageShaping,
  EntropyAnnealing,
  EntropyBounds,
  OffPolicyMask,
  PartInput,
  PerceptionWeighting,
  PolicyTokenMask,
  TokenMask,
} from "./spec-parts.js";
import {
  ENTROPY_ESTIMATORS,
  type ENTROPY_REDUCTIONS,
  KL_ESTIMATORS,
  type MASKED_BRANCHES,
  READERS,
  REF_KL_ESTIMATORS,
  type RefKlEstimator,
} from "./spec-readers.js";
import { DEFAULT_SURROGATE, type SurrogateInput } from "./surrogate-spec.js";

/** Estimators of the KL to the masked policy; the exact ones are sums over the vocabulary. */
export const PERCEPTION_KL_ESTIMATORS: readonly KlEstimator[] = KL_ESTIMATORS;

/** Estimators of the KL to the reference policy; the exact ones need its logits, or exact KLs with log-probs. */
export { ENTROPY_ESTIMATORS, REF_KL_ESTIMATORS, type RefKlEstimator };
/** Of the sampled token (−log-prob), or exact over the vocabulary. */
export type EntropyEstimator = (typeof ENTROPY_ESTIMATORS)[number];
/** Whether gradient flows into the masked policy. */
export type MaskedBranch = (typeof MASKED_BRANCHES)[number];
/** How both entropies become scalars: token mean (the authors), or as the other terms do. */
export type EntropyReduction = (typeof ENTROPY_REDUCTIONS)[number];

/**
 * What the loss is, completely: two evaluations with equal specs, batches and steps give equal numbers.
 *
 * loss = surrogate + refKlCoef · refKl − perceptionKlCoef · perceptionKl + entropyCoef · entropy
 * + maskedEntropyCoef · maskedEntropy + sftCoef · sft, each term after its reduction. Losses are minimised: the perception KL is
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
  /** The surrogate on some tokens only. Default null. */
  readonly policyTokenMask: PolicyTokenMask | null;
  /** Factors of the advantages, constant. Default null. */
  readonly advantageShaping: AdvantageShaping | null;
  /** Sequences that the policy would hardly sample any more push no token down. Default null. */
  readonly offPolicyMask: OffPolicyMask | null;
  /** Importance weights of the surrogate where another engine sampled; needs rolloutLogProbs and oldLogProbs. Default null. */
  readonly rolloutCorrection: RolloutCorrectionRule | null;
  /** β, added. Default 0. */
  readonly refKlCoef: Coefficient;
  /**
   * Default "k3"; "exact" and "exact-reverse" need the reference's logits. "unbiased-sequence" is k3 times the ratio of
   * the sequence, as the surrogate "gspo" has it, with the gradient of both.
   */
  readonly refKlEstimator: RefKlEstimator;
  /** γ, *subtracted*. Default 0. */
  readonly perceptionKlCoef: Coefficient;
  /** Default "k3". */
  readonly perceptionKlEstimator: KlEstimator;
  /**
   * Lower bound on the value of a token's perception term, whatever estimates it, nats, gradient 0 where it binds;
   * null = none (default). Authors' clip: 0.
   */
  readonly perceptionKlMin: number | null;
  /**
   * Upper bound on the value of a token's perception term, nats, gradient 0 where it binds; null = none (default).
   * Authors' clip: 0.2. Since the term is maximised, perceptionKlMax τ is the hinge max(0, τ − KL) but for the
   * constant τ.
   */
  readonly perceptionKlMax: number | null;
  /** Weights of sequences in the perception term; all but "all" need accuracies. Default "all". */
  readonly perceptionWeighting: PerceptionWeighting;
  /** A sequence with an accuracy above it is correct. Default 0.1. */
  readonly correctThreshold: number;
  /** Weight of incorrect sequences with "accuracy-weighted"; 0 or more. Default 0.1. */
  readonly incorrectWeight: number;
  /** The perception term on the tokens where it is largest, before perceptionKlMin and -Max. Default null. */
  readonly perceptionTokenMask: TokenMask | null;
  /** η of the policy's entropy, *added* (the entropy is kept low). Default 0. */
  readonly entropyCoef: Coefficient;
  /** η of the masked policy's entropy, *added*. Default 0. */
  readonly maskedEntropyCoef: Coefficient;
  /** "sampled" is −log-prob of the sampled token (for the masked policy a cross-entropy); "exact" sums over the vocabulary. Default "sampled". */
  readonly entropyEstimator: EntropyEstimator;
  /** Both entropies as hinges. Default null. */
  readonly entropyBounds: EntropyBounds | null;
  /** Whether the entropy coefficients follow the schedule of perceptionKlCoef. Default "own". */
  readonly entropyAnnealing: EntropyAnnealing;
  /** Of −log-prob of the tokens of correct sequences, their token mean, *added*; needs accuracies. Default 0. */
  readonly sftCoef: Coefficient;
  /** Whether gradient flows into the masked policy. Default "constant". */
  readonly maskedBranch: MaskedBranch;
  /** How the surrogate and both KLs become scalars. Default "token-mean". */
  readonly reduction: Reduction;
  /** How both entropies do: token mean whatever the reduction says (the authors), or the same. Default "token-mean". */
  readonly entropyReduction: EntropyReduction;
  /** Whether a sequence without a counted token is one of those that means over sequences divide by. Default "count". */
  readonly emptySequences: EmptySequences;
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

/** Values that may be given in part or in a word. */
interface InParts {
  readonly surrogate: SurrogateInput;
  readonly policyTokenMask: PartInput<PolicyTokenMask>;
  readonly perceptionTokenMask: PartInput<TokenMask>;
  readonly advantageShaping: PartInput<AdvantageShaping>;
  readonly entropyBounds: PartInput<EntropyBounds>;
  readonly rolloutCorrection: RolloutCorrectionInput;
}

/**
 * Any part of an objective; what is absent has its default.
 *
 * @interface
 */
export type ObjectiveSpecInput = {
  readonly [K in keyof ObjectiveSpec]?:
    | ObjectiveSpec[K]
    | (K extends keyof InParts ? InParts[K] : never)
    | undefined;
};

/** Key of an objective. */
export type SpecKey = keyof ObjectiveSpec;

const { entropyLow, entropyHigh, ...OF_OPS } = OBJECTIVE_DEFAULTS;

/** What a key holds where it is not given: PPO's clip with a token mean, every other term off. */
export const SPEC_DEFAULTS: ObjectiveSpec = Object.freeze({
  surrogate: DEFAULT_SURROGATE,
  ...OF_OPS,
  // JSON has no Infinity, which is how the ops say "no limit".
  exactKlLimit: null,
  perceptionKlMin: null,
  perceptionKlMax: null,
  policyTokenMask: null,
  advantageShaping: null,
  offPolicyMask: null,
  rolloutCorrection: null,
  perceptionWeighting: "all",
  correctThreshold: 0.1,
  incorrectWeight: 0.1,
  perceptionTokenMask: null,
  entropyBounds: null,
  entropyAnnealing: "own",
  sftCoef: 0,
  reduction: "token-mean",
  entropyReduction: "token-mean",
  emptySequences: "count",
  temperature: 1,
  denominatorEpsilon: 1e-8,
});

/** Keys of an objective, in the order in which they are shown. */
export const SPEC_KEYS = Object.keys(SPEC_DEFAULTS) as readonly SpecKey[];

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
  checkTogether(where, spec);
  return Object.freeze(spec);
}

/** What depends on more than one key. */
function checkTogether(where: string, spec: ObjectiveSpec): void {
  const { clipDual, clipHigh, perceptionKlMin: min, perceptionKlMax: max, entropyBounds } = spec;
  const refuse = (what: string, received: number) =>
    expected("ERR_RANGE", where, what, String(received));
  if (clipDual !== 0 && clipDual <= 1 + clipHigh) {
    // Below that the ordinary clip of positive advantages and the dual clip would overlap.
    throw refuse(`clipDual to be 0 (off) or above 1 + clipHigh = ${1 + clipHigh}`, clipDual);
  }
  if (min !== null && max !== null && max < min) {
    throw refuse(`perceptionKlMax to be at least perceptionKlMin = ${min}`, max);
  }
  const { low = null, high = null } = entropyBounds ?? {};
  if (entropyBounds && low === null && high === null) {
    throw expected("ERR_ARGUMENT", where, "entropyBounds to have low, high or both", "neither");
  }
  if (low !== null && high !== null && high < low) {
    throw refuse(`entropyBounds.high to be at least entropyBounds.low = ${low}`, high);
  }
  if (spec.entropyAnnealing === "with-perception" && startOf(spec.perceptionKlCoef) === 0) {
    const what = 'perceptionKlCoef to begin above 0 with entropyAnnealing "with-perception"';
    throw refuse(what, 0);
  }
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
