/** A worker thread of its own that evaluates its batch whenever it is told to. */
import { parentPort, workerData } from "node:worker_threads";
import { makeBatch } from "../cases.js";
import type { OwnSetting } from "./contender.js";
import { reserveOutputs } from "./output-memory.js";
import { setUpFused } from "./papo.js";

const { rows, vocab, setting } = workerData as {
  readonly rows: number;
  readonly vocab: number;
  readonly setting: OwnSetting;
};
reserveOutputs(4 * rows * vocab);
const evaluation = setUpFused(makeBatch(rows, vocab), { ...setting, firstRow: 0 });
parentPort?.on("message", async () => {
  await evaluation.run();
  parentPort?.postMessage("done");
});
parentPort?.postMessage("ready");
