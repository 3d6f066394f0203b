/** The page of one run: its curves, and some problems with the answers before and after. */
import * as Plot from "@observablehq/plot";
import type { RunResult } from "../trainer/index.js";
import { smoothed } from "./collapse.js";
import { type Colour, css, draw } from "./drawing.js";
import { curveOf, final, initial, type ReadingName, type StepName, stepsOf } from "./measures.js";
import { duration, escaped, percent, short } from "./numbers.js";
import { dataUrlOf } from "./picture.js";
import { documentOf } from "./style.js";
import { table } from "./table.js";

/** A held-out problem as a reader sees it; images are [size · size · 3], rows from the top, 0 … 1. */
export interface Sample {
  readonly image: Float32Array;
  readonly masked: Float32Array;
  readonly question: string;
  /** What should be said. */
  readonly truth: string;
  /** What was said, in the order in which it is shown: before, after, after with the image masked. */
  readonly answers: readonly {
    readonly name: string;
    readonly text: string;
    readonly right: boolean;
  }[];
}

interface Line {
  readonly name: StepName;
  readonly label: string;
  readonly colour: Colour;
}

const PLOTS: readonly { readonly title: string; readonly lines: readonly Line[] }[] = [
  { title: "reward", lines: [{ name: "reward", label: "reward", colour: "blue" }] },
  {
    title: "perception KL, nats",
    lines: [{ name: "kl", label: "KL(policy ‖ masked policy)", colour: "blue" }],
  },
  {
    title: "entropy, nats",
    lines: [
      { name: "entropy", label: "with the image", colour: "blue" },
      { name: "maskedEntropy", label: "with the masked image", colour: "orange" },
    ],
  },
  {
    title: "clip fraction",
    lines: [{ name: "clipFraction", label: "of the tokens", colour: "blue" }],
  },
];

const READINGS: readonly (readonly [ReadingName, string])[] = [
  ["overall", "all questions"],
  ["vision", "vision-dependent"],
  ["text", "text-aided"],
  ["addition", "addition"],
  ["counting", "counting"],
  ["comparison", "comparison"],
  ["lines", "line following"],
  ["maskedVision", "vision-dependent, black image"],
];

export interface RunPageOptions {
  /** Plain text; such as the arm's name. */
  readonly title?: string;
}

export function runPage(
  run: RunResult,
  samples: readonly Sample[],
  { title = "A policy learns to look" }: RunPageOptions = {},
): string {
  const { config, seconds, size } = run;
  const rows = READINGS.map(([name, label]) => ({
    name: label,
    cells: [initial(name)(run), final(name)(run)].map((value) =>
      value === undefined ? "" : percent(value),
    ),
  }));
  const plots = [accuracyPlot(run), ...PLOTS.flatMap((plot) => stepPlot(run, plot))];
  const body = `<h1>${escaped(title)}</h1>
<p>${escaped(config.objective.preset)} (${escaped(config.objective.form)}), seed ${config.seed}, ${config.batches} batches of ${config.prompts} × ${config.group} answers,
${short(size)} parameters, ${duration(seconds)}.</p>
${table("held-out avg@8", [{ title: "before" }, { title: "after" }], rows)}
<div class="grid">${plots.map((plot) => `<figure>${plot}</figure>`).join("")}</div>
<h2>Held-out problems</h2>
<p class="note">The image as it is, and as the masked policy sees it.</p>
<div class="samples">${samples.map(sampleOf).join("")}</div>`;
  return documentOf(escaped(title), "A run of the example", body);
}

function accuracyPlot(run: RunResult): string {
  const lines: [ReadingName, string, Colour][] = [
    ["vision", "vision-dependent", "blue"],
    ["text", "text-aided", "orange"],
  ];
  return plotOf(
    "held-out avg@8, %",
    lines.map(([name, label, colour]) => ({
      label,
      colour,
      points: curveOf(run, name).map(([batch, value]) => [batch, 100 * value]),
    })),
  );
}

function stepPlot(run: RunResult, { title, lines }: (typeof PLOTS)[number]): string[] {
  const drawn = lines
    .map(({ name, label, colour }) => ({
      label,
      colour,
      points: smoothed(stepsOf(run, name)).map((value, at): [number, number] => [at + 1, value]),
    }))
    .filter(({ points }) => points.length > 0);
  return drawn.length === 0 ? [] : [plotOf(title, drawn)];
}

function plotOf(
  title: string,
  lines: readonly { label: string; colour: Colour; points: readonly (readonly number[])[] }[],
): string {
  const marks = lines.flatMap(({ label, colour, points }, at) => {
    const fill = css(colour);
    return [
      Plot.line(points, { stroke: fill, strokeWidth: 2 }),
      // Above the frame, where no line runs.
      Plot.text([label], { text: [label], frameAnchor: "top-right", dy: 13 * at - 30, fill }),
    ];
  });
  return draw(`${title} by batch`, {
    height: 230,
    marginTop: 36,
    marginBottom: 42,
    marginLeft: 50,
    x: { label: "batch", ticks: 5 },
    y: { label: title, grid: true, zero: true, nice: true, ticks: 5 },
    marks,
  });
}

function sampleOf({ image, masked, question, truth, answers }: Sample): string {
  const said = answers.map(
    ({ name, text, right }) =>
      `<dt>${escaped(name)}</dt><dd class="${right ? "better" : "worse"}">${right ? "✓" : "✗"} ${escaped(text)}</dd>`,
  );
  return `<figure><img alt="the image" src="${dataUrlOf(image)}"> <img alt="the masked image" src="${dataUrlOf(masked)}">
<figcaption><b>${escaped(question)}</b><dl class="answers"><dt>truth</dt><dd>${escaped(truth)}</dd>${said.join("")}</dl></figcaption></figure>`;
}
