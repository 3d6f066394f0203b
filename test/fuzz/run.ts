/**
 * `npm run fuzz`: as many calls as are asked for, in a process of their own that may die of one.
 *
 *   npm run fuzz -- --calls 1000000 --seed 7     the addon that is built
 *   npm run fuzz -- --sanitize                   one built for it, with AddressSanitizer and UBSan (`--under asan` too)
 *   npm run fuzz -- --doors reduceTokens         only doors whose name has this in it
 *   npm run fuzz -- --replay '{"door":...}'      one case, as it was printed
 *
 * What fails is shrunk, printed and written to regressions.json, which `npm test` replays.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Case } from "./cases.js";
import { recordRegression } from "./regressions.js";

const ROOT = join(import.meta.dirname, "../..");
const BUILD = join(ROOT, "build/fuzz");
/** Deaths after which somebody should look at the first one. */
const MOST_DEATHS = 10;

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1000000" },
    seed: { type: "string" },
    doors: { type: "string", default: "" },
    replay: { type: "string" },
    sanitize: { type: "boolean", default: false },
    under: { type: "string" },
  },
});
const { calls, doors, replay, sanitize, under } = values;
if (under !== undefined && under !== "asan") throw new Error(`--under asan, not ${under}`);
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31));
const environment = sanitize || under === "asan" ? sanitized() : process.env;
process.exitCode = replay === undefined ? fuzz() : child(["--replay", replay]).status;

/** Starts the worker, and again after each death until all calls are made. */
function fuzz(): number {
  process.stdout.write(`fuzz: ${calls} calls, --seed ${seed}\n`);
  let left = Number(calls);
  let deaths = 0;
  let failures = 0;
  for (let at = Number(seed); left > 0 && deaths < MOST_DEATHS; at += 1_000_003) {
    const { status, last, made } = child([
      "--calls",
      `${left}`,
      "--seed",
      `${at}`,
      "--doors",
      doors,
    ]);
    left -= Math.max(made, 1);
    if (status === 0 || status === 1) {
      failures += status;
      break;
    }
    deaths++;
    process.stdout.write(`fuzz: the process died (${status}) in ${JSON.stringify(last)}\n`);
    if (last !== undefined) recordRegression(smallest(last), `the process died (${status})`);
  }
  return failures + deaths === 0 ? 0 : 1;
}

/** A case that kills, without those of its mutations that it does not need. */
function smallest(deadly: Case): Case {
  for (let i = 0; i < deadly.mutations.length; i++) {
    const fewer = { ...deadly, mutations: deadly.mutations.filter((_, at) => at !== i) };
    const { status } = child(["--replay", JSON.stringify(fewer)]);
    if (status !== 0 && status !== 1) return smallest(fewer);
  }
  return deadly;
}

interface Child {
  /** 0 or 1 where it ended by itself; -1 for a signal. */
  readonly status: number;
  /** The case that it was in. */
  readonly last: Case | undefined;
  readonly made: number;
}

function child(args: readonly string[]): Child {
  const note = join(ROOT, `build/fuzz-${process.pid}.json`);
  const { status } = spawnSync(
    process.execPath,
    ["--import=tsx", join(import.meta.dirname, "worker.ts"), ...args, "--note", note],
    { stdio: "inherit", env: environment, cwd: ROOT },
  );
  const text = existsSync(note) ? readFileSync(note, "utf8") : "";
  const noted = text === "" ? undefined : (JSON.parse(text) as Noted);
  rmSync(note, { force: true });
  return { status: status ?? -1, last: noted?.case, made: noted?.calls ?? 0 };
}

interface Noted {
  readonly case: Case;
  readonly calls: number;
}

/** Builds the addon with sanitizers; the environment that loads it into an ordinary Node. */
function sanitized(): NodeJS.ProcessEnv {
  const options = ["-DPAPO_SANITIZE=address,undefined", "-DPAPO_WITH_CUDA=OFF"];
  const run = (...args: string[]) => execFileSync("cmake", args, { cwd: ROOT, stdio: "inherit" });
  run("-S", ".", "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", ...options);
  run("--build", BUILD, "--target", "papo", "--parallel", "2");
  const addon = join(BUILD, "papo.node");
  // The runtimes of the compiler that built it must be there before anything allocates.
  const libraries = execFileSync("ldd", [addon], { encoding: "utf8" });
  const runtimes = [...libraries.matchAll(/lib[au](?:b?)san\.so\S* => (\S+)/g)].map(
    ([, path]) => path,
  );
  if (runtimes.length === 0) throw new Error(`${addon} has no sanitizer`);
  return {
    ...process.env,
    PAPO_ADDON_PATH: addon,
    LD_PRELOAD: runtimes.join(":"),
    // V8 never frees what it has at the end, and asks for more than there is to find out how much there is.
    ASAN_OPTIONS:
      "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1:quarantine_size_mb=128:max_allocation_size_mb=4096",
    UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
  };
}
