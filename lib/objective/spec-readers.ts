/** How each key of an objective is read from outside: one table. */
import { EMPTY_SEQUENCES, REDUCTIONS } from "../functional/row-weights.js";
import { type KlEstimator, SAMPLED_KL_ESTIMATORS } from "../ops/token-objective.js";
import { readCoefficient } from "./schedule.js";
import type { ObjectiveSpec, SpecKey } from "./spec.js";
import {
  ENTROPY_ANNEALINGS,
  PERCEPTION_WEIGHTINGS,
  readAdvantageShaping,
  readBound,
  readEntropyBounds,
  readOffPolicyMask,
  readPerceptionTokenMask,
  readPolicyTokenMask,
  readRollout,
} from "./spec-parts.js";
import { numberWhere, oneOf, type Reader, readLimit } from "./spec-values.js";
import { readSurrogate } from "./surrogate-spec.js";

/** Estimators of a KL: from the log-probs of the sampled tokens, or as sums over the vocabulary. */
export const KL_ESTIMATORS: readonly KlEstimator[] = [
  ...SAMPLED_KL_ESTIMATORS,
  "exact",
  "exact-reverse",
];

/** Those of the KL to the reference: "unbiased-sequence" is k3 times the ratio of the sequence, as "gspo" has it. */
export type RefKlEstimator = KlEstimator | "unbiased-sequence";
/** Words of `RefKlEstimator`. */
export const REF_KL_ESTIMATORS: readonly RefKlEstimator[] = [...KL_ESTIMATORS, "unbiased-sequence"];

/** Words of `EntropyEstimator`. */
export const ENTROPY_ESTIMATORS = ["sampled", "exact"] as const;
export const MASKED_BRANCHES = ["constant", "differentiable"] as const;
export const ENTROPY_REDUCTIONS = ["token-mean", "same"] as const;

const fromZero = numberWhere("from 0 up", (x) => x >= 0);

export const READERS: { readonly [K in SpecKey]: Reader<ObjectiveSpec[K]> } = {
  surrogate: readSurrogate,
  clipLow: numberWhere("from 0 to 1", (x) => x >= 0 && x <= 1),
  clipHigh: fromZero,
  clipDual: numberWhere("0 (off) or above 1", (x) => x === 0 || x > 1),
  policyTokenMask: readPolicyTokenMask,
  advantageShaping: readAdvantageShaping,
  offPolicyMask: readOffPolicyMask,
  rolloutCorrection: readRollout,
  refKlCoef: readCoefficient,
  refKlEstimator: oneOf(REF_KL_ESTIMATORS),
  perceptionKlCoef: readCoefficient,
  perceptionKlEstimator: oneOf(KL_ESTIMATORS),
  perceptionKlMin: readBound,
  perceptionKlMax: readBound,
  perceptionWeighting: oneOf(PERCEPTION_WEIGHTINGS),
  correctThreshold: numberWhere("that is finite", () => true),
  incorrectWeight: fromZero,
  perceptionTokenMask: readPerceptionTokenMask,
  entropyCoef: readCoefficient,
  maskedEntropyCoef: readCoefficient,
  entropyEstimator: oneOf(ENTROPY_ESTIMATORS),
  entropyBounds: readEntropyBounds,
  entropyAnnealing: oneOf(ENTROPY_ANNEALINGS),
  sftCoef: readCoefficient,
  maskedBranch: oneOf(MASKED_BRANCHES),
  reduction: oneOf(REDUCTIONS),
  entropyReduction: oneOf(ENTROPY_REDUCTIONS),
  emptySequences: oneOf(EMPTY_SEQUENCES),
  temperature: numberWhere("above 0", (x) => x > 0),
  logRatioLimit: numberWhere("above 0 and at most 700", (x) => x > 0 && x <= 700),
  klLimit: readLimit,
  exactKlLimit: readLimit,
  denominatorEpsilon: fromZero,
};
