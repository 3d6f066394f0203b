/** `npm run bench`: measures parts of the suite, prints their tables and writes the result. `--help` says how. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { build } from "./build.js";
import { PARTS } from "./parts/parts.js";
import { publish } from "./report/publish.js";
import { tableOf } from "./report/terminal.js";
import type { BenchResult, Part } from "./result.js";
import { runSuite } from "./suite.js";

interface Options {
  readonly list?: boolean;
  readonly quick?: boolean;
  readonly rounds?: number;
  readonly only?: string;
  readonly out?: string;
}

const program = new Command("npm run bench --")
  .description("Measures papo beside this machine's limits, and beside others.")
  .argument("[parts...]", "parts by name; all if none is named")
  .option("--list", "says which parts there are")
  .option(
    "--quick",
    "small sizes and few rounds, to try the suite itself; without peers if no part is named",
  )
  .option("--rounds <n>", "rounds of every part", count)
  .option("--only <word>", "peers whose name contains it, of the part peers")
  .option("--out <file>", "where the JSON goes; a full run writes bench/results/ if not said")
  .action(main);

await program.parseAsync();

async function main(names: readonly string[], options: Options): Promise<void> {
  const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
  if (unknown.length > 0) {
    program.error(`there is no part ${unknown.join(", ")}; --list says which there are`);
  }
  if (options.list) return console.log(Object.keys(PARTS).join("\n"));
  const say = (line: string) => process.stderr.write(`${line}\n`);
  say("building what changed");
  build(["build:lib", "build:bench"]);
  const result = await runSuite({
    parts: names.length > 0 ? names : partsOf(options),
    quick: options.quick ?? false,
    rounds: options.rounds,
    only: options.only,
    say,
    show,
  });
  const { quick, rounds, only } = options;
  const full = names.length === 0 && !quick && rounds === undefined && only === undefined;
  const path = options.out ?? (full ? resultPath(result) : undefined);
  if (path === undefined) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, null, 1)}\n`);
  say(`written: ${path}`);
  if (options.out !== undefined) return;
  for (const generated of publish(result)) say(`written: ${generated}`);
}

/** All; in a quick run without the peers, which take longer to start than everything else to be tried. */
function partsOf({ quick }: Options): readonly string[] {
  return Object.keys(PARTS).filter((name) => !quick || name !== "peers");
}

function show(part: Part): void {
  console.log(`\n${tableOf(part)}`);
}

function resultPath({ date, machine }: BenchResult): string {
  const cpu = machine.cpu
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  return fileURLToPath(new URL(`results/${date}-${cpu}.json`, import.meta.url));
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("a whole number from 1 up is needed");
}
