/** Processes of cases: which cases share one, and how they are asked. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FinishReply, MeasureReply, Request, SetUpReply } from "./child.js";
import { peerNamed } from "./contenders/table.js";
import type { Case } from "./plan.js";

interface Replies {
  readonly begin: unknown;
  readonly setUp: SetUpReply;
  readonly measure: MeasureReply;
  readonly finish: FinishReply;
}

/** Cases whose process-wide settings are the same; a peer's case has one of its own, whose heap nobody else grew. */
export function processKey(given: Case): string {
  const { contender, threads, isa } = given;
  return peerNamed(contender) === undefined
    ? ["papo", threads, isa ?? "best"].join()
    : [contender, threads, given.operation, given.dtype].join();
}

export class CaseProcess {
  readonly #process: ChildProcess;

  /** @param cases  those of one key */
  constructor(cases: readonly Case[]) {
    const [first] = cases as [Case];
    const { operation, dtype, outputs, threads, isa } = first;
    const peer = peerNamed(first.contender);
    this.#process = fork(fileURLToPath(new URL("./child.ts", import.meta.url)), [], {
      // Garbage is collected before memory is measured, and large pieces of it go back to the system at once (glibc
      // would keep them), so that what a run takes shows and does not hide in what was free.
      execArgv: ["--import=tsx", "--expose-gc"],
      env: {
        ...process.env,
        ...(peer === undefined && { MALLOC_MMAP_THRESHOLD_: String(2 ** 17) }),
        PAPO_NUM_THREADS: String(threads),
        ...(isa !== undefined && { PAPO_CPU_ISA: isa }),
        ...peer?.environment?.({ operation, dtype, outputs, threads }),
      },
    });
  }

  ask<R extends Request>(request: R): Promise<Replies[R["do"]]> {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      if (!child.connected) return reject(new Error("its process has ended"));
      const onMessage = ({ reply, failure }: { reply?: unknown; failure?: string }) => {
        child.off("exit", onExit);
        if (failure === undefined) resolve(reply as Replies[R["do"]]);
        else reject(new Error(failure));
      };
      const onExit = (code: number | null, signal: string | null) => {
        child.off("message", onMessage);
        reject(new Error(`its process ended with ${signal ?? `exit code ${code}`}`));
      };
      child.once("message", onMessage);
      child.once("exit", onExit);
      child.send(request);
    });
  }

  /** Ends the process; its memory is free when this settles. */
  async close(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
  }
}
