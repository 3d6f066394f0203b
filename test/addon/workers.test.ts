import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import test from "ava";
import type { Binding } from "../../lib/addon/binding.js";
import { info } from "../../lib/index.js";
import { runCode } from "../lifetimes/child.js";
import { statsNumbers } from "./native-call.js";

const require = createRequire(import.meta.url);

/** A worker that loads the addon and starts token_stats calls over `rows` rows, for ever or once. */
function startWorker(rows: number, forever: boolean): Worker {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const addon = require(workerData.path);
    const { op, numbers, rows, vocab, forever } = workerData;
    const call = () => addon.runAsync(op, numbers, undefined, undefined,
      new Float32Array(rows * vocab), new Int32Array(rows), new Float64Array(8 * rows));
    (async () => {
      do {
        const running = Promise.all([call(), call()]);
        parentPort.postMessage("started");
        await running;
      } while (forever);
      parentPort.postMessage("done");
    })();`;
  const vocab = 4096;
  const workerData = { path: info().path, rows, vocab, forever, ...statsNumbers(rows, vocab) };
  return new Worker(code, { eval: true, workerData });
}

function message(worker: Worker, wanted: string): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on("message", (text) => text === wanted && resolve());
    worker.on("error", reject);
  });
}

test("several workers share the pool and end by themselves", async (t) => {
  const workers = [1, 2, 3].map(() => startWorker(64, false));
  await Promise.all(workers.map((worker) => message(worker, "done")));
  const codes = await Promise.all(workers.map((worker) => worker.terminate()));
  t.is(codes.length, 3);
});

test("a worker that is terminated in the middle of its calls takes nothing down with it", async (t) => {
  for (let round = 0; round < 5; round++) {
    const worker = startWorker(2000, true);
    await message(worker, "started");
    await worker.terminate();
  }
  t.true(info().threads >= 1);
});

test("nor does one that is terminated while it starts calls", async (t) => {
  // Node-API then refuses everything from one moment to the next, the making of promises included.
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const addon = require(workerData.path);
    const { op, numbers } = workerData;
    const memory = [new Float32Array(4), new Int32Array(1), new Float64Array(8)];
    const call = () => addon.runAsync(op, numbers, undefined, undefined, ...memory);
    (async () => {
      parentPort.postMessage("started");
      for (;;) await Promise.all(Array.from({ length: 500 }, call));
    })();`;
  for (let round = 0; round < 20; round++) {
    const workerData = { path: info().path, ...statsNumbers(1, 4) };
    const worker = new Worker(code, { eval: true, workerData });
    await message(worker, "started");
    await new Promise((resolve) => setTimeout(resolve, round % 7));
    await worker.terminate();
  }
  t.pass();
});

test("two copies of the addon live side by side", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "papo-"));
  try {
    const copy = join(folder, "copy.node");
    copyFileSync(info().path, copy);
    const other = require(copy) as Binding;
    t.is(other.configure(2), 2);
    t.is(other.info().isa, info().isa);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a worker that loads the addon later does not choose the instruction set of the process again", async (t) => {
  const { stdout, stderr } = await runCode(`
    const { Worker } = await import("node:worker_threads");
    const { isa, path } = papo.info();
    process.env.PAPO_CPU_ISA = "scalar";
    const code = "require(" + JSON.stringify(path) + ")";
    const worker = new Worker(code, { eval: true, execArgv: [] });
    await new Promise((resolve) => worker.once("exit", resolve));
    console.log(papo.info().isa === isa);`);
  t.deepEqual([stdout, stderr], ["true\n", ""]);
});
