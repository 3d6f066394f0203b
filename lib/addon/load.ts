/** Finds the native addon, loads it once per thread, and sets the size of its thread pool. */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expected, PapoError, type PapoErrorCode } from "../core/errors.js";
import type { Binding } from "./binding.js";

/** Where the addon was looked for, and why it was not taken there. */
export interface LoadAttempt {
  readonly path: string;
  readonly reason: string;
}

export interface LoadedAddon {
  readonly path: string;
  readonly binding: Binding;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The package's root: this file lies two levels below it, in `lib/` as in `dist/`. */
const PACKAGE_ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAX_THREADS = 1024;
const require = createRequire(import.meta.url);

let loaded: LoadedAddon | undefined;

/** The addon, found and configured at the first call. Throws ERR_UNSUPPORTED where there is none that loads. */
export function binding(): Binding {
  return addon().binding;
}

/** The addon together with the file it came from. */
export function addon(): LoadedAddon {
  if (loaded === undefined) {
    const threads = threadsOf(process.env);
    const found = findAddon(process.env, PACKAGE_ROOT);
    configure(found.binding, threads);
    loaded = found;
  }
  return loaded;
}

/**
 * Loads the first addon that works: `PAPO_ADDON_PATH`, else a local build, else a prebuilt one.
 * A path said by the user is never replaced by another: where it fails, that is the error.
 */
export function findAddon(environment: Environment, root: string): LoadedAddon {
  const explicit = environment.PAPO_ADDON_PATH || undefined;
  const prebuilds = join(root, "prebuilds", `${process.platform}-${process.arch}`);
  const prebuilt = filesOf(prebuilds).map((name) => join(prebuilds, name));
  const candidates = explicit
    ? [resolve(explicit)]
    : [join(root, "build", "Release", "papo.node"), ...prebuilt];
  const attempts: LoadAttempt[] = [];
  for (const path of candidates) {
    try {
      return { path, binding: checkBinding(require(path)) };
    } catch (error) {
      attempts.push({ path, reason: reasonOf(error) });
    }
  }
  if (explicit === undefined && prebuilt.length === 0) {
    attempts.push({ path: join(prebuilds, "*.node"), reason: "none for this platform" });
  }
  throw new PapoError("ERR_UNSUPPORTED", helpText(attempts, explicit !== undefined));
}

/** Size of the thread pool: `PAPO_NUM_THREADS`, else what the operating system lets this process use. */
export function threadsOf(environment: Environment): number {
  const said = environment.PAPO_NUM_THREADS;
  if (said === undefined || said === "") return Math.min(availableParallelism(), MAX_THREADS);
  const threads = /^\d+$/.test(said) ? Number(said) : Number.NaN;
  if (!(threads >= 1 && threads <= MAX_THREADS)) {
    const what = `PAPO_NUM_THREADS to be an integer in 1…${MAX_THREADS}`;
    throw expected("ERR_RANGE", "load", what, describe(said));
  }
  return threads;
}

/** Throws what the addon has against its settings, such as an instruction set that is not there. */
function configure(binding: Binding, threads: number): void {
  try {
    binding.configure(threads);
  } catch (cause) {
    const { code, message } = cause as Error & { code?: PapoErrorCode };
    throw new PapoError(code ?? "ERR_UNSUPPORTED", message, { cause });
  }
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".node"))
      .sort();
  } catch {
    return [];
  }
}

function checkBinding(exports: unknown): Binding {
  const candidate = exports as Partial<Binding> | null | undefined;
  for (const name of ["configure", "info", "run", "runAsync", "allocate"] as const) {
    if (typeof candidate?.[name] !== "function") {
      throw new TypeError(`not a papo addon: it exports no function ${name}`);
    }
  }
  return candidate as Binding;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "MODULE_NOT_FOUND") return "no such file";
  if (code === "ERR_DLOPEN_DISABLED")
    return "native addons are disabled: run node with --allow-addons";
  return String(message).split("\n", 1)[0] as string;
}

function helpText(attempts: readonly LoadAttempt[], explicit: boolean): string {
  const advice = explicit
    ? "PAPO_ADDON_PATH names the only file that is tried: correct it, or unset it."
    : `Build it with "npm run build:native" (CMake and a C++17 compiler), or set PAPO_ADDON_PATH to a built papo.node.`;
  return [
    `[load] expected a native addon for ${process.platform}-${process.arch}, received none that loads:`,
    ...attempts.map(({ path, reason }) => `  ${path}: ${reason}`),
    advice,
  ].join("\n");
}
