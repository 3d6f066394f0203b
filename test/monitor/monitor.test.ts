/** The monitor on curves: which signs show, how strongly, since when, and what it says. */
import test from "ava";
import {
  CollapseMonitor,
  type MonitorMetrics,
  type MonitorReport,
  type MonitorRulesInput,
  type SignName,
} from "../../lib/monitor/index.js";
import { simulate } from "./simulation.js";

const HEALTHY = {
  perceptionKl: 0.04,
  perceptionKlVariance: 1.5,
  clipFraction: 0.0005,
  entropy: 0.2,
  maskedEntropy: 0.4,
} as const;

/** Runs `length` steps of metrics on a monitor, from step `from` on. */
function feed(
  monitor: CollapseMonitor,
  length: number,
  metricsAt: (i: number) => MonitorMetrics,
  from = 0,
): MonitorReport[] {
  return Array.from({ length }, (_, i) =>
    monitor.update({ step: from + i, metrics: metricsAt(i) }),
  );
}

function healthy(rules: MonitorRulesInput = {}): CollapseMonitor {
  const monitor = new CollapseMonitor({ rules });
  feed(monitor, 100, () => HEALTHY);
  return monitor;
}

function last(reports: readonly MonitorReport[]): MonitorReport {
  return reports.at(-1) as MonitorReport;
}

const namesOf = ({ signs }: MonitorReport): SignName[] => signs.map(({ name }) => name);

test("a flat run is calm, and all four signs are watched after the warm-up", (t) => {
  const monitor = new CollapseMonitor();
  const reports = feed(monitor, 60, () => HEALTHY);
  t.true(reports.every(({ level, signs }) => level === "calm" && signs.length === 0));
  t.deepEqual(reports[18]?.watching, []);
  t.deepEqual(reports[19]?.watching, [
    "perception-kl",
    "perception-kl-variance",
    "clip-fraction",
    "entropies",
  ]);
  t.is(last(reports).message, "calm");
  t.false("since" in last(reports));
});

test("the collapse of the paper is an alarm before its reward falls, with every sign in the end", (t) => {
  const monitor = new CollapseMonitor();
  const collapse = { onset: 130, duration: 70 };
  const reports = simulate({ seed: 1, steps: 230, noise: 0.5, collapse }).map((step) =>
    monitor.update(step),
  );
  const alarm = reports.find(({ level }) => level === "alarm");
  const confirmed = reports.find(({ confirmed }) => confirmed);
  t.true((alarm?.step ?? 999) > 145 && (alarm?.step ?? 999) < 180, `${alarm?.step}`);
  t.true((confirmed?.step ?? 0) > (alarm?.step ?? 999));
  t.deepEqual(namesOf(reports[205] as MonitorReport).sort(), [
    "clip-fraction",
    "entropies",
    "perception-kl",
    "perception-kl-variance",
  ]);
  t.is(last(reports).level, "alarm");
  t.is(last(reports).since, alarm?.step);
});

const ALONE: readonly [name: SignName, metricsAt: (i: number) => MonitorMetrics][] = [
  ["perception-kl", () => ({ ...HEALTHY, perceptionKl: 4 })],
  ["perception-kl-variance", () => ({ ...HEALTHY, perceptionKlVariance: 150 })],
  ["clip-fraction", () => ({ ...HEALTHY, clipFraction: 0.05 })],
  ["entropies", (i) => ({ ...HEALTHY, entropy: 0.2 * 1.05 ** i, maskedEntropy: 0.4 * 1.05 ** i })],
];

for (const [name, metricsAt] of ALONE) {
  test(`${name} alone is a warning and never an alarm, however strong`, (t) => {
    const reports = feed(healthy(), 60, metricsAt, 100);
    t.deepEqual(namesOf(last(reports)), [name]);
    t.is(last(reports).signs[0]?.level, "alarm");
    t.true(reports.every(({ level }) => level !== "alarm"));
  });
}

for (const [i, [first, firstAt]] of ALONE.entries()) {
  for (const [second, secondAt] of ALONE.slice(i + 1)) {
    test(`${first} and ${second} are an alarm`, (t) => {
      const changedBy = (at: typeof firstAt, step: number) =>
        Object.fromEntries(
          Object.entries(at(step)).filter(
            ([key, value]) => value !== HEALTHY[key as keyof typeof HEALTHY],
          ),
        );
      const both = (step: number) => ({
        ...HEALTHY,
        ...changedBy(firstAt, step),
        ...changedBy(secondAt, step),
      });
      const reports = feed(healthy(), 60, both, 100);
      t.is(last(reports).level, "alarm");
      t.deepEqual(namesOf(last(reports)), [first, second]);
    });
  }
}

test("a sign says its factor, its peak and since when", (t) => {
  const monitor = healthy({ pull: 1.0001 });
  const reports = [0.04, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0.2, 0.2, 0.2].map((perceptionKl, i) =>
    monitor.update({ step: 100 + i, metrics: { ...HEALTHY, perceptionKl } }),
  );
  const signs = reports.map(({ signs: [sign] }) => sign);
  // The median of five is above from the third high one on.
  t.deepEqual(
    signs.map((sign) => sign?.level),
    [undefined, undefined, undefined, "warn", "warn", "warn", "alarm", "alarm", "alarm", "warn"],
  );
  t.is(signs[9]?.since, 103);
  t.true(Math.abs((signs[3]?.factor ?? 0) - 5) < 0.01);
  t.true(Math.abs((signs[9]?.peak ?? 0) - 20) < 0.01);
  t.is(reports[3]?.since, 103);
  t.is(reports[9]?.since, 103);
  t.true(reports[3]?.changed);
  t.false(reports[4]?.changed);
  t.regex(
    reports[3]?.message ?? "",
    /^warning: perception KL 0\.2, 5 times its baseline, since step 103/,
  );
});

test("two weak signs warn, a third or a strong one makes an alarm, and a weight of 2 takes any two", (t) => {
  const weak = { ...HEALTHY, perceptionKl: 0.2, perceptionKlVariance: 7.5 };
  t.is(last(feed(healthy(), 5, () => weak, 100)).level, "warning");
  t.is(last(feed(healthy({ weight: 2 }), 5, () => weak, 100)).level, "alarm");
  const third = { ...weak, clipFraction: 0.004 };
  t.is(last(feed(healthy(), 5, () => third, 100)).level, "alarm");
  const strong = { ...weak, perceptionKl: 0.6 };
  t.is(last(feed(healthy(), 5, () => strong, 100)).level, "alarm");
  t.is(last(feed(healthy({ signs: 3 }), 5, () => strong, 100)).level, "warning");
});

test("an alarm lasts for as long as a strong sign, then warns, then is over", (t) => {
  const monitor = healthy();
  feed(monitor, 10, () => ({ ...HEALTHY, perceptionKl: 2, perceptionKlVariance: 100 }), 100);
  t.is(monitor.level, "alarm");
  // Where the KL saturates it has no variance.
  feed(monitor, 10, () => ({ ...HEALTHY, perceptionKl: 2, perceptionKlVariance: 0 }), 110);
  t.is(monitor.level, "alarm");
  feed(monitor, 10, () => ({ ...HEALTHY, perceptionKl: 0.2 }), 120);
  t.is(monitor.level, "warning");
  feed(monitor, 10, () => HEALTHY, 130);
  t.is(monitor.level, "calm");
});

test("what has stayed at a new level for long is the baseline", (t) => {
  const monitor = healthy();
  const reports = feed(
    monitor,
    2000,
    () => ({ ...HEALTHY, perceptionKl: 0.4, perceptionKlVariance: 15 }),
    100,
  );
  t.true(reports.some(({ level }) => level === "warning"));
  t.is(last(reports).level, "calm");
});

test("entropies that rise one without the other, or the masked one by less than twice, are no sign", (t) => {
  const one = feed(healthy(), 60, (i) => ({ ...HEALTHY, maskedEntropy: 0.4 * 1.05 ** i }), 100);
  t.true(one.every(({ level }) => level === "calm"));
  const little = (i: number) => ({
    ...HEALTHY,
    entropy: 0.2 * 1.01 ** i,
    maskedEntropy: 0.4 * 1.01 ** i,
  });
  t.true(feed(healthy(), 60, little, 100).every(({ level }) => level === "calm"));
});

test("clips of a few tokens are no fraction", (t) => {
  const few = (clipFraction: number) => ({ ...HEALTHY, tokens: 600, clipFraction });
  const monitor = new CollapseMonitor();
  feed(monitor, 100, () => few(0));
  t.is(last(feed(monitor, 5, () => few(9 / 600), 100)).level, "calm");
  t.is(last(feed(monitor, 5, () => few(11 / 600), 105)).level, "warning");
});

test("single wild steps are no sign, NaN is no measurement, Infinity is a large one", (t) => {
  const wild = { ...HEALTHY, perceptionKl: 1e6, perceptionKlVariance: 1e9, clipFraction: 1 };
  const monitor = healthy();
  t.true(
    feed(monitor, 40, (i) => (i % 10 < 2 ? wild : HEALTHY), 100).every(
      ({ level }) => level === "calm",
    ),
  );
  const nan = monitor.update({ metrics: { ...HEALTHY, perceptionKl: Number.NaN } });
  t.deepEqual(nan.invalid, ["perceptionKl"]);
  t.is(nan.level, "calm");
  const state = JSON.stringify(monitor);
  const infinite = { ...HEALTHY, perceptionKl: Infinity, perceptionKlVariance: Infinity };
  const alarm = last(feed(monitor, 5, () => infinite, 141));
  t.is(alarm.level, "alarm");
  t.false(/null|Infinity/.test(JSON.stringify(alarm) + state + JSON.stringify(monitor)));
});

test("a perception KL of 0 at the start is no baseline, and does not make what is learned a sign", (t) => {
  const monitor = new CollapseMonitor();
  const learned = (i: number) => ({
    ...HEALTHY,
    perceptionKl: i < 50 ? 0 : 0.05 * (1 - Math.exp(-(i - 50) / 20)),
    perceptionKlVariance: i < 50 ? 0 : 1.5 * (1 - Math.exp(-(i - 50) / 20)),
  });
  t.true(feed(monitor, 300, learned).every(({ level }) => level === "calm"));
  const away = { ...HEALTHY, perceptionKl: 0.9, perceptionKlVariance: 12.5 };
  t.is(last(feed(monitor, 5, () => away, 300)).level, "alarm");
});

test("without old log-probs or entropies it watches what is there, and says so", (t) => {
  const { perceptionKl, perceptionKlVariance } = HEALTHY;
  const monitor = new CollapseMonitor();
  const reports = feed(monitor, 30, () => ({ perceptionKl, perceptionKlVariance }));
  t.deepEqual(last(reports).watching, ["perception-kl", "perception-kl-variance"]);
  const away = { perceptionKl: 1, perceptionKlVariance: 20 };
  t.is(last(feed(monitor, 5, () => away, 30)).level, "alarm");
  const baseline = new CollapseMonitor();
  t.deepEqual(last(feed(baseline, 30, () => ({ clipFraction: 0.001 }))).watching, [
    "clip-fraction",
  ]);
  t.deepEqual(last(feed(new CollapseMonitor(), 30, () => ({}))).watching, []);
});

test("the exact KL and sampled entropies stand in, and what stands in at first does so for good", (t) => {
  const monitor = new CollapseMonitor();
  const sampled = { kl: 0.04, logProbs: -0.2, maskedLogProbs: -0.4 };
  t.deepEqual(last(feed(monitor, 30, () => sampled)).watching, ["perception-kl", "entropies"]);
  // Another definition of the same quantity must not look like a jump.
  const other = { ...sampled, perceptionKl: 40, entropy: 40, maskedEntropy: 40 };
  t.is(last(feed(monitor, 30, () => other, 30)).level, "calm");
  const rising = (i: number) => ({
    kl: 0.04 * 1.06 ** i,
    logProbs: -0.2 * 1.03 ** i,
    maskedLogProbs: -0.4 * 1.03 ** i,
  });
  t.is(last(feed(monitor, 60, rising, 60)).level, "alarm");
});

test("after a gap nothing shows until it is measured anew, against the baselines of before", (t) => {
  const monitor = healthy();
  const away = { ...HEALTHY, perceptionKl: 0.9, perceptionKlVariance: 20 };
  feed(monitor, 10, () => away, 100);
  t.is(monitor.level, "alarm");
  const late = feed(monitor, 5, () => away, 500);
  t.is(late[0]?.level, "calm");
  t.is(last(late).level, "alarm");
  const missing = healthy();
  feed(missing, 10, () => away, 100);
  const silent = feed(missing, 60, () => ({ clipFraction: 0.0005 }), 110);
  t.is(silent[0]?.level, "alarm");
  t.is(last(silent).level, "calm");
  t.deepEqual(last(silent).watching, ["clip-fraction"]);
});

test("a gap is more steps than the rules say, not as many", (t) => {
  const away = { ...HEALTHY, perceptionKl: 0.9, perceptionKlVariance: 20 };
  for (const [steps, level] of [
    [10, "alarm"],
    [11, "calm"],
  ] as const) {
    const monitor = healthy({ gap: 10 });
    feed(monitor, 10, () => away, 100);
    t.is(monitor.level, "alarm");
    t.is(monitor.update({ step: 109 + steps, metrics: away }).level, level, `${steps}`);
  }
});

test("steps go up; left out, they follow each other", (t) => {
  const monitor = new CollapseMonitor();
  t.is(monitor.update({ metrics: HEALTHY }).step, 0);
  t.is(monitor.update({ step: 7, metrics: HEALTHY }).step, 7);
  t.is(monitor.update({ metrics: HEALTHY }).step, 8);
  const state = JSON.stringify(monitor);
  t.throws(() => monitor.update({ step: 8, metrics: HEALTHY }), {
    code: "ERR_RANGE",
    message: /after 8/,
  });
  t.is(JSON.stringify(monitor), state);
  monitor.restart();
  t.is(monitor.update({ step: 3, metrics: HEALTHY }).step, 3);
});

test("a restart forgets baselines and keeps rules", (t) => {
  const monitor = healthy({ warmUp: 30 });
  monitor.restart();
  t.is(monitor.rules.warmUp, 30);
  t.deepEqual(monitor.state(), new CollapseMonitor({ rules: { warmUp: 30 } }).state());
});

test("callbacks run where a warning begins from calm and where an alarm begins", (t) => {
  const calls: string[] = [];
  const monitor = new CollapseMonitor({
    onWarning: ({ step }) => calls.push(`warning ${step}`),
    onAlarm: ({ step }) => calls.push(`alarm ${step}`),
  });
  feed(monitor, 100, () => HEALTHY);
  feed(monitor, 10, () => ({ ...HEALTHY, perceptionKl: 0.3 }), 100);
  feed(monitor, 10, () => ({ ...HEALTHY, perceptionKl: 0.9, perceptionKlVariance: 20 }), 110);
  feed(monitor, 10, () => ({ ...HEALTHY, perceptionKl: 0.3 }), 120);
  feed(monitor, 10, () => HEALTHY, 130);
  t.deepEqual(calls, ["warning 102", "alarm 112"]);
});

test("what a callback throws comes out, and the step is counted", (t) => {
  const monitor = new CollapseMonitor({
    rules: { warmUp: 1, recent: 1 },
    onWarning: () => {
      throw new Error("the caller's own");
    },
  });
  monitor.update({ metrics: HEALTHY });
  const metrics = { ...HEALTHY, perceptionKl: 5 };
  t.throws(() => monitor.update({ metrics }), { message: "the caller's own" });
  t.is(monitor.level, "warning");
  t.is(monitor.update({ metrics }).step, 2);
});

test("the advice lowers γ, raises η and keeps the reference KL, from the coefficients it is told", (t) => {
  const monitor = healthy();
  const metrics = { ...HEALTHY, perceptionKl: 0.9, perceptionKlVariance: 20 };
  const told = { perceptionKl: 0.02, refKl: 0.01, entropy: 0, maskedEntropy: 0, sft: 0 };
  for (let i = 0; i < 4; i++) monitor.update({ metrics, coefficients: told });
  const { advice, message } = monitor.update({ metrics, coefficients: told });
  t.deepEqual(
    advice.map(({ coefficient, action, from, to }) => [coefficient, action, from, to]),
    [
      ["perceptionKl", "lower", 0.02, 0.01],
      ["entropy", "raise", 0, 0.03],
      ["refKl", "keep", 0.01, undefined],
    ],
  );
  t.regex(message, /To try: lower perceptionKl to 0\.01, raise entropy to 0\.03$/);
  const none = { perceptionKl: 0, refKl: 0, entropy: 0.1, maskedEntropy: 0 };
  t.deepEqual(
    monitor
      .update({ metrics, coefficients: none })
      .advice.map(({ coefficient, action }) => [coefficient, action]),
    [["refKl", "raise"]],
  );
  const unknown = monitor.update({ metrics }).advice;
  t.deepEqual(
    unknown.map(({ coefficient, to }) => [coefficient, to]),
    [
      ["perceptionKl", 0.01],
      ["entropy", 0.03],
      ["refKl", undefined],
    ],
  );
});

test("a reward that falls confirms a sign and is none itself; NaN is no reward", (t) => {
  const monitor = new CollapseMonitor();
  const at = (step: number, perceptionKl: number, reward: number) =>
    monitor.update({ step, metrics: { ...HEALTHY, perceptionKl }, reward });
  const wave = (step: number) => 0.02 * Math.sin(step * 1.7);
  for (let step = 0; step < 60; step++) t.false(at(step, 0.04, 0.6 + wave(step)).confirmed);
  for (let step = 60; step < 90; step++) {
    const report = at(step, 0.04, step === 70 ? Number.NaN : 0.6 - 0.01 * (step - 60) + wave(step));
    t.is(report.level, "calm");
    t.false(report.confirmed);
  }
  for (let step = 90; step < 95; step++) at(step, 0.9, 0.3 - 0.01 * (step - 90));
  const { level, confirmed, message } = at(95, 0.9, 0.24);
  t.is(level, "warning");
  t.true(confirmed);
  t.regex(message, /the reward falls/);
});

test("micro-batches are merged by their tokens", (t) => {
  const [one, parts] = [healthy(), healthy()];
  for (let i = 0; i < 5; i++) {
    one.update({ metrics: { ...HEALTHY, perceptionKl: 0.5, perceptionKlVariance: 0.25 } });
    parts.update({
      metrics: [
        { ...HEALTHY, tokens: 10, perceptionKl: 0, perceptionKlVariance: 0 },
        { ...HEALTHY, tokens: 10, perceptionKl: 1, perceptionKlVariance: 0 },
        { tokens: 0, perceptionKl: 0 },
      ],
    });
  }
  t.is(parts.level, one.level);
  t.deepEqual(parts.state().tracks.perceptionKl, one.state().tracks.perceptionKl);
  t.deepEqual(parts.state().tracks.perceptionKlVariance, one.state().tracks.perceptionKlVariance);
});

test("reports are frozen plain data", (t) => {
  const report = last(feed(healthy(), 5, () => ({ ...HEALTHY, perceptionKl: 1 }), 100));
  t.true(
    Object.isFrozen(report) && Object.isFrozen(report.signs) && Object.isFrozen(report.signs[0]),
  );
  t.deepEqual(JSON.parse(JSON.stringify(report)), report);
});

test("a reward that is noisy, or falls by little, confirms nothing", (t) => {
  const away = { ...HEALTHY, perceptionKl: 0.9 };
  const confirmedBy = (rewardAt: (i: number) => number) => {
    const monitor = healthy();
    for (let i = 0; i < 30; i++) monitor.update({ metrics: away, reward: rewardAt(i) });
    return monitor.update({ metrics: away, reward: rewardAt(30) }).confirmed;
  };
  t.true(confirmedBy((i) => 0.6 - 0.01 * i));
  t.false(
    confirmedBy((i) => 0.6 - 0.001 * i),
    "3 % of its mean",
  );
  // A wave that goes down in the window by more than 5 %, two standard errors from flat.
  const noisy = (i: number) => 0.6 - 0.004 * i + (i % 2 === 0 ? 0.06 : -0.06);
  t.false(confirmedBy(noisy));
});

test("entropies of before a gap are no trend with those after it", (t) => {
  const monitor = healthy();
  const after = { ...HEALTHY, entropy: 0.5, maskedEntropy: 2 };
  const reports = feed(monitor, 30, () => after, 300);
  t.false(reports[10]?.watching.includes("entropies"));
  t.true(last(reports).watching.includes("entropies"));
  t.true(
    reports.every(({ level }) => level === "calm"),
    "high, and not rising",
  );
});
