/** The process that `npm run fuzz` starts: it makes the calls, and notes each case before, for it may die of it. */
import { openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { addon } from "../../lib/addon/load.js";
import { agree } from "./agreement.js";
import type { Case } from "./cases.js";
import { DOORS } from "./doors.js";
import { startFrameworks } from "./framework-doors.js";
import { recordRegression } from "./regressions.js";
import { emptyTally, fuzzDoor, type Tally } from "./round.js";
import { runCase } from "./run-case.js";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "0" },
    seed: { type: "string", default: "0" },
    doors: { type: "string", default: "" },
    note: { type: "string" },
    replay: { type: "string" },
  },
});
/** Calls of a door in a round, and of one that computes in the addon. */
const PER_ROUND = 20;
const PER_NATIVE_ROUND = 80;
/** Batches of a round that are compared with the reference. */
const AGREEMENTS = 50;
const print = (text: string) => void process.stdout.write(`${text}\n`);

const started = performance.now();
const tallies = new Map<string, Tally>();
const known = new Set<string>();
let made = 0;
let compared = 0;

void main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    print(`the fuzzer itself failed: ${String((error as Error).stack)}`);
    process.exit(3);
  },
);

async function main(): Promise<number> {
  process.on("unhandledRejection", (reason) => {
    print(`a rejection that nobody handles: ${String(reason)}`);
    process.exit(3);
  });
  await startFrameworks();
  if (values.replay !== undefined) {
    print(JSON.stringify(await runCase(JSON.parse(values.replay) as Case)));
    return 0;
  }
  print(`fuzz: ${addon().path}, Node ${process.version}`);
  const names = Object.keys(DOORS).filter((name) => name.includes(values.doors));
  const asked = Number(values.calls);
  let next = started + 60_000;
  for (let round = Number(values.seed); made < asked; round++) {
    for (const name of names) {
      await once(name, round);
      if (performance.now() < next) continue;
      next += 60_000;
      print(`fuzz: ${made} calls, ${rate()} a second, ${known.size} failures`);
    }
    for (let i = 0; i < AGREEMENTS; i++) compare(round * AGREEMENTS + i);
  }
  report();
  return known.size === 0 ? 0 : 1;
}

async function once(name: string, seed: number): Promise<void> {
  const tally = tallies.get(name) ?? emptyTally();
  tallies.set(name, tally);
  const native = tally.calls === 0 || tally.reached > tally.calls / 10;
  const before = tally.calls;
  const failure = await fuzzDoor(name, native ? PER_NATIVE_ROUND : PER_ROUND, seed, tally, note);
  made += tally.calls - before;
  if (failure === undefined) return;
  // The same one again, in another door of its kind, is not news.
  const key = failure.why.replace(/\d+/g, "0");
  if (known.has(key)) return;
  known.add(key);
  print(
    `FAILED ${JSON.stringify(failure.case)}\n  ${failure.why}\n  seed ${failure.seed}, path ${failure.path}`,
  );
  recordRegression(failure.case, failure.why);
}

/** A batch against the reference; the seed stands in the message. */
function compare(seed: number): void {
  compared++;
  try {
    agree(seed);
  } catch (error) {
    const { message } = error as Error;
    known.add(message);
    print(`FAILED ${message}`);
  }
}

const file = values.note === undefined ? undefined : openSync(values.note, "w");

function note(each: Case): void {
  if (file === undefined) return;
  // Calls that never reach the addon cannot kill, and writing takes longer than most of them.
  const { calls = 0, reached = 0 } = tallies.get(each.door) ?? {};
  if (calls > PER_ROUND && reached === 0) return;
  // Longer than any case, so that nothing is left of a longer one.
  writeSync(file, JSON.stringify({ calls: made, case: each }).padEnd(600), 0);
}

function rate(): number {
  return Math.round(made / ((performance.now() - started) / 1000));
}

/** By kind of door, and all: calls, and the shares that succeeded, reached the addon and went through there. */
function report(): void {
  const kinds = new Map<string, Tally>();
  for (const [name, tally] of tallies) {
    for (const kind of [kindOf(name), "all"]) {
      const sum = kinds.get(kind) ?? emptyTally();
      kinds.set(kind, sum);
      sum.calls += tally.calls;
      sum.successes += tally.successes;
      sum.reached += tally.reached;
      sum.ran += tally.ran;
      for (const [code, count] of Object.entries(tally.refused)) {
        sum.refused[code] = (sum.refused[code] ?? 0) + count;
      }
    }
  }
  const share = (part: number, { calls }: Tally) =>
    `${((100 * part) / calls).toFixed(1)} %`.padStart(7);
  print(`${"".padEnd(26)}     calls  success  reached the addon  went through`);
  for (const [kind, tally] of kinds) {
    const { calls, successes, reached, ran } = tally;
    print(
      `${kind.padEnd(26)} ${String(calls).padStart(9)}  ${share(successes, tally)}  ${share(reached, tally).padStart(17)}  ${share(ran, tally).padStart(12)}`,
    );
  }
  const all = kinds.get("all") ?? emptyTally();
  print(`refused: ${JSON.stringify(all.refused)}`);
  print(`${compared} batches agree with the float64 reference`);
  print(`${made} calls, ${rate()} a second, ${known.size} failures`);
}

function kindOf(name: string): string {
  if (name.endsWith(" of anything")) return "anything at all";
  const [head = name] = name.split(/[.,: ]/);
  if (name.startsWith("addon.run")) return "addon.run, addon.runAsync";
  if (["addon", "masking", "monitor", "reference", "rewards"].includes(head)) return head;
  if (/^(Tfjs|tfjs|Jax|jax)/.test(head)) return "tfjs, jax";
  if (/^(Objective|BoundEvaluation|RowBlockEvaluation|ObjectiveBuilder)$/.test(head)) return head;
  return "other functions";
}
