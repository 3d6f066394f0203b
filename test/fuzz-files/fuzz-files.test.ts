/** A few hundred broken files of every kind; `npm run fuzz:files` makes as many as are asked for. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { TARGETS } from "./targets.js";

const CASES = 400;
/** Always the same cases, so that all outcomes are among them or never are; the command draws new ones. */
const SEED = 20261121;
/** What each kind of case must have come to at least once, or it tries nothing. */
const OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  reader: ["read", "refused"],
  batch: ["exit 0", "exit 3"],
  writer: ["written", "refused"],
  elf: ["objection, no tables", "tables"],
  image: ["read", "refused"],
  text: ["state refused", "objective read", "objective refused"],
};

const folder = mkdtempSync(join(tmpdir(), "papo-fuzz-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

for (const { name, share, property, outcomes } of TARGETS) {
  test(`broken files, ${name}: a result or an error that says what is wrong`, async (t) => {
    const numRuns = Math.ceil(Math.max(share, 0.1) * CASES);
    await fc.assert(property(folder), { numRuns, seed: SEED });
    for (const outcome of OUTCOMES[name] as readonly string[]) {
      t.true((outcomes.get(outcome) ?? 0) > 0, `${outcome} among ${[...outcomes.keys()].join()}`);
    }
  });
}
