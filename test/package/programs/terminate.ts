/** Workers are terminated in the middle of their evaluations; the main thread goes on. */
import assert from "node:assert/strict";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { makeBatch, papo } from "./batch.js";

if (isMainThread) {
  const small = makeBatch(4, 50);
  const { loss } = papo.evaluate(small);
  for (let round = 0; round < 3; ++round) {
    const worker = new Worker(new URL(import.meta.url));
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await worker.terminate();
    assert.equal((await papo.evaluateAsync(small)).loss, loss);
  }
  console.log(JSON.stringify({ ok: true }));
} else {
  const batch = makeBatch(64, 4000);
  for (;;) {
    const running = [papo.evaluateAsync(batch), papo.evaluateAsync(batch)];
    parentPort?.postMessage("started");
    await Promise.all(running);
  }
}
