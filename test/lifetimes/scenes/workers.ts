/** Workers that are terminated whatever they are doing. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { bitsOf, type Problem, papo, problem } from "../problem.js";
import type { Scene } from "../scene.js";
import { newWorker } from "../worker-thread.js";

export const workers: Scene = {
  claim: "workers that are terminated in the middle of their calls disturb nobody",
  rounds: 1,
  long: 30,
  async run(rounds, random) {
    const own = problem(24, 4099, 1);
    for (let round = 0; round < rounds; round++) {
      const started = [1, 2].map((seed) => startWorker(seed + 2 * round));
      await Promise.all(started.map(({ working }) => working));
      const check = checkOne(own);
      await sleep(random.below(30));
      const ends = started.map(({ worker }) => worker.terminate());
      await Promise.all([...ends, check]);
      await checkOne(own);
    }
  },
};

function startWorker(seed: number): { worker: Worker; working: Promise<void> } {
  const worker = newWorker({ seed });
  const working = new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  return { worker, working };
}

async function checkOne({ batch, bits }: Problem): Promise<void> {
  assert.equal(bitsOf(await papo.evaluateAsync(batch())), bits);
}
