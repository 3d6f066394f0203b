import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import test from "ava";
import type { Binding } from "../../lib/addon/binding.js";
import { info } from "../../lib/index.js";

const require = createRequire(import.meta.url);

/** A worker that loads the addon and starts token_stats calls over `rows` rows, for ever or once. */
function startWorker(rows: number, forever: boolean): Worker {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const addon = require(workerData.path);
    const { rows, forever } = workerData;
    const vocab = 4096;
    const call = () => addon.runAsync("token_stats", {
      logits: { data: new Float32Array(rows * vocab), dtype: "float32", rows, columns: vocab, rowPitch: vocab },
      token_ids: { data: new Int32Array(rows), dtype: "int32", rows, columns: 1, rowPitch: 1 },
    }, { statistics: { data: new Float64Array(8 * rows), dtype: "float64", rows: 8, columns: rows, rowPitch: rows } }, {}, undefined);
    (async () => {
      do {
        const running = Promise.all([call(), call()]);
        parentPort.postMessage("started");
        await running;
      } while (forever);
      parentPort.postMessage("done");
    })();`;
  return new Worker(code, { eval: true, workerData: { path: info().path, rows, forever } });
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
    const addon = require(workerData);
    const tensor = (data, dtype, rows, columns) => ({ data, dtype, rows, columns, rowPitch: columns });
    const inputs = {
      logits: tensor(new Float32Array(4), "float32", 1, 4),
      token_ids: tensor(new Int32Array(1), "int32", 1, 1),
    };
    const outputs = { statistics: tensor(new Float64Array(8), "float64", 8, 1) };
    const call = () => addon.runAsync("token_stats", inputs, outputs, {}, undefined);
    (async () => {
      parentPort.postMessage("started");
      for (;;) await Promise.all(Array.from({ length: 500 }, call));
    })();`;
  for (let round = 0; round < 20; round++) {
    const worker = new Worker(code, { eval: true, workerData: info().path });
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
