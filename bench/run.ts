/**
 * `npm run bench`: measures, prints the table, writes `bench/results/`, renews the table in README.md.
 *
 *   npm run bench                        everything
 *   npm run bench -- --only fused        contenders whose name contains a word; writes nothing
 *   npm run bench -- --rounds 31         more rounds (15)
 */
import { parseArgs } from "node:util";
import { CONTENDERS } from "./contenders/table.js";
import { runExperiment } from "./measure.js";
import { machine, save, table, updateReadme } from "./report.js";

const { values } = parseArgs({
  options: { only: { type: "string" }, rounds: { type: "string", default: "15" } },
});
const contenders = CONTENDERS.filter(({ name }) => name.includes(values.only ?? ""));

const experiment = await runExperiment(contenders, {
  rounds: Number(values.rounds),
  patience: 15_000,
  say: (line) => process.stderr.write(`${line}\n`),
});
const result = { date: new Date().toISOString().slice(0, 10), machine: machine(), ...experiment };
const text = table(result);
console.log(text);
if (values.only === undefined) {
  console.log(`\nwritten: ${save(result)}`);
  if (updateReadme(text)) console.log("README.md: table renewed");
}
