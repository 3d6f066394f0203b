/** The monitor on the experiment's own runs: what it saw in time, what it did not see, and whether it cried wolf. */
import test from "ava";
import {
  count,
  KINDS,
  type Kind,
  leads,
  medianOf,
  replays,
  sectionOf,
  sectionThere,
} from "./recorded.js";

const ALL = replays();
const of = (kind: Kind) => ALL.filter((run) => run.kind === kind);
const [STANDS, RUNS_AWAY, CONSTANT] = KINDS.map(of) as [typeof ALL, typeof ALL, typeof ALL];

test("there are runs of each kind", (t) => {
  t.true(STANDS.length >= 40, `${STANDS.length}`);
  t.true(RUNS_AWAY.length >= 15, `${RUNS_AWAY.length}`);
  t.true(CONSTANT.length >= 10, `${CONSTANT.length}`);
});

test("what was said during a run is what a fresh monitor says to what was written down, to the batch", (t) => {
  for (const { name, during, after } of ALL) t.deepEqual(after, during, name);
});

test("where the perception KL runs away, the alarm comes before the reward falls, in every run", (t) => {
  for (const { name, alarm, fall } of RUNS_AWAY) {
    t.true(alarm !== undefined && fall !== undefined && alarm < fall, `${name}: ${alarm}, ${fall}`);
  }
  t.true(medianOf(leads(RUNS_AWAY)) >= 5);
});

test("PAPO-G and PAPO-D raise no alarm, and of all runs whose reward stands at most one in twenty does", (t) => {
  const main = STANDS.filter(({ arm }) => arm === "papo-g" || arm === "papo-d");
  t.true(main.length >= 6);
  t.is(count(main, "alarm"), 0);
  const alarmed = STANDS.filter(({ alarm }) => alarm !== undefined);
  t.true(alarmed.length <= STANDS.length / 20, alarmed.map(({ name }) => name).join());
});

test("a constant masked branch that breaks is not seen before the reward falls, in no run", (t) => {
  for (const { name, alarm, fall = 0 } of CONSTANT) {
    t.true(alarm === undefined || alarm >= fall, `${name}: ${alarm}, ${fall}`);
  }
});

test("no threshold on one quantity would have seen it: runs whose reward stands go further in each", (t) => {
  const names = ["perceptionKl", "perceptionKlVariance", "clipFraction", "maskedEntropy"] as const;
  for (const name of [...names, "entropy"] as const) {
    const furthest = (runs: typeof ALL) => Math.max(...runs.map(({ factors }) => factors[name]));
    t.true(furthest(CONSTANT) < furthest(STANDS), name);
    t.true(furthest(CONSTANT) > 1, name);
  }
});

test("docs/monitor.md has the figures of these runs: recorded.ts --write renews them", (t) => {
  t.is(sectionThere(), sectionOf(ALL));
});
