/** docs/objectives.md, put together from the tables in the code. */
import { anchorOf, blocks, bullets, MADE } from "./markdown.js";
import { advantagesSection } from "./sections/advantages.js";
import { klSection } from "./sections/kl.js";
import { lossSection } from "./sections/loss.js";
import { partsSections } from "./sections/parts.js";
import { peersSection } from "./sections/peers.js";
import { presetsSection } from "./sections/presets.js";
import { reductionsSection } from "./sections/reductions.js";
import { rewardsSection } from "./sections/rewards.js";
import { rolloutSection } from "./sections/rollout.js";
import type { Section } from "./sections/section.js";
import { specSection } from "./sections/spec.js";
import { surrogatesSection } from "./sections/surrogates.js";

export function objectivesPage(): string {
  const sections: readonly Section[] = [
    lossSection(),
    surrogatesSection(),
    klSection(),
    ...partsSections(),
    reductionsSection(),
    rolloutSection(),
    advantagesSection(),
    rewardsSection(),
    specSection(),
    presetsSection(),
    peersSection(),
  ];
  return `${blocks(
    MADE,
    "# Objectives",
    INTRODUCTION,
    contents(sections),
    sections.map(({ heading, body }) => blocks(`## ${heading}`, body)),
  )}\n`;
}

const INTRODUCTION = `\
Everything that an objective of papo can be made of: formula, gradient, parameters, source, who else has it, and what we found
wrong or different elsewhere. All of it is made from the tables that the code itself reads, so that the page cannot drift from what
is computed; \`papo info --json\` prints the same tables. An objective that is not here takes a few lines:
[custom-objective.md](custom-objective.md).`;

function contents(sections: readonly Section[]): string {
  return bullets(
    sections.map(({ heading, entries = [] }) => {
      const link = (text: string) => `[${text}](#${anchorOf(text)})`;
      const inner = entries.length === 0 ? "" : `: ${entries.map(link).join(" · ")}`;
      return `**${link(heading)}**${inner}`;
    }),
  );
}
