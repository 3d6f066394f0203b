/** Threads that run `worker.ts`. */
import { Worker } from "node:worker_threads";

export interface WorkerData {
  readonly seed: number;
  /** Without end if not said. */
  readonly calls?: number;
  /** Whether it calls process.exit(4) in the middle of its first calls. */
  readonly leave?: boolean;
}

/** A thread does not inherit the loader of TypeScript. */
const CODE = `
  const { workerData } = require("node:worker_threads");
  import(workerData.tsx).then(({ register }) => {
    register();
    return import(workerData.url);
  });`;

export function newWorker(data: WorkerData, env: Record<string, string> = {}): Worker {
  const url = new URL("worker.ts", import.meta.url).href;
  return new Worker(CODE, {
    eval: true,
    execArgv: [],
    workerData: { ...data, url, tsx: import.meta.resolve("tsx/esm/api") },
    env: { ...process.env, ...env },
  });
}
