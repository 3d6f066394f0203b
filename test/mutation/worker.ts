/**
 * A process that loads test files and either runs each test with all mutants off, to learn which it comes by, or tries mutants
 * one after the other by the tests that it is told of. Says on its IPC channel what it finds.
 */
import { pathToFileURL } from "node:url";
import { register } from "tsx/esm/api";
import type * as Ava from "./in-process-ava.js";
import type { LearnedTest } from "./learned.js";
import { MutantSwitch, NONE } from "./switch.js";

/** A mutant and the tests to try it by, in this order. */
export interface Attempt {
  readonly id: number;
  readonly tests: readonly (Pick<LearnedTest, "title" | "steps"> & { readonly file: string })[];
}

export interface AtLoad {
  readonly ids: readonly number[];
  /** Titles of the tests to try them by, by file. */
  readonly titles: Readonly<Record<string, readonly string[]>>;
}

export interface Job {
  /** The copied tree's folder, where `ava` is `in-process-ava.ts`. */
  readonly tree: string;
  /** Test files to load. */
  readonly files: readonly string[];
  readonly count: number;
  readonly switchFile?: string | undefined;
  /** What to do with them; mutants of what is computed at load are on while it is loaded, again for each of them. */
  readonly task: "learn" | { readonly tries: readonly Attempt[] } | { readonly atLoad: AtLoad };
}

export type Report =
  | { readonly kind: "alive" }
  | { readonly kind: "loaded"; readonly reached: readonly number[] }
  | { readonly kind: "learned"; readonly file: string; readonly tests: readonly LearnedTest[] }
  | { readonly kind: "trying"; readonly id: number }
  /** The test that failed fails without the mutant too, from now on: the process is of no more use. */
  | { readonly kind: "spoiled"; readonly id: number; readonly killedBy: string }
  | { readonly kind: "tried"; readonly id: number; readonly killedBy: string | null };

/** A mutant may ask this many times as many switches as the original, and some more, before it is said to run on and on. */
const STEPS_FACTOR = 20;
const STEPS_MORE = 100_000;

const say = (report: Report) => process.send?.(report);

type Cases = ReadonlyMap<string, readonly Ava.Case[]>;

async function work(job: Job): Promise<void> {
  const mutants = new MutantSwitch(job.count, job.switchFile);
  const { task } = job;
  if (task !== "learn" && "atLoad" in task) return tryAtLoad(job, task.atLoad, mutants);
  const ava: typeof Ava = await import(urlOf(job, AVA));
  const cases = new Map<string, readonly Ava.Case[]>();
  const { reached } = await mutants.passageOf(async () => {
    for (const file of job.files) {
      const before = ava.cases.length;
      await import(urlOf(job, file));
      cases.set(file, ava.cases.slice(before));
      say({ kind: "alive" });
    }
  });
  say({ kind: "loaded", reached });
  if (task === "learn") await learn(cases, ava, mutants);
  else await tryAll(task.tries, cases, ava, mutants);
}

const AVA = "node_modules/ava/index.ts";

function urlOf({ tree }: Job, file: string): string {
  return pathToFileURL(`${tree}/${file}`).href;
}

/** The first run of a test warms up, and is what reaches what is only computed once. */
async function learn(cases: Cases, { passes }: typeof Ava, mutants: MutantSwitch): Promise<void> {
  for (const [file, own] of cases) {
    const tests: LearnedTest[] = [];
    for (const test of own) {
      let passed = true;
      const start = process.cpuUsage();
      const { reached, steps } = await mutants.passageOf(async () => {
        passed = await passes(test);
      });
      const { user, system } = process.cpuUsage(start);
      tests.push({ title: test.title, passed, ms: (user + system) / 1000, steps, reached });
      say({ kind: "alive" });
    }
    say({ kind: "learned", file, tests });
  }
}

/** Every module of the tree is loaded again for each mutant, with it on. */
async function tryAtLoad(job: Job, { ids, titles }: AtLoad, mutants: MutantSwitch): Promise<void> {
  for (const id of ids) {
    say({ kind: "trying", id });
    mutants.activate(id);
    const modules = register({ namespace: `mutant-${id}` });
    const killedBy = await firstFailing(job, titles, (file) =>
      modules.import(urlOf(job, file), import.meta.url),
    );
    await modules.unregister();
    say({ kind: "tried", id, killedBy });
  }
}

async function firstFailing(
  job: Job,
  titles: AtLoad["titles"],
  load: (file: string) => Promise<unknown>,
): Promise<string | null> {
  const { passes, cases } = (await load(AVA)) as typeof Ava;
  for (const file of job.files) {
    const before = cases.length;
    try {
      await load(file);
    } catch {
      return `${file} cannot be loaded`;
    }
    for (const test of cases.slice(before)) {
      if (!titles[file]?.includes(test.title)) continue;
      if (!(await passes(test))) return test.title;
      say({ kind: "alive" });
    }
  }
  return null;
}

async function tryAll(
  attempts: readonly Attempt[],
  cases: Cases,
  { passes }: typeof Ava,
  mutants: MutantSwitch,
): Promise<void> {
  /** Tests that passed in this process with all mutants off, which is where they compute what they keep. */
  const warm = new Map<Ava.Case, boolean>();
  /** Tests that killed, the latest first: what kills one mutant of a file kills the next one. */
  let killers: string[] = [];
  for (const { id, tests } of attempts) {
    say({ kind: "trying", id });
    const rank = ({ title }: { readonly title: string }) => {
      const at = killers.indexOf(title);
      return at < 0 ? killers.length : at;
    };
    let killedBy: string | null = null;
    for (const { file, title, steps } of [...tests].sort((a, b) => rank(a) - rank(b))) {
      const test = cases.get(file)?.find((own) => own.title === title);
      if (test === undefined) continue;
      if (!warm.has(test)) warm.set(test, await passes(test));
      if (warm.get(test) === false) continue;
      let passed = true;
      mutants.activate(id);
      const runsOn = await mutants.exceeds(steps * STEPS_FACTOR + STEPS_MORE, async () => {
        passed = await passes(test);
      });
      mutants.activate(NONE);
      say({ kind: "alive" });
      if (passed && !runsOn) continue;
      killedBy = runsOn ? `${title} (runs on and on)` : title;
      if (!(await passes(test))) return void say({ kind: "spoiled", id, killedBy });
      killers = [title, ...killers.filter((other) => other !== title)].slice(0, 20);
      break;
    }
    say({ kind: "tried", id, killedBy });
  }
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
