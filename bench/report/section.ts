/** The section of README.md: two tables that fit a screen, the plots, and what it was measured on. */
import { PLOTS } from "../plots/plots.js";
import type { BenchResult, Part, Row } from "../result.js";
import { formOf, formsOf, largestError, peerRows } from "./compare.js";
import { markdownTable } from "./markdown.js";
import { digits, error, grouped, machineLine, memory, percent, plural, times } from "./numbers.js";
import { partOf } from "./parts.js";

/** Folder of the plots, from the root of the repository. */
export const PLOTS_FOLDER = "bench/results/plots";

export function readmeSection(result: BenchResult): string {
  const { commit, date, machine } = result;
  const forms = partOf(result, "forms");
  const peers = partOf(result, "peers");
  return [
    ...(forms === undefined ? [] : [formsTable(forms)]),
    ...pictures(result),
    ...(peers === undefined ? [] : [peersTable(peers)]),
    `${machineLine(machine, commit, date)}. Every part in full: [bench/results](bench/results/README.md).`,
  ].join("\n\n");
}

/** papo's forms: share of the floor and cost by number of threads, and what they are wrong by. */
function formsTable(part: Part): string {
  const rows = formsOf(part);
  const threads = [...new Set(rows.map((row) => row.threads))];
  const forms = groups(rows, (row) => `${row.dtype}, ${formOf(row)}`);
  const header = [
    sizeOf(rows),
    ...threads.map((count) => `share of the floor, ${plural(count, "thread")}`),
    ...threads.map((count) => `ns per logit, ${plural(count, "thread")}`),
    "error, nats",
    "error of the gradients",
  ];
  const lines = [...forms].map(([form, its]) => {
    const on = (count: number) => its.find((row) => row.threads === count);
    return [
      form,
      ...threads.map((count) => orDash(on(count)?.share, percent)),
      ...threads.map((count) => orDash(on(count)?.nsPerLogit, digits)),
      orDash(largest(its.map(largestError)), error),
      orDash(largest(its.map(({ errors }) => errors?.gradients)), error),
    ];
  });
  return [
    markdownTable(header, lines),
    "100 % is the time that this machine takes for the bytes or for the exponentials alone, whichever is longer, measured in " +
      "the same rounds.",
  ].join("\n\n");
}

/** One line per contender on as many threads as it was run with; of papo one per number of threads. */
function peersTable(part: Part): string {
  const shown = peerRows(part);
  const header = [
    `float32, V = ${grouped(Math.max(...shown.map(({ vocab }) => vocab)))}`,
    "rows",
    "threads",
    "ns per logit, forward",
    "with gradients",
    "error, nats",
    "error of the gradients",
    "memory beyond in- and outputs",
  ];
  const lines = [...groups(shown, ({ label, threads }) => `${label} ${threads}`).values()].map(
    (its) => {
      const [first] = its as [Row, ...Row[]];
      const forward = its.find(({ operation }) => operation === "forward");
      const gradients = its.find(({ operation }) => operation === "gradients");
      const cost = (row: Row | undefined) => {
        if (row === undefined) return "–";
        const { nsPerLogit, relative } = row;
        return digits(nsPerLogit) + (relative ? ` (**${times(relative.time.median)}**)` : "");
      };
      return [
        first.label,
        [...new Set(its.map(({ rows }) => grouped(rows)))].join(" / "),
        String(first.threads),
        cost(forward),
        cost(gradients),
        orDash(largest(its.map(largestError)), error),
        orDash(gradients?.errors?.gradients, error),
        orDash(largest(its.map(({ extraBytes }) => extraBytes)), memory),
      ];
    },
  );
  const absent = Object.entries(part.absent).map(([name, reason]) => `${name}: ${reason}`);
  return [
    markdownTable(header, lines),
    "In brackets: times papo's on as many threads. Who cannot hold all rows was run with fewer." +
      (absent.length === 0 ? "" : ` Absent: ${absent.join("; ")}.`),
  ].join("\n\n");
}

/** Wide plots alone, narrow ones two in a line. */
function pictures(result: BenchResult): string[] {
  const drawn = PLOTS.flatMap(({ file, wide, draw }) => {
    const picture = draw(result);
    if (picture === undefined) return [];
    const source = `src="${PLOTS_FOLDER}/${file}.svg"`;
    return `<img ${source} width="${wide ? 100 : 49}%" alt="${picture.description.replaceAll('"', "&quot;")}">`;
  });
  return drawn.length === 0 ? [] : [drawn.join("\n")];
}

function sizeOf(rows: readonly Row[]): string {
  const sizes = new Set(rows.map((row) => `${grouped(row.rows)} × ${grouped(row.vocab)}`));
  return sizes.size === 1 ? ([...sizes][0] as string) : "";
}

function groups(rows: readonly Row[], key: (row: Row) => string): Map<string, Row[]> {
  const all = new Map<string, Row[]>();
  for (const row of rows) all.set(key(row), [...(all.get(key(row)) ?? []), row]);
  return all;
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

const orDash = (value: number | undefined, write: (value: number) => string): string =>
  value === undefined ? "–" : write(value);
