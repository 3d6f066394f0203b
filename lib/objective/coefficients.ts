/** The coefficients in force at one step, and the attributes that the native ops take for a spec. */
import { expected } from "../core/errors.js";
import type { ObjectiveAttributes } from "../ops/token-objective.js";
import { coefficientAt, isScheduled } from "./schedule.js";
import type { ObjectiveSpec } from "./spec.js";

/** The value of each coefficient at the step of an evaluation. */
export interface Coefficients {
  readonly refKl: number;
  readonly perceptionKl: number;
  readonly entropy: number;
  readonly maskedEntropy: number;
}

/** The numbers of a spec at one step: its coefficients, and all of it in the words of the native ops. */
export interface SpecNumbers {
  readonly coefficients: Coefficients;
  readonly attributes: ObjectiveAttributes;
}

/** Of specs without a schedule, whose numbers are the same at every step. */
const constantNumbers = new WeakMap<ObjectiveSpec, SpecNumbers>();

/** The numbers after `step` updates. Throws as `coefficientsAt`. */
export function numbersAt(
  where: string,
  spec: ObjectiveSpec,
  step: number | undefined,
): SpecNumbers {
  const known = constantNumbers.get(spec);
  if (known) return known;
  const coefficients = coefficientsAt(where, spec, step);
  const numbers = { coefficients, attributes: attributesOf(spec, coefficients) };
  if (isConstant(spec)) constantNumbers.set(spec, numbers);
  return numbers;
}

/** Whether the numbers are the same at every step. */
export function isConstant(spec: ObjectiveSpec): boolean {
  return !KEYS.some((key) => isScheduled(spec[key]));
}

const KEYS = ["refKlCoef", "perceptionKlCoef", "entropyCoef", "maskedEntropyCoef"] as const;

/**
 * The coefficients after `step` updates.
 *
 * @throws PapoError ERR_ARGUMENT where one is a schedule and no step is given: a forgotten step would silently train
 *         with the first value for ever
 */
function coefficientsAt(
  where: string,
  spec: ObjectiveSpec,
  step: number | undefined,
): Coefficients {
  const at = (key: (typeof KEYS)[number]) => {
    const coefficient = spec[key];
    if (step === undefined && isScheduled(coefficient)) {
      throw expected("ERR_ARGUMENT", where, `step, since ${key} is a schedule`, "none");
    }
    return coefficientAt(coefficient, step ?? 0);
  };
  return Object.freeze({
    refKl: at("refKlCoef"),
    perceptionKl: at("perceptionKlCoef"),
    entropy: at("entropyCoef"),
    maskedEntropy: at("maskedEntropyCoef"),
  });
}

/** A spec in the words of the native ops. */
function attributesOf(spec: ObjectiveSpec, coefficients: Coefficients): ObjectiveAttributes {
  return {
    clipLow: spec.clipLow,
    clipHigh: spec.clipHigh,
    clipDual: spec.clipDual,
    refKlCoef: coefficients.refKl,
    refKlEstimator: spec.refKlEstimator,
    perceptionKlCoef: coefficients.perceptionKl,
    perceptionKlEstimator: spec.perceptionKlEstimator,
    entropyCoef: coefficients.entropy,
    maskedEntropyCoef: coefficients.maskedEntropy,
    entropyEstimator: spec.entropyEstimator,
    maskedBranch: spec.maskedBranch,
    logRatioLimit: spec.logRatioLimit,
    klLimit: spec.klLimit ?? Number.POSITIVE_INFINITY,
    exactKlLimit: spec.exactKlLimit ?? Number.POSITIVE_INFINITY,
    perceptionKlMin: Number.NEGATIVE_INFINITY,
    perceptionKlMax: Number.POSITIVE_INFINITY,
    entropyLow: Number.NEGATIVE_INFINITY,
    entropyHigh: Number.POSITIVE_INFINITY,
  };
}
