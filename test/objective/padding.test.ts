/** Padding costs no memory: fresh gradients of rows with mask 0 are never touched. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import test from "ava";
import { programBeside } from "../support/beside.js";

test("where nearly all rows are padding, fresh gradients take nearly no memory, on every way", async (t) => {
  const child = programBeside(import.meta.url, "padding-child");
  const { stdout } = await promisify(execFile)(process.execPath, child);
  const { grown, evaluations } = JSON.parse(stdout) as { grown: number; evaluations: number };
  t.is(evaluations, 3);
  // Each of these gradients is 128 MiB long, and there are nine of them.
  t.true(grown < 2 ** 27, `grown by ${grown} bytes`);
});
