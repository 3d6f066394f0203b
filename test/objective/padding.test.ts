/** Padding costs no memory: fresh gradients of rows with mask 0 are never touched. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "ava";

test("where nearly all rows are padding, fresh gradients take nearly no memory, on every way", async (t) => {
  const child = fileURLToPath(new URL("padding-child.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import=tsx", child]);
  const { grown, evaluations } = JSON.parse(stdout) as { grown: number; evaluations: number };
  t.is(evaluations, 3);
  // Each of these gradients is 128 MiB long, and there are nine of them.
  t.true(grown < 2 ** 27, `grown by ${grown} bytes`);
});
