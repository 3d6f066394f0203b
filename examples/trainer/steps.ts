/** What a run writes down about each batch, as columns. */
import type { Metrics } from "../../lib/index.js";
import type { Judgement } from "../world/index.js";
import type { Rollouts, SampledBatch } from "./rollouts.js";
import type { Update } from "./update.js";

/** Of the rollouts: means over all responses of the first draw, so also over groups that dynamic sampling leaves out. */
const OF_ROLLOUTS = [
  "reward",
  "accuracy",
  "format",
  "textAidedAccuracy",
  "visionAccuracy",
  /** Tokens. */
  "responseLength",
  /** Share of groups that are neither all right nor all wrong. */
  "mixedGroups",
  /** Draws of problems that the batch took. */
  "generatedBatches",
  /** Groups that it was trained on. */
  "trainedGroups",
] as const;

/** Of papo, over the tokens of all minibatches; nats and fractions, null where the objective does not measure it. */
const OF_PAPO = [
  "perceptionKl",
  "perceptionKlVariance",
  "kl",
  "entropy",
  "maskedEntropy",
  "refKl",
  "clipFraction",
  "clipFractionLow",
  "clipFractionHigh",
  "approxKl3",
] as const;

/** Of the optimiser steps: means; the last is milliseconds inside papo, which alone no seed decides. */
const OF_UPDATES = ["loss", "gradNorm", "lossMs"] as const;

export const STEP_KEYS: readonly StepKey[] = [...OF_ROLLOUTS, ...OF_PAPO, ...OF_UPDATES];
export type StepKey =
  | (typeof OF_ROLLOUTS)[number]
  | (typeof OF_PAPO)[number]
  | (typeof OF_UPDATES)[number];
/** A run that backs off also writes down γ in force. */
interface Step<T> extends Readonly<Record<StepKey, T>> {
  readonly perceptionKlCoef?: T;
}
export type StepRecord = Step<number | null>;
/** One entry for each batch. */
export type StepColumns = Step<(number | null)[]>;

export function emptyColumns(backsOff: boolean): StepColumns {
  const keys = [...STEP_KEYS, ...(backsOff ? ["perceptionKlCoef"] : [])];
  return Object.fromEntries(keys.map((key) => [key, []])) as unknown as StepColumns;
}

/** What is written down about a batch. */
export function recordOf(
  { rollouts, first, draws }: SampledBatch,
  updates: readonly Update[],
  backsOff: boolean,
): StepRecord {
  const { judgements } = first;
  const form = (name: string) => judgements.filter((_, at) => problemOf(first, at).form === name);
  const accuracy = (judged: readonly Judgement[]) => meanOf(judged.map((one) => one.accuracy));
  const metrics = updates.map((update) => update.metrics);
  return {
    reward: meanOf(judgements.map(({ reward }) => reward)),
    accuracy: accuracy(judgements),
    format: meanOf(judgements.map(({ format }) => format)),
    textAidedAccuracy: accuracy(form("text-aided")),
    visionAccuracy: accuracy(form("vision-dependent")),
    responseLength: meanOf(first.responses.map(({ length }) => length)),
    mixedGroups: mixedShare(first),
    generatedBatches: draws,
    trainedGroups: rollouts.problems.length,
    ...pooled(metrics),
    loss: meanOf(updates.map(({ loss }) => loss)),
    gradNorm: meanOf(updates.map(({ gradNorm }) => gradNorm)),
    lossMs: updates.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    ...(backsOff
      ? { perceptionKlCoef: meanOf(updates.map(({ coefficients }) => coefficients.perceptionKl)) }
      : {}),
  };
}

/** null for the mean of nothing. */
export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function problemOf({ problems, group }: Rollouts, response: number) {
  const problem = problems[Math.floor(response / group)];
  if (problem === undefined) throw new Error(`no problem for response ${response}`);
  return problem;
}

function mixedShare({ problems, group, judgements }: Rollouts): number {
  const right = problems.map((_, at) =>
    judgements.slice(at * group, (at + 1) * group).reduce((sum, { accuracy }) => sum + accuracy, 0),
  );
  return right.filter((count) => count > 0 && count < group).length / problems.length;
}

/** Means over the tokens of all parts, and the variance of all those tokens together. */
function pooled(parts: readonly Metrics[]): Record<(typeof OF_PAPO)[number], number | null> {
  const mean = (of: (metrics: Metrics) => number | undefined): number | null => {
    let [sum, tokens] = [0, 0];
    for (const metrics of parts) {
      const value = of(metrics);
      if (value === undefined || metrics.tokens === 0) continue;
      sum += metrics.tokens * value;
      tokens += metrics.tokens;
    }
    return tokens > 0 ? sum / tokens : null;
  };
  const means = Object.fromEntries(OF_PAPO.map((key) => [key, mean((metrics) => metrics[key])]));
  const center = means.perceptionKl ?? 0;
  const perceptionKlVariance = mean(({ perceptionKl, perceptionKlVariance: within }) =>
    perceptionKl === undefined || within === undefined
      ? undefined
      : within + (perceptionKl - center) ** 2,
  );
  return { ...means, perceptionKlVariance } as Record<(typeof OF_PAPO)[number], number | null>;
}
