/**
 * Which lines of lib/ and native/ no test comes by: `npm run coverage [-- --update] [-- --no-build] [-- --stored]`, or
 * `npm run coverage -- --no-build test/io/x.test.ts`.
 *
 * One run of the JavaScript tests against an addon that counts (gcov) and under V8's counts, one of the native tests, and
 * one of those of devices with simulated GPUs; a table; the lines themselves are in build/coverage/uncovered.txt. Fails
 * where a file has more uncovered lines than test/coverage/uncovered.json lists for it, with the reason; `--update` writes
 * the counts there, and leaves the reasons to people. `--stored` judges the last run; tests that are named are run alone,
 * and add what they come by to it. Needs g++, cmake, doctest and gcovr (Debian: gcovr).
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { filesBelow, ROOT } from "../structure/files.js";
import { BUILD, FOLDER, forgetCounts, nativeCounts, SHIM } from "./native.js";
import { ENVIRONMENT, forgetReports, prepare, typescriptCounts } from "./typescript.js";
import { idleIn, judged, type Listed, placesOf, tableOf, updated } from "./uncovered.js";

const { values, positionals: named } = parseArgs({
  options: {
    update: { type: "boolean" },
    "no-build": { type: "boolean" },
    stored: { type: "boolean" },
  },
  allowPositionals: true,
});

const LIST = fileURLToPath(new URL("uncovered.json", import.meta.url));
/** Rooms whose tests are of what lies outside of lib/ and native/, or run it from dist/ or a package. */
const ELSEWHERE = /^test\/((bench|docs|examples|package|structure|types)\/|cli\/confined)/;
const ON_DEVICES = "test/device/";
const TESTS = filesBelow("test/").filter(
  (path) => path.endsWith(".test.ts") && !ELSEWHERE.test(path),
);

function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): boolean {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) console.error(`${command} ${args[0]} ended with ${status}`);
  return status === 0;
}

/** A test that fails is the gate's to report; what it came by counts all the same. */
function measure(tests: readonly string[]): void {
  prepare();
  for (const [config, addon, isOnDevices] of [
    ["ava.coverage.config.mjs", `${FOLDER}/papo.node`, false],
    ["ava.device.config.mjs", `${SHIM}/papo.node`, true],
  ] as const) {
    const here = tests.filter((path) => path.startsWith(ON_DEVICES) === isOnDevices);
    const ava = ["node_modules/ava/entrypoints/cli.mjs", "--config", config, ...here];
    if (here.length > 0) run(process.execPath, ava, { ...ENVIRONMENT, PAPO_ADDON_PATH: addon });
  }
}

function measureAll(): void {
  forgetCounts();
  forgetReports();
  // Not those of test/native/cuda: their watch for races and counters together take too long.
  run(`${FOLDER}/papo_tests`, ["--minimal"]);
  measure(TESTS);
}

if (!values.stored) {
  if (!values["no-build"] && !BUILD.every((args) => run("cmake", args))) process.exit(1);
  if (named.length > 0) measure(named);
  else measureAll();
}
const { counts: typescript, lost, others } = typescriptCounts(named.length > 0 ? named : TESTS);
const counts = [...nativeCounts(), ...typescript].sort((a, b) => (a.file < b.file ? -1 : 1));
writeFileSync(`${FOLDER}/uncovered.txt`, placesOf(counts));
if (others > 0) console.log(`${others} loaded modules of lib/ passed over: not the text here`);
const listed = JSON.parse(readFileSync(LIST, "utf8")) as Listed;
const list = values.update ? updated(listed, counts) : listed;
if (values.update) writeFileSync(LIST, `${JSON.stringify(list, null, 2)}\n`);
console.log(tableOf(counts));
const problems = [...lost.map((test) => `${test} has left no counts`), ...judged(counts, list)];
for (const line of [...problems, ...idleIn(list)]) console.log(line);
if (problems.length > 0) process.exitCode = 1;
