/**
 * `npm run fuzz:files`: as many broken files as are asked for.
 *
 *   npm run fuzz:files -- --cases 100000 --seed 7
 *   npm run fuzz:files -- --only reader
 *
 * A failure is shrunk and printed with the seed and the path that repeat it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { TARGETS } from "./targets.js";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "100000" },
    seed: { type: "string" },
    path: { type: "string" },
    only: { type: "string" },
  },
});
const { only, path } = values;
const cases = Number(values.cases);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
/** Cases between two lines of progress; each begins with a seed of its own. */
const PIECE = 5000;

const targets = TARGETS.filter(({ name }) => only === undefined || name === only);
if (targets.length === 0 || !(cases >= 1) || !Number.isSafeInteger(seed)) {
  const names = TARGETS.map(({ name }) => name).join(", ");
  throw new Error(`--cases N --seed S --only one of ${names}`);
}
console.log(`fuzz:files: ${cases} cases, --seed ${seed}`);
const folder = mkdtempSync(join(tmpdir(), "papo-fuzz-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

let failures = 0;
for (const { name, share, property, outcomes } of targets) {
  const all = only === undefined ? Math.ceil(cases * share) : cases;
  const start = performance.now();
  for (let done = 0; done < all; done += PIECE) {
    const numRuns = path === undefined ? Math.min(PIECE, all - done) : 1;
    const options = { numRuns, seed: seed + done, ...(path === undefined ? {} : { path }) };
    const result = await fc.check(property(folder), options);
    if (!result.failed) continue;
    failures++;
    console.log(await fc.asyncDefaultReportMessage(result));
    console.log(
      `again: npm run fuzz:files -- --only ${name} --seed ${result.seed} --path ${result.counterexamplePath}`,
    );
    break;
  }
  const seconds = (performance.now() - start) / 1000;
  const words = [...outcomes].sort().map(([outcome, count]) => `${outcome} ${count}`);
  const memory = process.resourceUsage().maxRSS / 1024;
  console.log(
    `${name}: ${all} cases in ${seconds.toFixed(0)} s, at most ${memory.toFixed(0)} MiB: ${words.join(", ")}`,
  );
}
console.log(failures === 0 ? "nothing fell" : `${failures} kinds of cases failed`);
process.exitCode = failures === 0 ? 0 : 1;
