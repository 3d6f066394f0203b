/** Cases that once failed: `npm run fuzz` adds to them, and `npm test` replays them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Case } from "./cases.js";

export interface Regression {
  /** What it showed when it was found. */
  readonly found: string;
  readonly case: Case;
}

const PATH = join(import.meta.dirname, "regressions.json");

export function readRegressions(): Regression[] {
  return existsSync(PATH) ? (JSON.parse(readFileSync(PATH, "utf8")) as Regression[]) : [];
}

/** Adds a case, unless it is there. */
export function recordRegression(each: Case, found: string): void {
  const all = readRegressions();
  if (all.some((other) => JSON.stringify(other.case) === JSON.stringify(each))) return;
  // Without the lines of a stack, whose paths are a machine's.
  all.push({ found: found.split(" | at ")[0] as string, case: each });
  writeFileSync(PATH, `${JSON.stringify(all, null, 2)}\n`);
}
