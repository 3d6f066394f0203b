/** What was run, on what, when and at what scale: all of it from the result files. */
import { duration, escaped, listed, plural, short } from "./numbers.js";
import { allRuns, type Laboratory } from "./runs.js";

/** Parameters of the paper's base models. */
const PAPER_SIZES = [3e9, 7e9] as const;

export function factsSection(laboratory: Laboratory): string {
  const runs = allRuns(laboratory);
  if (runs.length === 0) {
    return '<p class="missing">There are no results yet: <code>npm run experiment</code> makes them.</p>';
  }
  const seeds = distinct(runs.map(({ config }) => config.seed)).sort((a, b) => a - b);
  const seconds = runs.reduce((sum, run) => sum + run.seconds, 0);
  const sizes = distinct(runs.map(({ size }) => size));
  const dates = runs.flatMap(({ date }) => date.slice(0, 10)).sort();
  const facts: [string, string | undefined][] = [
    ["machine", listed(distinct(runs.map(({ machine }) => machine.cpu)))],
    ["Node", listed(distinct(runs.map(({ machine }) => machine.node)))],
    [
      "policy",
      `${listed(sizes.map(short))} parameters; the paper’s have ${scales(Math.max(...sizes))}`,
    ],
    [
      "runs",
      `${runs.length}, of ${plural(laboratory.arms.size, "arm")}, seeds ${seeds.join(", ")}; ${duration(seconds)} of computing, ${duration(seconds / runs.length)} a run`,
    ],
    ["a run", lengths(laboratory)],
    ["an evaluation", evaluations(laboratory)],
    ["commit", listed(distinct(runs.map(({ commit }) => commit.slice(0, 8))))],
    [
      "date",
      dates.length === 0 ? undefined : listed(distinct([dates[0] ?? "", dates.at(-1) ?? ""])),
    ],
  ];
  const rows = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`<dt>${name}</dt><dd>${escaped(value)}</dd>`],
  );
  return `<dl class="facts">${rows.join("")}</dl>`;
}

/** "3 and 7 billion, 20 000 and 47 000 times as many". */
function scales(size: number): string {
  const factors = PAPER_SIZES.map((paper) =>
    Number((paper / size).toPrecision(2))
      .toLocaleString("en")
      .replaceAll(",", "\u202f"),
  );
  return `3 and 7 billion, ${listed(factors)} times as many`;
}

/** Settings of most runs, and which arms differ from them. */
function lengths(laboratory: Laboratory): string {
  return perSetting(laboratory, ({ config }) => {
    const { batches, prompts, group } = config;
    return `${plural(batches, "batch", "batches")} of ${prompts} problems with ${group} answers each`;
  });
}

function evaluations(laboratory: Laboratory): string {
  return perSetting(laboratory, ({ config }) => {
    const { every, problems, samples } = config.evaluation;
    return `every ${every} batches, ${problems} held-out problems, ${samples} sampled answers each`;
  });
}

function perSetting(
  laboratory: Laboratory,
  describe: (run: ReturnType<typeof allRuns>[number]) => string,
): string {
  const arms = new Map<string, string[]>();
  for (const [arm, runs] of laboratory.arms) {
    for (const setting of distinct([...runs.values()].map(describe))) {
      arms.set(setting, [...(arms.get(setting) ?? []), arm]);
    }
  }
  const sorted = [...arms].sort(([, a], [, b]) => b.length - a.length);
  return sorted
    .map(([setting, of], at) => (at === 0 ? setting : `${setting}: ${of.join(", ")}`))
    .join("; but ");
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
