/** What the fuzzer once found stays mended. */
import test from "ava";
import { startFrameworks } from "./framework-doors.js";
import { readRegressions } from "./regressions.js";
import { runCase } from "./run-case.js";

test.before(startFrameworks);

test("every case that once failed holds all properties", async (t) => {
  t.pass();
  for (const { found, case: each } of readRegressions()) {
    await t.notThrowsAsync(runCase(each), `${found}: ${JSON.stringify(each)}`);
  }
});
