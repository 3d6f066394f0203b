/** What a run came to, as text: curves, and a table of right answers before and after. */
import { plot } from "asciichart";
import type { Accuracy, Evaluation, RunResult, StepKey } from "../trainer/index.js";
import { FORMS, TASKS } from "../world/index.js";

/** Batches that a point of a curve is the mean of; it ends at its own. */
const WINDOW = 20;
const [COLUMNS, ROWS] = [72, 6];
const NAME_WIDTH = 18;

const CURVES: readonly (readonly [StepKey, string])[] = [
  ["reward", "reward of the rollouts"],
  ["kl", "exact KL(policy ‖ masked policy), nats"],
  ["entropy", "entropy with the image, nats"],
];

/** Curves of what the objective measures, as characters. */
export function curvesOf({ steps }: RunResult): string {
  return CURVES.flatMap(([key, title]) => {
    const values = steps[key].filter((value) => value !== null);
    if (values.length === 0) return [];
    return `${title}, means over ${WINDOW} batches\n${plot(thinned(averaged(values)), { height: ROWS })}`;
  }).join("\n\n");
}

/** Shares of right answers to held-out problems, with their image and with a black one. */
export function tableOf({ coldStart, evaluations, config }: RunResult): string {
  const last = evaluations.at(-1) ?? coldStart;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(10);
  const row = (name: string, of: (accuracy: Accuracy) => number): string =>
    [
      name.padEnd(NAME_WIDTH),
      ...[coldStart, last, coldStart.masked, last.masked].map((accuracy) => percent(of(accuracy))),
    ].join("");
  const head = (...cells: readonly string[]): string =>
    [" ".repeat(NAME_WIDTH), ...cells.map((cell) => cell.padStart(10))].join("");
  return [
    `right answers to ${config.evaluation.problems} held-out problems, avg@${config.evaluation.samples}`,
    head("", "", "image", "black"),
    head("before", "after", "before", "after"),
    row("all", ({ accuracy }) => accuracy),
    ...FORMS.map((form) => row(form, ({ byForm }) => byForm[form])),
    ...TASKS.map((task) => row(task, ({ byTask }) => byTask[task])),
    "",
    `wrong answers: ${errorsOf(coldStart)} before, ${errorsOf(last)} after`,
  ].join("\n");
}

function errorsOf({ errors }: Evaluation): string {
  return Object.entries(errors)
    .map(([name, share]) => `${(100 * share).toFixed(0)} % ${name}`)
    .join(", ");
}

function averaged(values: readonly number[]): number[] {
  return values.map((_, at) => {
    const window = values.slice(Math.max(0, at + 1 - WINDOW), at + 1);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
}

/** At most COLUMNS of the values, evenly chosen, the last among them. */
function thinned(values: readonly number[]): number[] {
  const count = Math.min(COLUMNS, values.length);
  return Array.from({ length: count }, (_, column) => {
    const at = Math.ceil(((column + 1) * values.length) / count) - 1;
    return values[at] ?? Number.NaN;
  });
}
