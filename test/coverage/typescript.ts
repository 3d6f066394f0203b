/** The tests of JavaScript under V8's counts: lib/ as it stands in its files, everything else through tsx. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { filesBelow, ROOT, read } from "../structure/files.js";
import { blanked } from "./code.js";
import type { Counts } from "./uncovered.js";
import { addRun, lengthOf, linesOf, type Script } from "./v8.js";

const BLANKED = `${ROOT}build/coverage/blanked/`;
const REPORTS = `${ROOT}build/coverage/v8`;

/** Writes what test/coverage/blanked.mjs loads, and forgets the last reports. */
export function prepare(): void {
  rmSync(REPORTS, { recursive: true, force: true });
  mkdirSync(REPORTS, { recursive: true });
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

export function typescriptCounts(): Counts[] {
  const files = filesBelow("build/coverage/blanked/lib").map((path) => {
    const javascript = read(path);
    const file = path.slice("build/coverage/blanked/".length);
    return { file, javascript, ran: new Uint8Array(javascript.length) };
  });
  const byUrl = new Map(files.map(({ file, ran }) => [pathToFileURL(`${ROOT}${file}`).href, ran]));
  let others = 0;
  for (const report of readdirSync(REPORTS)) {
    const { result } = JSON.parse(readFileSync(`${REPORTS}/${report}`, "utf8")) as {
      readonly result: readonly Script[];
    };
    for (const script of result) {
      const ran = byUrl.get(script.url);
      if (ran === undefined) continue;
      if (lengthOf(script) === ran.length) addRun(ran, script);
      else others += 1;
    }
  }
  if (others > 0)
    console.error(`${others} loaded modules of lib/ passed over: not the blanked text`);
  return files.map(({ file, javascript, ran }) => ({ file, ...linesOf(javascript, ran) }));
}
