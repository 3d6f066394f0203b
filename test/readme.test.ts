/** The README's code runs as printed. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import test from "ava";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const programs = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string);
const library = pathToFileURL(join(root, "lib", "index.ts")).href;

test("the README has programs to run", (t) => {
  t.true(programs.length >= 3);
});

for (const [index, code] of programs.entries()) {
  test(`program ${index + 1} of the README runs and prints no NaN`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "papo-readme-"));
    try {
      const file = join(folder, "program.mts");
      writeFileSync(file, code.replaceAll('from "papo"', `from "${library}"`));
      const { stdout } = await promisify(execFile)(process.execPath, ["--import=tsx", file], {
        cwd: root,
      });
      t.true(stdout.trim().length > 0);
      t.notRegex(stdout, /NaN|undefined/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
