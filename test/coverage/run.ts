/**
 * Which lines of lib/ and native/ no test comes by: `npm run coverage [-- --update] [-- --no-build] [-- --stored]`.
 *
 * One run of the JavaScript tests against an addon that counts (gcov) and under V8's counts, one of the native tests, and
 * a table; the lines themselves are in build/coverage/uncovered.txt. Fails where a file has more uncovered lines than
 * test/coverage/uncovered.json lists for it, with the reason; `--update` writes the counts there, and leaves the reasons
 * to people. `--stored` judges the last run. Needs g++, cmake, doctest and gcovr (Debian: gcovr).
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { filesBelow, ROOT } from "../structure/files.js";
import { BUILD, FOLDER, forgetCounts, nativeCounts } from "./native.js";
import { ENVIRONMENT, prepare, typescriptCounts } from "./typescript.js";
import { judged, type Listed, placesOf, tableOf } from "./uncovered.js";

const { values } = parseArgs({
  options: {
    update: { type: "boolean" },
    "no-build": { type: "boolean" },
    stored: { type: "boolean" },
  },
});

const LIST = fileURLToPath(new URL("uncovered.json", import.meta.url));
/** Rooms whose tests are of what lies outside of lib/ and native/, or run it from dist/ or a package. */
const ELSEWHERE = /^test\/((bench|device|docs|examples|package|structure|types)\/|cli\/confined)/;

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
function measure(): void {
  forgetCounts();
  prepare();
  run(`${FOLDER}/papo_tests`, ["--minimal"]);
  const tests = filesBelow("test/").filter(
    (path) => path.endsWith(".test.ts") && !ELSEWHERE.test(path),
  );
  const ava = ["node_modules/ava/entrypoints/cli.mjs", "--config", "ava.coverage.config.mjs"];
  run(process.execPath, [...ava, ...tests], {
    ...ENVIRONMENT,
    PAPO_ADDON_PATH: `${FOLDER}/papo.node`,
  });
}

if (!values.stored) {
  if (!values["no-build"] && !BUILD.every((args) => run("cmake", args))) process.exit(1);
  measure();
}
const counts = [...nativeCounts(), ...typescriptCounts()].sort((a, b) =>
  a.file < b.file ? -1 : 1,
);
writeFileSync(`${FOLDER}/uncovered.txt`, placesOf(counts));
const listed = JSON.parse(readFileSync(LIST, "utf8")) as Listed;
if (values.update) {
  const open = counts.filter(({ uncovered }) => uncovered.length > 0);
  const lines = Object.fromEntries(open.map(({ file, uncovered }) => [file, uncovered.length]));
  writeFileSync(LIST, `${JSON.stringify({ reasons: listed.reasons, lines }, null, 2)}\n`);
}
console.log(tableOf(counts));
const problems = judged(counts, JSON.parse(readFileSync(LIST, "utf8")) as Listed);
for (const problem of problems) console.log(problem);
if (problems.length > 0) process.exitCode = 1;
