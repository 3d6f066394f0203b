/** `npm run experiment:report`: one HTML page and the table in examples/README.md, from the results of `npm run experiment`. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { betweenMarkers, summaryOf } from "./report/markdown.js";
import { pageOf } from "./report/page.js";
import { allRuns, readLaboratory } from "./report/runs.js";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const RESULTS = join(ROOT, "bench/results/experiments");

const { values } = parseArgs({
  options: {
    /** Folder of the results: <arm>/seed-<n>.json. */
    in: { type: "string", default: RESULTS },
    /** The page; report.html in the folder of the results where it is not named. */
    out: { type: "string" },
    /** File whose markers get the table. */
    readme: { type: "string", default: join(ROOT, "examples/README.md") },
  },
});

const laboratory = readLaboratory(values.in);
const out = values.out ?? join(values.in, "report.html");
mkdirSync(dirname(out), { recursive: true });
writeFileSync(out, pageOf(laboratory));
console.log(`${shown(out)}: ${allRuns(laboratory).length} runs of ${laboratory.arms.size} arms`);

const text = existsSync(values.readme) ? readFileSync(values.readme, "utf8") : "";
const renewed = betweenMarkers(text, summaryOf(laboratory));
if (renewed === undefined) {
  console.log(
    `${shown(values.readme)}: no <!-- experiment --> … <!-- /experiment -->, left as it is`,
  );
} else {
  writeFileSync(values.readme, renewed);
  console.log(`${shown(values.readme)}: its table`);
}

function shown(path: string): string {
  return relative(process.cwd(), path) || path;
}
