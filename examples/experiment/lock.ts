/** One runner at a time in a work folder: two would write the same checkpoints. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class Lock {
  readonly #path: string;

  /** @throws Error where another process that still lives holds the folder */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#path = join(folder, "runner.pid");
    const owner = ownerOf(this.#path);
    if (owner !== undefined && isAlive(owner)) {
      const unless = `delete ${this.#path} if it is something else`;
      throw new Error(`process ${owner} runs the experiment in ${folder}; ${unless}`);
    }
    writeFileSync(this.#path, `${process.pid}\n`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { force: true });
  }
}

function ownerOf(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "utf8")) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It may be another user's, which is not ours to ask.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
