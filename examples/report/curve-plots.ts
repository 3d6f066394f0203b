/** Learning curves with their bands, accuracies along a setting, and the kinds of errors. */
import * as Plot from "@observablehq/plot";
import { MAIN_ARMS, PAIRS } from "./arms.js";
import { type CurvePoint, differenceCurve, meanCurve, meanOf } from "./comparison.js";
import { type Colour, css, draw } from "./drawing.js";
import { ERROR_KINDS, type ErrorKind, errorRate, final, type ReadingName } from "./measures.js";
import type { Laboratory } from "./runs.js";

const DASHES = "5 4";

interface Point {
  readonly batch: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

interface Line {
  readonly name: string;
  readonly colour: Colour;
  readonly dashed: boolean;
  readonly points: readonly Point[];
}

/** One reading over batches for every main arm that was run, percent; undefined where none was. */
export function learningCurves(
  laboratory: Laboratory,
  name: ReadingName,
  title: string,
): string | undefined {
  const lines = MAIN_ARMS.map((arm) => ({
    ...arm,
    points: meanCurve(laboratory, arm.id, name).map(pointOf).map(withinPercent),
  }));
  return linePlot(lines, title, `${title}, %`, []);
}

/** What PAPO adds over batches, points; undefined where no arm and its baseline have a seed in common. */
export function differenceCurves(
  laboratory: Laboratory,
  name: ReadingName,
  title: string,
): string | undefined {
  const lines = PAIRS.map(({ arm, base, name: pair, colour }) => ({
    name: pair,
    colour,
    dashed: false,
    points: differenceCurve(laboratory, arm, base, name).map(pointOf),
  }));
  const zero = Plot.ruleY([0], { stroke: css("muted") });
  return linePlot(lines, `what PAPO adds, ${title}`, `${title}, points`, [zero]);
}

function linePlot(
  all: readonly Line[],
  title: string,
  label: string,
  under: readonly Plot.Markish[],
): string | undefined {
  const lines = all.filter(({ points }) => points.length > 0);
  if (lines.length === 0) return undefined;
  const marks = lines.flatMap(({ points, colour, dashed }) => [
    Plot.areaY(
      points.filter(({ low }) => Number.isFinite(low)),
      { x: "batch", y1: "low", y2: "high", fill: css(colour), fillOpacity: dashed ? 0.08 : 0.16 },
    ),
    Plot.line(points, {
      x: "batch",
      y: "mean",
      stroke: css(colour),
      strokeWidth: 2,
      ...(dashed ? { strokeDasharray: DASHES } : {}),
    }),
  ]);
  const ends = lines.map(({ name, points }) => `${name} ${points.at(-1)?.mean.toFixed(1)}`);
  return draw(`${title}: ${ends.join(", ")} at the end`, {
    height: 260,
    marginLeft: 38,
    marginTop: 26,
    marginBottom: 42,
    x: { label: "batch", ticks: 5 },
    y: { label, grid: true, ticks: 5, zero: false },
    marks: [...under, ...marks],
  });
}

/** Final accuracy of arms along a setting, with intervals; undefined with fewer than two. */
export function alongSetting(
  laboratory: Laboratory,
  arms: readonly { readonly id: string; readonly label: string }[],
  title: string,
): string | undefined {
  const readings = [
    { name: "vision-dependent", measure: final("vision"), colour: "blue", dx: -4 },
    { name: "text-aided", measure: final("text"), colour: "orange", dx: 4 },
  ] as const;
  const ran = arms
    .filter(({ id }) => laboratory.arms.has(id))
    .map(({ id, label }) => ({ id, label: label.replace(/ \(.*/, "") }));
  if (ran.length < 2) return undefined;
  const marks = readings.flatMap(({ measure, colour, dx }) => {
    const points = ran.flatMap(({ id, label }) => {
      const estimate = meanOf(laboratory, id, measure);
      return estimate === undefined ? [] : [{ label, ...pointOf({ batch: 0, estimate }) }];
    });
    const stroke = css(colour);
    return [
      Plot.line(points, { x: "label", y: "mean", stroke, strokeOpacity: 0.5, dx }),
      Plot.ruleX(
        points.filter(({ low }) => Number.isFinite(low)),
        { x: "label", y1: "low", y2: "high", stroke, strokeWidth: 1.5, dx },
      ),
      Plot.dot(points, { x: "label", y: "mean", fill: stroke, r: 3.5, dx }),
    ];
  });
  return draw(`${title}: final accuracy on vision-dependent and text-aided questions`, {
    height: 230,
    marginLeft: 38,
    marginTop: 26,
    marginBottom: 34,
    x: { type: "point", domain: ran.map(({ label }) => label), label: null },
    y: { label: "held-out accuracy, %", grid: true, ticks: 5 },
    marks,
  });
}

export const ERROR_COLOURS: Readonly<Record<ErrorKind, Colour>> = {
  perception: "blue",
  reasoning: "orange",
  format: "violet",
};

/** Wrong answers by their reason, percent of all answers; undefined where no main arm was run. */
export function errorBars(laboratory: Laboratory): string | undefined {
  const bars = MAIN_ARMS.flatMap(({ id, name }) =>
    ERROR_KINDS.flatMap((kind) => {
      const estimate = meanOf(laboratory, id, errorRate(kind));
      return estimate === undefined ? [] : [{ name, kind, value: 100 * estimate.mean }];
    }),
  );
  if (bars.length === 0) return undefined;
  const names = [...new Set(bars.map(({ name }) => name))];
  const marks = ERROR_KINDS.map((kind, at) => {
    const before = (name: string): number =>
      bars
        .filter((bar) => bar.name === name && ERROR_KINDS.indexOf(bar.kind) < at)
        .reduce((sum, { value }) => sum + value, 0);
    const ranges = bars
      .filter((bar) => bar.kind === kind)
      .map(({ name, value }) => ({ name, from: before(name), to: before(name) + value }));
    return Plot.barX(ranges, {
      x1: "from",
      x2: "to",
      y: "name",
      fill: css(ERROR_COLOURS[kind]),
      insetRight: 1,
    });
  });
  return draw("wrong answers by their reason, of the four main arms", {
    height: 62 + 30 * names.length,
    marginLeft: 64,
    marginTop: 6,
    marginBottom: 42,
    x: { label: "of all answers, %", grid: true, ticks: 5 },
    y: { label: null, domain: names },
    marks: [...marks, Plot.ruleX([0], { stroke: css("muted") })],
  });
}

function pointOf({ batch, estimate }: CurvePoint): Point {
  const { mean, low, high } = estimate;
  return { batch, mean: 100 * mean, low: 100 * low, high: 100 * high };
}

/** A band beyond what there can be would only stretch the plot. */
function withinPercent(point: Point): Point {
  return { ...point, low: Math.max(0, point.low), high: Math.min(100, point.high) };
}
