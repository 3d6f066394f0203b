/** `npm run bench:load`: many async calls at once, from one thread and from several; throughput, delays, fairness, memory. */
import { readFile } from "node:fs/promises";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { build } from "./build.js";

build(["build:lib"]);
const { papo } = await import("./contenders/built.js");
type Batch = Parameters<typeof ppo.evaluateAsync>[0];

const ppo = papo.objective("papo-g-7b-no-ref", { form: "corrected" }).build();
const WINDOW_MS = 3000;
const RESOLUTION_MS = 1;

/** Forward passes, so that what is measured is not the page faults of fresh gradients. */
const OPTIONS = { gradients: false } as const;

function batchOf(rows: number, vocab: number): Batch {
  const matrix = (by: number) =>
    papo.tensor(
      Float32Array.from({ length: rows * vocab }, (_, i) => 3 * Math.sin(by * i)),
      { shape: [rows, vocab] },
    );
  return {
    logits: matrix(1),
    maskedLogits: matrix(1.1),
    tokenIds: new Int32Array(rows),
    oldLogProbs: new Float64Array(rows).fill(-Math.log(vocab)),
    advantages: [1],
    cuSeqlens: [0, rows],
  };
}

/** What the event loop and the file system notice of `work`. */
async function watched<T>(work: () => Promise<T>) {
  const delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const files: number[] = [];
  let isOver = false;
  let peak = 0;
  const before = process.memoryUsage.rss();
  const reading = (async () => {
    while (!isOver) {
      const begun = performance.now();
      await readFile(new URL(import.meta.url));
      files.push(performance.now() - begun);
      peak = Math.max(peak, process.memoryUsage.rss() - before);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  // The first turns are the caller's own: making the calls.
  const begun = performance.now();
  const running = work();
  const making = performance.now() - begun;
  delay.enable();
  const result = await running;
  delay.disable();
  isOver = true;
  await reading;
  const late = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  files.sort((a, b) => a - b);
  return {
    result,
    making,
    late99: late(delay.percentile(99)),
    lateMost: late(delay.max),
    file: files[files.length >> 1] ?? Number.NaN,
    peak: peak / 2 ** 20,
  };
}

const HEADS = ["calls/s", "making ms", "late p99", "late max", "file ms", "MiB above"];

function row(title: string, ...numbers: readonly number[]): void {
  const shown = numbers.map((x) => x.toFixed(x < 10 ? 1 : 0).padStart(10)).join("");
  console.log(`${title.padEnd(42)}${shown}`);
}

/** Calls for a while, so many at once, or that many in all. */
async function measure(title: string, batch: Batch, atOnce: number, total?: number): Promise<void> {
  let done = 0;
  const begun = performance.now();
  const goesOn = () =>
    total === undefined ? performance.now() - begun < WINDOW_MS : done + atOnce <= total;
  const caller = async () => {
    do {
      await ppo.evaluateAsync(batch, OPTIONS);
      done++;
    } while (goesOn());
  };
  const seen = await watched(async () => {
    await Promise.all(Array.from({ length: atOnce }, caller));
  });
  const perSecond = (1000 * done) / (performance.now() - begun);
  row(title, perSecond, seen.making, seen.late99, seen.lateMost, seen.file, seen.peak);
}

function inTheWay(title: string, batch: Batch): void {
  const begun = performance.now();
  let done = 0;
  for (; performance.now() - begun < WINDOW_MS / 2; done++) ppo.evaluate(batch, OPTIONS);
  row(title, (1000 * done) / (performance.now() - begun));
}

/** Aborts all but those that run, and looks how soon they are gone. */
async function abortAll(batch: Batch, count: number): Promise<void> {
  const controller = new AbortController();
  const calls = Array.from({ length: count }, () =>
    ppo.evaluateAsync(batch, { ...OPTIONS, signal: controller.signal }),
  );
  const outcomes = Promise.allSettled(calls);
  await calls[0];
  const begun = performance.now();
  controller.abort();
  await outcomes;
  console.log(
    `${count} calls at once, aborted: gone in ${(performance.now() - begun).toFixed(1)} ms`,
  );
}

/** A thread with eight callers, which counts its calls until it is told to stop. */
const WORKER = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData.papo).then(async ({ objective, tensor }) => {
    const ppo = objective("papo-g-7b-no-ref", { form: "corrected" }).build();
    const [rows, vocab] = workerData.shape;
    const matrix = () => tensor(new Float32Array(rows * vocab).fill(0.5), { shape: [rows, vocab] });
    const batch = { logits: matrix(), maskedLogits: matrix(), tokenIds: new Int32Array(rows),
      oldLogProbs: new Float64Array(rows), advantages: [1], cuSeqlens: [0, rows] };
    let done = 0, stopped = false;
    parentPort.once("message", () => { stopped = true; });
    const caller = async () => {
      while (!stopped) { await ppo.evaluateAsync(batch, { gradients: false }); done++; }
    };
    parentPort.postMessage("ready");
    await Promise.all(Array.from({ length: 8 }, caller));
    parentPort.postMessage(done);
  });`;

async function fairness(shape: readonly [number, number], count: number): Promise<void> {
  const url = new URL("../dist/index.js", import.meta.url).href;
  const workers = Array.from(
    { length: count },
    () => new Worker(WORKER, { eval: true, workerData: { papo: url, shape } }),
  );
  const next = (worker: Worker) =>
    new Promise<unknown>((resolve) => worker.once("message", resolve));
  await Promise.all(workers.map(next));
  const begun = performance.now();
  const seen = await watched(async () => {
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS));
    const counts = workers.map(next);
    for (const worker of workers) worker.postMessage("stop");
    return (await Promise.all(counts)) as number[];
  });
  const counts = seen.result;
  const sum = counts.reduce((a, b) => a + b, 0);
  const perSecond = (1000 * sum) / (performance.now() - begun);
  const title = `${count} workers, 8 callers each: ${Math.min(...counts)} to ${Math.max(...counts)} calls`;
  row(title, perSecond, 0, seen.late99, seen.lateMost, seen.file, seen.peak);
  await Promise.all(workers.map((worker) => worker.terminate()));
}

const LARGE = [64, 32_000] as const;
const SMALL = [8, 4096] as const;
const [large, small] = [batchOf(...LARGE), batchOf(...SMALL)];
const nothing = await watched(() => new Promise((resolve) => setTimeout(resolve, WINDOW_MS)));
console.log(`${"".padEnd(42)}${HEADS.map((head) => head.padStart(10)).join("")}`);
row("nothing", 0, 0, nothing.late99, nothing.lateMost, nothing.file, nothing.peak);
for (const [shape, batch] of [
  [LARGE, large],
  [SMALL, small],
] as const) {
  const size = `[${shape}]`;
  inTheWay(`${size} evaluate`, batch);
  for (const atOnce of [1, 2, 8, 100]) {
    await measure(`${size} evaluateAsync, ${atOnce} at once`, batch, atOnce);
  }
}
await measure(`[${SMALL}] evaluateAsync, 10000 at once`, small, 10_000, 10_000);
await abortAll(small, 10_000);
for (const count of [2, 4]) await fairness(LARGE, count);
