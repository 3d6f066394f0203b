/** The tests of JavaScript under V8's counts: lib/ as it stands in its files, everything else through tsx. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { filesBelow, ROOT, read } from "../structure/files.js";
import { blanked } from "./code.js";
import type { Counts } from "./uncovered.js";
import { addRun, lengthOf, linesOf, type Script } from "./v8.js";

const BLANKED = `${ROOT}build/coverage/blanked/`;
const REPORTS = `${ROOT}build/coverage/v8`;

export function forgetReports(): void {
  rmSync(REPORTS, { recursive: true, force: true });
}

/** Writes what test/coverage/blanked.mjs loads. */
export function prepare(): void {
  mkdirSync(REPORTS, { recursive: true });
  // Some tests start processes of another user.
  chmodSync(REPORTS, 0o1777);
  rmSync(BLANKED, { recursive: true, force: true });
  for (const file of filesBelow("lib").filter((path) => path.endsWith(".ts"))) {
    mkdirSync(dirname(`${BLANKED}${file}`), { recursive: true });
    writeFileSync(`${BLANKED}${file}`, blanked(read(file), file));
  }
}

/** For processes, and those that they start. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  NODE_V8_COVERAGE: REPORTS,
  NODE_OPTIONS: `--import=${pathToFileURL(`${ROOT}test/coverage/register.mjs`)}`,
};

export interface Measured {
  readonly counts: readonly Counts[];
  /** Tests whose process has left no report, such as one that was killed. */
  readonly lost: readonly string[];
  /** Loaded modules of lib/ whose text was another one than is judged. */
  readonly others: number;
}

/** What the reports say of lib/, and whether `tests` are among them. */
export function typescriptCounts(tests: readonly string[]): Measured {
  const files = filesBelow("build/coverage/blanked/lib").map((path) => {
    const javascript = read(path);
    const file = path.slice("build/coverage/blanked/".length);
    return { file, javascript, ran: new Uint8Array(javascript.length) };
  });
  const ranOf = new Map(files.map(({ file, ran }) => [file, ran]));
  const reported = new Set<string>();
  let others = 0;
  for (const report of readdirSync(REPORTS)) {
    for (const script of scriptsOf(`${REPORTS}/${report}`)) {
      reported.add(script.url);
      // Also of a copy of lib/ that a test has made.
      const ran = ranOf.get(/^file:.*\/(lib\/[^?]+\.ts)$/.exec(script.url)?.[1] ?? "");
      if (ran === undefined) continue;
      if (lengthOf(script) === ran.length) addRun(ran, script);
      else others += 1;
    }
  }
  const counts = files.map(({ file, javascript, ran }) => ({ file, ...linesOf(javascript, ran) }));
  const lost = tests.filter((test) => !reported.has(pathToFileURL(`${ROOT}${test}`).href));
  return { counts, lost, others };
}

function scriptsOf(path: string): readonly Script[] {
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as { readonly result: readonly Script[] })
      .result;
  } catch {
    // Of a process that was ended while it wrote.
    return [];
  }
}
