/** Results that lie in bench/results. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchResult } from "../result.js";

const RESULTS = fileURLToPath(new URL("../results/", import.meta.url));

/** Undefined where the file holds something else. */
export function readResult(path: string): BenchResult | undefined {
  const content: Partial<BenchResult> = JSON.parse(readFileSync(path, "utf8"));
  return content.parts === undefined ? undefined : (content as BenchResult);
}

/** Undefined where none was stored. */
export function newestResult(): BenchResult | undefined {
  return readdirSync(RESULTS)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => readResult(`${RESULTS}${name}`) ?? [])
    .sort((a, b) => a.date.localeCompare(b.date))
    .at(-1);
}
