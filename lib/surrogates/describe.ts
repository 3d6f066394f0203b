/** The table as plain data: for documentation, for `papo info --json`, and for whoever reads specs from outside. */
import type { SurrogateDefinition, SurrogateScope } from "./surrogate.js";
import { SURROGATES, type SurrogateKind } from "./table.js";

/** A parameter as data: numbers have bounds where there are any, words have their list, flags neither. */
export interface ParameterDescription {
  readonly name: string;
  readonly default: number | string | boolean;
  readonly meaning: string;
  readonly min?: number;
  /** An exclusive lower bound. */
  readonly above?: number;
  readonly max?: number;
  readonly words?: readonly string[];
}

export interface SurrogateDescription {
  readonly kind: SurrogateKind;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly formula: string;
  readonly gradient: string;
  readonly source: string;
  readonly peers: readonly string[];
  readonly findings: readonly string[];
  readonly scope: SurrogateScope;
  readonly clips: readonly string[];
  readonly reads: readonly string[];
  readonly parameters: readonly ParameterDescription[];
}

/** The parameters of a surrogate, in the order of its file. */
export function parametersOf({
  parameters,
}: Pick<SurrogateDefinition, "parameters">): readonly ParameterDescription[] {
  const all = parameters as Readonly<Record<string, Omit<ParameterDescription, "name">>>;
  return Object.entries(all).map(([name, parameter]) => ({ name, ...parameter }));
}

/** Every surrogate with all that its file says of it: plain JSON, and the caller's own. */
export function describeSurrogates(): SurrogateDescription[] {
  return SURROGATES.map((definition) => {
    const { evaluate, aliases = [], peers, findings, clips, reads, ...texts } = definition;
    return {
      ...texts,
      aliases: [...aliases],
      peers: [...peers],
      findings: [...findings],
      clips: [...clips],
      reads: [...reads],
      parameters: parametersOf(definition).map((parameter) => structuredClone(parameter)),
    };
  });
}
