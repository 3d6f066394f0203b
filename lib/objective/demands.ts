/** What the parts of a spec demand: which of them the fused op does not know, and which see more than one token. */
import type { SurrogateScope } from "../surrogates/surrogate.js";
import type { Coefficients } from "./coefficients.js";
import type { ObjectiveSpec } from "./spec.js";
import { surrogateOf } from "./surrogate-spec.js";

/** A part of a spec that only the composed plan computes. */
interface Part {
  readonly name: (spec: ObjectiveSpec) => string;
  readonly isOn: (spec: ObjectiveSpec, coefficients: Coefficients) => boolean;
  /** Which tokens must be known together before the gradient of one is. */
  readonly scope: (spec: ObjectiveSpec) => SurrogateScope;
}

const PARTS: readonly Part[] = [
  {
    name: ({ surrogate }) => `surrogate "${surrogate.kind}"`,
    isOn: ({ surrogate }) => surrogate.kind !== "ppo-clip",
    scope: ({ surrogate }) => surrogateOf(surrogate).scope,
  },
  {
    name: () => "policyTokenMask",
    isOn: ({ policyTokenMask }) => policyTokenMask !== null,
    scope: ({ policyTokenMask }) => policyTokenMask?.level ?? "token",
  },
  {
    name: () => "perceptionTokenMask",
    isOn: ({ perceptionTokenMask }) => perceptionTokenMask !== null,
    scope: ({ perceptionTokenMask }) => perceptionTokenMask?.level ?? "token",
  },
  {
    name: () => "advantageShaping",
    isOn: ({ advantageShaping }) => advantageShaping !== null,
    scope: () => "batch",
  },
  {
    name: () => "offPolicyMask",
    isOn: ({ offPolicyMask }) => offPolicyMask !== null,
    scope: () => "sequence",
  },
  {
    name: () => 'refKlEstimator "unbiased-sequence"',
    isOn: ({ refKlEstimator }) => refKlEstimator === "unbiased-sequence",
    scope: () => "sequence",
  },
  {
    name: () => 'entropyBounds of level "batch"',
    isOn: ({ entropyBounds }) => entropyBounds?.level === "batch",
    scope: () => "batch",
  },
  // Weights of its own for the surrogate, and terms that the op does not know; all known before the logits are.
  {
    name: () => "rolloutCorrection",
    isOn: ({ rolloutCorrection }) => rolloutCorrection !== null,
    scope: () => "token",
  },
  { name: () => "sftCoef", isOn: (_, { sft }) => sft !== 0, scope: () => "token" },
];

/** The first part that the fused op does not know, in words; undefined where it knows them all. */
export function composedBecause(
  spec: ObjectiveSpec,
  coefficients: Coefficients,
): string | undefined {
  return PARTS.find(({ isOn }) => isOn(spec, coefficients))?.name(spec);
}

/** The first part that couples the tokens of a sequence or of the batch; undefined where every token is on its own. */
export function coupledBecause(
  spec: ObjectiveSpec,
  coefficients: Coefficients,
): string | undefined {
  return PARTS.find(({ isOn, scope }) => isOn(spec, coefficients) && scope(spec) !== "token")?.name(
    spec,
  );
}
