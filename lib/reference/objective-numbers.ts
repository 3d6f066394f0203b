/** The numbers and names that define an objective, as plain data: the fields of an ObjectiveSpec. */
import { checkObject } from "../core/arguments.js";
import { checkNumber, checkWord } from "./checks.js";
import {
  KL_ESTIMATORS,
  type KlEstimator,
  SAMPLED_KL_ESTIMATORS,
  type SampledKlEstimator,
} from "./divergence.js";
import { EMPTY_SEQUENCES, type EmptySequences, REDUCTIONS, type Reduction } from "./reduction.js";

/** What enters the loss of one token. */
export interface TokenObjectiveNumbers {
  /** The ratio is clipped below at 1 − clipLow; in 0…1, 0.2 by default. */
  readonly clipLow: number;
  /** The ratio is clipped above at 1 + clipHigh; ≥ 0, 0.2 by default. */
  readonly clipHigh: number;
  /** Bound of the loss for negative advantages, in units of |A|; 0 (default: off) or above 1 + clipHigh. */
  readonly clipDual: number;
  /** Of KL(policy ‖ reference), which is added; 0 by default. */
  readonly refKlCoef: number;
  /** Estimator of the KL to the reference; "k3" by default. */
  readonly refKlEstimator: SampledKlEstimator;
  /** Of KL(policy ‖ masked policy), which is subtracted; 0 by default. */
  readonly perceptionKlCoef: number;
  /** Estimator of the perception KL; "k3" by default. */
  readonly perceptionKlEstimator: KlEstimator;
  /** Of the entropy of the policy, which is added; 0 by default. */
  readonly entropyCoef: number;
  /** Of the entropy of the masked policy, which is added; 0 by default. */
  readonly maskedEntropyCoef: number;
  /** `"sampled"` (default) is −log-prob of the sampled token, `"exact"` the sum over the vocabulary. */
  readonly entropyEstimator: "sampled" | "exact";
  /** Whether a gradient flows into the masked policy; `"constant"` by default. */
  readonly maskedBranch: "constant" | "differentiable";
  /** Bound of every difference of log-probs before it is used, nats; 20 by default, Infinity for none. */
  readonly logRatioLimit: number;
  /** Bound of k3 and jsd, nats; 10 by default, Infinity for none. */
  readonly klLimit: number;
  /** Bound of an exact divergence in the perception term, nats; none where null (default) or Infinity. */
  readonly exactKlLimit: number | null;
  /** The perception term's value is held at or above it, by any estimator; none where null or −Infinity (default). */
  readonly perceptionKlMin: number | null;
  /** The perception term's value is held at or below it, by any estimator; none where null or Infinity (default). */
  readonly perceptionKlMax: number | null;
  /** Either finite: both entropies H become max(0, entropyLow − H) + max(0, H − entropyHigh); null or −Infinity (default). */
  readonly entropyLow: number | null;
  /** See `entropyLow`; null or Infinity (default) is none. */
  readonly entropyHigh: number | null;
}

/** The whole loss: the token's part, the temperature, and how tokens become one number. */
export interface ObjectiveNumbers extends TokenObjectiveNumbers {
  /** Of surrogate and divergences; `"token-mean"` by default. */
  readonly reduction: Reduction;
  /** Of the entropies: the token mean (default) or the same as the rest. */
  readonly entropyReduction: "token-mean" | "same";
  /** Whether means over sequences count those without tokens; `"count"` by default. */
  readonly emptySequences: EmptySequences;
  /** Logits are divided by it first; 1 by default. */
  readonly temperature: number;
  /** Added to every count of tokens that divides; 1e-8 by default. */
  readonly denominatorEpsilon: number;
}

/** Fills the defaults and checks every field; throws ERR_RANGE for a number and ERR_ARGUMENT for a name. */
export function objectiveNumbers(
  where: string,
  fields: Partial<ObjectiveNumbers>,
): ObjectiveNumbers {
  checkObject(where, "options", fields);
  const numbers: ObjectiveNumbers = {
    clipLow: fields.clipLow ?? 0.2,
    clipHigh: fields.clipHigh ?? 0.2,
    clipDual: fields.clipDual ?? 0,
    refKlCoef: fields.refKlCoef ?? 0,
    refKlEstimator: fields.refKlEstimator ?? "k3",
    perceptionKlCoef: fields.perceptionKlCoef ?? 0,
    perceptionKlEstimator: fields.perceptionKlEstimator ?? "k3",
    entropyCoef: fields.entropyCoef ?? 0,
    maskedEntropyCoef: fields.maskedEntropyCoef ?? 0,
    entropyEstimator: fields.entropyEstimator ?? "sampled",
    maskedBranch: fields.maskedBranch ?? "constant",
    logRatioLimit: fields.logRatioLimit ?? 20,
    klLimit: fields.klLimit ?? 10,
    exactKlLimit: fields.exactKlLimit ?? null,
    perceptionKlMin: fields.perceptionKlMin ?? -Infinity,
    perceptionKlMax: fields.perceptionKlMax ?? Infinity,
    entropyLow: fields.entropyLow ?? -Infinity,
    entropyHigh: fields.entropyHigh ?? Infinity,
    reduction: fields.reduction ?? "token-mean",
    entropyReduction: fields.entropyReduction ?? "token-mean",
    emptySequences: fields.emptySequences ?? "count",
    temperature: fields.temperature ?? 1,
    denominatorEpsilon: fields.denominatorEpsilon ?? 1e-8,
  };
  const check = (
    name: keyof ObjectiveNumbers,
    range: string,
    holds: (value: number) => boolean,
  ): void => checkNumber(where, name, numbers[name] as number, range, holds);
  const { clipHigh } = numbers;

  check("clipLow", "in 0…1", (value) => value >= 0 && value <= 1);
  check("clipHigh", "finite and not negative", (value) => value >= 0 && value < Infinity);
  check(
    "clipDual",
    `0 or finite and above 1 + clipHigh = ${1 + clipHigh}`,
    (value) => value === 0 || (value > 1 + clipHigh && value < Infinity),
  );
  check("refKlCoef", "finite", Number.isFinite);
  check("perceptionKlCoef", "finite", Number.isFinite);
  check("entropyCoef", "finite", Number.isFinite);
  check("maskedEntropyCoef", "finite", Number.isFinite);
  check("logRatioLimit", "above 0", (value) => value > 0);
  check("klLimit", "above 0", (value) => value > 0);
  if (numbers.exactKlLimit !== null) check("exactKlLimit", "above 0", (value) => value > 0);
  for (const [least, most] of [
    ["perceptionKlMin", "perceptionKlMax"],
    ["entropyLow", "entropyHigh"],
  ] as const) {
    const bound = numbers[most] as number;
    check(most, "a number or Infinity", (value) => value > -Infinity);
    check(least, `at most ${most} = ${bound}`, (value) => value <= bound && value < Infinity);
  }
  check("temperature", "finite and above 0", (value) => value > 0 && value < Infinity);
  check("denominatorEpsilon", "finite and not negative", (value) => value >= 0 && value < Infinity);

  for (const [name, choices] of Object.entries(CHOICES)) {
    checkWord(where, name, numbers[name as keyof typeof CHOICES], choices);
  }
  return numbers;
}

const CHOICES = {
  refKlEstimator: SAMPLED_KL_ESTIMATORS,
  perceptionKlEstimator: KL_ESTIMATORS,
  entropyEstimator: ["sampled", "exact"],
  maskedBranch: ["constant", "differentiable"],
  reduction: REDUCTIONS,
  entropyReduction: ["token-mean", "same"],
  emptySequences: EMPTY_SEQUENCES,
} as const;
