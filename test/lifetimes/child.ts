/** Processes that a test starts: TypeScript files of this folder, or a few lines that have the library as `papo`. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Options {
  readonly env?: Readonly<Record<string, string>>;
  /** Sent once the process has printed something. */
  readonly kill?: NodeJS.Signals;
}

const fileHere = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Runs a file of this folder. */
export function runFile(name: string, args: readonly string[], options?: Options): Promise<Ended> {
  return run([fileHere(name), ...args], options);
}

/** Runs code that may await; besides the library, as `papo`, it has `endless`. */
export function runCode(code: string, options?: Options): Promise<Ended> {
  const text = `
    const papo = await import(${JSON.stringify(new URL("../../lib/index.ts", import.meta.url))});
    const { endless } = await import(${JSON.stringify(new URL("endless.ts", import.meta.url))});
    ${code}`;
  return run(["--input-type=module", "-e", text], options);
}

function run(args: readonly string[], options: Options = {}): Promise<Ended> {
  const { env = {}, kill } = options;
  const child = spawn(process.execPath, ["--import=tsx", "--expose-gc", ...args], {
    // glibc gives large pieces back to the system at once: what still reads them then dies of it.
    env: { ...process.env, MALLOC_MMAP_THRESHOLD_: `${2 ** 20}`, ...env },
    stdio: "pipe",
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
      if (kill && name === "stdout") child.kill(kill);
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, ...said }));
  });
}
