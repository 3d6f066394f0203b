/** Advantages from rewards, and which groups are kept. */
import type { AdvantageDefinition, Parameter } from "../../lib/advantages/definition.js";
import { ADVANTAGES } from "../../lib/advantages/table.js";
import { interfacesOf, meaningOf } from "../declarations.js";
import { blocks, bullets, formulaBlock, literal, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

type AnyDefinition = Omit<AdvantageDefinition, "parameters" | "estimate"> & {
  readonly parameters: Readonly<Record<string, Parameter>>;
};

export function advantagesSection(): Section {
  const all = Object.values(ADVANTAGES) as readonly AnyDefinition[];
  const filter = interfacesOf("lib/advantages").get("GroupFilterOptions")?.fields ?? [];
  return {
    heading: "Advantages",
    entries: [...all.map(titleOf), "Group filter"],
    body: blocks(
      "`estimateAdvantages(kind, options)` makes the `advantages` of a batch from rewards in float64; they are constants of the loss.",
      table(
        ["kind", "in one line", "one per", "needs beside rewards"],
        all.map(({ kind, summary, level, needs }) => [
          `\`${kind}\``,
          prose(summary),
          level,
          needs.join(", "),
        ]),
      ),
      all.map(advantageBlock),
      "### Group filter",
      `\`filterGroups\`: ${prose(lowered(meaningOf("lib/advantages/filter.ts", "filterGroups")))}`,
      table(
        ["option", "meaning"],
        filter.map(({ name, meaning }) => [`\`${name}\``, prose(meaning)]),
      ),
      bullets([
        `\`FILTER_RULES\`: ${prose(lowered(meaningOf("lib/advantages/filter.ts", "FilterRule")))}`,
        `\`FILTER_FALLBACKS\`: ${prose(lowered(meaningOf("lib/advantages/filter.ts", "FilterFallback")))}`,
      ]),
    ),
  };
}

/** The kinds share names with presets and surrogates, and a heading is an anchor. */
const titleOf = ({ kind }: AnyDefinition): string => `Advantage ${kind}`;

const lowered = (text: string): string => `${text[0]?.toLowerCase() ?? ""}${text.slice(1)}`;

function advantageBlock(definition: AnyDefinition): string {
  const { summary, formula, source, peers, findings, parameters } = definition;
  return blocks(
    `### ${titleOf(definition)}`,
    prose(summary),
    formulaBlock({ advantage: formula }),
    table(
      ["parameter", "default", "range", "meaning"],
      Object.entries(parameters).map(([name, parameter]) => [
        `\`${name}\``,
        literal(parameter.default),
        rangeOf(parameter),
        prose(parameter.meaning),
      ]),
    ),
    `**Source.** ${prose(source)}.`,
    peers.length === 0 ? "" : `**Elsewhere.**\n\n${bullets(peers.map(prose))}`,
    findings.length === 0 ? "" : `**Findings.**\n\n${bullets(findings.map(prose))}`,
  );
}

function rangeOf(parameter: Parameter): string {
  if ("words" in parameter) return parameter.words.map((word) => `\`${word}\``).join(", ");
  if (!("range" in parameter)) return "`true`, `false`";
  const [low, high] = parameter.range;
  const whole = parameter.whole ? "whole, " : "";
  if (low === Number.MIN_VALUE) return `${whole}above 0`;
  return `${whole}${high >= Number.MAX_SAFE_INTEGER ? `≥ ${low}` : `${low} … ${high}`}`;
}
