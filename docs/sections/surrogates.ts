/** The surrogates: who has which, then one by one. */
import {
  describeSurrogates,
  type ParameterDescription,
  type SurrogateDescription,
} from "../../lib/surrogates/describe.js";
import { anchorOf, blocks, bullets, formulaBlock, literal, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

const SCOPES = {
  token: "that token only",
  sequence: "the tokens of its sequence",
  batch: "the tokens of the whole call",
} as const;

const LIBRARIES = ["PAPO authors", "TRL", "Liger", "verl"] as const;

export function surrogatesSection(): Section {
  const all = describeSurrogates();
  return {
    heading: "Surrogates",
    entries: all.map(({ kind }) => kind),
    body: blocks(
      "The policy-gradient loss of a token, by the name of its kind, or by an object with the parameters that differ from their defaults:",
      [
        "```ts",
        'objective({ surrogate: "gspo", clipLow: 3e-4, clipHigh: 4e-4 });',
        'objective({ surrogate: { kind: "sapo", temperatureNegative: 1.1 }, perceptionKlCoef: 0.01 });',
        "```",
      ].join("\n"),
      "Every one composes with every other term, mask and reduction. At a kink the unclipped branch counts; a ratio exactly on a bound is " +
        "inside; A = 0 gives value 0 and slope 0; a log-ratio is held within ± `logRatioLimit`, with slope 0 where that binds.",
      table(
        ["kind", "in one line", ...LIBRARIES, "others"],
        all.map((surrogate) => [
          `[\`${surrogate.kind}\`](#${anchorOf(surrogate.kind)})`,
          prose(surrogate.summary),
          ...LIBRARIES.map((library) => (ownersOf(surrogate).includes(library) ? "✓" : "")),
          ownersOf(surrogate)
            .filter((owner) => !(LIBRARIES as readonly string[]).includes(owner))
            .join(", "),
        ]),
      ),
      all.map(surrogateBlock),
    ),
  };
}

/** Who has it: what stands before the first colon or comma of each. */
function ownersOf({ peers }: SurrogateDescription): readonly string[] {
  return peers.map((peer) => (/^[^:,]+/.exec(peer) ?? [peer])[0]);
}

function surrogateBlock(surrogate: SurrogateDescription): string {
  const { kind, aliases, summary, formula, gradient, source, peers, findings } = surrogate;
  return blocks(
    `### ${kind}`,
    `${prose(summary)}.${aliases.length === 0 ? "" : ` Also ${aliases.map((alias) => `\`${alias}\``).join(", ")}.`}`,
    formulaBlock({ value: formula, slope: gradient }),
    parametersTable(surrogate.parameters),
    factsLine(surrogate),
    `**Source.** ${prose(source)}.`,
    peers.length === 0 ? "" : `**Elsewhere.**\n\n${bullets(peers.map(prose))}`,
    findings.length === 0 ? "" : `**Findings.**\n\n${bullets(findings.map(prose))}`,
  );
}

function factsLine({ scope, clips, reads }: SurrogateDescription): string {
  const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");
  return [
    ...(clips.length === 0 ? [] : [`Heeds ${code(clips)}.`]),
    ...(reads.length === 0 ? ["Reads no other log-probs."] : [`Reads ${code(reads)}.`]),
    `The slope of a token depends on ${SCOPES[scope]}.`,
  ].join(" ");
}

/** Parameters by name, default, range and meaning. */
export function parametersTable(parameters: readonly ParameterDescription[]): string {
  return table(
    ["parameter", "default", "range", "meaning"],
    parameters.map((parameter) => [
      `\`${parameter.name}\``,
      literal(parameter.default),
      rangeOf(parameter),
      prose(parameter.meaning),
    ]),
  );
}

function rangeOf({ default: value, min, above, max, words }: ParameterDescription): string {
  if (words !== undefined) return words.map((word) => `\`${word}\``).join(", ");
  if (typeof value === "boolean") return "`true`, `false`";
  const bounds = [
    ...(min === undefined ? [] : [`≥ ${min}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(max === undefined ? [] : [`≤ ${max}`]),
  ];
  return bounds.length === 0 ? "finite" : bounds.join(", ");
}
