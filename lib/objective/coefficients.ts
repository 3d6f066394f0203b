/** The coefficients in force at one step, and the attributes that the native ops take for a spec. */
import { checkObject, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import type {
  KlEstimator,
  ObjectiveAttributes,
  SampledKlEstimator,
} from "../ops/token-objective.js";
import { coefficientAt, isScheduled, startOf } from "./schedule.js";
import type { ObjectiveSpec, RefKlEstimator } from "./spec.js";

/** The value of each coefficient at the step of an evaluation. */
export interface Coefficients {
  /** β of the KL to the reference, added. */
  readonly refKl: number;
  /** γ of the perception KL, subtracted. */
  readonly perceptionKl: number;
  /** η of the policy's entropy, added. */
  readonly entropy: number;
  /** η of the masked policy's entropy, added. */
  readonly maskedEntropy: number;
  /** Of the supervised term, added. */
  readonly sft: number;
}

/** Coefficients of one evaluation in place of the spec's, such as an adaptive controller gives. */
export type CoefficientsInput = { readonly [K in keyof Coefficients]?: number | undefined };

/** The numbers of a spec at one step: its coefficients, and all of it in the words of the native ops. */
export interface SpecNumbers {
  readonly coefficients: Coefficients;
  readonly attributes: ObjectiveAttributes;
}

const NAMES = ["refKl", "perceptionKl", "entropy", "maskedEntropy", "sft"] as const;

/** Of specs without a schedule, whose numbers are the same at every step. */
const constantNumbers = new WeakMap<ObjectiveSpec, SpecNumbers>();

/** The numbers after `step` updates. Throws as `coefficientsAt`. */
export function numbersAt(
  where: string,
  spec: ObjectiveSpec,
  step: number | undefined,
  given?: CoefficientsInput,
): SpecNumbers {
  const known = given === undefined ? constantNumbers.get(spec) : undefined;
  if (known) return known;
  const coefficients = coefficientsAt(where, spec, step, given ?? {});
  const numbers = { coefficients, attributes: attributesOf(spec, coefficients) };
  if (given === undefined && isConstant(spec)) constantNumbers.set(spec, numbers);
  return numbers;
}

/** Whether the numbers are the same at every step. */
export function isConstant(spec: ObjectiveSpec): boolean {
  return !NAMES.some((name) => isScheduled(spec[`${name}Coef`]));
}

/** Coefficients of an evaluation, each read once; throws ERR_ARGUMENT and ERR_RANGE for anything but finite numbers. */
export function readCoefficients(where: string, value: CoefficientsInput): CoefficientsInput {
  checkObject(where, "coefficients", value);
  const given = readOptions(where, value, NAMES, "coefficients");
  for (const [name, number] of Object.entries(given)) {
    if (typeof number === "number" && Number.isFinite(number)) continue;
    const what = `coefficients.${name} to be a finite number`;
    const code = typeof number === "number" ? "ERR_RANGE" : "ERR_ARGUMENT";
    throw expected(code, where, what, describe(number));
  }
  return given;
}

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
  given: CoefficientsInput,
): Coefficients {
  const at = (name: keyof Coefficients) => {
    const coefficient = spec[`${name}Coef`];
    if (step === undefined && isScheduled(coefficient)) {
      throw expected("ERR_ARGUMENT", where, `step, since ${name}Coef is a schedule`, "none");
    }
    return coefficientAt(coefficient, step ?? 0);
  };
  const perceptionKl = given.perceptionKl ?? at("perceptionKl");
  const annealed = spec.entropyAnnealing === "with-perception";
  // Checked with the spec: γ does not begin at 0.
  const factor = annealed ? perceptionKl / startOf(spec.perceptionKlCoef) : 1;
  return Object.freeze({
    refKl: given.refKl ?? at("refKl"),
    perceptionKl,
    entropy: given.entropy ?? factor * at("entropy"),
    maskedEntropy: given.maskedEntropy ?? factor * at("maskedEntropy"),
    sft: given.sft ?? at("sft"),
  });
}

/** Whether an estimator is a sum over the vocabulary. */
export function isExact(
  estimator: RefKlEstimator,
): estimator is Exclude<KlEstimator, SampledKlEstimator> {
  return estimator === "exact" || estimator === "exact-reverse";
}

/** The ops know estimators from one token; what others make of it is theirs. */
function ofOneToken(estimator: RefKlEstimator): SampledKlEstimator {
  return isExact(estimator) || estimator === "unbiased-sequence" ? "k3" : estimator;
}

/** A spec in the words of the native ops; an exact KL to the reference and bounds of a mean are no business of theirs. */
function attributesOf(spec: ObjectiveSpec, coefficients: Coefficients): ObjectiveAttributes {
  const { refKlEstimator, entropyBounds } = spec;
  const bounds = entropyBounds?.level === "token" ? entropyBounds : null;
  return {
    clipLow: spec.clipLow,
    clipHigh: spec.clipHigh,
    clipDual: spec.clipDual,
    refKlCoef: coefficients.refKl,
    refKlEstimator: ofOneToken(refKlEstimator),
    perceptionKlCoef: coefficients.perceptionKl,
    perceptionKlEstimator: spec.perceptionKlEstimator,
    entropyCoef: coefficients.entropy,
    maskedEntropyCoef: coefficients.maskedEntropy,
    entropyEstimator: spec.entropyEstimator,
    maskedBranch: spec.maskedBranch,
    logRatioLimit: spec.logRatioLimit,
    klLimit: spec.klLimit ?? Number.POSITIVE_INFINITY,
    exactKlLimit: spec.exactKlLimit ?? Number.POSITIVE_INFINITY,
    perceptionKlMin: spec.perceptionKlMin ?? Number.NEGATIVE_INFINITY,
    perceptionKlMax: spec.perceptionKlMax ?? Number.POSITIVE_INFINITY,
    entropyLow: bounds?.low ?? Number.NEGATIVE_INFINITY,
    entropyHigh: bounds?.high ?? Number.POSITIVE_INFINITY,
  };
}
