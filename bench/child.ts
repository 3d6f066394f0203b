/**
 * The process in which cases are run when the parent says so: those of one number of threads and one instruction set,
 * which are settled once per process, or one case of a peer.
 *
 * Cases share inputs (by vocabulary, dtype and distribution) and output memory, so that many fit beside each other.
 */
import {
  type Batch,
  type LogitsArray,
  makeBatch,
  makeHalfBatch,
  paddingMask,
  slice,
} from "./cases.js";
import type { Evaluation } from "./contenders/contender.js";
import { reserveOutputs } from "./contenders/output-memory.js";
import { ownSetUp, peerNamed } from "./contenders/table.js";
import { resetPeak, residentMemory } from "./memory.js";
import type { Case } from "./plan.js";
import type { Errors } from "./result.js";
import { errorsOf, truthOf } from "./truth.js";

/** What the parent asks for: first "begin", then, of each case, "setUp", "measure" any number of times, "finish". */
export type Request =
  | { readonly do: "begin"; readonly cases: readonly Case[] }
  | { readonly do: "setUp" | "measure" | "finish"; readonly index: number };

export interface SetUpReply {
  /** Peak memory of the first runs beyond inputs and outputs, bytes; undefined where the system does not tell. */
  readonly extraBytes: number | undefined;
  /** Whether its outputs are allocated anew by every run. */
  readonly fresh: boolean;
}
export interface MeasureReply {
  /** Seconds per evaluation, the median of this round's runs. */
  readonly time: number;
  /** Seconds that the round took. */
  readonly spent: number;
}
export interface FinishReply {
  readonly errors: Errors;
  readonly note: string | undefined;
}

/** Rows that the comparison with float64 reads: enough for a norm over two million elements. */
const COMPARED_ROWS = 8;
/** A round repeats short runs until this much time has passed, seconds. */
const ROUND_TIME = 0.03;
/** Runs shorter than this, seconds, are timed many at once: the clock itself costs a part of a microsecond. */
const SHORT = 1e-4;
/** Runs shorter than the first, seconds, are repeated for the second, milliseconds, before any is measured. */
const WARM_RUN = 1e-3;
const WARM_UP = 60;
/** Small cases walk through so many bytes of logits, if there are as many, so that none lie in a cache. */
const COLD_BYTES = 2 ** 28;

interface Running {
  readonly case: Case;
  /** Over one batch after the other, where there are several. */
  readonly evaluations: readonly Evaluation[];
  turn: number;
}

let cases: readonly Case[] = [];
const running = new Map<number, Running>();
const inputs = new Map<string, Batch<LogitsArray>>();
/** What the runs of earlier cases left resident, such as scratch: later ones may use it again, so it counts for them too. */
let retained = 0;

async function answer(request: Request) {
  switch (request.do) {
    case "begin":
      return begin(request.cases);
    case "setUp":
      return setUp(request.index);
    case "measure":
      return measure(running.get(request.index) as Running);
    case "finish":
      return finish(request.index);
  }
}

function begin(all: readonly Case[]) {
  cases = all;
  const own = all.filter(({ contender }) => peerNamed(contender) === undefined);
  const bytes = own
    .filter(({ operation }) => operation === "gradients")
    .map(({ rows, vocab, dtype }) => rows * vocab * (dtype === "float32" ? 4 : 2));
  reserveOutputs(Math.max(0, ...bytes));
  return {};
}

/** The rows of all cases on the same logits, of which each case takes the first, or some after the others. */
function inputsOf({ vocab, dtype, distribution }: Case): Batch<LogitsArray> {
  const key = [vocab, dtype, distribution].join();
  let batch = inputs.get(key);
  if (batch === undefined) {
    const rows = cases
      .filter((other) => [other.vocab, other.dtype, other.distribution].join() === key)
      .reduce((most, other) => Math.max(most, other.rows), 0);
    batch =
      dtype === "float32"
        ? makeBatch(rows, vocab, distribution)
        : makeHalfBatch(rows, vocab, dtype, distribution);
    inputs.set(key, batch);
  }
  return batch;
}

async function setUp(index: number): Promise<SetUpReply> {
  const given = cases[index] as Case;
  const all = inputsOf(given);
  const bytes = 2 * given.rows * given.vocab * all.logits.BYTES_PER_ELEMENT;
  const own = peerNamed(given.contender) === undefined;
  const windows = Math.min(Math.floor(all.rows / given.rows), Math.ceil(COLD_BYTES / bytes));
  const evaluations: Evaluation[] = [];
  for (let i = 0; i < (own ? windows : 1); i++) {
    const firstRow = i * given.rows;
    evaluations.push(await evaluationOf(given, slice(all, firstRow, given.rows), firstRow));
  }
  const now = { case: given, evaluations, turn: 0 };
  running.set(index, now);
  const extra = await extraBytes(evaluations[0] as Evaluation);
  await warmUp(now);
  return { extraBytes: extra, fresh: (evaluations[0] as Evaluation).freshOutputBytes > 0 };
}

async function evaluationOf(
  given: Case,
  batch: Batch<LogitsArray>,
  firstRow: number,
): Promise<Evaluation> {
  const { operation, dtype, outputs, threads, mode, distribution, contender } = given;
  const setting = { operation, dtype, outputs, threads };
  const peer = peerNamed(contender);
  if (peer !== undefined) return peer.setUp(batch as Batch, setting);
  const own = await ownSetUp(contender);
  if (own === undefined) throw new Error(`nobody is called ${contender}`);
  const responseMask = paddingMask(batch.rows, given.padding);
  const padded = responseMask === undefined ? batch : { ...batch, responseMask };
  return own(padded, { ...setting, mode, distribution, firstRow });
}

async function extraBytes(evaluation: Evaluation): Promise<number | undefined> {
  const pid = evaluation.pid ?? "self";
  await evaluation.prepare?.();
  globalThis.gc?.();
  const before = residentMemory("VmRSS", pid);
  resetPeak(pid);
  await evaluation.run();
  await evaluation.prepare?.();
  globalThis.gc?.();
  await evaluation.run();
  const peak = residentMemory("VmHWM", pid);
  globalThis.gc?.();
  const after = residentMemory("VmRSS", pid);
  if (before === undefined || peak === undefined || after === undefined) return undefined;
  const extra = Math.max(0, peak - before - evaluation.freshOutputBytes) + retained;
  if (evaluation.pid === undefined) retained += Math.max(0, after - before);
  return extra;
}

/** Short runs are repeated until the JavaScript around them has been compiled; two of a long one were made by now. */
async function warmUp(now: Running): Promise<void> {
  if ((await timeOfOne(now)) > WARM_RUN) return;
  const start = performance.now();
  while (performance.now() - start < WARM_UP) await timeOfOne(now);
}

async function measure(now: Running): Promise<MeasureReply> {
  const times: number[] = [];
  let spent = 0;
  let many = 1;
  while (spent < ROUND_TIME) {
    const time = many === 1 ? await timeOfOne(now) : await timeOfMany(now, many);
    times.push(time);
    spent += time * many;
    if (times.length === 1 && time < SHORT && isPlain(now)) many = Math.ceil((10 * SHORT) / time);
  }
  times.sort((a, b) => a - b);
  return { time: times[times.length >> 1] as number, spent };
}

function next(now: Running): Evaluation {
  const evaluation = now.evaluations[now.turn % now.evaluations.length] as Evaluation;
  now.turn++;
  return evaluation;
}

/** Whether runs may follow each other without anything between them. */
function isPlain({ evaluations }: Running): boolean {
  return evaluations.every(({ prepare }) => prepare === undefined);
}

async function timeOfOne(now: Running): Promise<number> {
  const evaluation = next(now);
  await evaluation.prepare?.();
  const start = performance.now();
  const running = evaluation.run();
  const own = running instanceof Promise ? await running : running;
  return typeof own === "number" ? own : (performance.now() - start) / 1000;
}

async function timeOfMany(now: Running, count: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const running = next(now).run();
    if (running instanceof Promise) await running;
  }
  return (performance.now() - start) / 1000 / count;
}

/** Ends a case: what it says of itself, and its errors on a few rows, set up anew. */
async function finish(index: number): Promise<FinishReply> {
  const { case: given, evaluations } = running.get(index) as Running;
  running.delete(index);
  const note = await evaluations[0]?.note?.();
  for (const evaluation of evaluations) await evaluation.close?.();
  const all = inputsOf(given);
  const rows = slice(all, 0, Math.min(given.rows, COMPARED_ROWS));
  const mask = paddingMask(rows.rows, given.padding);
  const few = await evaluationOf(given, rows, 0);
  await few.prepare?.();
  await few.run();
  const truth = truthFor(given, mask === undefined ? rows : { ...rows, responseMask: mask });
  const errors = errorsOf(await few.results(), truth, mask);
  await few.close?.();
  return { errors, note };
}

const truths = new Map<string, ReturnType<typeof truthOf>>();

function truthFor({ dtype, distribution }: Case, batch: Batch<LogitsArray>) {
  const masked = batch.responseMask?.join("") ?? "";
  const key = [batch.rows, batch.vocab, dtype, distribution, masked].join();
  let truth = truths.get(key);
  if (truth === undefined) {
    truth = truthOf(batch, dtype);
    truths.set(key, truth);
  }
  return truth;
}

process.on("message", async (request: Request) => {
  try {
    process.send?.({ reply: await answer(request) });
  } catch (error) {
    process.send?.({
      failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
});
