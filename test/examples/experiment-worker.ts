/** A worker whose training is pretended: it counts batches, saves, goes on, and fails as its seed says. */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Train, work } from "../../examples/experiment/job.js";
import { writeAtomically } from "../../examples/experiment/result.js";
import { FATE } from "./experiment-fate.js";

interface Saved {
  readonly batch: number;
  /** Batches after which an attempt began. */
  readonly begun: readonly number[];
}

const train: Train = async (config, hooks) => {
  const path = hooks.checkpoint ?? "";
  const saved: Saved = existsSync(path)
    ? JSON.parse(readFileSync(path, "utf8"))
    : { batch: 0, begun: [] };
  const begun = [...saved.begun, saved.batch];
  for (let batch = saved.batch + 1; batch <= config.batches; batch++) {
    await sleep(2);
    if (config.seed === FATE.fails && batch === 3) throw new Error("the loss is not a number");
    if (batch % 2 === 0) writeAtomically(path, JSON.stringify({ batch, begun }));
    hooks.onBatch?.(batch, {} as never);
    const first = begun.length === 1;
    if (config.seed === FATE.dies && first && batch === 5) process.kill(process.pid, "SIGKILL");
    if (hooks.signal?.aborted && config.seed !== FATE.deaf) {
      writeAtomically(path, JSON.stringify({ batch, begun }));
      return undefined;
    }
  }
  return { config, seconds: 1 / 3, size: 123456, evaluations: [], begun } as never;
};

await work(train);
