/**
 * Loads test files once and tries mutants one after the other: first every test with all mutants off, to learn which it comes
 * by, then of each mutant those tests, the fastest first, until one fails. Says on its IPC channel what it finds.
 */
import { pathToFileURL } from "node:url";
import type * as Ava from "./in-process-ava.js";
import { MutantSwitch, NONE } from "./switch.js";

export interface Job {
  /** The copied tree's folder, where `ava` is `in-process-ava.ts`. */
  readonly tree: string;
  readonly tests: readonly string[];
  readonly count: number;
  readonly switchFile?: string | undefined;
  /** Mutants to try, in this order. */
  readonly ids: readonly number[];
  /** Active from before anything is loaded: a mutant of a constant. */
  readonly fromStart?: number | undefined;
}

export type Report =
  | { readonly kind: "ready"; readonly tests: number; readonly failing: readonly string[] }
  | { readonly kind: "alive" }
  | { readonly kind: "trying"; readonly id: number }
  | {
      readonly kind: "tried";
      readonly id: number;
      readonly killedBy: string | null;
      readonly tests: number;
    };

/** Tests of a mutant take no longer than this together; of what everything comes by, the fastest ones are the sharpest too. */
const MOST_MS = 4000;

const say = (report: Report) => process.send?.(report);

async function work(job: Job): Promise<void> {
  const mutants = new MutantSwitch(job.count, job.switchFile);
  if (job.fromStart !== undefined) mutants.activate(job.fromStart);
  const { default: _, ...ava }: typeof Ava = await import(
    pathToFileURL(`${job.tree}/node_modules/ava/index.ts`).href
  );
  for (const test of job.tests) {
    await import(pathToFileURL(`${job.tree}/${test}`).href);
    say({ kind: "alive" });
  }

  if (job.fromStart !== undefined) {
    say({ kind: "trying", id: job.fromStart });
    const killer = await firstFailing(ava, ava.cases);
    say({ kind: "tried", id: job.fromStart, killedBy: killer, tests: ava.cases.length });
    return;
  }

  const timed: { test: Ava.Case; ms: number; reached: Set<number> }[] = [];
  const failing: string[] = [];
  for (const test of ava.cases) {
    // The first run warms up, and is what reaches what is only computed once.
    let passed = true;
    const start = process.cpuUsage();
    const reached = await mutants.reachedBy(async () => {
      passed = await ava.passes(test);
    });
    const { user, system } = process.cpuUsage(start);
    if (passed) timed.push({ test, ms: (user + system) / 1000, reached: new Set(reached) });
    else failing.push(test.title);
    say({ kind: "alive" });
  }
  timed.sort((a, b) => a.ms - b.ms);
  say({ kind: "ready", tests: timed.length, failing });

  for (const id of job.ids) {
    say({ kind: "trying", id });
    let spent = 0;
    const tests = timed.filter(({ reached, ms }) => {
      if (!reached.has(id) || spent > MOST_MS) return false;
      spent += ms;
      return true;
    });
    mutants.activate(id);
    const killedBy = await firstFailing(
      ava,
      tests.map(({ test }) => test),
    );
    mutants.activate(NONE);
    say({ kind: "tried", id, killedBy, tests: tests.length });
  }
}

async function firstFailing(
  { passes }: Pick<typeof Ava, "passes">,
  tests: readonly Ava.Case[],
): Promise<string | null> {
  for (const test of tests) {
    if (!(await passes(test))) return test.title;
    say({ kind: "alive" });
  }
  return null;
}

process.on("unhandledRejection", () => {});
process.once("message", (job: Job) => {
  work(job).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
