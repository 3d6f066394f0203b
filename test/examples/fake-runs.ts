/** Made-up results of runs, whose accuracies and collapses are decided by who asks; only for tests of the report. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StoredRun } from "../../examples/experiment/result.js";
import { DEFAULT_CONFIG } from "../../examples/trainer/config.js";
import type { Accuracy, Evaluation, StepColumns } from "../../examples/trainer/index.js";

export interface FakeRun {
  readonly arm: string;
  readonly seed: number;
  readonly batches?: number;
  /** At the end, on vision-dependent and text-aided questions. */
  readonly vision: number;
  readonly text: number;
  /** Share of the wrong answers; the rest is of reasoning. */
  readonly perceptionErrors?: number;
  /** Batch from which the reward falls, within twenty batches, to a fifth. */
  readonly collapsesAt?: number;
  readonly alarmAt?: number;
  /** Whether the objective has a masked branch to measure. */
  readonly masked?: boolean;
}

const START = 0.35;

export function fakeRun(fake: FakeRun): StoredRun {
  const { arm, seed, batches = 200, vision, text, collapsesAt, alarmAt } = fake;
  const every = Math.max(1, Math.round(batches / 8));
  const progress = (batch: number): number => 1 - Math.exp((-4 * batch) / batches);
  const evaluation = (batch: number): Evaluation => {
    const share = progress(batch) / progress(batches);
    const kept = collapsesAt !== undefined && batch > collapsesAt ? 0.3 : 1;
    return evaluationOf(
      kept * (START + (vision - START) * share),
      kept * (START + (text - START) * share),
      fake.perceptionErrors ?? 0.6,
    );
  };
  const evaluations = Array.from({ length: Math.floor(batches / every) }, (_, at) => {
    const batch = (at + 1) * every;
    return { batch, ...evaluation(batch) };
  });
  return {
    arm,
    commit: "0123456789abcdef",
    config: {
      ...DEFAULT_CONFIG,
      seed,
      batches,
      evaluation: { ...DEFAULT_CONFIG.evaluation, every },
    },
    size: 150_000,
    date: "2026-11-21T12:00:00.000Z",
    seconds: 100,
    time: { coldStart: 10, generation: 20, update: 50, evaluation: 19, checkpoint: 1 },
    coldStart: evaluation(0),
    evaluations,
    steps: stepsOf(fake, batches),
    monitor:
      alarmAt === undefined
        ? []
        : [
            { batch: alarmAt - 3, level: "warning", signs: ["perception-kl"] },
            { batch: alarmAt, level: "alarm", signs: ["perception-kl", "perception-kl-variance"] },
          ],
    machine: { node: "v22.21.0", cpu: "A processor <of a test>", cores: 2 },
  };
}

/** Writes them where the report reads. */
export function writeFakeRuns(folder: string, fakes: readonly FakeRun[]): void {
  for (const fake of fakes) {
    mkdirSync(join(folder, fake.arm), { recursive: true });
    writeFileSync(
      join(folder, fake.arm, `seed-${fake.seed}.json`),
      JSON.stringify(fakeRun(fake), (_, value) => (Number.isNaN(value) ? null : value)),
    );
  }
}

function evaluationOf(vision: number, text: number, perception: number): Evaluation {
  return {
    ...accuracyOf(vision, text),
    reward: (vision + text) / 2,
    format: 1,
    thought: 0.5,
    responseLength: 5,
    masked: accuracyOf(0.25, 0.9 * text),
    errors: { perception, reasoning: 1 - perception - 0.05, format: 0.05 },
    kl: 0.8,
    klByForm: { "vision-dependent": 1, "text-aided": 0.6 },
    entropy: 0.2,
    maskedEntropy: 0.5,
  };
}

function accuracyOf(vision: number, text: number): Accuracy {
  const accuracy = (vision + text) / 2;
  return {
    accuracy,
    byForm: { "vision-dependent": vision, "text-aided": text },
    byTask: {
      addition: accuracy,
      counting: accuracy - 0.1,
      comparison: accuracy + 0.1,
      "line-following": accuracy,
    },
    byNoise: { clean: accuracy + 0.1, noisy: accuracy - 0.1 },
  };
}

function stepsOf(
  { vision, text, collapsesAt, masked = true, seed }: FakeRun,
  batches: number,
): StepColumns {
  const column = (value: (batch: number) => number | null): (number | null)[] =>
    Array.from({ length: batches }, (_, at) => value(at + 1));
  const noise = (batch: number): number => 0.03 * Math.sin(12.9898 * batch * seed);
  const grown = (batch: number): number =>
    collapsesAt === undefined
      ? 1
      : Math.exp(Math.min(Math.max((batch - collapsesAt + 40) / 12, 0), 4.5));
  const reward = (batch: number): number => {
    const learned = START + ((vision + text) / 2 - START) * (1 - Math.exp((-4 * batch) / batches));
    const fallen =
      collapsesAt === undefined ? 0 : Math.min(Math.max(batch - collapsesAt, 0) / 20, 0.8);
    return learned * (1 - fallen) + noise(batch);
  };
  const ofPair = (value: (batch: number) => number) =>
    column((batch) => (masked ? value(batch) : null));
  const constant = column(() => 0.5);
  return {
    reward: column(reward),
    accuracy: column(reward),
    format: column(() => 1),
    textAidedAccuracy: constant,
    visionAccuracy: constant,
    responseLength: column(() => 5),
    mixedGroups: constant,
    generatedBatches: column(() => 1),
    trainedGroups: column(() => 16),
    perceptionKl: ofPair((batch) => 0.5 * grown(batch) * (1 + noise(batch))),
    perceptionKlVariance: ofPair((batch) => 0.8 * grown(batch) ** 1.3 * (1 + 3 * noise(batch))),
    kl: ofPair((batch) => 0.5 * grown(batch) * (1 + noise(batch))),
    entropy: column((batch) => 0.25 + 0.02 * grown(batch) ** 0.5),
    maskedEntropy: ofPair((batch) => 0.6 + 0.05 * grown(batch) ** 0.5),
    refKl: constant,
    clipFraction: column((batch) => 0.002 * grown(batch) ** 0.5),
    clipFractionLow: constant,
    clipFractionHigh: constant,
    approxKl3: constant,
    loss: constant,
    gradNorm: constant,
    lossMs: column(() => 1),
  };
}
