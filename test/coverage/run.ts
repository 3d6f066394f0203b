/**
 * Which lines of lib/ and native/ no test comes by: `npm run coverage [-- --update] [-- --no-build] [-- --stored]`.
 *
 * One run of the JavaScript tests against an addon that counts (gcov) and under c8, one of the native tests, and a table.
 * Fails where a file has more uncovered lines than test/coverage/uncovered.json lists for it, with the reason; `--update`
 * writes the counts there, and leaves the reasons to people. `--stored` judges the last run. Needs g++, cmake, doctest and gcovr (Debian: gcovr).
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { filesBelow, ROOT } from "../structure/files.js";
import { type Counts, judged, type Listed, tableOf } from "./uncovered.js";

const { values } = parseArgs({
  options: {
    update: { type: "boolean" },
    "no-build": { type: "boolean" },
    stored: { type: "boolean" },
  },
});

const FOLDER = `${ROOT}build/coverage`;
const LIST = fileURLToPath(new URL("uncovered.json", import.meta.url));
/** Rooms whose tests are of what lies outside of lib/ and native/, or run it in packages and processes of their own. */
const ELSEWHERE = /^test\/(bench|device|docs|examples|package|structure|types)\//;
/** A GPU, or a simulated one: `npm run test:device` and the tests in test/native/cuda. */
const NOT_HERE = "native/cuda/";

function run(command: string, args: readonly string[], env: Record<string, string> = {}): void {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", 2, 2],
  });
  // A failing test is the gate's to report; what it came by counts all the same.
  if (status !== 0) console.error(`${command} ${args[0]} ended with ${status}`);
}

function build(): void {
  const flags = "-O1 -g1 --coverage -fprofile-update=atomic -w";
  const options = ["-DPAPO_WITH_CUDA=OFF", "-DPAPO_BUILD_TESTS=ON", "-DPAPO_WERROR=OFF"];
  const type = ["-DCMAKE_BUILD_TYPE=Debug", `-DCMAKE_CXX_FLAGS_DEBUG=${flags}`];
  run("cmake", ["-S", ROOT, "-B", FOLDER, ...type, ...options]);
  run("cmake", ["--build", FOLDER, "--target", "papo", "papo_tests", "--parallel", "4"]);
}

function measure(): void {
  for (const file of filesBelow("build/coverage").filter((path) => path.endsWith(".gcda"))) {
    rmSync(`${ROOT}${file}`);
  }
  rmSync(`${FOLDER}/v8`, { recursive: true, force: true });
  mkdirSync(`${FOLDER}/v8`, { recursive: true });
  run(`${FOLDER}/papo_tests`, ["--minimal"]);
  const tests = filesBelow("test/").filter(
    (path) => path.endsWith(".test.ts") && !ELSEWHERE.test(path),
  );
  const c8 = ["c8", "--all", "--src", "lib", "--include", "lib/**", "--reporter", "json-summary"];
  const folders = ["--reports-dir", `${FOLDER}/typescript`, "--temp-directory", `${FOLDER}/v8`];
  run("npx", [...c8, ...folders, "ava", ...tests], { PAPO_ADDON_PATH: `${FOLDER}/papo.node` });
}

interface Summary {
  readonly [path: string]: { readonly lines: { readonly total: number; readonly covered: number } };
}

function typescriptCounts(): Counts[] {
  const path = `${FOLDER}/typescript/coverage-summary.json`;
  const summary = JSON.parse(readFileSync(path, "utf8")) as Summary;
  return Object.entries(summary)
    .filter(([path]) => path !== "total")
    .map(([path, { lines }]) => ({ file: path.slice(ROOT.length), ...lines }));
}

function nativeCounts(): Counts[] {
  const args = ["--root", ROOT, "--filter", `${ROOT}native/`, "--exclude", `${ROOT}${NOT_HERE}`];
  const out = execFileSync("gcovr", [...args, "--json-summary", "-", FOLDER], {
    cwd: ROOT,
    maxBuffer: 2 ** 26,
    encoding: "utf8",
  });
  const { files } = JSON.parse(out) as {
    readonly files: readonly {
      readonly filename: string;
      readonly line_total: number;
      readonly line_covered: number;
    }[];
  };
  return files.map(({ filename, line_total, line_covered }) => ({
    file: filename,
    total: line_total,
    covered: line_covered,
  }));
}

if (!values["no-build"] && !values.stored) build();
if (!values.stored) measure();
const counts = [...nativeCounts(), ...typescriptCounts()].sort((a, b) =>
  a.file < b.file ? -1 : 1,
);
const listed = JSON.parse(readFileSync(LIST, "utf8")) as Listed;
if (values.update) {
  const open = counts.filter(({ total, covered }) => covered < total);
  const lines = Object.fromEntries(open.map(({ file, total, covered }) => [file, total - covered]));
  writeFileSync(LIST, `${JSON.stringify({ reasons: listed.reasons, lines }, null, 2)}\n`);
}
console.log(tableOf(counts));
const problems = judged(counts, JSON.parse(readFileSync(LIST, "utf8")) as Listed);
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
