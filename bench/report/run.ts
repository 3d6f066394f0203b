/**
 * `npm run bench:report`: draws a stored result, without measuring anything: tables in the terminal, the plots,
 * bench/results/README.md and the section of README.md.
 *
 *   npm run bench:report                      the newest result in bench/results
 *   npm run bench:report -- somewhere.json    another one
 */
import { parseArgs } from "node:util";
import { publish } from "./publish.js";
import { newestResult, readResult } from "./stored.js";
import { tableOf } from "./terminal.js";

const { positionals } = parseArgs({ allowPositionals: true });
const result = positionals[0] === undefined ? newestResult() : readResult(positionals[0]);
if (result === undefined) {
  console.error(`${positionals[0] ?? "bench/results"} holds no result; npm run bench makes one`);
  process.exitCode = 1;
} else {
  for (const part of result.parts) console.log(`${tableOf(part)}\n`);
  for (const path of publish(result)) console.log(`written: ${path}`);
  console.log("docs/benchmarks.md and docs/numerics.md: npm run docs");
}
