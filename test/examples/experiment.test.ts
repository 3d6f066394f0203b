/** The experiment: statistics against tables, a plan whose arms differ in what they say, runs that survive anything. */
import { execFile, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { Job, Message } from "../../examples/experiment/job.js";
import { Lock } from "../../examples/experiment/lock.js";
import { ARMS, armsNamed, type PlannedRun, runsOf } from "../../examples/experiment/plan.js";
import {
  checkpointPath,
  failurePath,
  readRun,
  resultPath,
  standingOf,
  writeAtomically,
  writeRun,
} from "../../examples/experiment/result.js";
import { type Outcome, type Progress, Runner } from "../../examples/experiment/runner.js";
import {
  areaUnderCurve,
  estimate,
  pairedDifference,
} from "../../examples/experiment/statistics.js";
import { checkConfig } from "../../examples/trainer/config.js";
import { objective, preset } from "../../lib/index.js";
import { FATE } from "./experiment-fate.js";

const fileHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const RESULT = new URL("../../examples/experiment/result.ts", import.meta.url);
const WORKER = fileHere("./experiment-worker.ts");

// Statistics.

/** Table of Student's t, two-sided 95 %, by number of values. */
const TABLE: Readonly<Record<number, number>> = {
  2: 12.706,
  3: 4.303,
  4: 3.182,
  5: 2.776,
  10: 2.262,
};

test("an interval is t deviations of the mean, t as in the table", (t) => {
  for (const [count, quantile] of Object.entries(TABLE)) {
    const values = Array.from({ length: Number(count) }, (_, i) => i * i);
    const { mean, deviation, halfWidth, low, high } = estimate(values);
    t.true(Math.abs((halfWidth * Math.sqrt(Number(count))) / deviation - quantile) < 5e-4, count);
    t.true(
      Math.abs((low + high) / 2 - mean) < 1e-12 && Math.abs(high - low - 2 * halfWidth) < 1e-12,
    );
  }
});

test("an estimate has the numbers of a calculation by hand", (t) => {
  // 1, 2, 3, 4, 5: squares of the deviations 4 + 1 + 0 + 1 + 4 = 10, over 4 is 2.5; 2.7764 · 1.58114 / 2.23607 = 1.9632.
  const five = estimate([1, 2, 3, 4, 5]);
  t.is(five.count, 5);
  t.is(five.mean, 3);
  t.true(Math.abs(five.deviation - 1.58114) < 1e-5);
  t.true(Math.abs(five.low - 1.0368) < 1e-4 && Math.abs(five.high - 4.9632) < 1e-4);
  // The same with 90 %: t = 2.132.
  t.true(Math.abs(estimate([1, 2, 3, 4, 5], 0.9).halfWidth - 1.5075) < 1e-3);
});

test("one value has a mean and no interval, none has neither", (t) => {
  const one = estimate([0.5]);
  t.is(one.mean, 0.5);
  t.true([one.deviation, one.halfWidth, one.low, one.high].every(Number.isNaN));
  t.throws(() => estimate([]), { message: /at least one/ });
});

test("a paired difference takes the seeds that both have, and only how the pairs differ", (t) => {
  const first = new Map([
    [1, 0.5],
    [2, 0.9],
    [3, 0.1],
    [4, 7],
  ]);
  const second = new Map([
    [3, 0],
    [2, 0.7],
    [1, 0.2],
    [5, 9],
  ]);
  // 0.3, 0.2, 0.1: mean 0.2, deviation 0.1; 4.3027 · 0.1 / 1.73205 = 0.24841.
  const difference = pairedDifference(first, second);
  t.is(difference?.count, 3);
  t.true(Math.abs((difference?.mean ?? 0) - 0.2) < 1e-12);
  t.true(Math.abs((difference?.halfWidth ?? 0) - 0.24841) < 1e-5);
  t.is(pairedDifference(first, new Map([[9, 1]])), undefined);
});

test("the area under a curve is its mean height, wherever it was measured", (t) => {
  t.is(areaUnderCurve([0, 10, 40], [2, 2, 2]), 2);
  // (1 · (0 + 1) / 2 + 3 · (1 + 0) / 2) / 4
  t.is(areaUnderCurve([0, 1, 4], [0, 1, 0]), 0.5);
  t.throws(() => areaUnderCurve([0, 0], [1, 2]));
  t.throws(() => areaUnderCurve([1], [1]));
  t.throws(() => areaUnderCurve([0, 1], [1]));
});

// The plan.

/** The objective's keys beside the other settings, all by their path. */
function settings({ config }: PlannedRun): Map<string, unknown> {
  const { objective: given, ...rest } = config;
  const { preset: id, form, changes, later, backoff = false } = given;
  const spec = objective({ ...preset(id, { form }), ...changes }).spec();
  const paths = new Map<string, unknown>();
  const put = (path: string, value: unknown): void => {
    if (typeof value !== "object" || value === null) return void paths.set(path, value);
    for (const [key, inner] of Object.entries(value)) put(path ? `${path}.${key}` : key, inner);
  };
  put("", { ...rest, ...spec, later, backoff });
  return paths;
}

function planned(id: string, seed = 1): PlannedRun {
  const [run] = runsOf({ arms: armsNamed([id]), seeds: [seed] });
  if (run === undefined) throw new Error(`no run of ${id}`);
  return run;
}

/** What each arm changes of its base: by path, its value. */
const CHANGES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "papo-g": {
    perceptionKlCoef: 0.02,
    entropyCoef: 0.05,
    maskedEntropyCoef: 0.05,
    exactKlLimit: 1,
  },
  "papo-d": {
    perceptionKlCoef: 0.01,
    entropyCoef: 0.03,
    maskedEntropyCoef: 0.03,
    exactKlLimit: 1,
  },
  "collapse-policy-entropy": { entropyCoef: 0.05 },
  "collapse-masked-entropy": { maskedEntropyCoef: 0.05 },
  "collapse-double-entropy": { entropyCoef: 0.05, maskedEntropyCoef: 0.05 },
  "collapse-double-entropy-0.2": { entropyCoef: 0.2, maskedEntropyCoef: 0.2 },
  "collapse-ref-kl": { refKlCoef: 0.01 },
  "collapse-limit": { exactKlLimit: 1 },
  "collapse-backoff": { backoff: true },
  "constant-policy-entropy": { entropyCoef: 0.05 },
  "constant-policy-entropy-0.2": { entropyCoef: 0.2 },
  "constant-ref-kl": { refKlCoef: 0.01 },
  "constant-limit": { exactKlLimit: 1 },
  "constant-backoff": { backoff: true },
  "gamma-0.005": { perceptionKlCoef: 0.005 },
  "gamma-0.01": { perceptionKlCoef: 0.01 },
  "gamma-0.04": { perceptionKlCoef: 0.04 },
  "gamma-0.08": { perceptionKlCoef: 0.08 },
  "gamma-0.32": { perceptionKlCoef: 0.32 },
  "mask-ratio-0.4": { "mask.ratio": 0.4 },
  "mask-ratio-0.8": { "mask.ratio": 0.8 },
  "mask-ratio-1.0": { "mask.ratio": 1 },
  "mask-saliency": { "mask.strategy": "saliency" },
  "no-ref-kl": { refKlCoef: 0 },
  "entropy-none": { entropyCoef: 0, maskedEntropyCoef: 0 },
  "entropy-policy-only": { maskedEntropyCoef: 0 },
  "entropy-masked-only": { entropyCoef: 0 },
  "entropy-sampled": { entropyEstimator: "sampled" },
  "masked-branch-constant": { maskedBranch: "constant" },
  "form-authors": {
    perceptionKlEstimator: "k3",
    entropyEstimator: "sampled",
    maskedBranch: "constant",
    reduction: "token-mean",
    entropyReduction: "token-mean",
  },
  "exact-limit-10": { exactKlLimit: 10 },
};

test("each arm differs from its base in what its name says and in nothing else", (t) => {
  const compared = ARMS.filter(({ base }) => base !== undefined);
  t.deepEqual(compared.map(({ id }) => id).sort(), Object.keys(CHANGES).sort());
  for (const { id, base = "" } of compared) {
    const [own, other] = [settings(planned(id)), settings(planned(base))];
    t.deepEqual([...own.keys()].sort(), [...other.keys()].sort());
    const changed = [...own].filter(([path, value]) => value !== other.get(path));
    t.deepEqual(Object.fromEntries(changed), CHANGES[id], id);
  }
});

test("the four main arms are those of the paper and have five seeds, every other at least three", (t) => {
  const main = ARMS.filter(({ group }) => group === "main");
  t.deepEqual(
    main.map(({ id, seeds }) => [id, seeds.length]),
    [
      ["grpo", 5],
      ["papo-g", 5],
      ["dapo", 5],
      ["papo-d", 5],
    ],
  );
  t.true(ARMS.every(({ seeds }) => new Set(seeds).size === seeds.length && seeds.length >= 3));
  t.is(new Set(ARMS.map(({ id }) => id)).size, ARMS.length);
  t.true(ARMS.every(({ id }) => /^[a-z0-9.-]+$/.test(id)));
  const sampling = main.map(({ config }) => config.dynamicSampling);
  t.deepEqual(sampling, [false, false, true, true]);
});

test("every run's settings are complete, plain JSON, and make an objective", (t) => {
  for (const { config } of runsOf()) {
    const { preset: id, form, changes } = config.objective;
    t.notThrows(() => objective({ ...preset(id, { form }), ...changes }).build());
    t.deepEqual(JSON.parse(JSON.stringify(config)), config);
    t.notThrows(() => checkConfig(config));
  }
});

test("runs go group by group and seed by seed", (t) => {
  const runs = runsOf({ arms: armsNamed(["main", "gamma-0.0*", "collapse-limit"]) });
  const names = runs.map(({ arm, seed }) => `${arm.id} ${seed}`);
  t.deepEqual(names.slice(0, 5), ["grpo 1", "papo-g 1", "dapo 1", "papo-d 1", "grpo 2"]);
  t.deepEqual(names.slice(20, 23), ["collapse-limit 1", "collapse-limit 2", "collapse-limit 3"]);
  t.deepEqual(names.slice(23, 25), ["gamma-0.005 1", "gamma-0.01 1"]);
  t.is(runs.length, 20 + 3 + 4 * 3);
  t.throws(() => armsNamed(["gama-*"]), { message: /no arm fits "gama-\*"/ });
  const tried = runsOf({ arms: armsNamed(["papo-d"]), seeds: [7], batches: 3 });
  t.deepEqual(
    tried.map(({ config }) => [config.seed, config.batches]),
    [[7, 3]],
  );
});

// Runs.

function inFolder(t: { teardown(fn: () => void): void }) {
  const folder = mkdtempSync(join(tmpdir(), "papo-experiment-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return { results: join(folder, "results"), work: join(folder, "work") };
}

const some = (batches: number, ...seeds: readonly number[]) =>
  runsOf({ arms: armsNamed(["papo-g"]), seeds, batches });

const kinds = (outcomes: readonly Outcome[]) =>
  Object.fromEntries(outcomes.map(({ run, kind }) => [run.seed, kind]));

const COMMON = { jobs: 2, commit: "abc", worker: WORKER } as const;

test.serial("a run that fails says why and is marked, the others go on", async (t) => {
  const folders = inFolder(t);
  const runs = some(6, 1, FATE.fails, 2);
  const outcomes = await new Runner({ ...COMMON, runs, folders }).run();
  t.deepEqual(kinds(outcomes), { 1: "finished", [FATE.fails]: "failed", 2: "finished" });
  const [first, failing] = runs as [PlannedRun, PlannedRun];
  const failed = outcomes.find(({ run }) => run === failing);
  t.regex(
    failed?.kind === "failed" ? failed.reason : "",
    /exit code 1[\s\S]*the loss is not a number/,
  );
  t.regex(readFileSync(failurePath(folders, failing), "utf8"), /the loss is not a number/);
  t.is(standingOf(folders, failing).state, "missing");
  t.is(standingOf(folders, first).state, "done");
  const { arm, commit, config, seconds, size } = readRun(resultPath(folders, first));
  t.deepEqual([arm, commit, seconds, size], ["papo-g", "abc", 0.3333, 123456]);
  t.deepEqual(config, first.config);
  t.false(existsSync(checkpointPath(folders, first)));
});

test.serial(
  "a run that is killed leaves nothing half-written, and goes on from its checkpoint",
  async (t) => {
    const folders = inFolder(t);
    const runs = some(8, FATE.dies);
    const [run] = runs as [PlannedRun];
    const options = { ...COMMON, runs, folders };
    const [killed] = await new Runner(options).run();
    t.regex(killed?.kind === "failed" ? killed.reason : "", /SIGKILL/);
    t.false(existsSync(resultPath(folders, run)));
    t.true(existsSync(checkpointPath(folders, run)));
    t.deepEqual(kinds(await new Runner(options).run()), { [FATE.dies]: "finished" });
    t.deepEqual((readRun(resultPath(folders, run)) as { begun?: unknown }).begun, [0, 4]);
    t.deepEqual(readdirSync(folders.work), ["cold-starts"]);
  },
);

test.serial(
  "asked to stop, runs finish their batch and save; the next time they go on",
  async (t) => {
    const folders = inFolder(t);
    const runs = some(400, 1, 2, 3);
    const begun = new Set<number>();
    const runner: Runner = new Runner({
      ...COMMON,
      runs,
      folders,
      onProgress: ({ running }) => {
        for (const { run, batch } of running) if (batch >= 3) begun.add(run.seed);
        if (begun.size === 2) runner.stop();
      },
    });
    t.deepEqual(kinds(await runner.run()), { 1: "saved", 2: "saved" });
    t.false(existsSync(folders.results));
    const short = runs.slice(0, 1);
    t.deepEqual(kinds(await new Runner({ ...COMMON, runs: short, folders }).run()), {
      1: "finished",
    });
    const { begun: starts } = readRun(resultPath(folders, runs[0] as PlannedRun)) as unknown as {
      begun: number[];
    };
    t.is(starts.length, 2);
    t.true((starts[1] as number) >= 3 && (starts[1] as number) < 400);
  },
);

test.serial(
  "a run that does not listen is stopped by the second request, and is no failure",
  async (t) => {
    const folders = inFolder(t);
    let asked = false;
    const runner: Runner = new Runner({
      ...COMMON,
      runs: some(100_000, FATE.deaf),
      folders,
      onProgress: ({ running }) => {
        if (running.some(({ batch }) => batch === 4)) runner.stop();
        // Batches after the request: it went on.
        if (running.some(({ batch }) => batch > 40) && !asked) {
          asked = true;
          runner.kill();
        }
      },
    });
    t.deepEqual(kinds(await runner.run()), { [FATE.deaf]: "stopped" });
  },
);

test.serial("a run whose runner has died saves and ends", async (t) => {
  const folders = inFolder(t);
  const [run] = some(100_000, 1) as [PlannedRun];
  const job: Job = {
    arm: run.arm.id,
    commit: "",
    config: run.config,
    result: resultPath(folders, run),
    checkpoint: checkpointPath(folders, run),
    coldStarts: join(folders.work, "cold-starts"),
  };
  const child = fork(WORKER, [JSON.stringify(job)], { execArgv: ["--import=tsx"] });
  const [message] = (await once(child, "message")) as [Message];
  t.is(message.kind, "batch");
  child.disconnect();
  t.deepEqual(await once(child, "exit"), [0, null]);
  t.true(existsSync(job.checkpoint));
});

test.serial("the time left is that of the runs so far, shared by the processes", async (t) => {
  const folders = inFolder(t);
  const seen: { readonly outcome: Outcome; readonly progress: Progress }[] = [];
  const onOutcome = (outcome: Outcome, progress: Progress) => seen.push({ outcome, progress });
  await new Runner({ ...COMMON, jobs: 1, runs: some(5, 1, 2, 3), folders, onOutcome }).run();
  const [first, second, last] = seen.map(({ progress }) => progress);
  const seconds = seen.map(({ outcome }) => outcome.seconds) as [number, number, number];
  t.is(first?.ended, 1);
  t.true(Math.abs((first?.secondsLeft ?? 0) - 2 * seconds[0]) < 1e-9);
  t.true(Math.abs((second?.secondsLeft ?? 0) - (seconds[0] + seconds[1]) / 2) < 1e-9);
  t.is(last?.secondsLeft, 0);
});

// Results.

test("a result of other settings is not taken for the plan's, and says what differs", (t) => {
  const folders = inFolder(t);
  const run = planned("papo-g-short");
  t.is(standingOf(folders, run).state, "missing");
  const { config } = planned("gamma-0.04");
  writeRun(resultPath(folders, run), { arm: "papo-g", commit: "", config } as never);
  t.deepEqual(standingOf(folders, run), {
    state: "other",
    differences: ["objective.changes.perceptionKlCoef: nothing planned, 0.04 there"],
  });
  writeFileSync(resultPath(folders, run), "{");
  const { state } = standingOf(folders, run);
  t.is(state, "other");
});

test("checkpoints of other settings are other files", (t) => {
  const folders = { results: "r", work: "w" };
  const [long, short] = [some(9, 1), some(3, 1)].map(([run]) => run as PlannedRun);
  const path = checkpointPath(folders, long as PlannedRun);
  t.not(path, checkpointPath(folders, short as PlannedRun));
  // The order of the settings is no setting.
  const { seed, ...rest } = (long as PlannedRun).config;
  t.is(path, checkpointPath(folders, { ...(long as PlannedRun), config: { ...rest, seed } }));
});

test("results keep four digits of what is measured, all of what counts or sets, and null for no number", (t) => {
  const { results } = inFolder(t);
  const path = join(results, "seed-1.json");
  const config = { ...planned("papo-g").config, maxGradNorm: 0.000123456789 };
  const reward = Float64Array.of(0.123456, Number.NaN, 1234.567, 1e-9 / 3);
  const given = { arm: "papo-g", commit: "c", config, size: 123456, steps: { reward } };
  writeRun(path, given as never);
  const text = readFileSync(path, "utf8");
  t.deepEqual(JSON.parse(text), {
    ...given,
    steps: { reward: [0.1235, null, 1235, 3.333e-10] },
  });
  t.true(text.includes('"reward": [0.1235,null,1235,3.333e-10]') || text.includes('"steps": {'));
  t.deepEqual(readdirSync(dirname(path)), ["seed-1.json"]);
});

test.serial("a process killed while it writes a result leaves the old one", async (t) => {
  const { results } = inFolder(t);
  const path = join(results, "seed-1.json");
  writeAtomically(path, "the old one");
  // Half of the text is on the disk when the end comes.
  const script = `import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const { writeFileSync } = fs;
    fs.writeFileSync = (file, text) => {
      writeFileSync(file, text.slice(0, text.length / 2));
      process.kill(process.pid, "SIGKILL");
    };
    syncBuiltinESMExports();
    const { writeAtomically } = await import(${JSON.stringify(RESULT.href)});
    writeAtomically(process.argv[1], "the new one, which is longer");`;
  const args = ["--import=tsx", "--input-type=module", "--eval", script, path];
  const child = spawn(process.execPath, args, { stdio: "ignore" });
  t.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
  t.is(readFileSync(path, "utf8"), "the old one");
  writeAtomically(path, "the new one");
  t.is(readFileSync(path, "utf8"), "the new one");
  t.deepEqual(readdirSync(dirname(path)), ["seed-1.json"]);
});

test("one runner at a time holds a folder; one that died does not", (t) => {
  const { work } = inFolder(t);
  {
    using _held = new Lock(work);
    t.throws(() => new Lock(work), { message: new RegExp(`process ${process.pid} runs`) });
  }
  // No process has this number: it is above what systems give.
  writeFileSync(join(work, "runner.pid"), "999999999\n");
  t.notThrows(() => new Lock(work)[Symbol.dispose]());
});

// The command.

function command(...args: readonly string[]): Promise<{ code: number; said: string }> {
  const script = fileHere("../../examples/experiment.ts");
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import=tsx", script, ...args], (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, said: stdout + stderr });
    });
  });
}

test.serial("the command lists the plan, with what is done", async (t) => {
  const folders = inFolder(t);
  const [first] = runsOf({ arms: armsNamed(["mask-saliency"]) }) as [PlannedRun];
  const result = { arm: "mask-saliency", commit: "", config: first.config, seconds: 1800 };
  writeRun(resultPath(folders, first), result as never);
  const { code, said } = await command(
    ...["--list", "--arms", "mask-saliency,grpo", "--seeds", "1,2"],
    ...["--out", folders.results, "--work", folders.work],
  );
  t.is(code, 0);
  t.regex(said, /main +grpo +GRPO +1 –, 2 –\n/);
  t.regex(said, /mask-saliency +mask by saliency +1 done, 2 –\n/);
  t.regex(said, /1 of 4 runs done, in 0.5 hours/);
});

test.serial(
  "the command refuses quick results among the committed, and results of other settings",
  async (t) => {
    const quick = await command("--batches", "2");
    t.is(quick.code, 1);
    t.regex(quick.said, /--batches needs --out/);
    const folders = inFolder(t);
    const run = planned("grpo");
    const { config } = planned("grpo", 2);
    writeRun(resultPath(folders, run), { arm: "grpo", commit: "", config } as never);
    const where = ["--out", folders.results, "--work", folders.work];
    const other = await command("--arms", "grpo", "--seeds", "1", ...where);
    t.is(other.code, 1);
    t.regex(other.said, /grpo seed 1: seed: 1 planned, 2 there/);
    t.regex(other.said, /--force/);
  },
);
