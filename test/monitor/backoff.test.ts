/** The γ that backs off: its rule step by step, its state, and what it does to an evaluation. */
import test from "ava";
import { objective } from "../../lib/index.js";
import { CollapseMonitor, type MonitorLevel, PerceptionBackoff } from "../../lib/monitor/index.js";
import { assertClose } from "../support/close.js";

const NEAR = { rtol: 1e-12, atol: 0 };

function shares(backoff: PerceptionBackoff, levels: readonly MonitorLevel[]): number[] {
  return levels.map((level) => {
    backoff.update({ level });
    return backoff.share;
  });
}

const repeat = (level: MonitorLevel, times: number) => Array<MonitorLevel>(times).fill(level);

test("γ halves when an alarm begins and every patience steps while it lasts, down to the least", (t) => {
  const backoff = new PerceptionBackoff({ perceptionKl: 0.02, patience: 3, least: 0.1 });
  t.deepEqual(
    shares(backoff, repeat("alarm", 11)),
    [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.1, 0.1],
  );
  assertClose(t, "γ", backoff.coefficients.perceptionKl, 0.002, NEAR);
});

test("a warning holds it, calm steps bring it back in recovery steps for each halving", (t) => {
  const backoff = new PerceptionBackoff({ recovery: 50 });
  shares(backoff, [...repeat("alarm", 11), ...repeat("warning", 30)]);
  t.is(backoff.share, 0.25);
  shares(backoff, repeat("calm", 50));
  assertClose(t, "half", backoff.share, 0.5, NEAR);
  shares(backoff, repeat("calm", 51));
  t.is(backoff.share, 1);
  t.deepEqual(backoff.coefficients, { perceptionKl: 0.01 });
});

test("an alarm that comes back halves at once", (t) => {
  const backoff = new PerceptionBackoff({ patience: 5 });
  t.deepEqual(shares(backoff, ["alarm", "alarm", "warning", "alarm"]), [0.5, 0.5, 0.5, 0.25]);
});

test("η's rise as γ falls, up to a factor, and are left out where they are not given", (t) => {
  const backoff = new PerceptionBackoff({
    entropy: 0.03,
    maskedEntropy: 0.02,
    patience: 1,
    raise: 3,
  });
  t.deepEqual(backoff.coefficients, { perceptionKl: 0.01, entropy: 0.03, maskedEntropy: 0.02 });
  t.deepEqual(backoff.update({ level: "alarm" }), {
    perceptionKl: 0.005,
    entropy: 0.06,
    maskedEntropy: 0.04,
  });
  assertClose(t, "raise", backoff.update({ level: "alarm" }).entropy ?? 0, 0.09, NEAR);
});

test("its state goes through JSON", (t) => {
  for (const options of [{}, { perceptionKl: 0.02, entropy: 0.03, patience: 4, least: 0.2 }]) {
    const one = new PerceptionBackoff(options);
    shares(one, [...repeat("alarm", 6), ...repeat("calm", 3), "alarm"]);
    const other = PerceptionBackoff.fromState(JSON.parse(JSON.stringify(one)));
    t.deepEqual(other.state(), one.state());
    const more: MonitorLevel[] = ["alarm", "alarm", "alarm", "alarm", "calm", "alarm"];
    t.deepEqual(shares(other, more), shares(one, more));
  }
});

test("what it refuses is named", (t) => {
  const state = new PerceptionBackoff().state();
  const refused: readonly [() => unknown, string, RegExp][] = [
    [() => new PerceptionBackoff({ factor: 1 }), "ERR_RANGE", /factor/],
    [() => new PerceptionBackoff({ factor: 0 }), "ERR_RANGE", /factor/],
    [() => new PerceptionBackoff({ least: 0 }), "ERR_RANGE", /least/],
    [() => new PerceptionBackoff({ patience: 0.5 }), "ERR_RANGE", /patience/],
    [() => new PerceptionBackoff({ gamma: 1 } as never), "ERR_ARGUMENT", /"gamma"/],
    [() => new PerceptionBackoff().update("alarm" as never), "ERR_ARGUMENT", /report/],
    [() => new PerceptionBackoff().update({ level: "high" as never }), "ERR_ARGUMENT", /level/],
    [
      () => PerceptionBackoff.fromState({ ...state, version: 2 as 1 }),
      "ERR_UNSUPPORTED",
      /version/,
    ],
    [() => PerceptionBackoff.fromState({ ...state, share: 2 }), "ERR_RANGE", /share/],
    [() => PerceptionBackoff.fromState({ ...state, share: 0.01 }), "ERR_RANGE", /share/],
    [() => PerceptionBackoff.fromState({ ...state, alarmed: 11 }), "ERR_RANGE", /alarmed/],
    [
      () => PerceptionBackoff.fromState({ ...state, raise: undefined } as never),
      "ERR_ARGUMENT",
      /raise/,
    ],
  ];
  for (const [call, code, message] of refused) t.throws(call, { code, message }, String(message));
});

test("metrics of evaluations go in, and the coefficients come back to them", (t) => {
  const papo = objective("papo-g-7b").build();
  const monitor = new CollapseMonitor({ rules: { warmUp: 5, recent: 1 } });
  const backoff = new PerceptionBackoff({ perceptionKl: 0.02, entropy: 0.05, maskedEntropy: 0.05 });
  const gammas: number[] = [];
  for (let step = 0; step < 8; step++) {
    // From step 6 on the masked policy gives half of the tokens up, and the ratios leave the clip.
    const [gap, shift] = step < 6 ? [0.5, 0] : [4, 1];
    const { metrics, coefficients } = papo.evaluate(
      {
        logProbs: [-1, -2, -1, -2],
        maskedLogProbs: [-1 - gap, -2, -1 - gap, -2],
        oldLogProbs: [-1 - shift, -2, -1, -2],
        refLogProbs: [-1, -2, -1, -2],
        advantages: [1, -1],
        cuSeqlens: [0, 2, 4],
      },
      { coefficients: backoff.coefficients },
    );
    gammas.push(coefficients.perceptionKl);
    const report = monitor.update({ step, metrics, coefficients });
    t.is(report.level, step < 6 ? "calm" : "alarm");
    backoff.update(report);
  }
  t.deepEqual(gammas, [0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.01]);
});
