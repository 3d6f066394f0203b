/**
 * `npm run test:valgrind`: valgrind's memcheck over the C++ tests and over a short run of Node.js that loads the addon
 * (`program.ts`), on every instruction set that valgrind knows (AVX2 and none).
 *
 *   npm run test:valgrind                   builds into build/valgrind, then both
 *   npm run test:valgrind -- --only node    one of native, node
 *   npm run test:valgrind -- --cases '*exp*'    C++ tests by name (doctest's patterns)
 *
 * V8 is not written for valgrind: only what has a frame of ours in its stacks is judged.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { problemsIn } from "./report.js";

const ROOT = join(import.meta.dirname, "../..");
const BUILD = join(ROOT, "build", "valgrind");
const ISAS = ["avx2", "scalar"] as const;
/** valgrind rounds every float64 to nearest, whatever the thread asks for. */
const NOT_UNDER_VALGRIND = "the settings are real*";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    cases: { type: "string", default: "*" },
    /** Where it was built already: nothing is built. */
    built: { type: "string" },
  },
});
const folder = values.built ?? BUILD;
mkdirSync(BUILD, { recursive: true });
if (values.built === undefined) buildAll();
const judged = [
  ...(values.only === "node" ? [] : [native]),
  ...(values.only === "native" ? [] : ISAS.map((isa) => () => node(isa))),
];
let failures = 0;
for (const judge of judged) failures += await judge();
process.exitCode = failures === 0 ? 0 : 1;

function buildAll(): void {
  const inherit = { cwd: ROOT, stdio: "inherit" } as const;
  const options = ["-DPAPO_WITH_CUDA=OFF", "-DPAPO_BUILD_ADDON=ON"];
  execFileSync("cmake", ["--preset", "default", "-B", BUILD, ...options], inherit);
  const targets = ["--target", "papo", "papo_tests", "--parallel", "4"];
  execFileSync("cmake", ["--build", BUILD, ...targets], inherit);
}

function native(): number {
  const cases = [`--test-case=${values.cases}`, `--test-case-exclude=${NOT_UNDER_VALGRIND}`];
  return watch("C++ tests", [join(folder, "papo_tests"), ...cases], {});
}

/** Bundled, since what reads TypeScript would take most of the time here. */
async function node(isa: string): Promise<number> {
  const outfile = join(BUILD, "program.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "program.ts")],
    ...{ outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" },
    target: "node20",
    // What comes from CommonJS asks for Node's own modules by it.
    banner: {
      js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);",
    },
  });
  return watch(`Node.js on ${isa}`, [process.execPath, outfile], {
    PAPO_ADDON_PATH: join(folder, "papo.node"),
    PAPO_CPU_ISA: isa,
  });
}

/** Runs a program, prints what is ours of valgrind's report, and says how many there are. */
function watch(title: string, command: readonly string[], env: Record<string, string>): number {
  const report = join(BUILD, "report.xml");
  const options = ["--xml=yes", `--xml-file=${report}`, "--leak-check=full", "--num-callers=40"];
  // Threads take turns: one that only waits would otherwise keep the others from their work.
  options.push("--fair-sched=yes", "--show-leak-kinds=definite");
  const { status, signal, error } = spawnSync("valgrind", [...options, ...command], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, PAPO_NUM_THREADS: "3", ...env },
  });
  if (error) throw new Error("valgrind was not found: apt-get install valgrind", { cause: error });
  const { ours, others } = problemsIn(readFileSync(report, "utf8"));
  for (const problem of ours) console.error(`${problem}\n`);
  if (status !== 0) console.error(`${title}: ended with ${signal ?? `status ${status}`}`);
  console.log(`${title}: ${ours.length} reports of papo, ${others} of others, not judged`);
  return ours.length + (status === 0 ? 0 : 1);
}
