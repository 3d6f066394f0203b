/** A monitor's state through JSON: it goes on where it was, and nothing that is not a state gets in. */
import test from "ava";
import { PapoError, type PapoErrorCode } from "../../lib/core/errors.js";
import { CollapseMonitor, type MonitorState } from "../../lib/monitor/index.js";
import { simulate } from "./simulation.js";

const STEPS = simulate({ seed: 7, steps: 120, collapse: { onset: 40, duration: 50 } });

function throughJson(monitor: CollapseMonitor): MonitorState {
  return JSON.parse(JSON.stringify(monitor)) as MonitorState;
}

test("a resumed monitor says what the one that went on says, wherever it was taken", (t) => {
  for (let cut = 0; cut <= STEPS.length; cut += 7) {
    const first = new CollapseMonitor({ rules: { warmUp: 12, memory: 50 } });
    for (const step of STEPS.slice(0, cut)) first.update(step);
    const resumed = CollapseMonitor.fromState(throughJson(first));
    t.is(resumed.level, first.level);
    t.deepEqual(resumed.rules, first.rules);
    for (const step of STEPS.slice(cut)) t.deepEqual(resumed.update(step), first.update(step));
    t.deepEqual(resumed.state(), first.state());
  }
});

test("a resumed monitor has the callbacks it is given, and does not repeat an alarm", (t) => {
  const first = new CollapseMonitor();
  let at = STEPS.findIndex((step) => first.update(step).level === "alarm");
  t.true(at > 40);
  const calls: number[] = [];
  const resumed = CollapseMonitor.fromState(throughJson(first), {
    onAlarm: ({ step }) => calls.push(step),
  });
  for (at++; at < STEPS.length; at++) resumed.update(STEPS[at] as (typeof STEPS)[number]);
  t.deepEqual(calls, []);
});

test("a state is a copy, and small", (t) => {
  const monitor = new CollapseMonitor();
  for (const step of STEPS) monitor.update(step);
  const state = monitor.state();
  (state.tracks.entropy.recent as number[]).length = 0;
  t.notDeepEqual(monitor.state(), state);
  const size = JSON.stringify(monitor).length;
  t.true(size < 8000, `${size} bytes`);
  for (let step = 120; step < 2000; step++)
    monitor.update({ metrics: STEPS[step % 100]?.metrics ?? {} });
  t.true(JSON.stringify(monitor).length < 8000);
});

/** The state with the value at a path replaced; undefined takes the key out. */
function spoiled(path: string, value: unknown): unknown {
  const monitor = new CollapseMonitor();
  for (const step of STEPS.slice(0, 100)) monitor.update(step);
  const state = JSON.parse(JSON.stringify(monitor)) as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop() as string;
  const parent = keys.reduce((at, key) => at[key] as Record<string, unknown>, state);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return state;
}

const SPOILED: readonly [path: string, value: unknown, code: PapoErrorCode, says: RegExp][] = [
  ["kind", "adaptive-kl", "ERR_ARGUMENT", /state\.kind to be one of collapse-monitor/],
  ["version", 2, "ERR_UNSUPPORTED", /state\.version to be 1, received 2/],
  ["version", undefined, "ERR_UNSUPPORTED", /version/],
  ["extra", 1, "ERR_ARGUMENT", /state to hold only .* received "extra"/],
  ["rules", undefined, "ERR_ARGUMENT", /rules/],
  ["rules.warmUp", undefined, "ERR_ARGUMENT", /state\.rules\.warmUp/],
  ["rules.clipFraction.floor", undefined, "ERR_ARGUMENT", /state\.rules\.clipFraction\.floor/],
  ["rules.pull", 1, "ERR_RANGE", /state\.rules\.pull/],
  ["step", 3.5, "ERR_RANGE", /state\.step to be an integer/],
  ["step", -2, "ERR_RANGE", /state\.step/],
  ["level", "panic", "ERR_ARGUMENT", /state\.level/],
  ["since", 100, "ERR_RANGE", /state\.since/],
  ["sources", null, "ERR_ARGUMENT", /state\.sources/],
  ["sources.entropy", 2, "ERR_RANGE", /state\.sources\.entropy/],
  ["tokens", -1, "ERR_RANGE", /state\.tokens/],
  ["tracks.entropy", undefined, "ERR_ARGUMENT", /state\.tracks\.entropy/],
  ["tracks.entropy.count", -1, "ERR_RANGE", /state\.tracks\.entropy\.count/],
  ["tracks.entropy.baseline", null, "ERR_ARGUMENT", /state\.tracks\.entropy\.baseline/],
  ["tracks.entropy.at", 100, "ERR_RANGE", /state\.tracks\.entropy\.at/],
  ["tracks.entropy.recent", Array(21).fill(0), "ERR_ARGUMENT", /recent to be an array of up to 20/],
  ["tracks.entropy.recent.2", "0", "ERR_ARGUMENT", /recent\[2\] to be a number/],
  ["leastMaskedEntropy", null, "ERR_ARGUMENT", /leastMaskedEntropy/],
  ["trends.entropy", 3, "ERR_ARGUMENT", /state\.trends\.entropy/],
  ["trends.entropy.1", [5, 0], "ERR_RANGE", /state\.trends\.entropy\[1\]\[0\]/],
  ["trends.entropy.1", [81], "ERR_ARGUMENT", /state\.trends\.entropy\[1\]\[1\]/],
  ["signs.perception-kl.level", "calm", "ERR_ARGUMENT", /state\.signs\.perception-kl\.level/],
  ["signs.perception-kl.peak", -1, "ERR_RANGE", /state\.signs\.perception-kl\.peak/],
  ["signs.reward", {}, "ERR_ARGUMENT", /state\.signs/],
  ["rewards", "", "ERR_ARGUMENT", /state\.rewards/],
];

for (const [path, value, code, says] of SPOILED) {
  test(`refused: ${path} = ${JSON.stringify(value)?.slice(0, 30) ?? "nothing"}`, (t) => {
    t.notThrows(() => CollapseMonitor.fromState(spoiled("step", 99) as MonitorState));
    const error = t.throws(() => CollapseMonitor.fromState(spoiled(path, value) as MonitorState), {
      instanceOf: PapoError,
    });
    t.is(error.code, code, error.message);
    t.regex(error.message, says);
  });
}
