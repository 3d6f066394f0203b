/** Callers in several threads, and a second copy of the addon among them. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { info } from "../../../lib/index.js";
import { bitsOf, papo, problem, SIZES } from "../problem.js";
import type { Scene } from "../scene.js";
import { newWorker, type WorkerData } from "../worker-thread.js";

export const callers: Scene = {
  claim: "calls of several threads and of two copies of the addon give the bits of a call alone",
  rounds: 3,
  long: 100,
  async run(rounds) {
    const folder = mkdtempSync(join(tmpdir(), "papo-"));
    const copy = join(folder, "copy.node");
    copyFileSync(info().path, copy);
    try {
      const calls = rounds * SIZES.length;
      const there = [{}, { PAPO_ADDON_PATH: copy }].map((env, i) =>
        finished({ seed: 10 * i, calls }, env),
      );
      await Promise.all([...there, here(rounds)]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function here(rounds: number): Promise<void> {
  const problems = SIZES.map(([rows, vocab], i) => problem(rows, vocab, 40 + i));
  for (let round = 0; round < rounds; round++) {
    const running = problems.map(({ batch }) => papo.evaluateAsync(batch()));
    // Beside the asynchronous ones a synchronous one, which uses the same pool.
    const { batch, bits } = problems[round % problems.length] ?? assert.fail();
    assert.equal(bitsOf(papo.evaluate(batch())), bits);
    const evaluations = await Promise.all(running);
    assert.deepEqual(
      evaluations.map(bitsOf),
      problems.map((one) => one.bits),
    );
  }
}

function finished(workerData: WorkerData, env: Record<string, string>): Promise<void> {
  const worker = newWorker(workerData, env);
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
  });
}
