/** Builds the addon from the package's own sources, and puts it where the loader looks first. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import type { Binding } from "../addon/binding.js";
import { localBuild } from "../addon/candidates.js";
import { tryAddon } from "../addon/load.js";
import { manifestIn } from "../addon/package-root.js";
import { PapoError } from "../index.js";
import { findTools, type Tools } from "./build-tools.js";
import { type Terminal, writeNote } from "./terminal.js";

export interface BuildOptions {
  /** The package: its sources, and where the result goes. */
  readonly root: string;
  /** As in `findTools`. */
  readonly cuda: boolean | undefined;
  /** With asserts and symbols. */
  readonly debug: boolean;
  readonly jobs: number | undefined;
}

export interface Built {
  readonly path: string;
  readonly binding: Binding;
}

/**
 * Compiles in a folder of its own and moves the addon at the end, once it has been loaded: whatever goes wrong, what
 * was there before stays. The output of the tools goes to stderr.
 */
export async function buildAddon(options: BuildOptions, terminal: Terminal): Promise<Built> {
  const { root } = options;
  requireSources(root);
  const tools = findTools(terminal.env, options.cuda);
  if (!("cmake" in tools)) {
    const lines = tools.map((line) => `  ${line}`);
    throw failure(["a build of papo needs what is not here:", ...lines].join("\n"));
  }
  if (tools.note) writeNote(terminal, "note", tools.note);
  const path = localBuild(root);
  const folder = temporaryFolder(path);
  try {
    const run = (args: readonly string[]) => runCMake(args, tools, terminal);
    await run(configureArguments(folder, options, tools));
    const jobs = options.jobs ?? availableParallelism();
    await run([
      "--build",
      folder,
      "--config",
      buildType(options),
      "--target",
      "papo",
      "--parallel",
      `${jobs}`,
    ]);
    const built = [join(folder, "out"), join(folder, "out", buildType(options))]
      .map((place) => join(place, "papo.node"))
      .find((file) => existsSync(file));
    if (!built) throw failure("the build ended without an addon; its output is above");
    const result = tryAddon(built, manifestIn(root)?.version);
    if ("problem" in result)
      throw failure(`the addon that was built does not load: ${result.reason}`);
    moveInto(built, path);
    return { path, binding: result };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function failure(message: string): PapoError {
  return new PapoError("ERR_UNSUPPORTED", `[build] ${message}`);
}

/** The tarball has all of them; a bundle or a hand-made copy may not. */
function requireSources(root: string): void {
  const [addonApi, nodeApi] = ["node-addon-api/napi.h", "node-api-headers/include/node_api.h"];
  const ours = join(root, "third-party", "node-api");
  const theirs = join(root, "node_modules");
  const headers =
    existsSync(join(ours, "napi.h")) ||
    (existsSync(join(theirs, addonApi)) && existsSync(join(theirs, nodeApi)));
  const files = ["CMakeLists.txt", "native/addon/addon.cpp"];
  const missing = files.filter((file) => !existsSync(join(root, file)));
  if (!headers) missing.push("third-party/node-api");
  if (missing.length > 0) {
    throw failure(`${root} has no ${missing.join(", no ")}: install papo again`);
  }
}

function temporaryFolder(path: string): string {
  const folder = dirname(dirname(path));
  try {
    mkdirSync(folder, { recursive: true });
    return mkdtempSync(join(folder, "unfinished-"));
  } catch (error) {
    const { message } = error as Error;
    const reason = `expected a folder ${folder} that can be written, received: ${message}`;
    throw new PapoError("ERR_FILE", `[build] ${reason}`);
  }
}

function buildType({ debug }: BuildOptions): string {
  return debug ? "RelWithDebInfo" : "Release";
}

function configureArguments(folder: string, options: BuildOptions, tools: Tools): string[] {
  const { root, debug } = options;
  const out = join(folder, "out");
  const settings: Record<string, string> = {
    CMAKE_BUILD_TYPE: buildType(options),
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: out,
    CMAKE_RUNTIME_OUTPUT_DIRECTORY: out,
    PAPO_WITH_CUDA: tools.cuda,
    // The code of a release, but NDEBUG, which would switch the asserts off.
    ...(debug && process.platform !== "win32" ? { CMAKE_CXX_FLAGS_RELWITHDEBINFO: "-O3 -g" } : {}),
  };
  return [
    ...["-S", root, "-B", folder],
    ...(tools.generator ? ["-G", tools.generator] : []),
    ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
  ];
}

function runCMake(args: readonly string[], tools: Tools, terminal: Terminal): Promise<void> {
  const { signal, stderr } = terminal;
  const env = { ...terminal.env, ...(tools.nvcc && { CUDACXX: tools.nvcc }) };
  return new Promise((resolve, reject) => {
    const child = spawn(tools.cmake, args, {
      env: env as NodeJS.ProcessEnv,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => stderr.write(text));
    }
    const kill = () => child.kill();
    signal?.addEventListener("abort", kill, { once: true });
    child.once("error", reject);
    // Only when it has ended, lest it writes into a folder that is being removed.
    child.once("close", (code, killed) => {
      signal?.removeEventListener("abort", kill);
      const what = args[0] === "--build" ? "cmake --build" : "cmake";
      if (signal?.aborted) reject(signal.reason);
      else if (code === 0) resolve();
      else reject(failure(`${what} ended with ${code ?? killed}; its output is above`));
    });
  });
}

/** By a rename, so that nobody ever sees a part of it, and who has the old one loaded keeps it. */
function moveInto(built: string, path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    renameSync(built, path);
  } catch (error) {
    const { message } = error as Error;
    const reason = `expected ${path} to be replaceable (on Windows: by nobody in use), received: ${message}`;
    throw new PapoError("ERR_FILE", `[build] ${reason}`);
  }
}
