/** Finds the native addon, loads it once per thread, and sets the size of its thread pool. */
import { availableParallelism } from "node:os";
import { isMainThread } from "node:worker_threads";
import { describe, expected, PapoError, type PapoErrorCode } from "../core/errors.js";
import { printable } from "../core/printable.js";
import { advise } from "./advice.js";
import type { LoadAttempt, Objection } from "./attempt.js";
import { objectionToFile } from "./binary-file.js";
import type { Binding } from "./binding.js";
import { candidatesFor, type Environment, PLATFORM } from "./candidates.js";
import { diagnose } from "./diagnosis.js";
import { manifestIn, PACKAGE_ROOT, requireHere } from "./package-root.js";

export interface LoadedAddon {
  readonly path: string;
  readonly binding: Binding;
  /** What was tried before it, best first. */
  readonly attempts: readonly LoadAttempt[];
}

/** No addon loads: every attempt, and what to do. */
export class AddonError extends PapoError {
  // Not printed with the error, whose message has them.
  readonly #attempts: readonly LoadAttempt[];
  readonly #advice: readonly string[];

  constructor(attempts: readonly LoadAttempt[], advice: readonly string[]) {
    const lines = [
      `[load] expected a native addon for ${PLATFORM}, received none that loads:`,
      ...attempts.map(({ path, reason }) => printable(`  ${path}: ${reason}`)),
      ...advice,
    ];
    super("ERR_UNSUPPORTED", lines.join("\n"));
    this.#attempts = attempts;
    this.#advice = advice;
  }

  get attempts(): readonly LoadAttempt[] {
    return this.#attempts;
  }
  /** Sentences, the nearest cure first. */
  get advice(): readonly string[] {
    return this.#advice;
  }
}

const MAX_THREADS = 1024;
/** What the addon is compiled for (CMakeLists.txt). */
export const NODE_API = 8;

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
    if (isMainThread) warnOf(found);
  }
  return loaded;
}

/**
 * Loads the first addon that works: `PAPO_ADDON_PATH`, else a local build, else a prebuilt one.
 * A path said by the user is never replaced by another: where it fails, that is the error.
 */
export function findAddon(environment: Environment, root: string): LoadedAddon {
  const { explicit, paths, absent } = candidatesFor(environment, root);
  const version = manifestIn(root)?.version;
  const attempts: LoadAttempt[] = [];
  for (const path of paths) {
    const result = tryAddon(path, version);
    if (!("problem" in result)) return { path, binding: result, attempts };
    attempts.push({ path, ...result });
  }
  if (absent) attempts.push(absent);
  const bundled = version === undefined;
  throw new AddonError(
    attempts,
    advise(attempts, explicit ? "said" : bundled ? "bundled" : "package"),
  );
}

/** The addon at `path`, or why it is not one that this version of the package can use. */
export function tryAddon(path: string, version: string | undefined): Binding | Objection {
  const objection = objectionToRuntime() ?? objectionToFile(path);
  if (objection) return objection;
  let exports: unknown;
  try {
    exports = requireHere(path);
  } catch (error) {
    return diagnose(path, error);
  }
  return objectionToExports(exports, version) ?? (exports as Binding);
}

/** Before anything is loaded: Node (20 to 26) does not refuse an addon for a newer Node-API than its own, it dies. */
export function objectionToRuntime(
  { napi, node }: { readonly napi?: string; readonly node: string } = process.versions,
): Objection | undefined {
  if (!(Number(napi) < NODE_API)) return undefined;
  const reason = `needs Node-API ${NODE_API}, this runtime (Node ${node}) has ${napi}`;
  return { problem: "runtime", reason };
}

/** Attempts at files that are there: what somebody built or installed, and does not get. */
export function failuresIn(attempts: readonly LoadAttempt[]): LoadAttempt[] {
  return attempts.filter(({ problem }) => problem !== "missing");
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

function objectionToExports(exports: unknown, version: string | undefined): Objection | undefined {
  const candidate = exports as Partial<Binding> | null | undefined;
  for (const name of ["configure", "info", "run", "runAsync", "allocate"] as const) {
    if (typeof candidate?.[name] !== "function") {
      return { problem: "stranger", reason: `not papo's addon: it exports no function ${name}` };
    }
  }
  const built = candidate?.version;
  if (version === undefined || built === undefined || built === version) return undefined;
  const reason = `the addon of papo ${built}, the package is papo ${version}`;
  return { problem: "version", reason };
}

function warnOf({ path, attempts }: LoadedAddon): void {
  for (const failure of failuresIn(attempts)) {
    const text = `papo loads ${path}, since ${failure.path} fails: ${failure.reason}`;
    process.emitWarning(printable(text), { code: "PAPO_ADDON_PASSED_OVER" });
  }
}
