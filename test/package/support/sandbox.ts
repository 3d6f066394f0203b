/** Processes that see nothing of this machine but what they are given: a PATH of links, a home of their own, no settings. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

export interface Ran {
  /** Exit code; null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd: string;
  /** Programs on its PATH, by their files. */
  readonly path: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which it is ended, which is for one that never ends by itself; half an hour by default. */
  readonly timeout?: number;
}

/** Everything that the tests write, gone with the process. */
const TEMPORARY: string = mkdtempSync(join(tmpdir(), "papo-matrix-"));
process.once("exit", () => rmSync(TEMPORARY, { recursive: true, force: true }));

/** Longer than anything takes, also on a machine that is busy. */
const MINUTES_30 = 1_800_000;

/** What a process behind a proxy, or with certificates of its own, cannot do without. */
const NETWORK = /^(SSL_CERT_\w+|NODE_EXTRA_CA_CERTS|(https?|no)_proxy)$/i;

let folders = 0;

/** A new empty folder. */
export function newFolder(name: string): string {
  const folder = join(TEMPORARY, `${++folders}-${name}`);
  mkdirSync(folder);
  return folder;
}

/** Runs a program to its end. */
export function run(command: readonly string[], options: RunOptions): Promise<Ran> {
  const { cwd, path, env = {}, timeout = MINUTES_30 } = options;
  const home = newFolder("home");
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd,
    env: { ...network(), HOME: home, PATH: folderOfLinks(path), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout,
    killSignal: "SIGKILL",
  });
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (signal !== null) written.stderr += `\nended by ${signal}`;
      resolve({ code, ...written });
    });
  });
}

/** Runs a program that must end well, and gives what it prints. */
export async function output(command: readonly string[], options: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}

function network(): Record<string, string> {
  const said = Object.entries(process.env).filter(([name]) => NETWORK.test(name));
  return Object.fromEntries(said) as Record<string, string>;
}

const made = new Map<string, string>();

/** One folder for each set of programs. */
function folderOfLinks(programs: readonly string[]): string {
  const key = programs.join("\n");
  const known = made.get(key);
  if (known !== undefined) return known;
  const folder = newFolder("path");
  for (const program of programs) symlinkSync(program, join(folder, basename(program)));
  made.set(key, folder);
  return folder;
}
