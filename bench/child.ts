/** The process one contender lives in: sets up once, then runs when it is told to. */
import { readFileSync, writeFileSync } from "node:fs";
import { fromBfloat16, toBfloat16 } from "../lib/index.js";
import { type Batch, firstRows, makeBatch, VOCAB } from "./cases.js";
import type { Contender, Evaluation, Gradients } from "./contenders/contender.js";
import { reference } from "./contenders/plain.js";
import { CONTENDERS } from "./contenders/table.js";

/** What the parent asks for, in this order, `measure` any number of times. */
export type Request = "setUp" | "measure" | "compare";

export interface SetUpReply {
  /** Peak memory of the first runs beyond inputs and outputs, bytes; undefined where the system does not tell. */
  readonly extraBytes: number | undefined;
}
export interface MeasureReply {
  /** One duration per run, ms. */
  readonly times: readonly number[];
}
export interface CompareReply {
  /** |loss − float64 loss| over a few rows. */
  readonly lossError: number;
  /** ‖gradient − float64 gradient‖ / ‖float64 gradient‖, both gradients together, over the same rows. */
  readonly gradError: number;
}

/** Rows that the comparison with float64 reads: enough for a norm over two million elements. */
const COMPARED_ROWS = 8;
/** A round repeats short runs until this much time has passed, ms. */
const ROUND_TIME = 60;

let evaluation: Evaluation | undefined;

async function answer(contender: Contender, request: Request) {
  switch (request) {
    case "setUp":
      return setUp(contender);
    case "measure":
      return measure(evaluation as Evaluation);
    case "compare":
      evaluation = undefined;
      return compare(contender);
  }
}

async function setUp(contender: Contender): Promise<SetUpReply> {
  const batch = makeBatch(contender.rows, VOCAB);
  const ready = await (await contender.setUp())(batch, contender.variant);
  evaluation = ready;
  ready.prepare?.();
  const before = memory("VmRSS");
  resetPeak();
  ready.run();
  ready.prepare?.();
  ready.run();
  const peak = memory("VmHWM");
  if (before === undefined || peak === undefined) return { extraBytes: undefined };
  return { extraBytes: Math.max(0, peak - before - ready.freshOutputBytes) };
}

function measure(ready: Evaluation): MeasureReply {
  const times: number[] = [];
  let total = 0;
  while (total < ROUND_TIME) {
    ready.prepare?.();
    const start = performance.now();
    ready.run();
    const time = performance.now() - start;
    times.push(time);
    total += time;
  }
  return { times };
}

async function compare(contender: Contender): Promise<CompareReply> {
  const batch = rounded(firstRows(makeBatch(COMPARED_ROWS, VOCAB), COMPARED_ROWS), contender);
  const expected = reference(batch);
  const small = await (await contender.setUp())(batch, contender.variant);
  small.prepare?.();
  const lossError = Math.abs(small.run() - expected.loss);
  return { lossError, gradError: relativeError(small.gradients(), expected) };
}

/** The batch as the contender's dtype holds it, so that only its arithmetic and its outputs' rounding count. */
function rounded(batch: Batch, { variant }: Contender): Batch {
  if (variant.dtype === "float32") return batch;
  return {
    ...batch,
    logits: fromBfloat16(toBfloat16(batch.logits)),
    maskedLogits: fromBfloat16(toBfloat16(batch.maskedLogits)),
  };
}

function relativeError(actual: Gradients, expected: Gradients): number {
  let [difference, norm] = [0, 0];
  for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
    for (let i = 0; i < expected[name].length; i++) {
      const right = expected[name][i] as number;
      difference += ((actual[name][i] as number) - right) ** 2;
      norm += right ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

/** Linux only; elsewhere the table has a dash. */
function memory(key: "VmRSS" | "VmHWM"): number | undefined {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    return Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
  } catch {
    return undefined;
  }
}

function resetPeak(): void {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Then the peak is that of the whole process, which is never less.
  }
}

const contender = CONTENDERS.find(({ name }) => name === process.argv[2]) as Contender;
process.on("message", async (request: Request) => {
  process.send?.(await answer(contender, request));
});
