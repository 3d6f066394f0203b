/** The program of docs/monitor.md runs as printed and prints what it says; its table of signs is that of the defaults. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { MONITOR_DEFAULTS } from "../../lib/monitor/index.js";
import { printed, programsOf, ROOT } from "./programs.js";

const page = readFileSync(join(ROOT, "docs", "monitor.md"), "utf8");

test("the program prints what its comments say", async (t) => {
  const [code = ""] = programsOf("docs/monitor.md");
  const promised = [...code.matchAll(/^(?:console\.log\(.*\); )?\/\/ ((?:alarm|0\.).*)$/gm)];
  t.is(promised.length, 4);
  t.deepEqual(
    await printed(code),
    promised.map(([, text]) => text),
  );
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
