/** What the parts of a spec demand: which of them the fused op does not know, and which see more than one token. */
import type { SurrogateScope } from "../surrogates/surrogate.js";
import type { ObjectiveSpec } from "./spec.js";
import { surrogateOf } from "./surrogate-spec.js";

/** A part of a spec that only the composed plan computes. */
interface Part {
  readonly name: (spec: ObjectiveSpec) => string;
  readonly isOn: (spec: ObjectiveSpec) => boolean;
  /** Which tokens must be known together before the gradient of one is. */
  readonly scope: (spec: ObjectiveSpec) => SurrogateScope;
}

const PARTS: readonly Part[] = [
  {
    name: ({ surrogate }) => `surrogate "${surrogate.kind}"`,
    isOn: ({ surrogate }) => surrogate.kind !== "ppo-clip",
    scope: ({ surrogate }) => surrogateOf(surrogate).scope,
  },
];

/** The first part that the fused op does not know, in words; undefined where it knows them all. */
export function composedBecause(spec: ObjectiveSpec): string | undefined {
  return PARTS.find(({ isOn }) => isOn(spec))?.name(spec);
}

/** The first part that couples the tokens of a sequence or of the batch; undefined where every token is on its own. */
export function coupledBecause(spec: ObjectiveSpec): string | undefined {
  return PARTS.find(({ isOn, scope }) => isOn(spec) && scope(spec) !== "token")?.name(spec);
}
