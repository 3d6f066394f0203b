/** A step of the release: what it finds, and how all of them are reported. */
import { spawnSync } from "node:child_process";
import { ROOT } from "../licences/manifest.js";

/** What a step found: failures keep the release from being one, notes say what it saw or could not try. */
export interface Finding {
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

export interface Step {
  /** One word, for `--only`. */
  readonly name: string;
  readonly title: string;
  /** Steps without which this one says nothing. */
  readonly after?: readonly string[];
  run(): Finding | Promise<Finding>;
}

export type Outcome = "ok" | "FAILED" | "not tried";

export interface Result extends Finding {
  readonly step: Step;
  readonly outcome: Outcome;
  readonly seconds: number;
}

/** Runs every step, whatever the one before it said; what needs one that failed is not tried. */
export async function runAll(steps: readonly Step[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const step of steps) {
    const missing = (step.after ?? []).filter((name) =>
      results.some(({ step, outcome }) => step.name === name && outcome !== "ok"),
    );
    const start = performance.now();
    const finding = missing.length > 0 ? unable(missing) : await attempt(step);
    const failed = finding.failures.length > 0;
    const outcome = missing.length > 0 ? "not tried" : failed ? "FAILED" : "ok";
    const result = {
      step,
      ...finding,
      outcome,
      seconds: (performance.now() - start) / 1000,
    } as const;
    print(result);
    results.push(result);
  }
  return results;
}

/** A line per step, and whether a release would have come of it. */
export function summary(results: readonly Result[]): string {
  const lines = results.map(
    ({ step, outcome, seconds }) =>
      `${outcome.padEnd(9)} ${step.name.padEnd(10)} ${seconds.toFixed(0).padStart(4)} s  ${step.title}`,
  );
  const bad = results.filter(({ outcome }) => outcome !== "ok").length;
  const verdict =
    bad === 0
      ? "release:dry: nothing speaks against it"
      : `release:dry: ${bad} of ${results.length} steps are not ok`;
  return ["", ...lines, "", verdict].join("\n");
}

/** Output to be read here; `npm run --silent` would hand its silence on to npm. */
const PLAIN = { NO_COLOR: "1", FORCE_COLOR: "0", npm_config_loglevel: "notice" };

/** Runs a program in the checkout. */
export function command(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Ended {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, ...PLAIN, ...env },
    maxBuffer: 2 ** 28,
    shell: process.platform === "win32",
  });
  const output = `${stdout}${stderr}`.trimEnd() || (error?.message ?? "");
  const tail = output.split("\n").slice(-25).join("\n");
  return { ok: status === 0, stdout, output, tail };
}

/** A program that came to its end. */
export interface Ended {
  readonly ok: boolean;
  readonly stdout: string;
  /** What it printed, errors too. */
  readonly output: string;
  /** The last lines of it. */
  readonly tail: string;
}

/** A finding of failures alone. */
export function failures(found: readonly string[], notes: readonly string[] = []): Finding {
  return { failures: found, notes };
}

async function attempt(step: Step): Promise<Finding> {
  try {
    return await step.run();
  } catch (error) {
    return failures([error instanceof Error ? error.message : String(error)]);
  }
}

function unable(missing: readonly string[]): Finding {
  return failures([], [`needs ${missing.join(", ")}`]);
}

function print({ step, outcome, failures, notes }: Result): void {
  console.log(`\n=== ${step.name}: ${step.title}`);
  for (const note of notes) console.log(`    ${indented(note)}`);
  for (const failure of failures) console.log(`  ✘ ${indented(failure)}`);
  console.log(`  ${outcome}`);
}

const indented = (text: string) => text.replaceAll("\n", "\n    ");
