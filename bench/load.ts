/** `npm run bench:load`: many async calls at once, from one thread and from several; throughput, delays, fairness, memory. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { build } from "./build.js";
import { watched } from "./watched.js";

build(["build:lib"]);
const { papo } = await import("./contenders/built.js");
type Batch = ReturnType<typeof batchOf>;

const ppo = papo.objective("papo-g-7b-no-ref", { form: "corrected" }).build();
const WINDOW_MS = 3000;

/** Forward passes, so that what is measured is not the page faults of fresh gradients. */
const OPTIONS = { gradients: false } as const;

function batchOf(rows: number, vocab: number) {
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

const HEADS = ["calls/s", "making ms", "late p99", "late max", "file ms", "MiB above"];

function row(title: string, ...numbers: readonly number[]): void {
  const shown = numbers.map((x) => x.toFixed(x < 10 ? 1 : 0).padStart(10)).join("");
  console.log(`${title.padEnd(42)}${shown}`);
}

/** What an idle loop notices on this machine at the time, with which the rows around it are to be compared. */
async function control(title: string): Promise<void> {
  const idle = await watched(() => new Promise((resolve) => setTimeout(resolve, WINDOW_MS)));
  row(title, 0, 0, idle.late99, idle.lateMost, idle.file, idle.peak);
}

/** What it notices of as many threads as the pool has that only count: the share of the scheduler alone. */
async function spinning(): Promise<void> {
  const { threads } = papo.info();
  const spin = `require("node:worker_threads").parentPort.postMessage(""); for (;;);`;
  const workers = Array.from({ length: threads }, () => new Worker(spin, { eval: true }));
  await Promise.all(workers.map((each) => new Promise((resolve) => each.once("message", resolve))));
  await control(`${threads} threads that count, no call`);
  await Promise.all(workers.map((each) => each.terminate()));
}

type Call = () => Promise<unknown>;

/** Calls for a while, so many at once, or that many in all. */
async function measure(title: string, call: Call, atOnce: number, total?: number): Promise<void> {
  let done = 0;
  const begun = performance.now();
  const goesOn = () =>
    total === undefined ? performance.now() - begun < WINDOW_MS : done + atOnce <= total;
  const caller = async () => {
    do {
      await call();
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
const LONG = [16_384, 64] as const;

/** Calls that have something to write, or much to check, on the loop's own thread. */
async function others(): Promise<void> {
  const { logits, maskedLogits, tokenIds } = large;
  const memory = () => ({
    gradLogits: papo.zeros(logits.shape),
    gradMaskedLogits: papo.zeros(logits.shape),
  });
  const [kept, zeroed] = [memory(), memory()];
  const constant = papo.objective("papo-g-7b-no-ref").build();
  const ofFirst = papo.gradAsync(
    async (a: typeof logits, _b: typeof logits) =>
      papo.reduceTokens((await papo.tokenStatsAsync({ logits: a, tokenIds })).entropy),
    { out: Object.values(zeroed) },
  );
  const calls: Readonly<Record<string, Call>> = {
    "gradients in fresh memory": () => ppo.evaluateAsync(large),
    "gradients in memory that is kept": () => ppo.evaluateAsync(large, kept),
    "zeros for a constant branch": () => constant.evaluateAsync(large, kept),
    "gradAsync, zeros for an argument": () => ofFirst(logits, maskedLogits),
  };
  for (const [title, call] of Object.entries(calls)) await measure(`[${LARGE}] ${title}`, call, 1);
  const long = batchOf(...LONG);
  await measure(`[${LONG}] many tokens`, () => ppo.evaluateAsync(long), 1);
}
/** The same calls where the pool has a thread less than it would take, and the loop a processor for itself. */
async function oneThreadLess(): Promise<void> {
  const threads = papo.info().threads - 1;
  if (threads < 1) return;
  const size = String(Math.min(4, 2 * threads));
  const env = { ...process.env, PAPO_NUM_THREADS: String(threads), UV_THREADPOOL_SIZE: size };
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ONE_LESS];
  execFileSync(process.execPath, args, { env, stdio: "inherit" });
}

const ONE_LESS = "--one-thread-less";
const large = batchOf(...LARGE);
const forward = (batch: Batch) => () => ppo.evaluateAsync(batch, OPTIONS);

async function everything(): Promise<void> {
  const small = batchOf(...SMALL);
  console.log(`${"".padEnd(42)}${HEADS.map((head) => head.padStart(10)).join("")}`);
  await control("nothing");
  await spinning();
  for (const [shape, batch] of [
    [LARGE, large],
    [SMALL, small],
  ] as const) {
    const size = `[${shape}]`;
    inTheWay(`${size} evaluate`, batch);
    for (const atOnce of [1, 2, 8, 100]) {
      await measure(`${size} evaluateAsync, ${atOnce} at once`, forward(batch), atOnce);
    }
    await control("nothing");
  }
  await others();
  await control("nothing");
  await oneThreadLess();
  await measure(`[${SMALL}] evaluateAsync, 10000 at once`, forward(small), 10_000, 10_000);
  await abortAll(small, 10_000);
  for (const count of [2, 4]) await fairness(LARGE, count);
  await control("nothing");
}

if (process.argv.includes(ONE_LESS)) {
  await measure(`[${LARGE}] a thread less, 8 at once`, forward(large), 8);
} else {
  await everything();
}
