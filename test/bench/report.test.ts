/** What people see of a result: tables, and the section of README.md. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { PARTS } from "../../bench/parts/parts.js";
import { digits, duration, error, grouped, memory, percent } from "../../bench/report/numbers.js";
import { betweenMarkers, publish, resultsPage } from "../../bench/report/publish.js";
import { readmeSection } from "../../bench/report/section.js";
import { tableOf } from "../../bench/report/terminal.js";
import type { Part } from "../../bench/result.js";
import { relativeTo, row, syntheticResult } from "./synthetic.js";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

const papo = row("small", { label: "papo", share: 0.5 });
const slow = { contender: "slow", rows: 64, note: "64 rows fit" };
const small: Part = {
  name: "small",
  title: "A small part",
  rooflines: syntheticResult().parts[0]?.rooflines.slice(0, 1) ?? [],
  rows: [
    papo,
    relativeTo(papo, row("small", { label: "papo", padding: 0.3, share: 0.5 })),
    relativeTo(papo, row("small", { ...slow, label: "slow", share: 0.05 })),
    relativeTo(papo, row("small", { ...slow, label: "slower", share: 0.01 })),
  ],
  absent: { gone: "not installed" },
};

test("numbers: few digits and a unit", (t) => {
  t.deepEqual(
    [0.15, 0.1546, 12.34, 123.4, 12_345, 0.9996, 0].map((value) => digits(value)),
    ["0.150", "0.155", "12.3", "123", "12345", "1.00", "0"],
  );
  t.deepEqual([1.25e-9, 2e-6, 0.04851, 0.99996, 3.2].map(duration).map(plain), [
    "1.25 ns",
    "2.00 µs",
    "48.5 ms",
    "1.00 s",
    "3.20 s",
  ]);
  t.deepEqual([1.024, 0.93, 0.0995, 0.004, 0].map(percent).map(plain), [
    "102 %",
    "93 %",
    "10 %",
    "0.4 %",
    "0 %",
  ]);
  t.deepEqual([0, 2.4e-7].map(error), ["0", "2e-7"]);
  t.deepEqual([1.5 * 2 ** 20, 3e9, 2e10].map(memory).map(plain), [
    "1.5 MiB",
    "2861 MiB",
    "18.6 GiB",
  ]);
  t.deepEqual([1, 999, 1024, 151_936].map(grouped).map(plain), ["1", "999", "1 024", "151 936"]);
});

test("a part's table: common conditions above it, columns lined up, ratios, notes once", (t) => {
  const lines = plain(tableOf(small)).split("\n");
  t.is(lines[0], "A small part (forward, float32, V = 151 936, 1 thread, papo on avx512)");
  const header = lines[2] as string;
  t.regex(header, /rows +padding +time +± +ns\/logit +× +GB\/s +of floor +memory +Δ log-prob/);
  t.notRegex(header, /threads|dtype|mode|gradients/);
  const end = header.indexOf("of floor") + "of floor".length;
  t.deepEqual(
    lines.slice(4, 8).map((line) => line.slice(end - 5, end).trim()),
    ["50 %", "50 %", "5 %", "1 %"],
  );
  t.regex(lines[4] as string, /^papo .* 0 % .* 1 /);
  t.regex(lines[5] as string, /^papo .* 30 % .* 1\.0× /);
  t.regex(lines[6] as string, /^slow \[1\] .* 10× /);
  t.regex(lines[7] as string, /^slower \[1\] .* 50× /);
  const below = lines.slice(9).join("\n");
  t.regex(below, /^roofline, 1 thread: read 30\.0 ± 3 %.*exponentials avx2 7\.50.* G\/s$/ms);
  t.true(below.includes("absent: gone: not installed\n[1] 64 rows fit"));
  t.is(below.split("64 rows fit").length, 2);
});

test("no table is wider than 160 columns or has an empty column", (t) => {
  for (const part of syntheticResult().parts) {
    for (const line of tableOf(part).split("\n")) t.true(line.length <= 160, line);
    t.notRegex(tableOf(part), /NaN|undefined|Infinity/);
  }
});

test("a part without rows is a title", (t) => {
  t.true(tableOf({ ...small, rows: [], rooflines: [], absent: {} }).startsWith("A small part\n"));
});

test("README's ratios are those of the rounds", (t) => {
  const section = plain(readmeSection(syntheticResult()));
  // 0.93 / 0.09 and 0.7 / 0.02 of the same floor.
  t.regex(
    section,
    /\| ONNX Runtime \| 1 024 \| 2 \| 1\.11 \(\*\*10×\*\*\) \| 8\.00 \(\*\*35×\*\*\) \|/,
  );
  t.regex(section, /\| TensorFlow\.js, WASM \| 13 \| 1 \| 17\.8 \(\*\*124×\*\*\)/);
});

test("README's section: the forms' shares and costs, plots that exist, the machine, who is absent", (t) => {
  const section = plain(readmeSection(syntheticResult()));
  t.true(
    section.includes(
      "| float32, forward + gradients, in place | 74 % | 80 % | 0.246 | 0.200 | 2e-8 | 7e-8 |",
    ),
  );
  t.true(
    section.includes("A processor that does not exist (2 processors, avx512, 16 GiB), Node v0.0.0"),
  );
  t.true(section.includes("Absent: a peer of the future: not written yet."));
  t.is(
    section.match(/<img src="bench\/results\/plots\/[a-z]+\.svg" width="(100|49)%" alt="[^"<>]+">/g)
      ?.length,
    5,
  );
  t.notRegex(section, /NaN|undefined|Infinity/);
});

test("the suite has the parts that README draws from", (t) => {
  for (const { name } of syntheticResult().parts) t.true(name in PARTS, name);
});

test("a result of other parts leaves README's tables and plots out", (t) => {
  const section = readmeSection({ ...syntheticResult(), parts: [small] });
  t.notRegex(section, /<img|\|/);
  t.true(resultsPage({ ...syntheticResult(), parts: [small] }).includes("## A small part"));
});

test("only what lies between the markers is replaced", (t) => {
  const before = "a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nb\n";
  const after = "a\n<!-- bench:begin -->\n\nnew $& $1\n\n<!-- bench:end -->\nb\n";
  t.is(betweenMarkers(before, "new $& $1"), after);
  t.is(betweenMarkers(after, "new $& $1"), after);
  t.throws(() => betweenMarkers("no markers", "new"), { message: /README\.md lacks/ });
  t.throws(() => betweenMarkers("<!-- bench:end --> <!-- bench:begin -->", "new"));
});

test("publishing writes the README, the page of results and every plot", (t) => {
  const root = mkdtempSync(join(tmpdir(), "papo-report-"));
  try {
    const readme = "# papo\n<!-- bench:begin --><!-- bench:end -->\nend\n";
    writeFileSync(join(root, "README.md"), readme);
    mkdirSync(join(root, "bench/results/plots"), { recursive: true });
    writeFileSync(join(root, "bench/results/plots/of-an-older-result.svg"), "");
    const written = publish(syntheticResult(), root);
    t.is(written.length, 7);
    t.deepEqual(readdirSync(join(root, "bench/results/plots")).sort(), [
      "peers.svg",
      "rows.svg",
      "shares.svg",
      "threads.svg",
      "vocabulary.svg",
    ]);
    t.is(
      readFileSync(join(root, "README.md"), "utf8"),
      betweenMarkers(readme, readmeSection(syntheticResult())),
    );
    const page = readFileSync(join(root, "bench/results/README.md"), "utf8");
    for (const { title } of syntheticResult().parts) t.true(page.includes(`## ${title}`));
  } finally {
    rmSync(root, { recursive: true });
  }
});
