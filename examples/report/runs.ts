/** The runs that the report is about: read from `<folder>/<arm>/seed-<n>.json`, grouped by arm. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readRun, type StoredRun } from "../experiment/result.js";

/** The runs of one arm by their seed, in order of seeds. */
export type Runs = ReadonlyMap<number, StoredRun>;

/** All that was run, by the arm's id. */
export interface Laboratory {
  readonly arms: ReadonlyMap<string, Runs>;
}

/**
 * Arms without a result file are absent; a folder that does not exist holds none.
 *
 * @throws Error that names a file that is no result
 */
export function readLaboratory(folder: string): Laboratory {
  const arms = new Map<string, Runs>();
  for (const arm of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    if (!arm.isDirectory()) continue;
    const runs = readdirSync(join(folder, arm.name))
      .filter((file) => /^seed-\d+\.json$/.test(file))
      .map((file) => readRun(join(folder, arm.name, file)));
    if (runs.length > 0) arms.set(arm.name, bySeed(runs));
  }
  return { arms };
}

function bySeed(runs: readonly StoredRun[]): Runs {
  const sorted = [...runs].sort((a, b) => a.config.seed - b.config.seed);
  return new Map(sorted.map((run) => [run.config.seed, run]));
}

export function runsOf(laboratory: Laboratory, arm: string): Runs {
  return laboratory.arms.get(arm) ?? new Map();
}

export function allRuns(laboratory: Laboratory): StoredRun[] {
  return [...laboratory.arms.values()].flatMap((runs) => [...runs.values()]);
}
