/** What a run came to: a table and curves on the terminal, and a page with plots and sample answers beside. */
import { mkdir, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { plot as drawCurve } from "asciichart";
import type { Assessment } from "./assessment.js";
import { type Curves, plotSvg } from "./plot.js";
import { pageOf } from "./report-page.js";
import { KINDS, type Problem } from "./world.js";

/** One batch of rollouts; means, nats where it is an entropy or a KL. */
export interface Step {
  readonly reward: number;
  /** The perception term: the KL below, bounded as the objective says. */
  readonly perceptionKl: number;
  /** Exact KL(policy ‖ masked policy). */
  readonly kl: number;
  readonly entropy: number;
  readonly maskedEntropy: number;
  /** Fraction of tokens where the clip binds. */
  readonly clipFraction: number;
  /** Time in papo, ms. */
  readonly lossMs: number;
}

/** Both assessments are of held-out problems. */
export interface BothViews {
  readonly seeing: Assessment;
  readonly masked: Assessment;
}

export interface Run {
  readonly seed: number;
  readonly seconds: number;
  readonly steps: readonly Step[];
  readonly before: BothViews;
  readonly after: BothViews;
  readonly heldOut: readonly Problem[];
  readonly heldOutMasked: readonly Float32Array[];
}

const FOLDER = new URL("out/", import.meta.url);
/** Batches over which the curves are averaged. */
const WINDOW = 20;
const COLUMNS = 72;

export async function report(run: Run): Promise<void> {
  const curves = curvesOf(run.steps);
  for (const { title, lines } of curves.slice(0, 3)) {
    const [[name, values]] = Object.entries(lines) as [[string, number[]]];
    console.log(`\n${title}: ${name}\n${drawCurve(thinned(values), { height: 6 })}`);
  }
  const table = tableOf(run);
  console.log(`\n${table.map((row) => row.join("  ")).join("\n")}`);

  await mkdir(FOLDER, { recursive: true });
  const plots: string[] = [];
  for (const curve of curves) {
    const svg = plotSvg(curve);
    plots.push(svg);
    await writeFile(new URL(`${curve.file}.svg`, FOLDER), svg);
  }
  const page = new URL("report.html", FOLDER);
  await writeFile(page, pageOf(run, table, plots));
  const shown = relative(process.cwd(), fileURLToPath(page));
  const lossSeconds = run.steps.reduce((sum, { lossMs }) => sum + lossMs, 0) / 1000;
  console.log(`\n${run.seconds.toFixed(0)} s, ${lossSeconds.toFixed(1)} s of them in papo`);
  console.log(`plots and sample answers: ${shown}`);
}

function curvesOf(steps: readonly Step[]): Curves[] {
  const line = (key: keyof Step): number[] => averaged(steps.map((step) => step[key]));
  return [
    { file: "reward", title: "reward", lines: { "mean of the rollouts": line("reward") } },
    {
      file: "perception-kl",
      title: "perception KL, nats",
      lines: {
        "exact KL(seeing ‖ masked)": line("kl"),
        "bounded, as in the loss": line("perceptionKl"),
      },
    },
    {
      file: "entropy",
      title: "entropy, nats",
      lines: { "with the image": line("entropy"), "with the masked image": line("maskedEntropy") },
    },
    { file: "clip", title: "clip fraction", lines: { "of the tokens": line("clipFraction") } },
  ];
}

/** Right answers to held-out questions, in percent, before and after; columns padded to line up. */
function tableOf({ before, after }: Run): string[][] {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`.padStart(8);
  const row = (name: string, value: (views: BothViews) => number): string[] => [
    name.padEnd(34),
    percent(value(before)),
    percent(value(after)),
  ];
  return [
    ["held-out images, greedy answers".padEnd(34), "  before", "   after"],
    row("right answers", ({ seeing }) => seeing.right),
    ...KINDS.map((kind) => row(`  ${kind}`, ({ seeing }) => seeing.rightByKind[kind])),
    row("right answers, image masked", ({ masked }) => masked.right),
    row("mean reward (of at most 100 %)", ({ seeing }) => seeing.reward),
  ];
}

/** Means over the last WINDOW values. */
function averaged(values: readonly number[]): number[] {
  return values.map((_, at) => {
    const window = values.slice(Math.max(0, at + 1 - WINDOW), at + 1);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
}

/** At most COLUMNS of the values, evenly chosen, the last among them. */
function thinned(values: readonly number[]): number[] {
  const count = Math.min(COLUMNS, values.length);
  return Array.from(
    { length: count },
    (_, column) => values[Math.ceil(((column + 1) * values.length) / count) - 1] as number,
  );
}
