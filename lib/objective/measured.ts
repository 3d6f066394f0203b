/** Which terms an evaluation can compute from the inputs it has, and the errors where it lacks one. */
import { expected } from "../core/errors.js";
import type { Coefficients } from "./coefficients.js";
import type { ObjectiveSpec } from "./spec.js";

/** Which numbers of an evaluation stand for something; the others have no input and are left out of its results. */
export interface Measured {
  readonly oldLogProbs: boolean;
  readonly maskedLogProbs: boolean;
  /** Exact statistics. */
  readonly entropy: boolean;
  readonly maskedEntropy: boolean;
  readonly kl: boolean;
  readonly reverseKl: boolean;
  /** Terms, by the spec's estimators. */
  readonly refKlTerm: boolean;
  readonly perceptionKlTerm: boolean;
  readonly entropyTerm: boolean;
  readonly maskedEntropyTerm: boolean;
}

/** The inputs of an evaluation as far as terms depend on them. */
export type Inputs = Pick<
  Measured,
  "oldLogProbs" | "maskedLogProbs" | "entropy" | "maskedEntropy" | "kl" | "reverseKl"
> & { readonly refLogProbs: boolean };

/** What logits give: the policy's statistics always, those of both policies where the masked logits are there. */
export function inputsOfLogits(
  data: {
    readonly oldLogProbs: unknown;
    readonly refLogProbs: unknown;
    readonly maskedLogProbs: unknown;
  },
  hasMaskedLogits: boolean,
): Inputs {
  return {
    oldLogProbs: data.oldLogProbs !== undefined,
    refLogProbs: data.refLogProbs !== undefined,
    maskedLogProbs: hasMaskedLogits || data.maskedLogProbs !== undefined,
    entropy: true,
    maskedEntropy: hasMaskedLogits,
    kl: hasMaskedLogits,
    reverseKl: hasMaskedLogits,
  };
}

/** What can be computed from these inputs. */
export function measuredOf(spec: ObjectiveSpec, inputs: Inputs): Measured {
  const estimator = spec.perceptionKlEstimator;
  const exactEntropy = spec.entropyEstimator === "exact";
  const sampled = inputs.maskedLogProbs;
  return {
    oldLogProbs: inputs.oldLogProbs,
    maskedLogProbs: inputs.maskedLogProbs,
    entropy: inputs.entropy,
    maskedEntropy: inputs.maskedEntropy,
    kl: inputs.kl,
    reverseKl: inputs.reverseKl,
    refKlTerm: inputs.refLogProbs,
    perceptionKlTerm:
      estimator === "exact"
        ? inputs.kl
        : estimator === "exact-reverse"
          ? inputs.reverseKl
          : sampled,
    entropyTerm: !exactEntropy || inputs.entropy,
    maskedEntropyTerm: exactEntropy ? inputs.maskedEntropy : sampled,
  };
}

/**
 * Throws ERR_ARGUMENT where a term has a coefficient other than 0 and lacks its input.
 *
 * @param constantMasked  whether the masked policy is given as log-probs beside logits, which have no gradient
 */
export function checkMeasured(
  where: string,
  spec: ObjectiveSpec,
  coefficients: Coefficients,
  measured: Measured,
  constantMasked = false,
): void {
  const needs = (present: boolean, term: keyof Coefficients, input: string, why = "") => {
    const coef = coefficients[term];
    if (present || coef === 0) return;
    throw expected("ERR_ARGUMENT", where, `${input}, since ${term}Coef is ${coef}${why}`, "none");
  };
  const { perceptionKlEstimator, entropyEstimator } = spec;
  const exact = { exact: "kl", "exact-reverse": "reverseKl" } as Partial<Record<string, string>>;
  const statistic = exact[perceptionKlEstimator];
  const sampled = "maskedLogits or maskedLogProbs";
  needs(measured.refKlTerm, "refKl", "refLogProbs");
  const maskedOn = coefficients.perceptionKl !== 0 || coefficients.maskedEntropy !== 0;
  if (constantMasked && maskedOn && spec.maskedBranch === "differentiable") {
    const what = 'maskedLogits, since maskedBranch is "differentiable"';
    throw expected("ERR_ARGUMENT", where, what, "constant maskedLogProbs");
  }
  needs(
    measured.perceptionKlTerm,
    "perceptionKl",
    statistic === undefined ? sampled : `maskedLogits (or ${statistic} with log-probs)`,
    ` and perceptionKlEstimator is "${perceptionKlEstimator}"`,
  );
  const why = ` and entropyEstimator is "${entropyEstimator}"`;
  needs(measured.entropyTerm, "entropy", "logits (or entropy with log-probs)", why);
  needs(
    measured.maskedEntropyTerm,
    "maskedEntropy",
    entropyEstimator === "sampled" ? sampled : "maskedLogits (or maskedEntropy with log-probs)",
    why,
  );
}
