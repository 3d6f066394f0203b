/** Anything at the monitor's door: a result, a PapoError that names the argument, or what the caller's code threw. */
import test from "ava";
import fc from "fast-check";
import type { PapoErrorCode } from "../../lib/core/errors.js";
import { CollapseMonitor } from "../../lib/monitor/index.js";
import { CANDIDATES, errorOf, made } from "../support/hostile.js";
import { type Fields, METRICS, MONITOR_CALLS } from "../support/monitor-calls.js";
import { spoil, WAYS } from "../support/spoil.js";

for (const [name, [valid, call]] of Object.entries(MONITOR_CALLS)) {
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
    () => update({ metrics: new Array(65537) }),
    "ERR_ARGUMENT",
    "[CollapseMonitor.update] expected metrics of up to 65536 micro-batches, received an array of 65537",
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
