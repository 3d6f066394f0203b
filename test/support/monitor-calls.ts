/** A valid call of every verb of `papo/monitor`, for tests that spoil one of its fields. */
import { CollapseMonitor, MONITOR_DEFAULTS, PerceptionBackoff } from "../../lib/monitor/index.js";

export type Fields = Record<string, unknown>;

export const METRICS = {
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

/** By name: fresh fields, and a call of them. */
export const MONITOR_CALLS: Readonly<
  Record<string, [valid: () => Fields, call: (fields: Fields) => unknown]>
> = {
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
