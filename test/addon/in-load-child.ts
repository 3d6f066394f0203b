/** Runs `load-child.ts`: a broken addon may end a process, and then it is not that of the tests. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadAttempt } from "../../lib/addon/attempt.js";

export interface Search {
  readonly root: string;
  readonly explicit?: string;
}

export interface Outcome {
  readonly path?: string;
  readonly code?: string;
  readonly message?: string;
  readonly attempts: readonly LoadAttempt[];
  readonly advice?: readonly string[];
}

export interface ProcessOptions {
  /** Number of the user that it becomes. */
  readonly user?: string;
  /** Options of Node. */
  readonly node?: readonly string[];
}

/** What came of each search; where the process died of one, there is nothing for it and those after it. */
export function inLoadChild(
  searches: readonly Search[],
  { user = "", node = [] }: ProcessOptions = {},
): Promise<Outcome[]> {
  const child = fileURLToPath(new URL("load-child.ts", import.meta.url));
  const args = [...node, "--import=tsx", child, JSON.stringify(searches), user];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (_, stdout) => {
      const lines = stdout.split("\n").filter((line) => line !== "");
      resolve(lines.map((line) => JSON.parse(line) as Outcome));
    });
  });
}
