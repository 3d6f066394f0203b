/**
 * `npm run bench:report`: draws a stored result, without measuring anything: tables in the terminal, the plots,
 * bench/results/README.md and the section of README.md.
 *
 *   npm run bench:report                      the newest result in bench/results
 *   npm run bench:report -- somewhere.json    another one
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { BenchResult } from "../result.js";
import { publish } from "./publish.js";
import { tableOf } from "./terminal.js";

const RESULTS = fileURLToPath(new URL("../results/", import.meta.url));

const { positionals } = parseArgs({ allowPositionals: true });
const result = positionals[0] === undefined ? newest() : read(positionals[0]);
if (result === undefined) {
  console.error(`${positionals[0] ?? "bench/results"} holds no result; npm run bench makes one`);
  process.exitCode = 1;
} else {
  for (const part of result.parts) console.log(`${tableOf(part)}\n`);
  for (const path of publish(result)) console.log(`written: ${path}`);
}

/** Undefined where the file holds something else. */
function read(path: string): BenchResult | undefined {
  const content: Partial<BenchResult> = JSON.parse(readFileSync(path, "utf8"));
  return content.parts === undefined ? undefined : (content as BenchResult);
}

function newest(): BenchResult | undefined {
  return readdirSync(RESULTS)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => read(`${RESULTS}${name}`) ?? [])
    .sort((a, b) => a.date.localeCompare(b.date))
    .at(-1);
}
