/** When a run collapsed and when the monitor said so. */
import type { RunResult } from "../trainer/index.js";
import { stepsOf } from "./measures.js";

/** Batches on either side over which a reward is averaged; the window is centred, so that it delays nothing. */
const HALF_WINDOW = 5;
/** A reward has fallen when its smoothed value is below this share of its maximum so far. */
export const FALLEN = 0.8;

/** Batches count from 1; undefined where it did not happen. */
export interface Course {
  readonly fall: number | undefined;
  readonly warning: number | undefined;
  readonly alarm: number | undefined;
  /** Smoothed rewards: the largest, and the last. */
  readonly best: number;
  readonly last: number;
}

export function courseOf(run: RunResult): Course {
  const rewards = smoothed(stepsOf(run, "reward"));
  const first = (levels: readonly string[]): number | undefined =>
    run.monitor.find(({ level }) => levels.includes(level))?.batch;
  return {
    fall: fallOf(rewards),
    warning: first(["warning", "alarm"]),
    alarm: first(["alarm"]),
    best: Math.max(...rewards),
    last: rewards.at(-1) ?? Number.NaN,
  };
}

/** Batch at which a smoothed reward is first below FALLEN of its maximum so far. */
function fallOf(rewards: readonly number[]): number | undefined {
  let best = Number.NEGATIVE_INFINITY;
  for (const [at, reward] of rewards.entries()) {
    best = Math.max(best, reward);
    if (reward < FALLEN * best) return at + 1;
  }
  return undefined;
}

/** Centred means; at the ends of what there is. Values that are not finite do not count. */
export function smoothed(values: readonly number[]): number[] {
  return values.map((_, at) => {
    const window = values
      .slice(Math.max(0, at - HALF_WINDOW), at + HALF_WINDOW + 1)
      .filter(Number.isFinite);
    return window.reduce((sum, value) => sum + value, 0) / window.length;
  });
}
