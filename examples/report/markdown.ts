/** The short form of the report for examples/README.md: a table, and how many of the paper's claims agree. */
import type { Estimate } from "../experiment/statistics.js";
import { MAIN_ARMS, PAIRS } from "./arms.js";
import { differenceOf, meanOf } from "./comparison.js";
import { findingsOf, type Verdict } from "./findings.js";
import { final, type Measure } from "./measures.js";
import { percentWithin, plural, points, short } from "./numbers.js";
import { allRuns, type Laboratory, runsOf } from "./runs.js";

const BEGIN = "<!-- experiment -->";
const END = "<!-- /experiment -->";

const MEASURES: Readonly<Record<string, Measure>> = {
  overall: final("overall"),
  "vision-dependent": final("vision"),
  "text-aided": final("text"),
  "vision-dependent, black image": final("maskedVision"),
};

/** `text` with what stands between the markers renewed; undefined where it lacks them. */
export function betweenMarkers(text: string, section: string): string | undefined {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END, begin);
  if (begin < 0 || end < 0) return undefined;
  return `${text.slice(0, begin + BEGIN.length)}\n\n${section}\n\n${text.slice(end)}`;
}

export function summaryOf(laboratory: Laboratory): string {
  const runs = allRuns(laboratory);
  if (runs.length === 0) return "No results yet: `npm run experiment` makes them.";
  const names = Object.keys(MEASURES);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const row = (name: string, cell: (measure: Measure) => string): string =>
    line([name, ...Object.values(MEASURES).map(cell)]);
  const text = (estimate: Estimate | undefined, write: (of: Estimate) => string): string =>
    estimate === undefined ? "not run" : write(estimate).replaceAll("\u00a0", " ");
  const rows = [
    line(["held-out avg@8, %", ...names]),
    `|---${"|---:".repeat(names.length)}|`,
    ...MAIN_ARMS.map(({ id, name }) =>
      row(
        `${name}, ${plural(runsOf(laboratory, id).size, "seed")}`.replace("\u00a0", " "),
        (measure) => text(meanOf(laboratory, id, measure), percentWithin),
      ),
    ),
    ...PAIRS.map(({ arm, base, name }) =>
      row(`**${name}**, points`, (measure) =>
        text(differenceOf(laboratory, arm, base, measure), points),
      ),
    ),
  ];
  const sizes = [...new Set(runs.map(({ size }) => short(size).replace("\u00a0", " ")))];
  return `${rows.join("\n")}\n\n± and brackets: 95 % t-intervals over seeds, differences paired by seed; ${sizes.join(", ")} parameters. ${verdicts(laboratory)}`;
}

function verdicts(laboratory: Laboratory): string {
  const findings = findingsOf(laboratory);
  const count = (verdict: Verdict): number =>
    findings.filter((finding) => finding.verdict === verdict).length;
  return `Of the paper's claims ${count("agrees")} agree, ${count("differs")} do not, for ${count("unclear")} no difference was seen, and ${count("missing")} are not decided (not run, or one seed only).`;
}
