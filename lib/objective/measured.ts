/** Which terms an evaluation can compute from the inputs it has, and the errors where it lacks one. */
import { expected } from "../core/errors.js";
import type { Coefficients } from "./coefficients.js";
import type { ObjectiveSpec, RefKlEstimator } from "./spec.js";

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
> & {
  readonly refLogProbs: boolean;
  /** Exact KLs to the reference. */
  readonly refKl: boolean;
  readonly refReverseKl: boolean;
};

/** What logits give: the policy's statistics always, those of two policies where the other's logits are there. */
export function inputsOfLogits(
  data: {
    readonly oldLogProbs: unknown;
    readonly refLogProbs: unknown;
    readonly maskedLogProbs: unknown;
  },
  hasMaskedLogits: boolean,
  hasRefLogits = false,
): Inputs {
  return {
    oldLogProbs: data.oldLogProbs !== undefined,
    refLogProbs: hasRefLogits || data.refLogProbs !== undefined,
    refKl: hasRefLogits,
    refReverseKl: hasRefLogits,
    maskedLogProbs: hasMaskedLogits || data.maskedLogProbs !== undefined,
    entropy: true,
    maskedEntropy: hasMaskedLogits,
    kl: hasMaskedLogits,
    reverseKl: hasMaskedLogits,
  };
}

/** What can be computed from these inputs. */
export function measuredOf(spec: ObjectiveSpec, inputs: Inputs): Measured {
  const exactEntropy = spec.entropyEstimator === "exact";
  const sampled = inputs.maskedLogProbs;
  return {
    oldLogProbs: inputs.oldLogProbs,
    maskedLogProbs: inputs.maskedLogProbs,
    entropy: inputs.entropy,
    maskedEntropy: inputs.maskedEntropy,
    kl: inputs.kl,
    reverseKl: inputs.reverseKl,
    refKlTerm: ofEstimator(spec.refKlEstimator, inputs.refLogProbs, {
      exact: inputs.refKl,
      reverse: inputs.refReverseKl,
    }),
    perceptionKlTerm: ofEstimator(spec.perceptionKlEstimator, sampled, {
      exact: inputs.kl,
      reverse: inputs.reverseKl,
    }),
    entropyTerm: !exactEntropy || inputs.entropy,
    maskedEntropyTerm: exactEntropy ? inputs.maskedEntropy : sampled,
  };
}

/** Which input an estimator of a KL needs. */
function ofEstimator<T>(estimator: RefKlEstimator, sampled: T, of: { exact: T; reverse: T }): T {
  if (estimator === "exact") return of.exact;
  return estimator === "exact-reverse" ? of.reverse : sampled;
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
  const { refKlEstimator, perceptionKlEstimator, entropyEstimator } = spec;
  const sampled = "maskedLogits or maskedLogProbs";
  const reference = ofEstimator(refKlEstimator, "refLogProbs", {
    exact: "refLogits (or refKl with log-probs)",
    reverse: "refLogits (or refReverseKl with log-probs)",
  });
  needs(measured.refKlTerm, "refKl", reference);
  const maskedOn = coefficients.perceptionKl !== 0 || coefficients.maskedEntropy !== 0;
  if (constantMasked && maskedOn && spec.maskedBranch === "differentiable") {
    const what = 'maskedLogits, since maskedBranch is "differentiable"';
    throw expected("ERR_ARGUMENT", where, what, "constant maskedLogProbs");
  }
  needs(
    measured.perceptionKlTerm,
    "perceptionKl",
    ofEstimator(perceptionKlEstimator, sampled, {
      exact: "maskedLogits (or kl with log-probs)",
      reverse: "maskedLogits (or reverseKl with log-probs)",
    }),
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
  checkQuantities(where, spec, measured);
}

/** What tokens are chosen or shaped by must be there, whatever the coefficients. */
function checkQuantities(where: string, spec: ObjectiveSpec, measured: Measured): void {
  const { policyTokenMask, advantageShaping } = spec;
  if (policyTokenMask?.by === "entropy" && !measured.entropy) {
    const what = 'entropy, since policyTokenMask is by "entropy"';
    throw expected("ERR_ARGUMENT", where, what, "none");
  }
  if (measured.perceptionKlTerm) return;
  const because =
    advantageShaping !== null
      ? `advantageShaping is "${advantageShaping.kind}"`
      : policyTokenMask?.by === "perception"
        ? 'policyTokenMask is by "perception"'
        : undefined;
  if (because === undefined) return;
  const what = `the masked policy as perceptionKlEstimator needs it, since ${because}`;
  throw expected("ERR_ARGUMENT", where, what, "none");
}
