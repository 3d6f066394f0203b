/** Threads that run `worker.ts`, or another file of TypeScript. */
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
  return startThread(new URL("worker.ts", import.meta.url).href, data, env);
}

/** A thread that runs a TypeScript file. */
export function startThread(url: string, data: object, env: Record<string, string> = {}): Worker {
  return new Worker(CODE, {
    eval: true,
    execArgv: [],
    workerData: { ...data, url, tsx: import.meta.resolve("tsx/esm/api") },
    env: { ...process.env, ...env },
  });
}
