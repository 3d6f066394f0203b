/** What the paper and the mathematics warn of, about the numbers of an objective. */
import { coefficientRange, isScheduled } from "./schedule.js";
import {
  type ObjectiveSpec,
  type ObjectiveSpecInput,
  SPEC_DEFAULTS,
  type SpecKey,
  validateSpec,
} from "./spec.js";
import { surrogateOf } from "./surrogate-spec.js";

/**
 * Sentences about numbers that are known to end badly or to do nothing; empty where there are none.
 *
 * They are data: nothing is printed and nothing is changed. Show them where a person starts a run (`papo loss` does).
 * A scheduled coefficient is judged by its end that is worse.
 *
 * @param input  any part of an objective, as for `validateSpec`, whose errors are thrown
 * @see PAPO, arXiv 2507.06448 v5, §5, Tables 5 and 11, App. F
 */
export function warnings(input: ObjectiveSpecInput): string[] {
  const spec = validateSpec(input, "warnings");
  return [
    ...collapse(spec),
    ...withoutEffect(spec),
    ...notRead(spec),
    ...ofSurrogate(spec),
    ...unbounded(spec),
    ...signs(spec),
  ];
}

/** The regions where the paper saw the model collapse: γ too large for what holds it back. */
function collapse(spec: ObjectiveSpec): string[] {
  const gamma = coefficientRange(spec.perceptionKlCoef).max;
  const hasRef = coefficientRange(spec.refKlCoef).min > 0;
  const eta = coefficientRange(spec.entropyCoef).min;
  const found: string[] = [];
  if (gamma >= 0.04) {
    found.push(
      `perceptionKlCoef ${gamma}: the paper saw collapse from 0.04 up, even with double entropy; its presets use 0.01 and 0.02`,
    );
  } else if (gamma >= 0.02 && !hasRef) {
    found.push(
      `perceptionKlCoef ${gamma} without a reference KL: the paper saw collapse from 0.02 up, even with double entropy; its presets without reference use 0.01`,
    );
  } else if (gamma >= 0.02 && eta <= 0) {
    found.push(
      `perceptionKlCoef ${gamma} without an entropy term: stable at 3B and collapsed at 7B in the paper, whose 7B preset adds entropyCoef 0.05`,
    );
  } else if (gamma >= 0.02 && eta < 0.03) {
    found.push(
      `entropyCoef ${eta} with perceptionKlCoef ${gamma}: 0.01 collapsed late at 7B in the paper, 0.03 and 0.05 did not`,
    );
  }
  return found;
}

/** Terms that are asked for and have no gradient. */
function withoutEffect(spec: ObjectiveSpec): string[] {
  const found: string[] = [];
  if (isOn(spec.maskedEntropyCoef) && spec.maskedBranch === "constant") {
    found.push(
      'maskedEntropyCoef with maskedBranch "constant": the masked entropy changes the loss value but has no gradient, as in the authors\' code',
    );
  }
  if (spec.entropyAnnealing === "with-perception" && !isScheduled(spec.perceptionKlCoef)) {
    found.push(
      'entropyAnnealing "with-perception" with a perceptionKlCoef that has no schedule: it changes nothing but under options.coefficients',
    );
  }
  if (isOn(spec.refKlCoef) && spec.refKlEstimator === "k1") {
    found.push('refKlEstimator "k1": its gradient is zero in expectation; it only adds noise');
  }
  if (isOn(spec.perceptionKlCoef) && spec.perceptionKlEstimator === "k1") {
    found.push(
      'perceptionKlEstimator "k1": its gradient on the policy is zero in expectation; it only adds noise',
    );
  }
  return found;
}

/** Keys that were set and that nothing of this objective reads. */
function notRead(spec: ObjectiveSpec): string[] {
  const { surrogate, perceptionWeighting, perceptionKlEstimator } = spec;
  const { clips } = surrogateOf(surrogate);
  const found: string[] = [];
  const of = (keys: readonly SpecKey[], reason: string) => {
    const set = keys.filter((key) => spec[key] !== SPEC_DEFAULTS[key]);
    if (set.length > 0) found.push(`${set.join(", ")} without effect: ${reason}`);
  };
  const unread = (["clipLow", "clipHigh", "clipDual"] as const).filter(
    (key) => !clips.includes(key),
  );
  of(unread, `surrogate "${surrogate.kind}" does not read it`);
  if (perceptionWeighting !== "accuracy-weighted") {
    of(["incorrectWeight"], `perceptionWeighting is "${perceptionWeighting}"`);
  }
  if (perceptionWeighting === "all" && !isOn(spec.sftCoef)) {
    of(["correctThreshold"], 'perceptionWeighting is "all" and sftCoef 0');
  }
  if (!isOn(spec.perceptionKlCoef)) {
    const keys = ["perceptionWeighting", "perceptionTokenMask", "perceptionKlMin"] as const;
    of([...keys, "perceptionKlMax"], "perceptionKlCoef is 0, but under options.coefficients");
  }
  if (!isOn(spec.entropyCoef) && !isOn(spec.maskedEntropyCoef)) {
    of(["entropyBounds"], "both entropy coefficients are 0, but under options.coefficients");
  }
  if (!perceptionKlEstimator.startsWith("exact")) {
    of(["exactKlLimit"], `perceptionKlEstimator is "${perceptionKlEstimator}"`);
  }
  const ofTokens = spec.reduction === "token-mean" || spec.reduction === "sum";
  if (ofTokens) of(["emptySequences"], `reduction is "${spec.reduction}"`);
  return found;
}

/** Numbers of the clip that mean something else to the surrogate, and parts without their term. */
function ofSurrogate(spec: ObjectiveSpec): string[] {
  const found: string[] = [];
  const { surrogate, clipLow, clipHigh, perceptionTokenMask } = spec;
  if (surrogate.kind.startsWith("gspo") && Math.max(clipLow, clipHigh) >= 0.1) {
    found.push(
      `surrogate "${surrogate.kind}" with clipLow ${clipLow} and clipHigh ${clipHigh}: a sequence's mean ratio hardly ever leaves PPO's bounds; GSPO was published with 3e-4 and 4e-4`,
    );
  }
  if (perceptionTokenMask?.denominator === "all" && perceptionTokenMask.top < 1) {
    found.push(
      `perceptionTokenMask divides by all tokens, as the authors' code does: perceptionKlCoef acts as if it were about ${perceptionTokenMask.top} of itself; "kept" keeps its size`,
    );
  }
  return found;
}

/** A maximised term whose gradient grows without bound as the masked policy loses the token. */
function unbounded(spec: ObjectiveSpec): string[] {
  if (coefficientRange(spec.perceptionKlCoef).max <= 0 || spec.perceptionKlMax !== null) return [];
  const estimator = spec.perceptionKlEstimator;
  if (estimator === "exact" || estimator === "exact-reverse") {
    if (spec.exactKlLimit !== null) return [];
    return [
      `perceptionKlEstimator "${estimator}" without exactKlLimit: the term is maximised and has no bound; an Infinity in it is an error`,
    ];
  }
  if (estimator === "k2" || estimator === "k3+" || estimator === "unbiased") {
    return [
      `perceptionKlEstimator "${estimator}": where the image helps its gradient grows with the log-ratio, k3's stays below perceptionKlCoef; the published coefficients were tuned with k3`,
    ];
  }
  return [];
}

function signs(spec: ObjectiveSpec): string[] {
  const found: string[] = [];
  if (coefficientRange(spec.perceptionKlCoef).min < 0) {
    found.push(
      "perceptionKlCoef is negative: the term is subtracted, so this pulls both policies together",
    );
  }
  if (coefficientRange(spec.refKlCoef).min < 0) {
    found.push(
      "refKlCoef is negative: the term is added, so this pushes the policy away from the reference",
    );
  }
  return found;
}

function isOn(coefficient: ObjectiveSpec["refKlCoef"]): boolean {
  const { min, max } = coefficientRange(coefficient);
  return min !== 0 || max !== 0;
}
