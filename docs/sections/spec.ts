/** Every key of an objective, and the objects among their values. */
import { SPEC_DEFAULTS, SPEC_KEYS } from "../../lib/objective/spec.js";
import { type Declaration, type Field, interfacesOf, wordsOf } from "../declarations.js";
import { anchorOf, blocks, literal, prose, table } from "../markdown.js";
import type { Section } from "./section.js";

const ROOMS = ["lib/objective", "lib/rollout", "lib/selection"] as const;
/** Types of one of several words. */
const WORDS = wordsOf("lib/ops", "lib/functional", ...ROOMS);

export function specSection(): Section {
  const interfaces = interfacesOf(...ROOMS);
  const fields = new Map(
    interfaces.get("ObjectiveSpec")?.fields.map((field) => [field.name, field]),
  );
  const objects = objectsOf(
    [...fields.values()].map(({ type }) => type),
    interfaces,
  );
  return {
    heading: "Keys of an objective",
    entries: objects.map(titleOf),
    body: blocks(
      "An objective is plain JSON. `validateSpec` reads one strictly, `objective(…)` builds one step by step, and `new Objective(spec)` evaluates it.",
      'A `Coefficient` is a number, or a schedule over the updates already made: `{ kind: "linear", from: 0, to: 0.01, steps: 100 }`; kinds are ' +
        "`constant`, `linear` and `cosine`. A schedule needs the `step` of an evaluation.",
      table(
        ["key", "default", "type", "meaning"],
        SPEC_KEYS.map((key) => {
          const field = fields.get(key);
          if (field === undefined) throw new Error(`ObjectiveSpec says nothing of ${key}`);
          return [
            `\`${key}\``,
            literal(SPEC_DEFAULTS[key]),
            typeOf(field.type, objects),
            prose(withoutDefault(meaningOf(field))),
          ];
        }),
      ),
      objects.map(({ name, meaning, fields: own }) =>
        blocks(
          `### ${titleOf({ name })}`,
          prose(meaning),
          table(
            ["key", "type", "meaning"],
            own.map((field) => [
              `\`${field.name}\``,
              typeOf(field.type, objects),
              prose(meaningOf(field)),
            ]),
          ),
        ),
      ),
    ),
  };
}

/** Some differ from the key that has them in the case of a letter only, which anchors do not. */
const titleOf = ({ name }: Pick<Declaration, "name">): string => `Type ${name}`;

/** The interfaces that types speak of, and those that these speak of in turn. */
function objectsOf(
  types: readonly string[],
  interfaces: ReadonlyMap<string, Declaration>,
): readonly Declaration[] {
  const found = new Map<string, Declaration>();
  const visit = (type: string) => {
    for (const [name] of type.matchAll(/\b[A-Z]\w+/g)) {
      const declaration = interfaces.get(name);
      if (declaration === undefined || found.has(name)) continue;
      found.set(name, declaration);
      for (const field of declaration.fields) visit(field.type);
    }
  };
  for (const type of types) visit(type);
  return [...found.values()];
}

/** A type as code, as its words, or as a link where its fields have a table. */
function typeOf(type: string, objects: readonly Declaration[]): string {
  return type
    .split(" | ")
    .map((part) => {
      const words = WORDS.get(part)?.words;
      if (words !== undefined) return words.map((word) => `\`${word}\``).join(", ");
      const isObject = objects.some(({ name }) => name === part);
      return isObject ? `[${part}](#${anchorOf(titleOf({ name: part }))})` : `\`${part}\``;
    })
    .join(" or ");
}

/** Of a field that says nothing itself, what its type says. */
function meaningOf({ meaning, type }: Field): string {
  return meaning === "" ? (WORDS.get(type)?.meaning ?? "") : meaning;
}

/** The default has a column of its own, from the value itself. */
function withoutDefault(meaning: string): string {
  return meaning.replaceAll(/(?:^|(?<=[.;] ))Default (?:[^.;]|\.\d)+[.;]\s*/g, "").trim();
}
