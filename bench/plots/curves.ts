/** What a logit costs as something grows: one line per form, the machine's floor dashed in the same colour. */
import * as Plot from "@observablehq/plot";
import { formOf, formsOf } from "../report/compare.js";
import { digits, grouped, plural } from "../report/numbers.js";
import type { Part, Row } from "../result.js";
import { BLUE, framed, GREEN, INK, NARROW, ORANGE, type Picture } from "./frame.js";

export type Growing = "vocab" | "rows" | "threads";

const MARGIN = { left: 46, right: 92, top: 12, bottom: 42 };
/** Of the floors, pixels. */
const DASH = 3;
/** Between the middles of two labels, pixels. */
const LABEL_DISTANCE = 15;

const FORMS = [
  { form: "forward", label: "forward", colour: BLUE },
  { form: "forward + gradients", label: "with gradients", colour: ORANGE },
  { form: "forward + gradients, in place", label: "… in place", colour: GREEN },
] as const;

const X: Record<Growing, (values: readonly number[]) => Plot.ScaleOptions> = {
  vocab: (values) => ({
    label: "vocabulary",
    domain: [0, Math.max(...values)],
    ticks: 4,
    tickFormat: (value: number) => (value === 0 ? "0" : `${grouped(value / 1000)} k`),
  }),
  rows: (values) => ({
    label: "rows",
    type: "log",
    base: 2,
    ticks: powersOfFour(Math.min(...values), Math.max(...values)),
    tickFormat: grouped,
  }),
  threads: (values) => ({
    label: "threads",
    type: "point",
    padding: 0.2,
    domain: [...new Set(values)].sort((a, b) => a - b),
    tickFormat: String,
  }),
};

export function curves(part: Part, growing: Growing, title: string): Picture | undefined {
  const rows = comparable(part, growing);
  const series = FORMS.map((each) => ({
    ...each,
    points: rows.filter((row) => formOf(row) === each.form).sort((a, b) => a[growing] - b[growing]),
  })).filter(({ points }) => points.length > 1);
  const [first] = rows;
  if (first === undefined || series.length === 0) return undefined;

  const drawn = series.flatMap(({ points }) => points);
  const y = verticalScale(drawn);
  const shifts = spreadLabels(series.map(({ points }) => y.pixel(points.at(-1) as Row)));
  const marks = series.flatMap(({ points, label, colour }, at) => [
    Plot.line(
      points.filter(({ floor }) => floor !== undefined),
      {
        x: growing,
        y: floorOf,
        stroke: colour,
        strokeWidth: 1.2, // Floors that coincide show their colours in turn.
        strokeDasharray: `${DASH} ${2 * DASH}`,
        strokeDashoffset: at * DASH,
      },
    ),
    Plot.ruleX(points, { x: growing, y1: low, y2: high, stroke: colour, strokeWidth: 1 }),
    Plot.line(points, { x: growing, y: "nsPerLogit", stroke: colour, strokeWidth: 2 }),
    Plot.dot(points, { x: growing, y: "nsPerLogit", fill: colour, r: 2.5 }),
    Plot.text(points.slice(-1), {
      x: growing,
      y: "nsPerLogit",
      text: () => label,
      fill: colour,
      textAnchor: "start",
      dx: 8,
      dy: shifts[at] as number,
    }),
  ]);
  const conditions = [
    first.dtype,
    ...(growing === "rows" ? [] : [plural(first.rows, "row")]),
    ...(growing === "vocab" ? [] : [`V = ${grouped(first.vocab)}`]),
    ...(growing === "threads" ? [] : [plural(first.threads, "thread")]),
  ].join(", ");
  return framed({
    title,
    subtitle: `ns per logit${y.options.type === "log" ? " (log)" : ""}; ${conditions}; dashed: the floor`,
    description: describe(title, series, growing),
    plot: {
      ...NARROW,
      marginLeft: MARGIN.left,
      marginRight: MARGIN.right,
      marginTop: MARGIN.top,
      marginBottom: MARGIN.bottom,
      x: {
        ...X[growing](drawn.map((row) => row[growing])),
        labelAnchor: "center",
        labelArrow: "none",
      },
      y: { ...y.options, label: null, grid: true, tickSize: 0 },
      marks: [Plot.ruleY([y.options.domain[0]], { stroke: INK, strokeOpacity: 0.4 }), ...marks],
    },
  });
}

/** papo's plain float32 rows that differ in nothing else: those of the greatest number in everything that does not grow. */
function comparable(part: Part, growing: Growing): Row[] {
  const plain = formsOf(part).filter(({ dtype }) => dtype === "float32");
  return (["vocab", "rows", "threads"] as const)
    .filter((key) => key !== growing)
    .reduce((left, key) => {
      const most = Math.max(...left.map((row) => row[key]));
      return left.filter((row) => row[key] === most);
    }, plain);
}

const floorOf = (row: Row): number => (row.nsPerLogit * (row.floor as number)) / row.time.median;
const low = ({ nsPerLogit, time }: Row): number => nsPerLogit * (1 - time.spread);
const high = ({ nsPerLogit, time }: Row): number => nsPerLogit * (1 + time.spread);

/** Linear from nought, or logarithmic where small sizes cost many times as much. */
function verticalScale(rows: readonly Row[]) {
  const floors = rows.filter(({ floor }) => floor !== undefined).map(floorOf);
  const bottom = Math.min(...rows.map(low), ...floors);
  const top = Math.max(...rows.map(high), ...floors);
  const log = top / bottom > 8;
  const domain = log ? [bottom / 1.2, top * 1.2] : [0, top * 1.05];
  const at = (value: number) => (log ? Math.log(value) : value);
  const [from, to] = domain as [number, number];
  const span = NARROW.height - MARGIN.top - MARGIN.bottom;
  return {
    options: {
      type: log ? ("log" as const) : ("linear" as const),
      domain: [from, to] as const,
      ...(log ? { ticks: roundNumbers(bottom, top), tickFormat: String } : { ticks: 5 }),
    },
    pixel: ({ nsPerLogit }: Row) =>
      MARGIN.top + span * (1 - (at(nsPerLogit) - at(from)) / (at(to) - at(from))),
  };
}

/** How far each label moves from its line, pixels, so that none lies on another. */
function spreadLabels(wanted: readonly number[]): number[] {
  const order = wanted
    .map((_, at) => at)
    .sort((a, b) => (wanted[a] as number) - (wanted[b] as number));
  const shifts = wanted.map(() => 0);
  let free = Number.NEGATIVE_INFINITY;
  for (const at of order) {
    const place = Math.max(wanted[at] as number, free);
    shifts[at] = place - (wanted[at] as number);
    free = place + LABEL_DISTANCE;
  }
  return shifts;
}

/** 0.1, 0.2, 0.5, 1, … */
function roundNumbers(from: number, to: number): number[] {
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(from)); 10 ** power <= to; power++) {
    all.push(...[1, 2, 5].map((digit) => Number(`${digit}e${power}`)));
  }
  return all.filter((value) => value >= from && value <= to);
}

function powersOfFour(from: number, to: number): number[] {
  const powers: number[] = [];
  for (let power = 1; power <= to; power *= 4) if (power >= from) powers.push(power);
  return powers;
}

function describe(
  title: string,
  series: readonly { form: string; points: readonly Row[] }[],
  growing: Growing,
): string {
  const ends = series.map(({ form, points }) => {
    const [first, last] = [points[0] as Row, points.at(-1) as Row];
    const at = (row: Row) => `${digits(row.nsPerLogit)} ns at ${grouped(row[growing])}`;
    return `${form}: ${at(first)}, ${at(last)}`;
  });
  return `${title}, per logit: ${ends.join("; ")}.`;
}
