/**
 * Mutation testing of the objective's arithmetic:
 * `npm run mutate -- [--file TEXT] [--tests TEXT] [--open] [--limit N] [--seed N]`.
 *
 * `--file` takes the files whose path holds the text, `--tests` those test files alone, `--open` leaves out the mutants
 * that are explained, which take longest, `--limit` takes that many of the rest, drawn by the seed. Fails where a mutant
 * survives that test/mutation/survivors.json does not explain, and, in a run over everything, where an explanation is
 * stale.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Random } from "../support/inputs.js";
import { type Mutant, nameOf } from "./mutant.js";
import { sources, tests } from "./targets.js";
import { makeTree } from "./tree.js";
import { learn, tryMutants, type Verdict } from "./workers.js";

const { values } = parseArgs({
  options: {
    file: { type: "string", multiple: true },
    tests: { type: "string", multiple: true },
    open: { type: "boolean", default: false },
    limit: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});

/** Reasons by the names of mutants that no test can tell from the original, or that none should. */
const explained: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL("survivors.json", import.meta.url), "utf8"),
);

function drawn(mutants: readonly Mutant[], limit: number, seed: number): readonly Mutant[] {
  const random = new Random(seed);
  return mutants
    .map((mutant) => [random.uniform(), mutant] as const)
    .sort(([a], [b]) => a - b)
    .slice(0, limit)
    .map(([, mutant]) => mutant)
    .sort((a, b) => a.id - b.id);
}

const isChosen = (path: string) => values.file?.some((text) => path.includes(text)) ?? true;
const files = sources().filter(isChosen);
// All of a language, so that what the tests come by is learned once.
const isOfSameLanguage = (path: string) =>
  files.some((file) => file.endsWith(".ts") === path.endsWith(".ts"));
const tree = makeTree(sources().filter(isOfSameLanguage));
const isOpen = (mutant: Mutant) => !values.open || explained[nameOf(mutant)] === undefined;
const inFiles = tree.mutants.filter((mutant) => isChosen(mutant.file) && isOpen(mutant));
const chosen = drawn(inFiles, Number(values.limit ?? inFiles.length), Number(values.seed));
console.error(`${chosen.length} of ${inFiles.length} mutants in ${files.length} files`);

const verdicts: Verdict[] = [];
const started = performance.now();
const judges = tests().filter((path) => values.tests?.some((text) => path.includes(text)) ?? true);
const learned = await learn(tree, judges);
const failing = learned.tests.filter(({ passed }) => !passed).map(({ title }) => title);
console.error(
  `${learned.tests.length} tests; left out, since they fail here: ${failing.join("; ") || "none"}`,
);
await tryMutants(tree, chosen, learned, (verdict) => {
  verdicts.push(verdict);
  const { mutant, killedBy, tests } = verdict;
  if (killedBy !== null) return;
  const known = explained[nameOf(mutant)] === undefined ? "SURVIVED" : "explained";
  const reached = tests === 0 ? ", reached by no test" : "";
  console.error(`${known} ${mutant.file}:${mutant.line}${reached}\n  ${nameOf(mutant)}`);
});

const survivors = verdicts.filter(({ killedBy }) => killedBy === null);
const unexplained = survivors.filter(({ mutant }) => explained[nameOf(mutant)] === undefined);
console.log(
  "| file | mutants | killed | survived, explained | survived |\n| --- | ---: | ---: | ---: | ---: |",
);
const line = (title: string, own: readonly Verdict[]) => {
  const alive = own.filter(({ killedBy }) => killedBy === null);
  const open = alive.filter((verdict) => unexplained.includes(verdict)).length;
  const cells = [title, own.length, own.length - alive.length, alive.length - open, open];
  console.log(`| ${cells.join(" | ")} |`);
};
for (const file of files) {
  const own = verdicts.filter(({ mutant }) => mutant.file === file);
  if (own.length > 0) line(file, own);
}
line("all", verdicts);
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`${verdicts.length} mutants in ${seconds} s; seed ${values.seed}`);

const isWhole =
  chosen.length === tree.mutants.length && !values.file && !values.tests && !values.open;
const names = new Set(survivors.map(({ mutant }) => nameOf(mutant)));
const stale = isWhole ? Object.keys(explained).filter((name) => !names.has(name)) : [];
for (const name of stale) console.log(`explained, and yet killed or gone: ${name}`);
if (unexplained.length > 0 || stale.length > 0) process.exitCode = 1;
