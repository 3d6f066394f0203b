/** papo off the event loop, and two callers at once: two async calls of one thread, or two worker threads. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import type { Evaluation as LossEvaluation } from "../../lib/index.js";
import { type Batch, type LogitsArray, slice } from "../cases.js";
import type { Evaluation, OwnSetting, Results } from "./contender.js";
import { fusedCall } from "./papo.js";

/** One call of `evaluateAsync`. */
export function setUpAsync(batch: Batch<LogitsArray>, setting: OwnSetting): Evaluation {
  const call = fusedCall(batch, setting);
  let last: LossEvaluation | undefined;
  const run = async () => {
    last = await call.objective.evaluateAsync(call.batch, call.options);
  };
  return {
    run,
    results: () => call.results(last as LossEvaluation),
    freshOutputBytes: 0,
    note: () => lateness(run),
  };
}

/** Two calls of `evaluateAsync` at once, each on half of the rows; both together are one evaluation. */
export function setUpTwoCalls(batch: Batch<LogitsArray>, setting: OwnSetting): Evaluation {
  const half = Math.max(1, Math.floor(batch.rows / 2));
  const whole = { tokens: batch.rows };
  const calls = [0, half].map((start) =>
    fusedCall(
      slice(batch, start % batch.rows, half),
      { ...setting, firstRow: setting.firstRow + (start % batch.rows) },
      whole,
    ),
  );
  let last: LossEvaluation[] = [];
  const run = async () => {
    last = await Promise.all(
      calls.map((call) => call.objective.evaluateAsync(call.batch, call.options)),
    );
  };
  return {
    run,
    results: () => joined(calls.map((call, i) => call.results(last[i] as LossEvaluation))),
    freshOutputBytes: 0,
    note: () => lateness(run),
  };
}

/** Results of two halves as those of the whole. */
function joined([first, second]: readonly Results[]): Results {
  const both = (name: Exclude<keyof Results, "loss">) => [
    ...Array.from(first?.[name] ?? []),
    ...Array.from(second?.[name] ?? []),
  ];
  return {
    loss: (first?.loss ?? 0) + (second?.loss ?? 0),
    logProbs: both("logProbs"),
    entropy: both("entropy"),
    kl: both("kl"),
    gradLogits: both("gradLogits"),
    gradMaskedLogits: both("gradMaskedLogits"),
  };
}

/** A worker knows no TypeScript by itself. */
const START = `
  import("tsx/esm/api").then(({ register }) => {
    register();
    return import(require("node:worker_threads").workerData.caller);
  });`;
const CALLER = new URL("./caller.ts", import.meta.url).href;

/** Two worker threads that each evaluate half of the rows at once; both together are one evaluation. */
export async function setUpTwoWorkers(
  batch: Batch<LogitsArray>,
  setting: OwnSetting,
): Promise<Evaluation> {
  const rows = Math.max(1, Math.floor(batch.rows / 2));
  const workers = [1, 2].map(
    () =>
      new Worker(START, {
        eval: true,
        workerData: { rows, vocab: batch.vocab, setting, caller: CALLER },
      }),
  );
  const all = () => Promise.all(workers.map(answered));
  await all();
  return {
    async run() {
      const done = all();
      for (const worker of workers) worker.postMessage("run");
      await done;
    },
    results: () => ({}),
    freshOutputBytes: 0,
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function answered(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once("message", () => {
      worker.off("error", reject);
      resolve();
    });
    worker.once("error", reject);
  });
}

/** How late the event loop comes to other work while a few runs follow each other. */
async function lateness(run: () => Promise<void>): Promise<string> {
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  for (let i = 0; i < 10; i++) await run();
  delay.disable();
  const late = Math.max(0, delay.max / 1e6 - resolution);
  return `event loop late by at most ${late.toFixed(1)} ms`;
}
