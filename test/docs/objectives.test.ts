/** docs/objectives.md names all that the tables hold, and its links lead somewhere. */
import test from "ava";
import { anchorOf, formulaBlock, prose, table } from "../../docs/markdown.js";
import { objectivesPage } from "../../docs/objectives-page.js";
import { ADVANTAGE_KINDS } from "../../lib/advantages/table.js";
import { KL_FORMULAS } from "../../lib/formulas/kl.js";
import { PART_FORMULAS } from "../../lib/formulas/parts.js";
import { REDUCTIONS } from "../../lib/functional/row-weights.js";
import { PRESET_IDS } from "../../lib/objective/presets.js";
import { REF_KL_ESTIMATORS, SPEC_KEYS } from "../../lib/objective/spec.js";
import { describeSurrogates } from "../../lib/surrogates/describe.js";

const page = objectivesPage();
const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading as string);

test("it has every surrogate, estimator, part, reduction, advantage, key and preset", (t) => {
  const names = [
    ...describeSurrogates().flatMap(({ kind, aliases }) => [kind, ...aliases]),
    ...[...Object.keys(KL_FORMULAS), ...REF_KL_ESTIMATORS, ...Object.keys(PART_FORMULAS)],
    ...[...REDUCTIONS, ...ADVANTAGE_KINDS, ...SPEC_KEYS, ...PRESET_IDS],
  ];
  for (const name of names) {
    const titled = headings.some((heading) => heading.split(/,? /).includes(name));
    t.true(titled || page.includes(`\`${name}\``) || page.includes(`<code>${name}`), name);
  }
});

test("every link within it leads to a heading, and no two headings have one anchor", (t) => {
  const anchors = headings.map(anchorOf);
  t.deepEqual([...new Set(anchors)], anchors);
  const targets = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor as string);
  t.true(targets.length > 50);
  t.deepEqual(
    targets.filter((anchor) => !anchors.includes(anchor)),
    [],
  );
});

test("every row of a table has as many cells as its header", (t) => {
  const cellsOf = (line: string) => line.split(/(?<!\\)\|/).length;
  const tables = page.split("\n\n").filter((block) => block.startsWith("| "));
  t.true(tables.length > 20);
  for (const block of tables) {
    const lines = block.split("\n");
    t.deepEqual([...new Set(lines.map(cellsOf))].length, 1, lines[0]);
  }
});

test("nothing of the page is an object or undefined by mistake", (t) => {
  t.notRegex(page, /\[object|`undefined`|\bundefined \||^undefined/m);
});

test("plain texts become code, links and escapes where they have to", (t) => {
  t.is(
    prose("as clip_ratio_low in core_algos.py:12-15"),
    "as `clip_ratio_low` in `core_algos.py:12-15`",
  );
  t.is(prose("arXiv 2503.14476"), "[arXiv 2503.14476](https://arxiv.org/abs/2503.14476)");
  t.is(prose('loss_type "dr_grpo"'), "`loss_type` `dr_grpo`");
  t.is(prose("logRatioLimit * <think>"), "`logRatioLimit` \\* &lt;think>");
  t.is(prose("ℓ_old − ℓ_ref, A < 0"), "ℓ_old − ℓ_ref, A < 0");
  t.is(prose("`a_b` stays"), "`a_b` stays");
  t.is(table(["a"], [["x|y"]]), "| a |\n| --- |\n| x\\|y |");
  t.is(
    formulaBlock({ value: "a; b", slope: "c" }),
    "```text\nvalue   a;\n        b\nslope   c\n```",
  );
  t.is(anchorOf("perceptionKlMin, perceptionKlMax"), "perceptionklmin-perceptionklmax");
});
