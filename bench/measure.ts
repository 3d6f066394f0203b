/** The experiment: one process per contender, rounds that interleave them with the roofline, medians and spreads. */
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { VOCAB } from "./cases.js";
import type { CompareReply, MeasureReply, Request, SetUpReply } from "./child.js";
import type { Contender } from "./contenders/contender.js";
import { type Copier, copier } from "./contenders/copy.js";

export interface Spread {
  readonly median: number;
  /** Half of the distance between the quartiles, as a fraction of the median. */
  readonly spread: number;
  readonly samples: number;
}

export interface Measurement extends SetUpReply, CompareReply {
  readonly name: string;
  readonly label: string;
  readonly rows: number;
  readonly vocab: number;
  readonly dtype: string;
  readonly threads: number;
  readonly outputs: string;
  /** ms per evaluation. */
  readonly time: Spread;
  /** Bytes that any implementation must move: both logits read once, both gradients written once. */
  readonly bytes: number;
}

export interface Experiment {
  readonly measurements: readonly Measurement[];
  /** Copying as many bytes with memcpy in the same rounds, bytes per second, by number of threads. */
  readonly copyBandwidth: Readonly<Record<number, Spread>>;
}

export interface Options {
  readonly rounds: number;
  /** A contender that has used this much measured time, ms, sits out the rounds after its fifth. */
  readonly patience: number;
  readonly say: (line: string) => void;
}

/** Rounds that even the slowest contender takes part in. */
const LEAST_ROUNDS = 5;
const COPY_BYTES = 2 ** 29;

export async function runExperiment(
  contenders: readonly Contender[],
  { rounds, patience, say }: Options,
): Promise<Experiment> {
  const children: Child[] = [];
  for (const contender of contenders) {
    say(`setting up ${contender.name}`);
    const process = start(contender);
    children.push({ contender, process, setUp: await ask(process, "setUp"), times: [], total: 0 });
  }
  const copiers = new Map<number, { copier: Copier; times: number[] }>();
  for (const threads of new Set([1, availableParallelism()])) {
    copiers.set(threads, { copier: copier(COPY_BYTES, threads), times: [] });
  }

  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    for (const { copier, times } of copiers.values()) {
      const begin = performance.now();
      copier.run();
      times.push(performance.now() - begin);
    }
    for (const child of children) {
      if (round >= LEAST_ROUNDS && child.total > patience) continue;
      const { times } = await ask<MeasureReply>(child.process, "measure");
      // One number per round: a contender with short runs has not more votes than one with long ones.
      child.times.push(quantile(times, 0.5));
      child.total += times.reduce((sum, time) => sum + time, 0);
    }
  }

  const measurements: Measurement[] = [];
  for (const { contender, process, setUp, times } of children) {
    const comparison = await ask<CompareReply>(process, "compare");
    process.disconnect();
    measurements.push({ ...describe(contender), ...setUp, ...comparison, time: spreadOf(times) });
  }
  const copyBandwidth: Record<number, Spread> = {};
  for (const [threads, { copier, times }] of copiers) {
    await copier.stop();
    copyBandwidth[threads] = spreadOf(times.map((time) => COPY_BYTES / (time / 1000)));
  }
  return { measurements, copyBandwidth };
}

interface Child {
  readonly contender: Contender;
  readonly process: ChildProcess;
  readonly setUp: SetUpReply;
  /** Median of each round, ms. */
  readonly times: number[];
  total: number;
}

function threadsOf(contender: Contender): number {
  return contender.threads === "all" ? availableParallelism() : contender.threads;
}

function start(contender: Contender): ChildProcess {
  return fork(fileURLToPath(new URL("./child.ts", import.meta.url)), [contender.name], {
    execArgv: ["--import=tsx"],
    env: { ...process.env, PAPO_NUM_THREADS: String(threadsOf(contender)) },
  });
}

function ask<T>(child: ChildProcess, request: Request): Promise<T> {
  return new Promise((resolve, reject) => {
    const onMessage = (reply: unknown) => {
      child.off("exit", onExit);
      resolve(reply as T);
    };
    const onExit = (code: number | null, signal: string | null) => {
      child.off("message", onMessage);
      reject(
        new Error(`a contender ended with ${signal ?? `exit code ${code}`} during "${request}"`),
      );
    };
    child.once("message", onMessage);
    child.once("exit", onExit);
    child.send(request);
  });
}

function describe(contender: Contender) {
  const { name, label, rows, outputs, variant } = contender;
  const bytesPerLogit = variant.dtype === "float32" ? 4 : 2;
  return {
    name,
    label,
    rows,
    vocab: VOCAB,
    dtype: variant.dtype,
    threads: threadsOf(contender),
    outputs,
    bytes: 4 * rows * VOCAB * bytesPerLogit,
  };
}

function spreadOf(samples: readonly number[]): Spread {
  const median = quantile(samples, 0.5);
  const spread = (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2 / median;
  return { median, spread, samples: samples.length };
}

function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return below + (at - Math.floor(at)) * (above - below);
}
