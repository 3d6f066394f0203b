/** The tables of formulas say what native/math/README.md derives, and name what exists. */
import { readFileSync } from "node:fs";
import test from "ava";
import { ENTROPY_FORMULAS } from "../../lib/formulas/entropy.js";
import type { Formula } from "../../lib/formulas/formula.js";
import { KL_FORMULAS } from "../../lib/formulas/kl.js";
import { PART_FORMULAS } from "../../lib/formulas/parts.js";
import { REDUCTION_FORMULAS } from "../../lib/formulas/reductions.js";
import { REDUCTIONS, rowWeights } from "../../lib/functional/row-weights.js";
import { PERCEPTION_KL_ESTIMATORS, SPEC_KEYS } from "../../lib/objective/spec.js";
import * as controllers from "../../lib/selection/controllers.js";
import * as selection from "../../lib/selection/selection.js";

const readme = readFileSync(new URL("../../native/math/README.md", import.meta.url), "utf8");

/** Cells by the first one, without its back quotes, of the table that begins with `header`. */
function rowsBelow(header: string): Map<string, string[]> {
  const [, rest = ""] = readme.split(`${header}`);
  const [table = ""] = rest.split("\n\n");
  const lines = table
    .split("\n")
    .filter((line) => line.startsWith("|") && !line.startsWith("|---"));
  return new Map(
    lines.map((line) => {
      const [first = "", ...cells] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [first.replaceAll("`", ""), cells];
    }),
  );
}

const FORMULAS = rowsBelow("| name | value | d/d log π(o) | expected gradient on policy |");
const KL_EXPECTATIONS = rowsBelow("| estimator | value, on policy |");
const ENTROPY_EXPECTATIONS = rowsBelow("| entropy | value, on policy |");

test("every estimator, entropy and reduction has its formula, under its own name", (t) => {
  t.deepEqual(Object.keys(KL_FORMULAS).sort(), [...PERCEPTION_KL_ESTIMATORS].sort());
  t.deepEqual(Object.keys(REDUCTION_FORMULAS), [...REDUCTIONS]);
  for (const table of [KL_FORMULAS, ENTROPY_FORMULAS, REDUCTION_FORMULAS, PART_FORMULAS]) {
    for (const [key, { name }] of Object.entries<Formula>(table)) t.is(name, key);
  }
});

test("every part is a key of a spec, or a function of the library", (t) => {
  for (const { name, is } of Object.values(PART_FORMULAS)) {
    const known: readonly string[] =
      is === "key" ? SPEC_KEYS : Object.keys({ ...selection, ...controllers });
    t.true(known.includes(name.split(".")[0] as string), name);
  }
});

test("every text is there, in one line, and no peer or finding is empty", (t) => {
  const all: readonly Formula[] = [
    KL_FORMULAS,
    ENTROPY_FORMULAS,
    REDUCTION_FORMULAS,
    PART_FORMULAS,
  ].flatMap((table) => Object.values<Formula>(table));
  for (const { name, summary, formula, gradient, source, peers, findings } of all) {
    for (const text of [summary, formula, gradient, source, ...peers, ...findings]) {
      t.regex(text, /^\S.*\S$|^\S$/, name);
    }
    t.notRegex(summary, /\.$/, name);
  }
});

test("tables are frozen to the bottom", (t) => {
  for (const table of [KL_FORMULAS, ENTROPY_FORMULAS, REDUCTION_FORMULAS, PART_FORMULAS]) {
    t.true(Object.isFrozen(table));
    for (const entry of Object.values<Formula>(table)) {
      t.true(Object.isFrozen(entry) && Object.isFrozen(entry.peers));
    }
  }
});

test("values and slopes of KL estimators are those of native/math", (t) => {
  t.true(FORMULAS.size >= 8);
  for (const [name, [value = "", slope = ""]] of FORMULAS) {
    const entry = Object.values(KL_FORMULAS).find((formula) => formula.name === name);
    if (entry === undefined) continue; // `exact`, `exact-reverse` share a row
    // r is the ratio there, and k3 a name.
    const spelt = (text: string) =>
      text
        .replaceAll("ratio", "r")
        .replace("r · k3", "r · (eˣ − 1 − x)")
        .replace(/^k3$/, "eˣ − 1 − x");
    const [own = ""] = entry.formula.split(/, (?=r = )/);
    t.is(own, spelt(value).replace("sign(−x)", "−sign x"), name);
    const normal = (text: string) => text.replace("sign(−x)", "−sign x").replaceAll(" · ", "·");
    t.true(entry.gradient.startsWith(normal(spelt(slope))), `${name}: ${slope}`);
  }
});

test("expectations of KL estimators are those that enumeration confirms", (t) => {
  t.true(KL_EXPECTATIONS.size >= 6);
  for (const [name, cells] of KL_EXPECTATIONS) {
    const entry = Object.values(KL_FORMULAS).find((formula) => formula.name === name);
    const { onPolicy, offPolicy } = entry ?? t.fail(name) ?? {};
    t.deepEqual(
      [
        onPolicy?.value,
        onPolicy?.gradient,
        onPolicy?.otherGradient,
        offPolicy?.value,
        offPolicy?.gradient,
      ],
      cells,
      name,
    );
  }
});

test("expectations of entropies are those that enumeration confirms", (t) => {
  t.deepEqual([...ENTROPY_EXPECTATIONS.keys()], Object.keys(ENTROPY_FORMULAS));
  for (const { name, onPolicy, offPolicy } of Object.values(ENTROPY_FORMULAS)) {
    const cells = [onPolicy.value, onPolicy.gradient, offPolicy.value, offPolicy.gradient];
    t.deepEqual(cells, ENTROPY_EXPECTATIONS.get(name), name);
  }
});

test("the weight of a reduction is what its formula says", (t) => {
  const layout = { offsets: Int32Array.of(0, 3, 5), rows: 5, sequences: 2, maxLength: 3 };
  const mask = Int32Array.of(1, 1, 0, 1, 1);
  for (const { name, formula } of Object.values(REDUCTION_FORMULAS)) {
    const words = { tokens: 4, sequences: 2, s: 2, maxLength: 3, ε: 0 };
    const plain = formula
      .replace("tokens of s", "s")
      .replaceAll("·", "*")
      .replaceAll(/[a-zA-Zε]+/g, (word) => String(words[word as keyof typeof words]));
    const [numerator = "", denominator = "1"] = plain.split(" / ");
    const factors = denominator.replaceAll(/[()]/g, "").replaceAll(/\+ 0/g, "").split("*");
    const expected = Number(numerator) / factors.reduce((product, x) => product * Number(x), 1);
    const weights = rowWeights("tables", layout as never, mask, name, {}, 0);
    t.deepEqual([...weights], [expected, expected, 0, expected, expected], name);
  }
});
