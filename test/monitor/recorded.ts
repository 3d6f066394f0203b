/** `npx tsx test/monitor/recorded.ts [--write]`: a fresh monitor over the columns of the experiment's runs, as tables. */
import { readFileSync, writeFileSync } from "node:fs";
import { courseOf } from "../../examples/report/collapse.js";
import { readLaboratory } from "../../examples/report/runs.js";
import type { LevelChange, RunResult, StepKey } from "../../examples/trainer/index.js";
import { CollapseMonitor, type MonitorState } from "../../lib/monitor/index.js";
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

const RESULTS: string = new URL("../../bench/results/experiments", import.meta.url).pathname;

/** Every run that has a perception KL to watch: without one there cannot be two signs. */
export function replays(): Replay[] {
  return [...readLaboratory(RESULTS).arms].flatMap(([arm, runs]) =>
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

/** Columns have four digits; clips, which are counted, come back in full where the tokens are exact. */
function metricsOf(run: RunResult, at: number): Partial<Record<MeasuredName, number>> {
  const { steps } = run;
  const tokens = tokensOf(run, at);
  const present = MEASURED.flatMap((name) => {
    const value = steps[name][at];
    if (value === null || value === undefined) return [];
    const counted = name === "clipFraction" && !run.config.dynamicSampling;
    return [[name, counted ? Math.round(value * tokens) / tokens : value] as const];
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

const TITLES: Readonly<Record<Kind, string>> = {
  stands: "reward does not fall",
  "runs away": "masked branch differentiable, reward falls",
  "constant branch falls": "masked branch constant, reward falls",
  "backs off": "γ backs off at the alarm",
};

/** The tables of docs/monitor.md. */
export function sectionOf(all: readonly Replay[]): string {
  const row = (...cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  const kinds = KINDS.filter((kind) => all.some((run) => run.kind === kind));
  const counts = kinds.map((kind) => {
    const runs = all.filter((run) => run.kind === kind);
    const batches = runs.reduce((sum, run) => sum + run.batches, 0);
    const fallen = runs.filter(({ fall }) => fall !== undefined).length;
    const ahead = leads(runs);
    const early = ahead.filter((lead) => lead > 0).length;
    const lead = ahead.length ? `${medianOf(ahead)} (${ahead[0]} … ${ahead.at(-1)})` : "";
    const warnings = ((1000 * count(runs, "warning")) / batches).toFixed(1);
    const alarms = runs.filter(({ alarm }) => alarm !== undefined).length;
    return row(TITLES[kind], runs.length, batches, alarms, fallen, early, lead, warnings);
  });
  const factors = MEASURED.map((name) => {
    const cells = kinds.map((kind) => {
      const own = all.filter((run) => run.kind === kind).map((run) => run.factors[name]);
      return `${medianOf(own).toFixed(2)} (${Math.max(...own).toFixed(2)})`;
    });
    return row(`\`${name}\``, ...cells);
  });
  const standing = all.filter(({ kind, alarm }) => kind === "stands" && alarm !== undefined);
  const names = standing.map(({ name, alarm }) => `${name} (batch ${alarm})`).join("; ");
  return [
    row(
      "runs",
      "number",
      "batches",
      "alarm",
      "reward falls",
      "alarm first",
      "lead",
      "warnings per 1000",
    ),
    `|---${"|---:".repeat(7)}|`,
    ...counts,
    "",
    `Alarms where the reward does not fall: ${names || "none"}.`,
    "",
    "Largest present value over its baseline, up to the fall: median (largest) of the runs.",
    "",
    row("", ...kinds.map((kind) => TITLES[kind])),
    `|---${"|---:".repeat(kinds.length)}|`,
    ...factors,
  ].join("\n");
}

const [BEGIN, END] = ["<!-- recorded -->\n\n", "\n\n<!-- /recorded -->"];
const PAGE = new URL("../../docs/monitor.md", import.meta.url).pathname;

/** What docs/monitor.md has. */
export function sectionThere(): string {
  const text = readFileSync(PAGE, "utf8");
  return text.slice(text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END));
}

if (process.argv[1]?.endsWith("recorded.ts")) {
  const section = sectionOf(replays());
  console.log(section);
  const text = readFileSync(PAGE, "utf8");
  if (process.argv[2] === "--write")
    writeFileSync(
      PAGE,
      text.replace(BEGIN + sectionThere() + END, () => BEGIN + section + END),
    );
}
