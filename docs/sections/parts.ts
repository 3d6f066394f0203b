/** Masks, weights, bounds and controllers, by what they act on. */
import { PART_FORMULAS, type PartFormula, type PartScope } from "../../lib/formulas/parts.js";
import { blocks, bullets, formulaBlock, prose } from "../markdown.js";
import type { Section } from "./section.js";

const HEADINGS: Readonly<Record<PartScope, readonly [heading: string, introduction: string]>> = {
  policy: [
    "Clips, masks and weights of the policy term",
    "They act on the surrogate alone, whatever it is, and compose. Masks and weights are computed from the batch first and are constants then.",
  ],
  perception: ["The perception term", "They act on the perception KL alone, by any estimator."],
  entropy: ["The entropy terms", "They act on both entropies alike."],
  coefficients: [
    "Coefficients that follow a measured quantity",
    "Controllers outside the loss: they are told what a step measured and say the next coefficient. Their state is plain JSON.",
  ],
};

export function partsSections(): readonly Section[] {
  return Object.entries(HEADINGS).map(([acts, [heading, introduction]]) => {
    const parts = Object.values(PART_FORMULAS).filter((part) => part.acts === acts);
    return {
      heading,
      entries: parts.map(titleOf),
      body: blocks(introduction, parts.map(partBlock)),
    };
  });
}

function partBlock(part: PartFormula): string {
  const { summary, formula, gradient, source, peers, findings } = part;
  return blocks(
    `### ${titleOf(part)}`,
    `${prose(summary)}.`,
    formulaBlock({ formula, gradient }),
    `**Source.** ${prose(source)}.${peers.length === 0 ? " Nobody else has it." : ""}`,
    peers.length === 0 ? "" : `**Elsewhere.**\n\n${bullets(peers.map(prose))}`,
    findings.length === 0 ? "" : `**Findings.**\n\n${bullets(findings.map(prose))}`,
  );
}

/** Both bounds have one entry. */
function titleOf({ name }: PartFormula): string {
  return name === "perceptionKlMin" ? "perceptionKlMin, perceptionKlMax" : name;
}
