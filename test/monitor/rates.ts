/** `npx tsx test/monitor/rates.ts [runs]`: false alarms on healthy noise and delays of collapses, as a table. */
import { CollapseMonitor, type MonitorRulesInput } from "../../lib/monitor/index.js";
import { REGIMES, type Simulation, simulate } from "./simulation.js";

export interface Rates {
  readonly steps: number;
  readonly alarms: number;
  readonly warnings: number;
}

/** Alarms and warnings that began in healthy runs of 500 steps. */
export function falseAlarms(
  runs: number,
  options: Partial<Simulation>,
  rules: MonitorRulesInput = {},
): Rates {
  const rates = { steps: 0, alarms: 0, warnings: 0 };
  for (let seed = 0; seed < runs; seed++) {
    const monitor = new CollapseMonitor({
      rules,
      onAlarm: () => rates.alarms++,
      onWarning: () => rates.warnings++,
    });
    for (const step of simulate({ steps: 500, ...options, seed })) monitor.update(step);
    rates.steps += 500;
  }
  return rates;
}

export interface Delays {
  /** Steps from the onset to the alarm, in ascending order; missed ones are Infinity. */
  readonly delays: readonly number[];
  /** Runs that alarmed before the onset: false alarms, and not among the delays. */
  readonly before: number;
  /** Share of the other runs whose alarm came before the reward fell. */
  readonly early: number;
}

export function delaysOf(
  runs: number,
  options: Partial<Simulation>,
  onset: number,
  duration: number,
  rules: MonitorRulesInput = {},
): Delays {
  const alarms = Array.from({ length: runs }, (_, seed) => {
    const monitor = new CollapseMonitor({ rules });
    const collapse = { onset, duration };
    const steps = simulate({ ...options, seed, steps: onset + 2 * duration, collapse });
    const alarm = steps.findIndex((step) => monitor.update(step).level === "alarm");
    return alarm < 0 ? Number.POSITIVE_INFINITY : alarm - onset;
  });
  const delays = alarms.filter((delay) => delay >= 0).sort((a, b) => a - b);
  const early = delays.filter((delay) => delay < 0.8 * duration).length / delays.length;
  return { delays, before: runs - delays.length, early };
}

if (process.argv[1]?.endsWith("rates.ts")) {
  const runs = Number(process.argv[2] ?? 400);
  const rules = JSON.parse(process.argv[3] ?? "{}") as MonitorRulesInput;
  console.log("healthy: regime, noise, outliers → alarms, warnings per 1000 steps");
  for (const regime of REGIMES) {
    for (const [noise, outliers] of [
      [1, 0],
      [1, 0.02],
      [2, 0],
    ] as const) {
      const { steps, alarms, warnings } = falseAlarms(runs, { regime, noise, outliers }, rules);
      const per = (count: number) => ((1000 * count) / steps).toFixed(4);
      console.log(`${regime}, ${noise}, ${outliers} → ${per(alarms)}, ${per(warnings)}`);
    }
  }
  console.log(
    "collapse: onset, duration, noise → delay 10 %, 50 %, 90 %, share before the reward falls",
  );
  for (const onset of [30, 130, 400]) {
    for (const duration of [20, 70, 150, 300]) {
      for (const noise of [1, 2]) {
        const { delays, early } = delaysOf(runs / 4, { noise }, onset, duration, rules);
        const at = (share: number) => delays[Math.floor(share * (delays.length - 1))];
        console.log(
          `${onset}, ${duration}, ${noise} → ${at(0.1)}, ${at(0.5)}, ${at(0.9)}, ${early}`,
        );
      }
    }
  }
}
