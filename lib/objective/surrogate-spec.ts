/** The reading of a spec's surrogate: a name, or a name with parameters, becomes complete plain data. */
import { describe, expected } from "../core/errors.js";
import type { NumberRange, SurrogateDefinition } from "../surrogates/surrogate.js";
import {
  findSurrogate,
  SURROGATES,
  type SurrogateKind,
  type SurrogateSpec,
} from "../surrogates/table.js";
import { OTHER_SURROGATES } from "./other-words.js";
import { nearestOf, ownProperties, ownValues } from "./plain-object.js";
import { numberWhere, oneOf, type Reader, readFlag } from "./spec-values.js";

/** A surrogate's name (which editors offer) or one of its aliases, or its kind with some of its parameters. */
export type SurrogateInput = SurrogateKind | Alias | PartOf<SurrogateSpec>;

/** Aliases are data of the table, so that any string passes here and is read strictly when it comes. */
type Alias = string & Record<never, never>;

type PartOf<S> = S extends SurrogateSpec
  ? { readonly kind: S["kind"] } & {
      readonly [N in Exclude<keyof S, "kind">]?: S[N] | undefined;
    }
  : never;

/** PPO's clip, whose bounds are keys of the spec. */
export const DEFAULT_SURROGATE: SurrogateSpec = Object.freeze({ kind: "ppo-clip" });

/** Reads a surrogate; every parameter that is left out has its default. */
export const readSurrogate: Reader<SurrogateSpec> = (where, name, value) => {
  const definition = definitionOf(where, name, typeof value === "string" ? value : kindOf(value));
  const parameters = Object.entries(definition.parameters as Readonly<Record<string, Parameter>>);
  const known = ["kind", ...parameters.map(([key]) => key)];
  const object = typeof value === "string" ? {} : value;
  const given = ownValues(where, `${name} "${definition.kind}"`, object, known);
  const read = parameters.map(([key, parameter]) => [
    key,
    given.has(key)
      ? readerOf(parameter)(where, `${name}.${key}`, given.get(key))
      : parameter.default,
  ]);
  return Object.freeze({ kind: definition.kind, ...Object.fromEntries(read) }) as SurrogateSpec;
};

/** The definition of a surrogate that was read already. */
export function surrogateOf(spec: SurrogateSpec): SurrogateDefinition {
  return definitionOf("objective", "surrogate", spec.kind);
}

function kindOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return ownProperties(value)?.find(([key]) => key === "kind")?.[1]?.value;
}

function definitionOf(where: string, name: string, kind: unknown): SurrogateDefinition {
  const found = typeof kind === "string" ? findSurrogate(kind) : undefined;
  if (found !== undefined) return found;
  const kinds = SURROGATES.map((definition) => definition.kind);
  const nearest = typeof kind === "string" ? nearestOf(kind, kinds, OTHER_SURROGATES) : undefined;
  const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
  const what = `${name} to be one of ${kinds.map((word) => `"${word}"`).join(", ")}, or an object with such a kind`;
  throw expected("ERR_ARGUMENT", where, what, describe(kind) + hint);
}

type Parameter = { readonly default: number | string | boolean } & NumberRange & {
    readonly words?: readonly string[];
  };

function readerOf(parameter: Parameter): Reader<number | string | boolean> {
  if (typeof parameter.default === "boolean") return readFlag;
  if (typeof parameter.default === "string") return oneOf(parameter.words ?? []);
  const { min, above, max } = parameter;
  const bounds = [
    ...(min === undefined ? [] : [`from ${min}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(max === undefined ? [] : [`at most ${max}`]),
  ];
  const range = bounds.length === 0 ? "that is finite" : bounds.join(" and ");
  return numberWhere(
    range,
    (x) =>
      x >= (min ?? Number.NEGATIVE_INFINITY) &&
      x > (above ?? Number.NEGATIVE_INFINITY) &&
      x <= (max ?? Number.POSITIVE_INFINITY),
  );
}
