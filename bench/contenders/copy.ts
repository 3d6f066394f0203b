/** The roofline: memcpy of as many bytes as the loss must move, on as many threads, by the same clock. */
import { Worker } from "node:worker_threads";

export interface Copier {
  run(): void;
  stop(): Promise<void>;
}

/** What a helper thread does: waits for a new turn, copies, reports. Its arrays are its own, so `set` is memcpy. */
const HELPER = `
const { workerData } = require("node:worker_threads");
const { control, elements } = workerData;
const source = new Float32Array(elements).fill(1);
const target = new Float32Array(elements).fill(2);
for (let turn = 0; ; ) {
  Atomics.add(control, 1, 1);
  Atomics.notify(control, 1);
  Atomics.wait(control, 0, turn);
  turn = Atomics.load(control, 0);
  if (turn < 0) break;
  target.set(source);
}`;

/** Copies `bytes / 2` bytes per run, so that `bytes` are read and written, on `threads` threads with equal shares. */
export function copier(bytes: number, threads: number): Copier {
  const elements = Math.floor(bytes / 8 / threads);
  const source = new Float32Array(elements).fill(1);
  const target = new Float32Array(elements).fill(2);
  const control = new Int32Array(new SharedArrayBuffer(8));
  const helpers = Array.from(
    { length: threads - 1 },
    () => new Worker(HELPER, { eval: true, workerData: { control, elements } }),
  );
  const waitForHelpers = () => {
    for (let done = 0; done < helpers.length; done = Atomics.load(control, 1)) {
      Atomics.wait(control, 1, done);
    }
  };
  return {
    run() {
      waitForHelpers();
      Atomics.store(control, 1, 0);
      Atomics.add(control, 0, 1);
      Atomics.notify(control, 0);
      target.set(source);
      waitForHelpers();
    },
    async stop() {
      Atomics.store(control, 0, -1);
      Atomics.notify(control, 0);
      await Promise.all(helpers.map((helper) => helper.terminate()));
    },
  };
}
