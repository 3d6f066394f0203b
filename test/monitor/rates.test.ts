/** How often healthy noise alarms, and how late a collapse does: the figures of docs/monitor.md, on fewer runs. */
import test from "ava";
import { delaysOf, falseAlarms } from "./rates.js";
import { REGIMES } from "./simulation.js";

for (const regime of REGIMES) {
  test(`healthy noise raises no alarm: learning rate ${regime}`, (t) => {
    for (const outliers of [0, 0.02]) {
      const { alarms, warnings, steps } = falseAlarms(20, { regime, outliers });
      t.is(alarms, 0);
      t.true(warnings <= (2 * steps) / 1000, `${warnings} warnings in ${steps} steps`);
    }
  });
}

for (const [onset, duration] of [
  [60, 70],
  [130, 70],
  [400, 150],
] as const) {
  test(`a collapse from step ${onset} over ${duration} steps alarms before its reward falls`, (t) => {
    const { delays, early } = delaysOf(20, {}, onset, duration);
    t.true(early >= 0.85, `${early}`);
    t.true((delays[0] as number) > 0.2 * duration, "not by chance");
  });
}
