/** What a person sees: a bar with the time left on a terminal, one line per ended run elsewhere too; the list of runs. */
import { existsSync } from "node:fs";
import { MultiBar, type SingleBar } from "cli-progress";
import type { PlannedRun } from "./plan.js";
import { checkpointPath, type Folders, failurePath, type Standing, standingOf } from "./result.js";
import type { Outcome, Progress, RunningRun } from "./runner.js";

export class Display {
  readonly #bars: MultiBar | undefined;
  readonly #bar: SingleBar | undefined;

  /** @param total  number of runs to do */
  constructor(total: number) {
    if (!process.stdout.isTTY) return;
    const format = "{bar} {ended}/{total} runs  {left}  {note}";
    this.#bars = new MultiBar({ format, hideCursor: true, barsize: 24, fps: 4, linewrap: false });
    this.#bar = this.#bars.create(total, 0, { ended: 0, left: "", note: "" });
  }

  progress(progress: Progress): void {
    const { ended, done, running } = progress;
    const note = running.map(noteOf).join(", ");
    this.#bar?.update(done, { ended, left: timeLeft(progress), note });
  }

  outcome(outcome: Outcome, progress: Progress): void {
    const { ended, total } = progress;
    this.say(`${sentenceOf(outcome)}  (${ended}/${total}${comma(timeLeft(progress))})`);
    if (outcome.kind === "failed") this.say(outcome.reason.replace(/^/gm, "  "));
    this.progress(progress);
  }

  /** A line; above the bar where there is one. */
  say(line: string): void {
    if (this.#bars) this.#bars.log(`${line}\n`);
    else console.log(line);
  }

  stop(): void {
    // The last lines wait for it.
    this.#bars?.update();
    this.#bars?.stop();
  }
}

/** The plan, run by run, with what is there of it. */
export function listOf(runs: readonly PlannedRun[], folders: Folders): string {
  const arms = [...new Set(runs.map(({ arm }) => arm))];
  const idWidth = Math.max(...arms.map(({ id }) => id.length));
  const titleWidth = Math.max(...arms.map(({ title }) => title.length));
  const lines = arms.map((arm) => {
    const seeds = runs
      .filter((run) => run.arm === arm)
      .map((run) => `${run.seed} ${wordOf(run, folders)}`);
    const { id, title, group } = arm;
    const names = [group.padEnd(8), id.padEnd(idWidth), title.padEnd(titleWidth)];
    return `${names.join("  ")}  ${seeds.join(", ")}`;
  });
  const done = runs.map((run) => standingOf(folders, run)).filter(isDone);
  const hours = done.reduce((sum, { result }) => sum + result.seconds, 0) / 3600;
  const summary = `${done.length} of ${runs.length} runs done, in ${hours.toFixed(1)} hours of one core`;
  return [...lines, summary].join("\n");
}

export function nameOf({ arm, seed }: PlannedRun): string {
  return `${arm.id} seed ${seed}`;
}

/** "about 1 h 20 min left", or nothing while nobody knows. */
export function timeLeft({ secondsLeft }: Progress): string {
  if (secondsLeft === undefined) return "";
  const minutes = Math.ceil(secondsLeft / 60);
  if (minutes < 2) return `about ${Math.ceil(secondsLeft)} s left`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return hours === 0 ? `about ${minutes} min left` : `about ${hours} h ${rest} min left`;
}

function sentenceOf(outcome: Outcome): string {
  const name = nameOf(outcome.run);
  const took = `${outcome.seconds.toFixed(0)} s`;
  switch (outcome.kind) {
    case "finished": {
      const right = outcome.accuracy;
      return right === undefined
        ? `${name}: ${took}`
        : `${name}: ${(100 * right).toFixed(1)} % right, ${took}`;
    }
    case "failed":
      return `${name}: FAILED after ${took}`;
    case "saved":
      return `${name}: saved after ${took}`;
    case "stopped":
      return `${name}: stopped after ${took}`;
  }
}

function noteOf({ run, batch, coldStart }: RunningRun): string {
  const { batches, coldStart: planned } = run.config;
  return batch === 0 && coldStart > 0
    ? `${nameOf(run)} cold start ${coldStart}/${planned.steps}`
    : `${nameOf(run)} ${batch}/${batches}`;
}

function comma(text: string): string {
  return text === "" ? "" : `, ${text}`;
}

function wordOf(run: PlannedRun, folders: Folders): string {
  const standing = standingOf(folders, run);
  if (standing.state === "done") return "done";
  if (standing.state === "other") return "OTHER SETTINGS";
  if (existsSync(failurePath(folders, run))) return "failed";
  return existsSync(checkpointPath(folders, run)) ? "begun" : "–";
}

function isDone(standing: Standing): standing is Standing & { readonly state: "done" } {
  return standing.state === "done";
}
