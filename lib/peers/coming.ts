/** Keys of a spec that are on their way; this file goes when they are there. */
import { type ObjectiveSpecInput, SPEC_KEYS, type SpecKey } from "../objective/spec.js";

export interface ComingKeys {
  readonly surrogate?:
    | string
    | { readonly kind: string; readonly [p: string]: number | string | boolean };
  readonly perceptionWeighting?: "all" | "correct-only" | "accuracy-weighted";
  readonly incorrectWeight?: number;
  readonly correctThreshold?: number;
  readonly perceptionTokenMask?: null | {
    top: number;
    level: "sequence" | "batch";
    denominator: "all" | "kept";
  };
  readonly perceptionKlMin?: number | null;
  readonly perceptionKlMax?: number | null;
  readonly policyTokenMask?: null | {
    by: "entropy" | "perception";
    top: number;
    level: "sequence" | "batch";
    denominator: "all" | "kept";
  };
  readonly offPolicyMask?: null | { threshold: number };
  readonly rolloutCorrection?: null | object;
  readonly sftCoef?: number;
  readonly emptySequences?: "count" | "skip";
  readonly entropyAnnealing?: "own" | "with-perception";
}
export type ImportedSpec = ObjectiveSpecInput & ComingKeys;
export type ImportedKey = SpecKey | keyof ComingKeys;
export function known(spec: ImportedSpec): ObjectiveSpecInput {
  return Object.fromEntries(
    Object.entries(spec).filter(([key]) => (SPEC_KEYS as readonly string[]).includes(key)),
  );
}
