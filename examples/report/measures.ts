/** What is read off a run: its accuracies, errors and curves. The one place that knows the fields of a result. */
import { areaUnderCurve } from "../experiment/statistics.js";
import type { Evaluation, RunResult } from "../trainer/index.js";

/** A number of one run; undefined where the run does not have it. */
export type Measure = (run: RunResult) => number | undefined;
/** The same of one evaluation. */
type Reading = (evaluation: Evaluation) => number | undefined;

export type ReadingName =
  | "overall"
  | "vision"
  | "text"
  | "clean"
  | "noisy"
  | "addition"
  | "counting"
  | "comparison"
  | "lines"
  | "masked"
  | "maskedVision"
  | "maskedText"
  | "kl";

/** Held-out avg@8, fractions of one; the KL is in nats. */
const READINGS: Readonly<Record<ReadingName, Reading>> = {
  overall: ({ accuracy }) => accuracy,
  vision: ({ byForm }) => byForm["vision-dependent"],
  text: ({ byForm }) => byForm["text-aided"],
  clean: ({ byNoise }) => byNoise.clean,
  noisy: ({ byNoise }) => byNoise.noisy,
  addition: ({ byTask }) => byTask.addition,
  counting: ({ byTask }) => byTask.counting,
  comparison: ({ byTask }) => byTask.comparison,
  lines: ({ byTask }) => byTask["line-following"],
  masked: ({ masked }) => masked.accuracy,
  maskedVision: ({ masked }) => masked.byForm["vision-dependent"],
  maskedText: ({ masked }) => masked.byForm["text-aided"],
  kl: ({ kl }) => kl,
};

export type ErrorKind = "perception" | "reasoning" | "format";
export const ERROR_KINDS: readonly ErrorKind[] = ["perception", "reasoning", "format"];

/** Of the last evaluation. */
export function final(name: ReadingName): Measure {
  return (run) => finite(READINGS[name](lastOf(run)));
}

/** Of the cold start, before any reinforcement learning. */
export function initial(name: ReadingName): Measure {
  return (run) => finite(READINGS[name](run.coldStart));
}

/** Final value without the image's content, as a loss against that with it. */
export function lostWithoutImage(form: "vision" | "text"): Measure {
  const [seeing, masked] = [final(form), final(form === "vision" ? "maskedVision" : "maskedText")];
  return (run) => minus(seeing(run), masked(run));
}

/** Share of an error's kind among the wrong answers of the last evaluation. */
export function errorShare(kind: ErrorKind): Measure {
  return (run) => finite(lastOf(run).errors[kind]);
}

/** Answers that are wrong for a reason, among all answers of the last evaluation. */
export function errorRate(kind: ErrorKind): Measure {
  return (run) => {
    const evaluation = lastOf(run);
    return finite(evaluation.errors[kind] * (1 - evaluation.accuracy));
  };
}

/** Mean height of a learning curve, cold start included: how early a run learns. */
export function meanHeight(name: ReadingName): Measure {
  return (run) => {
    const points = curveOf(run, name);
    return points.length < 2
      ? undefined
      : areaUnderCurve(
          points.map(([batch]) => batch),
          points.map(([, value]) => value),
        );
  };
}

/** First measure less the second one, of the same run. */
export function excess(first: Measure, second: Measure): Measure {
  return (run) => minus(first(run), second(run));
}

/** Points of a learning curve: batch and value, from the cold start (batch 0) on. */
export function curveOf(run: RunResult, name: ReadingName): [batch: number, value: number][] {
  const evaluations = run.evaluations.some(({ batch }) => batch === 0)
    ? run.evaluations
    : [{ ...run.coldStart, batch: 0 }, ...run.evaluations];
  return evaluations.flatMap((evaluation): [number, number][] => {
    const value = finite(READINGS[name](evaluation));
    return value === undefined ? [] : [[evaluation.batch, value]];
  });
}

/** Metrics of the batches that the report draws. */
export const STEP_NAMES = [
  "reward",
  "kl",
  "perceptionKlVariance",
  "entropy",
  "maskedEntropy",
  "clipFraction",
] as const;
export type StepName = (typeof STEP_NAMES)[number];

/** One value per batch, the first batch first; NaN where the run has none. Empty for a metric that it never has. */
export function stepsOf(run: RunResult, name: StepName): number[] {
  const values = (run.steps[name] ?? []).map((value) => value ?? Number.NaN);
  return values.some(Number.isFinite) ? values : [];
}

function lastOf(run: RunResult): Evaluation {
  return run.evaluations.at(-1) ?? run.coldStart;
}

function minus(first: number | undefined, second: number | undefined): number | undefined {
  return first === undefined || second === undefined ? undefined : first - second;
}

function finite(value: number | null | undefined): number | undefined {
  return value !== null && value !== undefined && Number.isFinite(value) ? value : undefined;
}
