/** Four workers evaluate at once and end by themselves; each has the loss of the main thread. */
import assert from "node:assert/strict";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { makeBatch, papo } from "./batch.js";

const batch = makeBatch(16, 500);
if (isMainThread) {
  const { loss } = papo.evaluate(batch);
  const workers = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url)));
  const ended = workers.map(
    (worker) =>
      new Promise<void>((resolve, reject) => {
        let losses: unknown;
        worker.once("message", (message) => {
          losses = message;
        });
        worker.once("error", reject);
        worker.once("exit", () => {
          try {
            assert.deepEqual(losses, [loss, loss]);
            resolve();
          } catch (error) {
            reject(error);
          }
        });
      }),
  );
  await Promise.all(ended);
  console.log(JSON.stringify({ ok: true }));
} else {
  const asynchronous = papo.evaluateAsync(batch);
  parentPort?.postMessage([papo.evaluate(batch).loss, (await asynchronous).loss]);
}
