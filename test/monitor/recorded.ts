/** `npx tsx test/monitor/recorded.ts [folder]`: a fresh monitor over the columns of the experiment's runs, as tables. */
import { courseOf } from "../../examples/report/collapse.js";
import { readLaboratory } from "../../examples/report/runs.js";
import type { LevelChange, RunResult, StepKey } from "../../examples/trainer/index.js";
import { CollapseMonitor, type MonitorState, type SignName } from "../../lib/monitor/index.js";
import { trackRule } from "../../lib/monitor/signs.js";
import { presentOf } from "../../lib/monitor/track.js";

const MEASURED = [
  "perceptionKl",
  "perceptionKlVariance",
  "clipFraction",
  "entropy",
  "maskedEntropy",
] as const;
type MeasuredName = (typeof MEASURED)[number] & StepKey;

/** What a run is to the monitor. */
export const KINDS = ["stands", "runs away", "constant branch falls", "backs off"] as const;
export type Kind = (typeof KINDS)[number];

/** A run, and what a fresh monitor says to what was written down of it. */
export interface Replay {
  readonly name: string;
  readonly arm: string;
  readonly batches: number;
  readonly kind: Kind;
  /** First batch at which the smoothed reward is below four fifths of its best so far. */
  readonly fall: number | undefined;
  /** First alarm of the replay. */
  readonly alarm: number | undefined;
  readonly during: readonly LevelChange[];
  readonly after: readonly LevelChange[];
  /** Largest of present value over baseline, up to the fall. */
  readonly factors: Readonly<Record<MeasuredName, number>>;
}

export const RESULTS: string = new URL("../../bench/results/experiments", import.meta.url).pathname;

/** Every run that has a perception KL to watch: without one there cannot be two signs. */
export function replays(folder: string = RESULTS): Replay[] {
  return [...readLaboratory(folder).arms].flatMap(([arm, runs]) =>
    [...runs.values()]
      .filter(({ steps }) => steps.perceptionKl.some((value) => value !== null))
      .map((run) => replay(arm, run)),
  );
}

function replay(arm: string, run: RunResult): Replay {
  const { config, steps } = run;
  const { fall } = courseOf(run);
  const monitor = new CollapseMonitor();
  const after: LevelChange[] = [];
  const factors = Object.fromEntries(MEASURED.map((name) => [name, 0])) as Replay["factors"];
  const largest: Record<MeasuredName, number> = { ...factors };
  for (const [at, reward] of steps.reward.entries()) {
    const batch = at + 1;
    const said = monitor.update({
      step: batch,
      metrics: { tokens: tokensOf(run, at), ...metricsOf(run, at) },
      ...(reward === null ? {} : { reward }),
    });
    if (said.changed) {
      after.push({ batch, level: said.level, signs: said.signs.map(({ name }) => name) });
    }
    if (fall !== undefined && batch >= fall) continue;
    for (const name of MEASURED) {
      largest[name] = Math.max(largest[name], factorOf(monitor.state(), name));
    }
  }
  return {
    name: `${arm}, seed ${config.seed}`,
    arm,
    batches: steps.reward.length,
    kind: kindOf(run, fall !== undefined),
    fall,
    alarm: after.find(({ level }) => level === "alarm")?.batch,
    during: run.monitor,
    after,
    factors: largest,
  };
}

function kindOf({ config: { objective } }: RunResult, falls: boolean): Kind {
  if (objective.backoff) return "backs off";
  if (!falls) return "stands";
  return objective.changes.maskedBranch === "constant" ? "constant branch falls" : "runs away";
}

/** Of the responses that the batch was trained on, at the mean length of all: exact without dynamic sampling. */
function tokensOf({ config, steps }: RunResult, at: number): number {
  const groups = steps.trainedGroups[at] ?? config.prompts;
  return Math.round((steps.responseLength[at] ?? 0) * groups * config.group);
}

function metricsOf({ steps }: RunResult, at: number): Partial<Record<MeasuredName, number>> {
  const present = MEASURED.flatMap((name) => {
    const value = steps[name][at];
    return value === null || value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(present);
}

/** Present value over baseline; 0 before there are both. */
function factorOf({ rules, tracks }: MonitorState, name: MeasuredName): number {
  const track = tracks[name];
  const present = presentOf(track, trackRule(rules, name));
  if (present === undefined || track.count < rules.warmUp) return 0;
  return present / Math.exp(track.baseline);
}

/** Levels that became so, over all runs. */
export function count(runs: readonly Replay[], level: LevelChange["level"]): number {
  return runs.flatMap(({ after }) => after.filter((change) => change.level === level)).length;
}

/** Batches from the alarm to the fall, in ascending order. */
export function leads(runs: readonly Replay[]): number[] {
  return runs
    .flatMap(({ alarm, fall }) => (alarm === undefined || fall === undefined ? [] : [fall - alarm]))
    .sort((a, b) => a - b);
}

export function medianOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function signsOf(runs: readonly Replay[]): string {
  const names = new Set<SignName>();
  for (const { after } of runs) {
    for (const name of after.find(({ level }) => level === "alarm")?.signs ?? []) names.add(name);
  }
  return [...names].join(", ");
}

function print(all: readonly Replay[]): void {
  const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(" | ")} |`);
  const kinds = KINDS.filter((kind) => all.some((run) => run.kind === kind));
  row("runs", "number", "batches", "alarms", "before the fall", "lead", "warnings per 1000", "of");
  for (const kind of kinds) {
    const runs = all.filter((run) => run.kind === kind);
    const batches = runs.reduce((sum, run) => sum + run.batches, 0);
    const ahead = leads(runs);
    const early = ahead.filter((lead) => lead > 0).length;
    const lead = ahead.length ? `${medianOf(ahead)} (${ahead[0]} … ${ahead.at(-1)})` : "";
    const warnings = ((1000 * count(runs, "warning")) / batches).toFixed(1);
    const alarms = count(runs, "alarm");
    row(kind, runs.length, batches, alarms, early, lead, warnings, signsOf(runs));
  }
  console.log("\nlargest factor over the baseline, up to the fall: median (largest) of the runs");
  row("", ...kinds);
  for (const name of MEASURED) {
    const cells = kinds.map((kind) => {
      const factors = all.filter((run) => run.kind === kind).map((run) => run.factors[name]);
      return `${medianOf(factors).toFixed(2)} (${Math.max(...factors).toFixed(2)})`;
    });
    row(name, ...cells);
  }
  console.log("\nruns of which the replay says something else than the run did:");
  for (const { name, during, after } of all) {
    if (JSON.stringify(during) !== JSON.stringify(after)) {
      console.log(`${name}: ${JSON.stringify(during)}; replayed ${JSON.stringify(after)}`);
    }
  }
}

if (process.argv[1]?.endsWith("recorded.ts")) print(replays(process.argv[2]));
