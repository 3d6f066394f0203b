/** One run as a job of a process of its own: what it is told, what it says, and how it ends. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import type { RunConfig, RunResult, TrainHooks } from "../trainer/index.js";
import { writeRun } from "./result.js";

export interface Job {
  readonly arm: string;
  readonly commit: string;
  readonly config: RunConfig;
  /** Where the result goes. */
  readonly result: string;
  readonly checkpoint: string;
  /** Folder of the cold starts that the arms of a seed share. */
  readonly coldStarts: string;
}

/**
 * What a worker says to the runner. Steps and batches count from 1. It ends with "finished", with "saved", or, in the cold
 * start, of which nothing is kept, with "stopped".
 */
export type Message =
  | { readonly kind: "cold start"; readonly step: number }
  | { readonly kind: "batch"; readonly batch: number }
  | { readonly kind: "saved" | "stopped" }
  | { readonly kind: "finished"; readonly accuracy: number | undefined };

export type Train = (config: RunConfig, hooks: TrainHooks) => Promise<RunResult | undefined>;

/** Batches between checkpoints; one costs some milliseconds. */
const EVERY = 25;

/**
 * Does the job in the command line. An interrupt, or the end of the runner, lets it finish its batch and save;
 * an error ends the process with exit code 1 and its message on stderr.
 */
export async function work(train: Train): Promise<void> {
  const interrupted = new AbortController();
  const stop = () => interrupted.abort();
  // A terminal sends Ctrl-C to every process of the group, and the runner passes its own on: twice is like once.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  process.on("disconnect", stop);
  try {
    await tell(await perform(JSON.parse(process.argv[2] ?? "") as Job, train, interrupted.signal));
  } catch (error) {
    // Said here: the WASM backend's own handler answers an uncaught error by printing its whole source.
    console.error(error);
    process.exitCode = 1;
  }
  // Nothing that the trainer still holds open keeps the runner waiting.
  process.exit();
}

async function perform(job: Job, train: Train, signal: AbortSignal): Promise<Message> {
  const { arm, commit, config, checkpoint } = job;
  mkdirSync(job.coldStarts, { recursive: true });
  const result = await train(config, {
    checkpoint,
    every: EVERY,
    coldStartCache: job.coldStarts,
    signal,
    onColdStart: (step) => void tell({ kind: "cold start", step }),
    onBatch: (batch) => void tell({ kind: "batch", batch }),
  });
  if (result === undefined) return { kind: existsSync(checkpoint) ? "saved" : "stopped" };
  writeRun(job.result, { arm, commit, ...result });
  rmSync(checkpoint, { force: true });
  return { kind: "finished", accuracy: result.evaluations.at(-1)?.accuracy };
}

/** Settles when it is on its way; a runner that has ended hears nothing. */
function tell(message: Message): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}
