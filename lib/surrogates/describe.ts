/** The table as plain data: for documentation, for `papo info --json`, and for whoever reads specs from outside. */
import type { SurrogateDefinition, SurrogateScope } from "./surrogate.js";
import { SURROGATES, type SurrogateKind } from "./table.js";

/** A parameter as data: numbers have bounds where there are any, words have their list, flags neither. */
export interface ParameterDescription {
  /** Its name in a spec's surrogate. */
  readonly name: string;
  /** Its value if it is not said. */
  readonly default: number | string | boolean;
  /** What it does, in words. */
  readonly meaning: string;
  /** Smallest number that is taken. */
  readonly min?: number;
  /** An exclusive lower bound. */
  readonly above?: number;
  /** Largest number that is taken. */
  readonly max?: number;
  /** The words that are taken. */
  readonly words?: readonly string[];
}

/** A surrogate as data; notation of its texts: docs/objectives.md. */
export interface SurrogateDescription {
  /** Its name in a spec. */
  readonly kind: SurrogateKind;
  /** Other names of the same loss. */
  readonly aliases: readonly string[];
  /** In a line. */
  readonly summary: string;
  /** Loss of a token, in plain text. */
  readonly formula: string;
  /** Slope of that loss in the log-prob, without the token's weight. */
  readonly gradient: string;
  /** Paper and equation, or the code it was read from. */
  readonly source: string;
  /** Who else has it, under which name or option. */
  readonly peers: readonly string[];
  /** What is wrong or different elsewhere. */
  readonly findings: readonly string[];
  /** Which other tokens the value or the slope of a token may depend on. */
  readonly scope: SurrogateScope;
  /** Keys of the spec's clip that it makes use of. */
  readonly clips: readonly string[];
  /** Log-probs of a batch that it reads besides those of the policy. */
  readonly reads: readonly string[];
  /** Its parameters. */
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
