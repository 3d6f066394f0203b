/** A worker that evaluates batches of all sizes without end, several at once, and compares their bits. */
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { bitsOf, papo, problem, SIZES } from "./problem.js";
import type { WorkerData } from "./worker-thread.js";

const { seed, calls = Number.POSITIVE_INFINITY, leave = false } = workerData as WorkerData;
const problems = SIZES.map(([rows, vocab], i) => problem(rows, vocab, seed + i));
parentPort?.postMessage("working");
if (leave) setImmediate(() => process.exit(4));
for (let done = 0; done < calls; done += problems.length) {
  const evaluations = await Promise.all(problems.map(({ batch }) => papo.evaluateAsync(batch())));
  assert.deepEqual(
    evaluations.map(bitsOf),
    problems.map(({ bits }) => bits),
  );
}
