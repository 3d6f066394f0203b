/** Anything at the monitor's door: a result, a PapoError that names the argument, or what the caller's code threw. */
import test from "ava";
import fc from "fast-check";
import type { PapoErrorCode } from "../../lib/core/errors.js";
import { CollapseMonitor, MONITOR_DEFAULTS, PerceptionBackoff } from "../../lib/monitor/index.js";
import { CANDIDATES, errorOf, made } from "../support/hostile.js";
import { spoil, WAYS } from "../support/spoil.js";

type Fields = Record<string, unknown>;

const METRICS = {
  tokens: 100,
  perceptionKl: 0.04,
  perceptionKlVariance: 1.5,
  clipFraction: 0.001,
  entropy: 0.2,
  maskedEntropy: 0.4,
};

const STATE = JSON.stringify(
  [...Array(30).keys()].reduce((monitor) => {
    monitor.update({ metrics: METRICS, reward: 1 });
    return monitor;
  }, new CollapseMonitor()),
);

const DOORS: Readonly<Record<string, [valid: () => Fields, call: (fields: Fields) => unknown]>> = {
  CollapseMonitor: [
    () => ({ rules: {}, onAlarm: () => 0, onWarning: () => 0 }),
    (fields) => new CollapseMonitor(fields),
  ],
  "CollapseMonitor rules": [
    () => ({ ...MONITOR_DEFAULTS }),
    (fields) => new CollapseMonitor({ rules: fields }),
  ],
  update: [
    () => ({ step: 3, metrics: METRICS, reward: 1, coefficients: {} }),
    (fields) => new CollapseMonitor().update(fields as never),
  ],
  "update metrics": [
    () => ({ ...METRICS }),
    (fields) => new CollapseMonitor().update({ metrics: [fields, METRICS] as never }),
  ],
  "update coefficients": [
    () => ({ perceptionKl: 0, entropy: 0, maskedEntropy: 0, refKl: 0, sft: 0 }),
    (fields) => new CollapseMonitor().update({ metrics: METRICS, coefficients: fields }),
  ],
  fromState: [
    () => JSON.parse(STATE) as Fields,
    (fields) => CollapseMonitor.fromState(fields as never).update({ metrics: METRICS, reward: 0 }),
  ],
  PerceptionBackoff: [
    () => ({ perceptionKl: 0.01, entropy: 0.03, factor: 0.5, least: 0.1, patience: 5 }),
    (fields) => new PerceptionBackoff(fields).update({ level: "alarm" }),
  ],
  "PerceptionBackoff.fromState": [
    () => ({ ...new PerceptionBackoff().state() }),
    (fields) => PerceptionBackoff.fromState(fields as never).update({ level: "calm" }),
  ],
};

for (const [name, [valid, call]] of Object.entries(DOORS)) {
  test(`${name} takes anything in any of its fields`, async (t) => {
    t.is(await errorOf(() => call(valid())), undefined, "the valid call");
    const keys = Object.keys(valid());
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...keys, "unknown"),
        fc.constantFrom(...WAYS),
        CANDIDATES,
        async (key, way, candidate) => {
          const fields = valid();
          spoil(fields, key, way, candidate);
          await errorOf(() => call(fields));
        },
      ),
      { numRuns: 250, includeErrorInReport: true },
    );
  });

  test(`${name} takes anything at all`, async (t) => {
    await fc.assert(
      fc.asyncProperty(CANDIDATES, async (candidate) => {
        await errorOf(() => call(made(candidate) as Fields));
      }),
      { numRuns: 250, includeErrorInReport: true },
    );
    t.pass();
  });
}

const update = (step: Fields) => new CollapseMonitor().update(step as never);

const REFUSED: readonly [call: () => unknown, code: PapoErrorCode, message: string][] = [
  [
    () => new CollapseMonitor({ thresholds: {} } as never),
    "ERR_ARGUMENT",
    '[CollapseMonitor] expected options to hold only rules, onWarning, onAlarm, received "thresholds"',
  ],
  [
    () => new CollapseMonitor({ rules: { perceptionKl: { warn: 1 } } }),
    "ERR_RANGE",
    "[CollapseMonitor] expected rules.perceptionKl.warn to be a number above 1, received 1",
  ],
  [
    () => new CollapseMonitor({ rules: { perceptionKl: { alarm: 3 } } }),
    "ERR_RANGE",
    "[CollapseMonitor] expected rules.perceptionKl.alarm to be a number from 4 up, received 3",
  ],
  [
    () => new CollapseMonitor({ rules: { signs: 1 } }),
    "ERR_RANGE",
    "[CollapseMonitor] expected rules.signs to be a number from 2 to 4, received 1",
  ],
  [
    () => new CollapseMonitor({ onAlarm: 3 as never }),
    "ERR_ARGUMENT",
    "[CollapseMonitor] expected onAlarm to be a function, received 3",
  ],
  [
    () => update({}),
    "ERR_ARGUMENT",
    "[CollapseMonitor.update] expected metrics to be an object, received undefined",
  ],
  [
    () => update({ metrics: { ...METRICS, entropy: "0.2" } }),
    "ERR_ARGUMENT",
    '[CollapseMonitor.update] expected metrics.entropy to be a number, received "0.2"',
  ],
  [
    () => update({ metrics: [METRICS, { entropy: 1 }] }),
    "ERR_ARGUMENT",
    "[CollapseMonitor.update] expected metrics[1].tokens, the weight of this part, received none",
  ],
  [
    () => update({ metrics: { tokens: -1 } }),
    "ERR_RANGE",
    "[CollapseMonitor.update] expected metrics.tokens to be a number from 0 up, received -1",
  ],
  [
    () => update({ metrics: {}, step: 1.5 }),
    "ERR_RANGE",
    "[CollapseMonitor.update] expected step to be an integer, received 1.5",
  ],
  [
    () => update({ metrics: {}, reward: "1" }),
    "ERR_ARGUMENT",
    '[CollapseMonitor.update] expected reward to be a number, received "1"',
  ],
  [
    () => update({ metrics: {}, coefficients: { gamma: 1 } }),
    "ERR_ARGUMENT",
    '[CollapseMonitor.update] expected coefficients to hold only perceptionKl, entropy, maskedEntropy, refKl, sft, received "gamma"',
  ],
];

test("what is refused is named in a sentence", (t) => {
  for (const [call, code, message] of REFUSED) t.throws(call, { code, message });
});
