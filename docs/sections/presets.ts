/** The presets, every number with its source. */
import {
  PRESET_IDS,
  type PresetId,
  type PresetValue,
  presetSummary,
  presetValues,
} from "../../lib/objective/presets.js";
import { SPEC_DEFAULTS } from "../../lib/objective/spec.js";
import { blocks, details, literal, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

export function presetsSection(): Section {
  return {
    heading: "Presets",
    body: blocks(
      '`objective("papo-g-7b")`, or `objective("papo-g-7b", { form: "corrected" })`. The form `authors` is what the authors\' code computes, `corrected` ' +
        "what the paper means; they are never mixed. Perception terms compose with every preset.",
      table(
        ["preset", "what it is"],
        PRESET_IDS.map((id) => [`\`${id}\``, prose(presetSummary(id))]),
      ),
      "Each number and where it was published; what a preset does not name has its default.",
      PRESET_IDS.map(presetBlock),
    ),
  };
}

function presetBlock(id: PresetId): string {
  const authors = presetValues(id);
  const own = new Map(authors.map(({ key, value }) => [key, JSON.stringify(value)]));
  const corrected = presetValues(id, { form: "corrected" }).filter(
    ({ key, value }) => own.get(key) !== JSON.stringify(value),
  );
  return details(
    `<b><code>${id}</code></b>`,
    blocks(
      valuesTable(authors),
      corrected.length === 0 ? "" : blocks("In the corrected form:", valuesTable(corrected)),
    ),
  );
}

function valuesTable(values: readonly PresetValue[]): string {
  return table(
    ["key", "value", "source"],
    values.map(({ key, value, source }) => {
      const isDefault = JSON.stringify(SPEC_DEFAULTS[key]) === JSON.stringify(value);
      return [`\`${key}\``, isDefault ? literal(value) : `**${literal(value)}**`, prose(source)];
    }),
  );
}
