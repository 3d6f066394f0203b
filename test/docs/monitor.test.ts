/** The program of docs/monitor.md runs as printed and prints what it says; its table of signs is that of the defaults. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import test from "ava";
import { MONITOR_DEFAULTS } from "../../lib/monitor/index.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(join(root, "docs", "monitor.md"), "utf8");
const library = pathToFileURL(join(root, "lib", "monitor", "index.ts")).href;

test("the program prints what its comments say", (t) => {
  const [, code = ""] = /^```ts\n(.*?)^```$/ms.exec(page) ?? [];
  const promised = [...code.matchAll(/^(?:console\.log\(.*\); )?\/\/ ((?:alarm|0\.).*)$/gm)];
  t.is(promised.length, 4);
  const folder = mkdtempSync(join(tmpdir(), "papo-docs-"));
  try {
    const file = join(folder, "program.mts");
    writeFileSync(file, code.replaceAll('from "papo/monitor"', `from "${library}"`));
    const args = ["--import=tsx", file];
    const printed = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    t.deepEqual(
      printed.trimEnd().split("\n"),
      promised.map(([, text]) => text),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the table of signs has the default thresholds", (t) => {
  const rows = {
    "perception-kl": MONITOR_DEFAULTS.perceptionKl,
    "perception-kl-variance": MONITOR_DEFAULTS.perceptionKlVariance,
    "clip-fraction": MONITOR_DEFAULTS.clipFraction,
    entropies: MONITOR_DEFAULTS.maskedEntropy,
  };
  for (const [name, { warn, alarm, floor }] of Object.entries(rows)) {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${name}\``)) ?? "";
    const [, , , shows = "", strong = "", least = ""] = row.split("|");
    t.true(shows.includes(`${warn} ×`), `${name}: ${shows}`);
    t.true(strong.includes(`${alarm} ×`), `${name}: ${strong}`);
    t.true(least.trim().startsWith(`${floor}`), `${name}: ${least}`);
  }
});
