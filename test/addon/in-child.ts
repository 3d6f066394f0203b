/** Runs `child.ts` in a process with other environment variables. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface ChildResult {
  readonly isa: string;
  readonly threads: number;
  readonly loss: number;
  readonly halfLoss: number;
  /** SHA-256 of losses and gradients. */
  readonly bits: string;
}

export async function inChild(environment: Record<string, string>): Promise<ChildResult> {
  const child = fileURLToPath(new URL("child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import=tsx", child], {
    env: { ...process.env, ...environment },
  });
  return JSON.parse(stdout) as ChildResult;
}
