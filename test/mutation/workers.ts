/** Tries mutants in child processes: one after the other in one process, which is replaced where a mutant hangs or ends it. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutant.js";
import type { Tree } from "./tree.js";
import type { Job, Report } from "./worker.js";

export interface Verdict {
  readonly mutant: Mutant;
  /** The test that failed, "hangs" or "ends the process"; null where every test passed. */
  readonly killedBy: string | null;
  /** Tests that came by it. */
  readonly tests: number;
}

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
/** Whoever says nothing for as long has lost its way: a test takes a second, on a busy machine some more. */
const PATIENCE_MS = 120_000;

/** Calls `take` with the verdict on each mutant, in no order. */
export async function tryMutants(
  tree: Tree,
  mutants: readonly Mutant[],
  tests: readonly string[],
  take: (verdict: Verdict) => void,
): Promise<void> {
  const byId = new Map(mutants.map((mutant) => [mutant.id, mutant]));
  const left = new Set(mutants.filter(({ atLoad }) => !atLoad).map(({ id }) => id));
  const settle = (id: number, killedBy: string | null, reached: number) => {
    left.delete(id);
    take({ mutant: byId.get(id) as Mutant, killedBy, tests: reached });
  };
  while (left.size > 0) {
    const stuck = await session(tree, { tests, ids: [...left] }, settle);
    if (stuck !== undefined) settle(stuck.id, stuck.how, 1);
  }
  for (const { id, file, atLoad } of mutants) {
    if (!atLoad) continue;
    // A process each: only the tests of the same room, where a constant is tested if it is anywhere.
    const room = file.split("/")[1] as string;
    const own = tests.filter((path) => path.startsWith(`test/${room}/`));
    const stuck = await session(tree, { tests: own, ids: [], fromStart: id }, settle);
    if (stuck !== undefined) settle(id, stuck.how, 1);
  }
}

interface Stuck {
  readonly id: number;
  readonly how: "hangs" | "ends the process";
}

/** One process; the mutant that it did not survive, if it tried any. */
async function session(
  tree: Tree,
  job: Pick<Job, "tests" | "ids" | "fromStart">,
  settle: (id: number, killedBy: string | null, tests: number) => void,
): Promise<Stuck | undefined> {
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
  let trying: number | undefined = job.fromStart;
  let isHanging = false;
  const watch = watchOf(child, () => {
    isHanging = true;
  });
  child.on("message", (report: Report) => {
    watch.refresh();
    if (report.kind === "trying") trying = report.id;
    if (report.kind === "tried") {
      trying = undefined;
      settle(report.id, report.killedBy, report.tests);
    }
    if (report.kind === "ready") {
      const { tests, failing } = report;
      console.error(
        `${tests} tests; left out, since they fail here: ${failing.join("; ") || "none"}`,
      );
    }
  });
  const count = tree.mutants.length;
  child.send({ tree: tree.folder, count, switchFile, ...job } satisfies Job);
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  clearTimeout(watch);
  if (code === 0) return undefined;
  if (trying === undefined)
    throw new Error("a process that tries mutants ended before the first one");
  return { id: trying, how: isHanging ? "hangs" : "ends the process" };
}

function watchOf(child: ChildProcess, hang: () => void): NodeJS.Timeout {
  return setTimeout(() => {
    hang();
    child.kill("SIGKILL");
  }, PATIENCE_MS);
}
