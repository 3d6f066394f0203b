/** Tables of the collapse: every run with what the monitor said, and the paper's early signs beside ours. */
import type { RunResult } from "../trainer/index.js";
import { COLLAPSES } from "./arms.js";
import { courseOf } from "./collapse.js";
import { stepsOf } from "./measures.js";
import { PAPER_SIGNS } from "./paper.js";
import { type Laboratory, runsOf } from "./runs.js";
import { type Column, type Row, table } from "./table.js";

/** Batches at the start of a run, and before its fall, whose medians are compared. */
const EARLY = 20;
const BEFORE_FALL = 10;

/** Every run of the collapse: who fell, and what the monitor said before. */
export function collapseTable(laboratory: Laboratory): string {
  const columns = [
    { title: "first warning", group: "batch" },
    { title: "first alarm", group: "batch" },
    { title: "reward falls", group: "batch" },
    { title: "alarm first?" },
    { title: "best", group: "smoothed reward" },
    { title: "last", group: "smoothed reward" },
    { title: "KL variance grew" },
    { title: "signs of the alarm" },
  ];
  const rows = COLLAPSES.flatMap(({ id, label }) =>
    [...runsOf(laboratory, id)].map(([seed, run]) => {
      const { warning, alarm, fall, best, last } = courseOf(run);
      const first = fall === undefined ? "" : alarm !== undefined && alarm < fall ? "yes" : "no";
      return {
        name: `${label}, seed ${seed}`,
        cells: [
          String(warning ?? ""),
          String(alarm ?? ""),
          String(fall ?? ""),
          first,
          best.toFixed(2),
          last.toFixed(2),
          growth(stepsOf(run, "perceptionKlVariance")),
          signsOf(run),
        ],
      };
    }),
  );
  return rows.length === 0 ? "" : table("against the collapse", columns, rows);
}

/** What the first alarm was of. */
function signsOf({ monitor }: RunResult): string {
  const signs = monitor.find(({ level }) => level === "alarm")?.signs ?? [];
  return signs.length === 0 ? "" : `<span class="wrapped">${signs.join(", ")}</span>`;
}

/** Largest of the values over the median of the first twenty: "12 ×". */
function growth(values: readonly number[]): string {
  const median = medianOf(values.slice(0, EARLY));
  if (median === undefined || median <= 0) return "";
  return times(Math.max(...values.filter(Number.isFinite)) / median);
}

/** The paper's early signs, and the same quantities of our unregularised runs that fell. */
export function signsTable(laboratory: Laboratory): string {
  const columns: Column[] = [
    { title: "stable", group: "paper, 7B, as drawn" },
    { title: "collapsed", group: "paper, 7B, as drawn" },
    { title: `first ${EARLY} batches`, group: "here, nothing against it" },
    { title: `${BEFORE_FALL} batches before the fall`, group: "here, nothing against it" },
    { title: "times", group: "here, nothing against it" },
  ];
  const fallen = [...runsOf(laboratory, "collapse-none").values()].flatMap((run) => {
    const { fall } = courseOf(run);
    return fall === undefined ? [] : [{ run, fall }];
  });
  const rows: Row[] = PAPER_SIGNS.map(({ name, title, stable, collapsed }) => {
    const pairs = fallen.flatMap(({ run, fall }) => changeOf(stepsOf(run, name), fall));
    const [early, late] = [0, 1].map((at) => meanOf(pairs.map((pair) => pair[at] ?? Number.NaN)));
    const here =
      early === undefined || late === undefined
        ? ["", "", ""]
        : [short(early), short(late), early > 0 ? times(late / early) : ""];
    return { name: title, cells: [stable, collapsed, ...here] };
  });
  return table("sign", columns, rows);
}

/** Medians of the early batches and of those up to the fall; none where there are no numbers. */
function changeOf(values: readonly number[], fall: number): (readonly [number, number])[] {
  const early = medianOf(values.slice(0, EARLY));
  const late = medianOf(values.slice(Math.max(0, fall - BEFORE_FALL), fall));
  return early === undefined || late === undefined ? [] : [[early, late]];
}

function medianOf(values: readonly number[]): number | undefined {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function meanOf(values: readonly number[]): number | undefined {
  return values.length === 0
    ? undefined
    : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function times(factor: number): string {
  return `${short(factor)}\u00a0×`;
}

/** Two significant digits, without an exponent. */
function short(value: number): string {
  return Number(value.toPrecision(2)).toString();
}
