/** Runs the plan: one process per run, as many at a time as asked for; each finishes, fails alone, or is saved. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job, Message } from "./job.js";
import type { PlannedRun } from "./plan.js";
import {
  checkpointPath,
  type Folders,
  failurePath,
  resultPath,
  writeAtomically,
} from "./result.js";

export interface RunnerOptions {
  readonly runs: readonly PlannedRun[];
  /** Absolute paths. */
  readonly folders: Folders;
  /** Processes at a time. */
  readonly jobs: number;
  readonly commit: string;
  /** The script of a run. */
  readonly worker?: string;
  readonly onProgress?: (progress: Progress) => void;
  readonly onOutcome?: (outcome: Outcome, progress: Progress) => void;
}

/** How a run ended: with a result, by an error (what it said), saved in the middle, or stopped as its last checkpoint is. */
export type Outcome = { readonly run: PlannedRun; readonly seconds: number } & (
  | { readonly kind: "finished"; readonly accuracy: number | undefined }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "saved" | "stopped" }
);

/** How far the runs are. */
export interface Progress {
  readonly total: number;
  /** Finished or failed. */
  readonly ended: number;
  /** Runs as fractions of one: ended ones and the parts of the running ones. */
  readonly done: number;
  readonly running: readonly RunningRun[];
  /** From what runs took so far; undefined until that can be said. */
  readonly secondsLeft: number | undefined;
}

export interface RunningRun {
  readonly run: PlannedRun;
  /** Batches done. */
  readonly batch: number;
  /** Steps of the cold start done; 0 where it was there. */
  readonly coldStart: number;
}

/** A run in its process. */
interface Running extends RunningRun {
  readonly process: ChildProcess;
  readonly started: number;
  batch: number;
  coldStart: number;
  /** Batches that its checkpoint had. */
  resumedAt: number | undefined;
}

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
/** The workers' loader is found from here, wherever the command is given. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Part of a run after which the time left can be told: before it, it is the start that was measured. */
const ENOUGH = 0.05;
/** What is kept of an error: its last lines, at most so many characters (a backend may print its whole source in one). */
const LINES = 40;
const CHARACTERS = 8000;

export class Runner {
  readonly #options: RunnerOptions;
  readonly #queue: PlannedRun[];
  readonly #running = new Set<Running>();
  readonly #outcomes: Outcome[] = [];
  #stopping = false;
  /** Seconds of processes, and the runs (fractions of one) that they did in them, of those that have ended. */
  #spent = 0;
  #worked = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#queue = [...options.runs];
  }

  /** @returns how each run ended that was begun; the others are not in it */
  async run(): Promise<readonly Outcome[]> {
    mkdirSync(this.#options.folders.work, { recursive: true });
    await Promise.all(Array.from({ length: this.#options.jobs }, () => this.#work()));
    return this.#outcomes;
  }

  /** Every run finishes its batch and saves; none begins. */
  stop(): void {
    this.#stopping = true;
    for (const { process } of this.#running) process.kill("SIGINT");
  }

  /** Ends the processes at once; runs go on from their last checkpoint the next time. */
  kill(): void {
    this.#stopping = true;
    for (const { process } of this.#running) process.kill("SIGKILL");
  }

  get progress(): Progress {
    const running = [...this.#running];
    const fractions = running.map(fractionOf);
    const total = this.#options.runs.length;
    const ended = this.#outcomes.filter(
      ({ kind }) => kind === "finished" || kind === "failed",
    ).length;
    const done = ended + sum(fractions);
    // A run that came with a checkpoint did that part before.
    const worked = this.#worked + sum(running.map(workedBy));
    const spent = this.#spent + sum(running.map(({ started }) => secondsSince(started)));
    const left = total - done;
    const together = Math.max(1, Math.min(this.#options.jobs, total - ended));
    return {
      total,
      ended,
      done,
      running: running.map(({ run, batch, coldStart }) => ({ run, batch, coldStart })),
      secondsLeft: worked < ENOUGH ? undefined : ((spent / worked) * left) / together,
    };
  }

  async #work(): Promise<void> {
    while (!this.#stopping) {
      const run = this.#queue.shift();
      if (run === undefined) return;
      const outcome = await this.#runOne(run);
      this.#outcomes.push(outcome);
      this.#options.onOutcome?.(outcome, this.progress);
    }
  }

  #runOne(run: PlannedRun): Promise<Outcome> {
    const { folders } = this.#options;
    const failure = failurePath(folders, run);
    rmSync(failure, { force: true });
    const child = this.#start(run);
    const running: Running = {
      run,
      process: child,
      started: performance.now(),
      batch: 0,
      coldStart: 0,
      resumedAt: undefined,
    };
    this.#running.add(running);
    this.#options.onProgress?.(this.progress);
    let last: Message | undefined;
    let said = "";
    child.on("message", (message: Message) => {
      last = message;
      if (message.kind === "cold start") running.coldStart = message.step;
      if (message.kind === "batch") {
        running.resumedAt ??= message.batch - 1;
        running.batch = message.batch;
      }
      this.#options.onProgress?.(this.progress);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = lastLines(said + text);
    });
    return new Promise((resolve) => {
      const end = (how: string, code: number | null) => {
        if (!this.#running.delete(running)) return;
        const seconds = secondsSince(running.started);
        const outcome = { run, seconds, ...this.#endOf(last, how, code, said) };
        if (outcome.kind === "failed") writeAtomically(failure, `${outcome.reason}\n`);
        if (outcome.kind === "finished") {
          this.#spent += seconds;
          this.#worked += workedBy(running);
        }
        resolve(outcome);
      };
      child.once("error", (error) => end(error.message, null));
      // Not "exit": by now everything it said is here.
      child.once("close", (code, signal) =>
        end(`ended with ${signal ?? `exit code ${code}`}`, code),
      );
    });
  }

  #start(run: PlannedRun): ChildProcess {
    const { folders, commit, worker = WORKER } = this.#options;
    const job: Job = {
      arm: run.arm.id,
      commit,
      config: run.config,
      result: resultPath(folders, run),
      checkpoint: checkpointPath(folders, run),
      coldStarts: join(folders.work, "cold-starts"),
    };
    return fork(worker, [JSON.stringify(job)], {
      cwd: ROOT,
      execArgv: ["--import=tsx"],
      // Runs share the cores among them, one thread each.
      env: { ...process.env, PAPO_NUM_THREADS: "1" },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
  }

  #endOf(last: Message | undefined, how: string, code: number | null, said: string) {
    if (code === 0 && last?.kind === "finished") {
      return { kind: "finished", accuracy: last.accuracy } as const;
    }
    if (code === 0 && (last?.kind === "saved" || last?.kind === "stopped")) {
      return { kind: last.kind } as const;
    }
    // Without an exit code it was a signal; one that comes before the worker listens loses nothing.
    if (this.#stopping && code === null) return { kind: "stopped" } as const;
    return { kind: "failed", reason: `${how}\n${said}`.trim() } as const;
  }
}

function fractionOf({ run, batch }: Running): number {
  return batch / run.config.batches;
}

/** What its process did, a fraction of a run. */
function workedBy({ run, batch, resumedAt = 0 }: Running): number {
  return (batch - resumedAt) / run.config.batches;
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}

function lastLines(text: string): string {
  return text.split("\n").slice(-LINES).join("\n").slice(-CHARACTERS);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
