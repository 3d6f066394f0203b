/** Tries mutants in child processes: one after the other in one process, which is replaced where a mutant hangs or ends it. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Learned, type LearnedTest } from "./learned.js";
import type { Mutant } from "./mutant.js";
import type { Tree } from "./tree.js";
import type { Attempt, Job, Report } from "./worker.js";

export interface Verdict {
  readonly mutant: Mutant;
  /** The test that failed, "hangs" or "ends the process"; null where every test passed. */
  readonly killedBy: string | null;
  /** Tests that came by it and tried it. */
  readonly tests: number;
}

type Take = (verdict: Verdict) => void;
type Test = LearnedTest & { readonly file: string };

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
/** Whoever says nothing for as long has lost its way: a test takes a second, on a busy machine a minute. */
const PATIENCE_MS = 300_000;
/** Tests of a mutant take no longer than this together, those of its own room this much more: the fastest are the sharpest. */
const MOST_MS = 2000;
const MOST_MS_OF_ROOM = 4000;
/** And no longer than this for what is computed at load, which every one of its tests comes by. */
const MOST_MS_AT_LOAD = 300;

/** Runs the test files that are not known yet, with all mutants off, and keeps what they come by. */
export async function learn(tree: Tree, tests: readonly string[]): Promise<Learned> {
  const kind = tree.isNative ? "native" : "typescript";
  const learned = new Learned(`${tree.folder}/learned-${kind}.json`, tree.key, tests);
  const { unknown } = learned;
  if (unknown.length === 0) return learned;
  console.error(`runs ${unknown.length} test files with all mutants off`);
  const { ended } = await session(tree, { files: unknown, task: "learn" }, (report) => {
    if (report.kind === "loaded") for (const id of report.reached) learned.atLoad.add(id);
    if (report.kind === "learned") learned.add(report.file, report.tests);
  });
  if (ended !== undefined) throw new Error(`a process that runs the tests ${ended}`);
  return learned;
}

/** Calls `take` with the verdict on each mutant, in no order. */
export async function tryMutants(
  tree: Tree,
  mutants: readonly Mutant[],
  learned: Learned,
  take: Take,
): Promise<void> {
  const judges = learned.tests.filter(({ passed }) => passed).sort((a, b) => a.ms - b.ms);
  const reaching = new Map<number, Test[]>(mutants.map(({ id }) => [id, []]));
  for (const judge of judges) for (const id of judge.reached) reaching.get(id)?.push(judge);
  const left = new Map<number, Attempt>();
  for (const mutant of mutants) {
    const { id } = mutant;
    left.set(id, { id, tests: judgesOf(roomOf(mutant), reaching.get(id) ?? []) });
  }
  const byId = new Map(mutants.map((mutant) => [mutant.id, mutant]));
  const settle = (id: number, killedBy: string | null) => {
    const tests = left.get(id)?.tests.length ?? 0;
    left.delete(id);
    take({ mutant: byId.get(id) as Mutant, killedBy, tests });
  };
  for (const [id, { tests }] of left) {
    if (tests.length > 0) continue;
    if (learned.atLoad.has(id)) left.delete(id);
    else settle(id, null);
  }
  while (left.size > 0) {
    const tries = [...left.values()];
    const files = [...new Set(tries.flatMap(({ tests }) => tests.map(({ file }) => file)))];
    const { trying, ended } = await session(tree, { files, task: { tries } }, (report) => {
      if (report.kind === "tried") settle(report.id, report.killedBy);
      // The first in its process spoiled it itself; another one is tried again in a new one.
      if (report.kind === "spoiled" && report.id === tries[0]?.id) {
        settle(report.id, report.killedBy);
      }
    });
    if (ended === undefined) continue;
    if (trying === undefined) throw new Error(`a process that tries mutants ${ended} at its start`);
    settle(trying, ended);
  }
  const constants = mutants.filter(
    ({ id }) => reaching.get(id)?.length === 0 && learned.atLoad.has(id),
  );
  for (const room of new Set(constants.map(roomOf))) {
    await tryAtLoad(
      tree,
      constants.filter((mutant) => roomOf(mutant) === room),
      judges.filter(({ file, ms }) => file.startsWith(room) && ms < MOST_MS_AT_LOAD),
      take,
    );
  }
}

/** The fastest ones, and more of the same room: as many as there is time for. */
function judgesOf(room: string, reaching: readonly Test[]): Attempt["tests"] {
  let all = 0;
  let own = 0;
  return reaching
    .filter(({ ms, file }) => {
      if (all <= MOST_MS) {
        all += ms;
        return true;
      }
      if (!file.startsWith(room) || own > MOST_MS_OF_ROOM) return false;
      own += ms;
      return true;
    })
    .map(({ file, title, steps }) => ({ file, title, steps }));
}

/** Where the tests of a mutant's file are. */
function roomOf({ file }: Mutant): string {
  return `test/${file.split("/")[1]}/`;
}

/** By the tests of the same room: a constant is tested there if it is anywhere. */
async function tryAtLoad(
  tree: Tree,
  mutants: readonly Mutant[],
  judges: readonly Test[],
  take: Take,
): Promise<void> {
  const files = [...new Set(judges.map(({ file }) => file))];
  const titles = Object.fromEntries(
    files.map((file) => [file, judges.filter((own) => own.file === file).map((own) => own.title)]),
  );
  const left = new Map(mutants.map((mutant) => [mutant.id, mutant]));
  const settle = (id: number, killedBy: string | null) => {
    take({ mutant: left.get(id) as Mutant, killedBy, tests: judges.length });
    left.delete(id);
  };
  while (left.size > 0) {
    const task = { atLoad: { ids: [...left.keys()], titles } };
    const { trying, ended } = await session(tree, { files, task }, (report) => {
      if (report.kind === "tried") settle(report.id, report.killedBy);
    });
    if (ended === undefined) continue;
    if (trying === undefined) throw new Error(`a process that tries mutants ${ended} at its start`);
    settle(trying, ended);
  }
}

/** One process: the mutant that it tried last, and how it came to its end where that was not a good one. */
async function session(
  tree: Tree,
  job: Pick<Job, "files" | "task">,
  take: (report: Report) => void,
): Promise<{ readonly trying?: number | undefined; readonly ended?: string | undefined }> {
  const switchFile = tree.isNative ? `${tree.folder}/switch` : undefined;
  const child = fork(WORKER, [], {
    cwd: tree.folder,
    execArgv: ["--import=tsx"],
    env: {
      ...process.env,
      ...(switchFile && { PAPO_MUTANT_FILE: switchFile }),
      PAPO_ADDON_PATH: tree.addon,
      PAPO_NUM_THREADS: "1",
    },
  });
  let trying: number | undefined;
  let isHanging = false;
  const watch = watchOf(child, () => {
    isHanging = true;
  });
  child.on("message", (report: Report) => {
    watch.refresh();
    if (report.kind === "trying") trying = report.id;
    if (report.kind === "tried") trying = undefined;
    take(report);
  });
  const count = tree.mutants.length;
  child.send({ tree: tree.folder, count, switchFile, ...job } satisfies Job);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(watch);
  return { trying, ended: code === 0 ? undefined : isHanging ? "hangs" : "ends the process" };
}

function watchOf(child: ChildProcess, hang: () => void): NodeJS.Timeout {
  return setTimeout(() => {
    hang();
    child.kill("SIGKILL");
  }, PATIENCE_MS);
}
