/** The monitor on recorded runs of an earlier version of the example; each file holds the command that made it then. */
import { readFileSync } from "node:fs";
import test from "ava";
import { CollapseMonitor, type MonitorReport } from "../../lib/monitor/index.js";

interface Run {
  readonly command: string;
  readonly keys: readonly string[];
  readonly steps: readonly (readonly number[])[];
}

function reportsOf(name: string): { run: Run; reports: MonitorReport[] } {
  const text = readFileSync(new URL(`runs/${name}.json`, import.meta.url), "utf8");
  const run = JSON.parse(text) as Run;
  const monitor = new CollapseMonitor();
  const reports = run.steps.map((row, step) => {
    const record = Object.fromEntries(run.keys.map((key, at) => [key, row[at] as number]));
    return monitor.update({ step, metrics: record, ...reward(record) });
  });
  return { run, reports };
}

function reward(record: Record<string, number>): { reward?: number } {
  return record.reward === undefined ? {} : { reward: record.reward };
}

function meanReward({ steps }: Run, from: number, to: number): number {
  const rows = steps.slice(from, to);
  return rows.reduce((sum, row) => sum + (row[0] as number), 0) / rows.length;
}

const ONSET = 60;

for (const seed of [1, 2, 3]) {
  test(`collapse of seed ${seed}: the alarm comes within 15 steps of its cause, before the reward falls`, (t) => {
    const { run, reports } = reportsOf(`collapsed-${seed}`);
    t.true(meanReward(run, 75, 105) < meanReward(run, 40, 60) - 0.1, "it did collapse");
    const alarm = reports.findIndex(({ level }) => level === "alarm");
    t.true(alarm >= ONSET && alarm < ONSET + 15, `alarm at step ${alarm}`);
    const confirmed = reports.findIndex((report) => report.confirmed);
    t.true(confirmed > alarm, `reward falls from step ${confirmed}`);
    t.true(Math.abs(meanReward(run, alarm - 5, alarm) - meanReward(run, 40, 60)) < 0.08);
    t.is(reports.at(-1)?.level, "alarm");
  });

  test(`health of seed ${seed}: calm for 300 steps`, (t) => {
    const { run, reports } = reportsOf(`healthy-${seed}`);
    t.is(run.steps.length, 300);
    t.true(meanReward(run, 280, 300) > meanReward(run, 0, 20) + 0.1, "it did learn");
    t.true(reports.every(({ level }) => level === "calm"));
  });
}

test("a collapse from the first step on is an alarm as soon as the warm-up is over", (t) => {
  const { run, reports } = reportsOf("early-1");
  t.true(meanReward(run, 60, 100) < 0.1);
  const alarm = reports.findIndex(({ level }) => level === "alarm");
  t.true(alarm >= 19 && alarm < 30, `alarm at step ${alarm}`);
});

test("a policy that is broken without the early signs is not seen: at most a warning", (t) => {
  // γ = 3 with the authors' bounded estimator and a constant masked branch: the reward goes, the perception KL does not.
  const { run, reports } = reportsOf("broken-1");
  t.true(meanReward(run, 100, 120) < 0.1);
  t.true(reports.every(({ level }) => level !== "alarm"));
});
