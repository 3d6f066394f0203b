/** `npm start`: the experiment in one minute. A small vision-language policy learns to look, with papo as its loss. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { runPage } from "./report/run-page.js";
import { ARM_NAMES, type Choices, ONE_MINUTE, oneMinute } from "./start/one-minute.js";
import { Progress } from "./start/progress.js";
import { samplesOf } from "./start/samples.js";
import { curvesOf, tableOf } from "./start/summary.js";
import { type RunConfig, type RunResult, train } from "./trainer/index.js";
import { loadRun } from "./trainer/run-state.js";

interface Options extends Choices {
  readonly checkpoint?: string;
  readonly page: string;
}

const PAGE = shown(fileURLToPath(new URL("out/report.html", import.meta.url)));
const COLD_START = "cold start";
/** What a shell calls the end by an interrupt. */
const INTERRUPTED = 130;
/** npm passes Ctrl-C on to a process that had it from the terminal already: what comes that fast is the same one. */
const SAME_KEY_MS = 500;

const program = new Command("npm start --")
  .description("Trains a small vision-language policy to look, in about a minute.")
  .option("--preset <name>", `${ARM_NAMES.join(", ")}, or any preset of papo`, "papo-g")
  .option("--seed <n>", "another seed, another run", whole(0), 1)
  .option("--batches <n>", "batches of rollouts", whole(1), ONE_MINUTE.batches)
  .option("--cold-start-steps <n>", "supervised steps before", whole(0), ONE_MINUTE.coldStart.steps)
  .option("--checkpoint <file>", "saves the run there, at Ctrl-C too; goes on with the one there")
  .option("--page <file>", "curves, problems and answers", PAGE)
  .action(main);

// `npm start | head` is no error.
process.stdout.on("error", () => process.exit());
// Caught here: the WASM backend's own handler answers an uncaught error by printing its whole source.
program.parseAsync().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});

async function main(options: Options): Promise<void> {
  const config = await orSay(() => oneMinute(options));
  const { preset, seed, checkpoint } = options;
  const page = await orSay(() => fileNamed("--page", options.page));
  const path = await orSay(() =>
    checkpoint === undefined ? temporaryFile() : fileNamed("--checkpoint", checkpoint),
  );
  console.log(`${preset}, seed ${seed}: ${config.batches} batches of ${batchOf(config)}`);
  const begun = await orSay(() => batchesDone(path, config));
  if (begun > 0) console.log(`${checkpoint} has ${begun} of the batches`);
  const result = await trained(config, options, path);
  if (result === undefined) {
    process.exitCode = INTERRUPTED;
    return;
  }
  console.log(`\n${curvesOf(result)}\n\n${tableOf(result)}\n`);
  const samples = await samplesOf(path, config);
  writeFileSync(page, runPage(result, samples, { title: `${preset}, seed ${seed}` }));
  const papoSeconds = result.steps.lossMs.reduce<number>((sum, ms) => sum + (ms ?? 0), 0) / 1000;
  console.log(`${result.seconds.toFixed(0)} s, ${papoSeconds.toFixed(1)} s of them in papo`);
  console.log(`curves, problems and answers: ${shown(page)}`);
}

/** Trains with progress; Ctrl-C lets the batch end. */
async function trained(
  config: RunConfig,
  { preset, checkpoint }: Options,
  path: string,
): Promise<RunResult | undefined> {
  const progress = new Progress([COLD_START, preset]);
  const interrupted = new AbortController();
  let first = 0;
  const interrupt = () => {
    if (!interrupted.signal.aborted) {
      first = performance.now();
      progress.say("finishing this step; once more to stop at once");
      interrupted.abort();
    } else if (performance.now() - first > SAME_KEY_MS) {
      progress.stop();
      process.exit(INTERRUPTED);
    }
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, interrupt);
  let heldOut = "";
  let batches = 0;
  const result = await train(config, {
    checkpoint: path,
    signal: interrupted.signal,
    onColdStart: (step, nats) =>
      progress.update(
        COLD_START,
        step,
        config.coldStart.steps,
        `${nats.toFixed(2)} nats per token`,
      ),
    onEvaluation: (_batch, { accuracy }) => {
      heldOut = `held out ${(100 * accuracy).toFixed(1)} % right`;
    },
    onBatch: (batch, { reward }) => {
      batches = batch;
      progress.update(preset, batch, config.batches, `reward ${reward?.toFixed(3)}, ${heldOut}`);
    },
  });
  progress.stop();
  if (result === undefined) {
    console.log(endOf(batches, checkpoint));
    // A process that is about to end listens to no signal: the same key once more would kill it there.
    await sleep(Math.max(0, first + SAME_KEY_MS - performance.now()));
  }
  return result;
}

function endOf(batches: number, checkpoint: string | undefined): string {
  if (batches === 0) return "stopped in the cold start, of which nothing is kept";
  return checkpoint === undefined
    ? `stopped after batch ${batches}; with --checkpoint FILE it could go on`
    : `saved after batch ${batches}; the same command goes on from there`;
}

function shown(path: string): string {
  return relative(process.cwd(), path) || path;
}

function batchOf({ prompts, group }: RunConfig): string {
  return `${prompts} problems with ${group} responses each`;
}

/** How many batches the run in a file has behind it; 0 where there is no file. */
async function batchesDone(path: string, config: RunConfig): Promise<number> {
  return existsSync(path) ? (await loadRun(path, config)).state.batch : 0;
}

/** Where the run is kept where the user names no file: it goes with the process. */
function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "papo-start-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "run.safetensors");
}

/** The path of a file that can be written later; its folder is made now. */
function fileNamed(option: string, name: string): string {
  const path = resolve(name);
  mkdirSync(dirname(path), { recursive: true });
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`${option} ${name} is a folder`);
  }
  return path;
}

/** Ends the program with the message of an error that its user can do something about. */
async function orSay<T>(attempt: () => T | Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    return program.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`A whole number from ${least} up is needed.`);
  };
}
