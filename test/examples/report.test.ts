/** The report says what the results say: verdicts, collapses and tables against numbers worked out by hand. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { JSDOM } from "jsdom";
import { ARMS, runsOf } from "../../examples/experiment/plan.js";
import { ABLATIONS, COLLAPSES, SHOWN_ARMS } from "../../examples/report/arms.js";
import { courseOf } from "../../examples/report/collapse.js";
import { signsTable } from "../../examples/report/collapse-tables.js";
import { differenceCurve } from "../../examples/report/comparison.js";
import { type Finding, findingsOf } from "../../examples/report/findings.js";
import { betweenMarkers, summaryOf } from "../../examples/report/markdown.js";
import { pageOf } from "../../examples/report/page.js";
import { PAPER_ROWS } from "../../examples/report/paper.js";
import { dataUrlOf } from "../../examples/report/picture.js";
import { runPage } from "../../examples/report/run-page.js";
import { type Laboratory, readLaboratory } from "../../examples/report/runs.js";
import { intervalBar } from "../../examples/report/table.js";
import { objectiveOf, type RunConfig } from "../../examples/trainer/config.js";
import { type FakeRun, fakeRun, writeFakeRuns } from "./fake-runs.js";

const FOLDER = mkdtempSync(join(tmpdir(), "report-"));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

function laboratoryOf(fakes: readonly FakeRun[]): Laboratory {
  const arms = new Map<string, Map<number, ReturnType<typeof fakeRun>>>();
  for (const fake of fakes) {
    const runs = arms.get(fake.arm) ?? new Map();
    arms.set(fake.arm, runs.set(fake.seed, fakeRun(fake)));
  }
  return { arms };
}

/** An arm with one run for each accuracy on vision-dependent questions; text-aided ones are at 0.8. */
function arm(name: string, visions: readonly number[], more: Partial<FakeRun> = {}): FakeRun[] {
  return visions.map((vision, at) => ({ arm: name, seed: at + 1, vision, text: 0.8, ...more }));
}

function finding(fakes: readonly FakeRun[], claim: RegExp): Finding {
  const found = findingsOf(laboratoryOf(fakes)).find((each) => claim.test(each.claim));
  if (found === undefined) throw new Error(`no finding fits ${claim}`);
  return found;
}

const EVERYTHING = SHOWN_ARMS.flatMap((name) =>
  arm(name, [0.5, 0.55, 0.6], {
    masked: !/^(grpo|dapo|grpo-short)$/.test(name),
    ...(name === "collapse-none" ? { collapsesAt: 120, alarmAt: 100 } : {}),
  }),
);

test("the paper's averages fit each other: 5 general and 4 vision-dependent benchmarks", (t) => {
  for (const { table, model, method, general, vision, overall } of PAPER_ROWS) {
    const mean = (5 * general + 4 * vision) / 9;
    t.true(
      Math.abs(mean - overall) < 0.02,
      `${table}, ${model}, ${method}: ${mean} and ${overall}`,
    );
  }
});

test("a difference whose interval excludes 0 agrees or does not, by its sign", (t) => {
  // Overall is the mean of both forms: differences of 4, 5 and 6 points. t(2) = 4.303, 4.303 · 1 / √3 = 2.48.
  const low = arm("grpo", [0.4, 0.4, 0.4]);
  const better = finding([...low, ...arm("papo-g", [0.48, 0.5, 0.52])], /^PAPO-G is better/);
  t.is(better.verdict, "agrees");
  t.regex(better.here, /PAPO-G is higher than GRPO: \+5\.0 \[2\.5, 7\.5\] points.*3.seeds/);

  const worse = finding([...low, ...arm("papo-g", [0.32, 0.3, 0.28])], /^PAPO-G is better/);
  t.is(worse.verdict, "differs");
  t.regex(worse.here, /lower than GRPO: −5\.0 \[−7\.5, −2\.5\]/);
});

test("where the interval holds 0, and with one seed, no difference is claimed", (t) => {
  const noisy = finding(
    [...arm("grpo", [0.4, 0.4, 0.4]), ...arm("papo-g", [0.3, 0.5, 0.6])],
    /^PAPO-G is better/,
  );
  t.is(noisy.verdict, "unclear");
  t.regex(noisy.here, /^no difference seen at this scale/);

  const single = finding([...arm("grpo", [0.4]), ...arm("papo-g", [0.9])], /^PAPO-G is better/);
  t.is(single.verdict, "missing");
  t.regex(single.here, /^one seed, no interval: .*\+25\.0 points/);
});

test("the curve of what PAPO adds begins at the shared cold start, above 0 where the arm is better", (t) => {
  const fakes = [...arm("grpo", [0.4, 0.4]), ...arm("papo-g", [0.5, 0.5])];
  const curve = differenceCurve(laboratoryOf(fakes), "papo-g", "grpo", "vision");
  const means = curve.map(({ estimate }) => estimate.mean.toFixed(3));
  t.is(curve[0]?.batch, 0);
  t.is(means[0], "0.000");
  t.is(means.at(-1), "0.100");
});

test("a bar is green above 0 and red below, and grey where its interval holds 0", (t) => {
  const colours = [
    [1, 2],
    [-2, -1],
    [-1, 2],
    [Number.NaN, Number.NaN],
  ].map(([low = 0, high = 0]) => {
    const bar = intervalBar({ count: 3, mean: 1, deviation: 1, halfWidth: 1, low, high }, 2);
    return /class="interval (\w+)"/.exec(bar)?.[1];
  });
  t.deepEqual(colours, ["better", "worse", "even", "even"]);
});

test("only seeds that both arms have are compared", (t) => {
  const others = arm("papo-g", [0.5, 0.52]).map((run) => ({ ...run, seed: run.seed + 2 }));
  const { here } = finding([...arm("grpo", [0.1, 0.1, 0.4, 0.44]), ...others], /^PAPO-G is better/);
  t.regex(here, /\+4\.5 .*2.seeds/);
});

test("arms that were not run are named, not guessed", (t) => {
  const { verdict, here } = finding(arm("grpo", [0.4, 0.5]), /^PAPO-G is better/);
  t.is(verdict, "missing");
  t.is(here, "not run: papo-g");
});

test("errors of perception are counted among all answers", (t) => {
  // GRPO: overall 0.6, so 0.4 wrong, half of them perception: 20 %. PAPO-G: 0.7, 0.3 · 0.2 = 6 %.
  const fakes = [
    ...arm("grpo", [0.4, 0.4, 0.4], { perceptionErrors: 0.5 }),
    ...arm("papo-g", [0.6, 0.6, 0.6], { perceptionErrors: 0.2 }),
  ];
  const { here, verdict } = finding(fakes, /fewer errors of perception/);
  t.is(verdict, "agrees");
  t.regex(here, /−14\.0 \[−14\.0, −14\.0\].*−70\.0.% of GRPO's/);
  t.is(finding(fakes, /^Most errors of GRPO/).verdict, "unclear", "exactly half is not most");
  t.is(
    finding(arm("grpo", [0.4, 0.5], { perceptionErrors: 0.7 }), /^Most errors/).verdict,
    "agrees",
  );
  t.is(
    finding(arm("grpo", [0.4, 0.5], { perceptionErrors: 0.3 }), /^Most errors/).verdict,
    "differs",
  );
});

test("a reward has fallen where its centred mean is below four fifths of its best", (t) => {
  const run = fakeRun({ arm: "collapse-none", seed: 1, vision: 0.6, text: 0.6, batches: 200 });
  const reward = Array.from({ length: 200 }, (_, at) => (at < 100 ? 1 : 0));
  // Eleven batches around the 98th: the 101st, 102nd and 103rd of them are 0, and 8/11 < 0.8 < 9/11.
  const fallen = courseOf({ ...run, steps: { ...run.steps, reward } });
  t.is(fallen.fall, 98);
  t.is(fallen.best, 1);
  t.is(fallen.last, 0);
  t.is(
    courseOf({ ...run, steps: { ...run.steps, reward: reward.map(() => 0.5) } }).fall,
    undefined,
  );
  t.is(courseOf(run).fall, undefined, "noise is no fall");
});

test("the collapse: who falls, who does not, and whether the alarm came first", (t) => {
  const none = arm("collapse-none", [0.6, 0.6], { collapsesAt: 120, alarmAt: 100 });
  const masked = arm("collapse-masked-entropy", [0.6, 0.6], { collapsesAt: 160, alarmAt: 190 });
  const fakes = [...none, ...masked, ...arm("collapse-double-entropy", [0.6, 0.6])];
  const verdicts = (claim: RegExp): string => finding(fakes, claim).verdict;
  t.is(verdicts(/with nothing against it/), "agrees");
  t.is(verdicts(/^Both entropies prevent/), "agrees");
  t.is(verdicts(/only delays/), "agrees");
  t.is(verdicts(/^A reference KL prevents/), "missing");
  const signs = finding(fakes, /^Signs show/);
  t.is(signs.verdict, "mixed");
  t.regex(signs.here, /first in 2 of 4.runs/);
  t.is(finding(none, /^Signs show/).verdict, "agrees");
  t.is(finding(masked, /^Signs show/).verdict, "differs");
  const fell = arm("collapse-double-entropy", [0.6], { collapsesAt: 120 });
  t.is(finding(fell, /^Both entropies prevent/).verdict, "differs");
});

test("early signs: medians of the first batches and of those before the fall", (t) => {
  const run = fakeRun({ arm: "collapse-none", seed: 1, vision: 0.6, text: 0.6 });
  const steps = {
    ...run.steps,
    reward: run.steps.reward.map((_, at) => (at < 100 ? 1 : 0)),
    kl: run.steps.kl.map((_, at) => (at < 50 ? 0.5 : 2)),
    clipFraction: run.steps.clipFraction.map(() => 0.01),
  };
  const runs = new Map([[1, { ...run, steps }]]);
  const html = signsTable({ arms: new Map([["collapse-none", runs]]) });
  const rows = [...new JSDOM(html).window.document.querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map((cell) => cell.textContent),
  );
  t.deepEqual(rows[0], ["perception KL, nats", "0.03 to 0.05", "0.9", "0.5", "2", "4\u00a0×"]);
  t.deepEqual(rows[2]?.slice(3), ["0.01", "0.01", "1\u00a0×"]);
});

test("the page is one file, without scripts, that leads nowhere but to the paper", (t) => {
  const html = pageOf(laboratoryOf(EVERYTHING));
  const { document } = new JSDOM(html).window;
  t.is(document.querySelectorAll("script, img, link, iframe").length, 0);
  const targets = [...document.querySelectorAll("a")].map(
    (link) => link.getAttribute("href") ?? "",
  );
  for (const target of targets) {
    const isThere = target.startsWith("#") && document.querySelector(target) !== null;
    t.true(isThere || target.startsWith("https://arxiv.org/"), target);
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  t.is(new Set(ids).size, ids.length, "each id once");
  t.true(html.includes("A processor &lt;of a test&gt;"));
  t.regex(html, /prefers-color-scheme:dark/);
  t.false(/NaN|undefined|Infinity/.test(html));
});

test("the page has a plot or a row for every arm, and the paper's numbers beside it", (t) => {
  const { document } = new JSDOM(pageOf(laboratoryOf(EVERYTHING))).window;
  const text = document.body.textContent ?? "";
  t.false(/[Nn]ot run/.test(text));
  t.is(document.querySelectorAll("figure").length, 3 + 3 + 1 + 2 + COLLAPSES.length);
  const rows = [...document.querySelectorAll("tr")].map((row) =>
    [...row.children].map((cell) => cell.textContent),
  );
  // 0.5, 0.55, 0.6 and 0.8: mean 0.675, deviation 0.025, 4.303 · 0.025 / √3 = 6.2 points.
  t.deepEqual(rows.find(([name]) => name === "PAPO-G")?.slice(1, 5), [
    "3",
    "67.5 ±\u00a06.2",
    "55.0 ±\u00a012.4",
    "80.0 ±\u00a00.0",
  ]);
  t.true(rows.some(([name, ...cells]) => name === "0.04" && cells.includes("34.38 †")));
});

test("a folder without results makes a page and a table that say so", (t) => {
  const empty = readLaboratory(join(FOLDER, "nothing"));
  t.regex(pageOf(empty), /There are no results yet/);
  t.regex(summaryOf(empty), /No results yet/);
});

test("one arm alone makes a page that names what is missing", (t) => {
  const html = pageOf(laboratoryOf(arm("grpo", [0.4])));
  t.regex(html, /Not run: grpo-short, gamma-0\.005/);
  t.false(/NaN|undefined|Infinity/.test(html));
});

test("runs of other lengths are pointed out", (t) => {
  const short = arm("mask-saliency", [0.5], { batches: 80 });
  const html = pageOf(laboratoryOf([...arm("grpo", [0.4]), ...arm("papo-g", [0.4]), ...short]));
  t.regex(html, /200.batches of 32 problems[^;]*; but 80.batches of 32 [^<]*: mask-saliency/);
});

test("only the section between the markers is renewed", (t) => {
  const text = "before\n<!-- experiment -->\nold\n<!-- /experiment -->\nafter\n";
  const renewed = betweenMarkers(text, "new");
  t.is(renewed, "before\n<!-- experiment -->\n\nnew\n\n<!-- /experiment -->\nafter\n");
  t.is(betweenMarkers(renewed ?? "", "new"), renewed);
  t.is(betweenMarkers("no markers", "new"), undefined);
});

test("results are read by arm and seed; a file that is none is named", (t) => {
  const folder = join(FOLDER, "read");
  writeFakeRuns(folder, [...arm("papo-g", [0.5, 0.6]), ...arm("grpo", [0.4])]);
  writeFileSync(join(folder, "report.html"), "");
  writeFileSync(join(folder, "grpo", "seed-1.json.tmp"), "");
  const { arms } = readLaboratory(folder);
  t.deepEqual([...arms].map(([name, runs]) => [name, [...runs.keys()]]).sort(), [
    ["grpo", [1]],
    ["papo-g", [1, 2]],
  ]);
  mkdirSync(join(folder, "dapo"));
  writeFileSync(join(folder, "dapo", "seed-3.json"), "{}");
  t.throws(() => readLaboratory(folder), { message: /dapo.seed-3\.json/ });
});

test("the command writes the page and the table", (t) => {
  const folder = join(FOLDER, "command");
  writeFakeRuns(folder, [...arm("grpo", [0.4, 0.4]), ...arm("papo-g", [0.5, 0.5])]);
  const readme = join(folder, "README.md");
  writeFileSync(readme, "<!-- experiment -->\n<!-- /experiment -->\n");
  const script = join(ROOT, "examples/experiment-report.ts");
  execFileSync(process.execPath, ["--import=tsx", script, "--in", folder, "--readme", readme], {
    cwd: ROOT,
  });
  t.regex(readFileSync(join(folder, "report.html"), "utf8"), /<h1>/);
  const table = readFileSync(readme, "utf8");
  t.regex(table, /\| GRPO, 2 seeds \| 60\.0 ± 0\.0 \| 40\.0 ± 0\.0 \|/);
  t.regex(table, /\*\*PAPO-G − GRPO\*\*, points \| \+5\.0 \[5\.0, 5\.0\]/);
  t.regex(table, /\*\*PAPO-D − DAPO\*\*, points \| not run/);
});

test("an image is a bitmap whose pixels are its own", (t) => {
  const image = new Float32Array(4 * 4 * 3).fill(0.2);
  image.set([1, 0.4, 0], (2 * 4 + 3) * 3);
  const bytes = Buffer.from(dataUrlOf(image).split(",")[1] ?? "", "base64");
  t.is(bytes.length, 54 + 48);
  t.is(bytes.readInt32LE(22), -4, "rows from the top");
  // Row 2, column 3, as blue, green, red.
  t.deepEqual([...bytes.subarray(54 + 33, 54 + 36)], [0, 102, 255]);
  t.throws(() => dataUrlOf(new Float32Array(5 * 5 * 3)), { message: /multiple of 4/ });
});

test("the page of one run has its curves, and what was said of each image", (t) => {
  const run = fakeRun({ arm: "papo-g", seed: 7, vision: 0.7, text: 0.9 });
  const image = new Float32Array(32 * 32 * 3).fill(0.4);
  const answers = [
    { name: "before", text: "3 <end>", right: false },
    { name: "after", text: "5 <end>", right: true },
  ];
  const html = runPage(run, [{ image, masked: image, question: "how many?", truth: "5", answers }]);
  const { document } = new JSDOM(html).window;
  t.is(document.querySelectorAll("script").length, 0);
  t.is(document.querySelectorAll(".samples img").length, 2);
  t.is(document.querySelectorAll(".grid svg").length, 5);
  t.deepEqual(
    [...document.querySelectorAll(".answers dd")].map((each) => [each.className, each.textContent]),
    [
      ["", "5"],
      ["worse", "✗ 3 <end>"],
      ["better", "✓ 5 <end>"],
    ],
  );
  const rows = [...document.querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map((cell) => cell.textContent),
  );
  t.deepEqual(rows[1], ["vision-dependent", "35.0\u00a0%", "70.0\u00a0%"]);
  t.false(/NaN|undefined/.test(html));
});

test("the report shows the arms of the plan, under the numbers that they have", (t) => {
  t.deepEqual([...SHOWN_ARMS].sort(), ARMS.map(({ id }) => id).sort());
  const configs = new Map(runsOf({ seeds: [1] }).map(({ arm: { id }, config }) => [id, config]));
  const labelled = (ablation: string, number: (config: RunConfig) => unknown): void => {
    for (const { id, label } of ABLATIONS.find(({ id: of }) => of === ablation)?.arms ?? []) {
      const config = configs.get(id);
      if (config !== undefined) t.is(number(config), Number.parseFloat(label), `${id}: ${label}`);
    }
  };
  labelled("gamma", (config) => objectiveOf(config).spec.perceptionKlCoef);
  labelled("mask-ratio", ({ mask }) => mask.ratio);
  labelled("bound", (config) => objectiveOf(config).spec.exactKlLimit);
});
