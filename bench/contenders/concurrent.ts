/** papo off the event loop, and two callers at once: two async calls of one thread, or two worker threads. */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import type { Evaluation as LossEvaluation } from "../../lib/index.js";
import { type Batch, type LogitsArray, slice } from "../cases.js";
import type { Evaluation, OwnSetting } from "./contender.js";
import { fusedCall } from "./papo.js";

/** One call of `evaluateAsync`. */
export function setUpAsync(batch: Batch<LogitsArray>, setting: OwnSetting): Evaluation {
  const call = fusedCall(batch, setting);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let last: LossEvaluation | undefined;
  return {
    async run() {
      delay.enable();
      last = await call.objective.evaluateAsync(call.batch, call.options);
      delay.disable();
    },
    results: () => call.results(last as LossEvaluation),
    freshOutputBytes: 0,
    note: () => delayOf(delay),
  };
}

/** Two calls of `evaluateAsync` at once, each on half of the rows; both together are one evaluation. */
export function setUpTwoCalls(batch: Batch<LogitsArray>, setting: OwnSetting): Evaluation {
  const half = Math.max(1, Math.floor(batch.rows / 2));
  const calls = [0, half].map((start) =>
    fusedCall(slice(batch, start % batch.rows, half), {
      ...setting,
      firstRow: setting.firstRow + (start % batch.rows),
    }),
  );
  const delay = monitorEventLoopDelay({ resolution: 1 });
  return {
    async run() {
      delay.enable();
      await Promise.all(
        calls.map((call) => call.objective.evaluateAsync(call.batch, call.options)),
      );
      delay.disable();
    },
    results: () => ({}),
    freshOutputBytes: 0,
    note: () => delayOf(delay),
  };
}

/** Two worker threads that each evaluate half of the rows at once; both together are one evaluation. */
export async function setUpTwoWorkers(
  batch: Batch<LogitsArray>,
  setting: OwnSetting,
): Promise<Evaluation> {
  const rows = Math.max(1, Math.floor(batch.rows / 2));
  const workers = [1, 2].map(
    () =>
      new Worker(new URL("./caller.ts", import.meta.url), {
        execArgv: process.execArgv,
        workerData: { rows, vocab: batch.vocab, setting },
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
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
}

function delayOf(delay: IntervalHistogram): string | undefined {
  if (delay.count === 0) return undefined;
  return `event loop late by at most ${(delay.max / 1e6).toFixed(1)} ms`;
}
