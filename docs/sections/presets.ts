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
      family("PAPO and its baselines", isOfPapo),
      family("the other presets", (id) => !isOfPapo(id)),
    ),
  };
}

/** Those of PAPO publish every key; the others leave some to papo. */
function isOfPapo(id: PresetId): boolean {
  return presetValues(id).every(isPublished);
}

function isPublished({ source }: PresetValue): boolean {
  return !source.startsWith("papo's default");
}

/** Presets of one kind: what all of them say, once, and then each one's own. */
function family(name: string, belongs: (id: PresetId) => boolean): string {
  const ids = PRESET_IDS.filter(belongs);
  const published = (id: PresetId) => presetValues(id).filter(isPublished);
  const shared = inAll(ids.map(published));
  const corrections = inAll(ids.map(correctionsOf));
  return blocks(
    shared.length + corrections.length === 0
      ? ""
      : details(`<b>What ${name} share</b>`, forms(shared, corrections)),
    ids.map((id) =>
      details(
        `<b><code>${id}</code></b>`,
        forms(without(published(id), shared), without(correctionsOf(id), corrections)),
      ),
    ),
  );
}

function forms(values: readonly PresetValue[], corrections: readonly PresetValue[]): string {
  return blocks(
    values.length === 0 ? "" : valuesTable(values),
    corrections.length === 0 ? "" : blocks("In the corrected form:", valuesTable(corrections)),
  );
}

/** What the corrected form has in the place of the authors'. */
function correctionsOf(id: PresetId): readonly PresetValue[] {
  const own = new Map(presetValues(id).map(({ key, value }) => [key, JSON.stringify(value)]));
  return presetValues(id, { form: "corrected" }).filter(
    ({ key, value }) => own.get(key) !== JSON.stringify(value),
  );
}

function inAll(lists: readonly (readonly PresetValue[])[]): readonly PresetValue[] {
  const [first = [], ...others] = lists;
  return first.filter((value) => others.every((list) => list.some((other) => same(value, other))));
}

function without(
  values: readonly PresetValue[],
  shared: readonly PresetValue[],
): readonly PresetValue[] {
  return values.filter((value) => !shared.some((other) => same(value, other)));
}

function same(a: PresetValue, b: PresetValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
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
