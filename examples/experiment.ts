/** `npm run experiment`: runs what is missing of the plan, several runs at a time; `--help` says how, Ctrl-C saves. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { commit } from "../bench/machine.js";
import { Display, listOf, nameOf } from "./experiment/display.js";
import { Lock } from "./experiment/lock.js";
import { armsNamed, type PlannedRun, runsOf } from "./experiment/plan.js";
import { type Folders, standingOf } from "./experiment/result.js";
import { type Outcome, Runner } from "./experiment/runner.js";

interface Options {
  readonly list?: boolean;
  readonly arms?: readonly string[];
  readonly seeds?: readonly number[];
  readonly batches?: number;
  readonly jobs: number;
  readonly out?: string;
  readonly work: string;
  readonly force?: boolean;
}

const RESULTS = fileURLToPath(new URL("../bench/results/experiments", import.meta.url));
const WORK = fileURLToPath(new URL("./out/experiment", import.meta.url));
/** What a shell calls the end by an interrupt. */
const INTERRUPTED = 130;

const program = new Command("npm run experiment --")
  .description("Runs what is missing of the experiment. What was interrupted goes on where it was.")
  .option("--list", "says which runs there are and what is done")
  .option("--arms <names>", "groups or arms, such as main,gamma-*", words)
  .option("--seeds <numbers>", "in the place of the planned ones, such as 1,2,3", seeds)
  .option("--batches <n>", "batches of every run, for a quick try; needs --out", count)
  .option("--jobs <n>", "runs at a time", count, availableParallelism())
  .option("--out <folder>", "where results go; bench/results/experiments if not said")
  .option("--work <folder>", "where checkpoints are kept until a run is done", WORK)
  .option("--force", "runs again what has a result of other settings")
  .action(main);

await program.parseAsync();

async function main(options: Options): Promise<void> {
  if (options.batches !== undefined && options.out === undefined) {
    program.error("--batches needs --out: quick results must not be mixed with the experiment's");
  }
  const folders = { results: resolve(options.out ?? RESULTS), work: resolve(options.work) };
  const runs = selected(options);
  if (options.list) return console.log(listOf(runs, folders));
  const missing = missingOf(runs, folders, options.force ?? false);
  if (missing.length === 0) return console.log(`all ${runs.length} runs are done`);
  console.log(`${missing.length} of ${runs.length} runs to do, ${options.jobs} at a time`);
  using _lock = orSay(() => new Lock(folders.work));
  conclude(missing, await run(missing, folders, options.jobs));
}

function selected({ arms, seeds, batches }: Options): readonly PlannedRun[] {
  return orSay(() => runsOf({ arms: arms && armsNamed(arms), seeds, batches }));
}

/** Ends the program with the message of an error that its user can do something about. */
function orSay<T>(attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    return program.error(error instanceof Error ? error.message : String(error));
  }
}

/** Without `force`, ends the program where a result is not of the plan's settings. */
function missingOf(
  runs: readonly PlannedRun[],
  folders: Folders,
  force: boolean,
): readonly PlannedRun[] {
  const standings = runs.map((run) => ({ run, ...standingOf(folders, run) }));
  const others = standings.flatMap((one) =>
    one.state === "other" ? [`  ${nameOf(one.run)}: ${one.differences.join("; ")}`] : [],
  );
  if (others.length > 0 && !force) {
    const what = "results of other settings than the plan's; --force runs these again";
    program.error([`there are ${what}:`, ...others].join("\n"));
  }
  return standings.filter(({ state }) => state !== "done").map(({ run }) => run);
}

async function run(
  runs: readonly PlannedRun[],
  folders: Folders,
  jobs: number,
): Promise<readonly Outcome[]> {
  const display = new Display(runs.length);
  const runner = new Runner({
    runs,
    folders,
    jobs,
    commit: commit(),
    onProgress: (progress) => display.progress(progress),
    onOutcome: (outcome, progress) => display.outcome(outcome, progress),
  });
  let asked = false;
  const interrupt = () => {
    if (asked) return runner.kill();
    asked = true;
    display.say("finishing the batches and saving; once more to stop at once");
    runner.stop();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  try {
    return await runner.run();
  } finally {
    display.stop();
    if (asked) process.exitCode = INTERRUPTED;
  }
}

function conclude(runs: readonly PlannedRun[], outcomes: readonly Outcome[]): void {
  const finished = outcomes.filter(({ kind }) => kind === "finished").length;
  const failed = outcomes.filter(({ kind }) => kind === "failed");
  console.log(`${finished} of ${runs.length} runs finished`);
  if (process.exitCode === INTERRUPTED) console.log("the same command goes on from here");
  if (failed.length === 0) return;
  console.error(`failed: ${failed.map((outcome) => nameOf(outcome.run)).join(", ")}`);
  process.exitCode = 1;
}

function words(text: string): readonly string[] {
  return text.split(",").filter((word) => word !== "");
}

function seeds(text: string): readonly number[] {
  return [...new Set(words(text).map(count))];
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("a whole number from 1 up is needed");
}
