/** The course of a collapse: reward, perception KL, its variance and the entropies, with the monitor's marks. */
import * as Plot from "@observablehq/plot";
import type { RunResult } from "../trainer/index.js";
import { courseOf, smoothed } from "./collapse.js";
import { type Colour, css, draw } from "./drawing.js";
import { type StepName, stepsOf } from "./measures.js";
import type { Runs } from "./runs.js";

/** Below it a logarithmic axis would show nothing but noise; nats. */
const FLOOR = 1e-3;

interface Panel {
  readonly title: string;
  readonly lines: readonly { readonly name: StepName; readonly colour: Colour }[];
  readonly logarithmic?: true;
}

const PANELS: readonly Panel[] = [
  { title: "reward", lines: [{ name: "reward", colour: "ink" }] },
  { title: "perception KL, nats", lines: [{ name: "kl", colour: "blue" }], logarithmic: true },
  {
    title: "its variance over tokens, nats²",
    lines: [{ name: "perceptionKlVariance", colour: "blue" }],
    logarithmic: true,
  },
  {
    title: "entropy: policy, masked policy; nats",
    lines: [
      { name: "entropy", colour: "violet" },
      { name: "maskedEntropy", colour: "green" },
    ],
  },
];

/** Ranges of the panels in their order: the same for all settings, so that they compare. */
export type Ranges = readonly (readonly [low: number, high: number])[];

export function rangesOf(runs: readonly RunResult[]): Ranges {
  return PANELS.map(({ lines, logarithmic }) => {
    const values = runs
      .flatMap((run) => lines.flatMap(({ name }) => smoothed(stepsOf(run, name))))
      .filter(Number.isFinite);
    const high = Math.max(FLOOR, ...values);
    return logarithmic ? [Math.max(FLOOR, Math.min(high, ...values)), high] : [0, high];
  });
}

/** Panels of one setting, one below the other; the first seed in full with its marks, the others faint. */
export function collapsePanels(runs: Runs, label: string, ranges: Ranges): string {
  const [first, ...others] = [...runs.values()];
  if (first === undefined) return "";
  const { warning, alarm, fall } = courseOf(first);
  const marks = [
    ...ruleAt(warning, "orange", "2 2"),
    ...ruleAt(alarm, "red"),
    ...ruleAt(fall, "ink", "5 3"),
  ];
  const shown = PANELS.map((panel, at) => ({ ...panel, domain: [...(ranges[at] ?? [])] })).filter(
    ({ lines }) => lines.some(({ name }) => stepsOf(first, name).length > 0),
  );
  return shown
    .map(({ title, lines, logarithmic, domain }, at) =>
      draw(`${title} by batch, against the collapse: ${label}`, {
        height: at === shown.length - 1 ? 140 : 112,
        marginLeft: 42,
        marginTop: 22,
        marginBottom: at === shown.length - 1 ? 42 : 14,
        x: {
          domain: [1, first.config.batches],
          ticks: 5,
          label: at === shown.length - 1 ? "batch" : null,
          ...(at === shown.length - 1 ? {} : { tickFormat: () => "" }),
        },
        y: {
          label: title,
          labelArrow: "none",
          ticks: 3,
          grid: true,
          nice: true,
          domain,
          ...(logarithmic ? { type: "log" as const, tickFormat: "~g" } : {}),
        },
        marks: [
          ...others.flatMap((run) => lines.map((line) => lineOf(run, line, 0.3, logarithmic))),
          ...lines.map((line) => lineOf(first, line, 1, logarithmic)),
          ...marks,
        ],
      }),
    )
    .join("");
}

function lineOf(
  run: RunResult,
  { name, colour }: Panel["lines"][number],
  strokeOpacity: number,
  logarithmic: true | undefined,
): Plot.Markish {
  const points = smoothed(stepsOf(run, name)).map((value, at) => ({
    batch: at + 1,
    value: logarithmic ? Math.max(value, FLOOR) : value,
  }));
  return Plot.line(points, {
    x: "batch",
    y: "value",
    stroke: css(colour),
    strokeOpacity,
    strokeWidth: strokeOpacity < 1 ? 1 : 1.6,
  });
}

function ruleAt(batch: number | undefined, colour: Colour, dashes?: string): Plot.Markish[] {
  if (batch === undefined) return [];
  const strokeDasharray = dashes === undefined ? {} : { strokeDasharray: dashes };
  return [Plot.ruleX([batch], { stroke: css(colour), strokeWidth: 1.6, ...strokeDasharray })];
}
