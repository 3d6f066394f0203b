/** Logits that arrive in blocks of rows. */
import test from "ava";
import {
  type Logits,
  objective,
  type RowBlock,
  type RowBlockEvaluation,
  type RowBlockOptions,
} from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, logitsTensor, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 21, sequences: 4, tokens: 5, vocabSize: 9 });
const CORRECTED = objective("papo-g-7b", { form: "corrected" }).build();
const { logits: LOGITS, maskedLogits: MASKED, ...ROWS } = logitsBatch(BATCH);
const SHAPE = [BATCH.sequences, BATCH.tokens];
const COUNTED = Array.from({ length: BATCH.rows }, (_, row) => row).filter(
  (row) => BATCH.responseMask[row] === 1,
);

function begin(options?: RowBlockOptions, loss = CORRECTED): RowBlockEvaluation {
  return loss.begin({ ...ROWS, shape: SHAPE, vocabSize: BATCH.vocabSize }, options);
}

function part(of: Logits, start: number, end: number): Logits {
  const data = (of.data as Float32Array).slice(start * of.columns, end * of.columns);
  return logitsTensor(data, [end - start, of.columns]);
}

function block(start: number, end: number): RowBlock {
  return {
    rowStart: start,
    logits: part(LOGITS, start, end),
    maskedLogits: part(MASKED as Logits, start, end),
  };
}

const BLOCKS = [
  [13, 20],
  [0, 1],
  [6, 13],
  [1, 6],
] as const;

test("blocks of any size in any order are the whole batch", (t) => {
  const expected = CORRECTED.evaluate(logitsBatch(BATCH), { perToken: true });
  for (const plan of ["fused", "composed"] as const) {
    const evaluation = begin({ plan, perToken: true });
    const gradLogits = new Float64Array(BATCH.rows * BATCH.vocabSize);
    const gradMaskedLogits = gradLogits.slice();
    for (const [start, end] of BLOCKS) {
      const gradients = evaluation.add(block(start, end));
      gradLogits.set(valuesOf(gradients.gradLogits), start * BATCH.vocabSize);
      gradMaskedLogits.set(valuesOf(gradients.gradMaskedLogits), start * BATCH.vocabSize);
    }
    const finished = evaluation.finish();
    t.is(finished.loss, expected.loss);
    t.deepEqual(finished.metrics, expected.metrics);
    t.deepEqual(finished.terms, expected.terms);
    t.deepEqual(finished.tokens, expected.tokens);
    t.deepEqual(gradientsOf(finished), {});
    const tolerance = GRADIENT_TOLERANCES.float32;
    assertClose(t, "gradLogits", gradLogits, valuesOf(expected.gradLogits), tolerance);
    const masked = valuesOf(expected.gradMaskedLogits);
    assertClose(t, "gradMaskedLogits", gradMaskedLogits, masked, tolerance);
  }
});

test("blocks may run at the same time", async (t) => {
  const expected = CORRECTED.evaluate(logitsBatch(BATCH));
  const evaluation = begin();
  const running = BLOCKS.map(([start, end]) => evaluation.addAsync(block(start, end)));
  t.throws(() => evaluation.finish(), { message: /4 still running/ });
  await Promise.all(running);
  t.is(evaluation.finish().loss, expected.loss);
});

test("a block in place, or with memory, has its gradients there", (t) => {
  const expected = valuesOf(CORRECTED.evaluate(logitsBatch(BATCH)).gradLogits);
  const evaluation = begin();
  const inPlace = block(0, 10);
  t.is(evaluation.add({ ...inPlace, inPlace: true }).gradLogits, inPlace.logits);
  const rest = block(10, 20);
  const gradLogits = part(LOGITS, 10, 20);
  t.is<unknown, unknown>(evaluation.add({ ...rest, gradLogits }).gradLogits, gradLogits);
  evaluation.finish();
  t.deepEqual([...valuesOf(inPlace.logits), ...valuesOf(gradLogits)], [...expected]);
});

test("rows that do not count need not be added", (t) => {
  const expected = CORRECTED.evaluate(logitsBatch(BATCH));
  const evaluation = begin();
  for (const row of COUNTED) evaluation.add(block(row, row + 1));
  t.is(evaluation.finish().loss, expected.loss);
});

test("a counted row that was not added is named by finish", (t) => {
  const evaluation = begin();
  for (const row of COUNTED.slice(0, -1)) evaluation.add(block(row, row + 1));
  t.throws(() => evaluation.finish(), {
    code: "ERR_ARGUMENT",
    message: `[RowBlockEvaluation] expected every counted row to be added before finish, received no row ${COUNTED.at(-1)}`,
  });
});

test("blocks that do not fit are refused", (t) => {
  const evaluation = begin();
  evaluation.add(block(3, 6));
  const refused = (candidate: RowBlock, code: string, message: RegExp) =>
    t.throws(() => evaluation.add(candidate), { code, message });
  refused(block(5, 8), "ERR_RANGE", /each row once, received row 5 again/);
  refused({ ...block(0, 3), rowStart: 18 }, "ERR_RANGE", /3 from row 18 on/);
  refused({ ...block(0, 3), rowStart: -1 }, "ERR_RANGE", /from row -1 on/);
  refused({ ...block(0, 3), rowStart: 0.5 }, "ERR_RANGE", /from row 0.5 on/);
  const narrow = logitsTensor(new Float32Array(8), [1, 8]);
  refused({ rowStart: 0, logits: narrow }, "ERR_SHAPE", /logits \[rows, 9\]/);
  refused({ ...block(0, 3), maskedLogits: undefined }, "ERR_ARGUMENT", /every block or in none/);
  refused({ ...block(0, 3), row: 1 } as never, "ERR_ARGUMENT", /"row"/);
});

test("a branch that comes later than the first block is refused", (t) => {
  const plain = objective("grpo").build();
  const evaluation = begin({ gradients: false }, plain);
  const { maskedLogits: _, ...alone } = block(0, 5);
  evaluation.add(alone);
  t.throws(() => evaluation.add(block(5, 9)), {
    code: "ERR_ARGUMENT",
    message: /maskedLogits in every block or in none, received them after blocks without/,
  });
});

test("a missing branch is refused by the first block", (t) => {
  const { maskedLogits: _, ...alone } = block(0, 5);
  t.throws(() => begin().add(alone), { code: "ERR_ARGUMENT", message: /maskedLogits \(or kl/ });
});

test("a first block that was refused for its missing branch may come again with it", (t) => {
  const whole = begin();
  const { maskedLogits, ...without } = block(0, BATCH.rows);
  t.throws(() => whole.add(without), { code: "ERR_ARGUMENT", message: /maskedLogits/ });
  whole.add({ ...without, maskedLogits });
  const again = begin();
  again.add(block(0, BATCH.rows));
  t.deepEqual(whole.finish(), again.finish());
});

test("after finish there are no more blocks and no second finish", (t) => {
  const evaluation = begin();
  for (const [start, end] of BLOCKS) evaluation.add(block(start, end));
  evaluation.finish();
  t.throws(() => evaluation.finish(), { code: "ERR_ARGUMENT" });
  t.throws(() => evaluation.add(block(0, 1)), { code: "ERR_ARGUMENT" });
});

test("errors name rows of the batch, and the block may be added again", (t) => {
  const evaluation = begin();
  const row = COUNTED.at(-1) as number;
  const broken = block(row - 1, row + 1);
  const good = broken.logits.data[BATCH.vocabSize] as number;
  broken.logits.data[BATCH.vocabSize] = Number.NaN;
  for (const error of [
    t.throws(() => evaluation.add(broken), { code: "ERR_NOT_FINITE" }),
    t.throws(() => begin({ plan: "composed" }).add(broken), { code: "ERR_NOT_FINITE" }),
  ]) {
    t.is((error as { row?: number }).row, row);
    t.regex(String(error?.message), new RegExp(`\\brow ${row}\\b`));
  }
  const tokenIds = BATCH.tokenIds.slice();
  tokenIds[row] = 99;
  const wrong = CORRECTED.begin({ ...ROWS, tokenIds, shape: SHAPE, vocabSize: BATCH.vocabSize });
  t.throws(() => wrong.add(block(row - 1, row + 1)), {
    message: new RegExp(`expected tokenIds\\[${row}\\] in 0…8, received 99`),
  });
  broken.logits.data[BATCH.vocabSize] = good;
  evaluation.add(broken);
  for (const other of COUNTED) {
    if (other < row - 1) evaluation.add(block(other, other + 1));
  }
  t.is(evaluation.finish().loss, CORRECTED.evaluate(logitsBatch(BATCH)).loss);
});

test("an aborted block counts as not added", async (t) => {
  const evaluation = begin();
  const signal = AbortSignal.abort(new Error("enough"));
  await t.throwsAsync(evaluation.addAsync(block(0, 20), { signal }), { message: "enough" });
  await evaluation.addAsync(block(0, 20));
  t.is(evaluation.finish().loss, CORRECTED.evaluate(logitsBatch(BATCH)).loss);
});

test("skipping works block by block without gradients, and tells which rows", (t) => {
  const bad = [COUNTED[1] as number, COUNTED.at(-1) as number];
  const evaluation = begin({ onInvalid: "skip", gradients: false });
  for (const [start, end] of BLOCKS) {
    const candidate = block(start, end);
    for (const row of bad) {
      if (row >= start && row < end)
        candidate.logits.data.fill(-Infinity, (row - start) * 9, (row - start + 1) * 9);
    }
    evaluation.add(candidate);
  }
  const { loss, metrics, skippedRows } = evaluation.finish();
  const responseMask = BATCH.responseMask.slice();
  for (const row of bad) responseMask[row] = 0;
  const expected = CORRECTED.evaluate({ ...logitsBatch(BATCH), responseMask });
  t.is(loss, expected.loss);
  t.deepEqual(metrics, { ...expected.metrics, skippedRows: 2 });
  t.deepEqual(skippedRows, bad);
});

test("skipping with gradients needs all rows at once", (t) => {
  t.throws(() => begin({ onInvalid: "skip" }).add(block(0, 5)), {
    code: "ERR_UNSUPPORTED",
    message: /all rows in one block/,
  });
  t.notThrows(() => begin({ onInvalid: "skip" }).add(block(0, 20)));
});

test("a batch of which no row counts is finished without a block, and nothing masked was measured", (t) => {
  const responseMask = new Int32Array(BATCH.rows);
  const evaluation = CORRECTED.begin(
    { ...ROWS, responseMask, shape: SHAPE, vocabSize: 1 },
    { perToken: true },
  );
  const { loss, metrics, tokens } = evaluation.finish();
  t.is(loss, 0);
  t.is(metrics.tokens, 0);
  for (const found of [metrics, tokens ?? {}]) {
    t.true("logProbs" in found);
    t.deepEqual(
      Object.keys(found).filter((name) => /masked|perception|^kl|reverse/i.test(name)),
      [],
    );
  }
});

test("a batch of blocks is checked when it begins", (t) => {
  const start = (more: object) => () =>
    CORRECTED.begin({ ...ROWS, shape: SHAPE, vocabSize: 9, ...more } as never);
  t.throws(start({ vocabSize: 0 }), { code: "ERR_RANGE" });
  t.throws(start({ shape: [4, 4] }), { code: "ERR_SHAPE" });
  t.throws(start({ shape: [20], cuSeqlens: [0, 30] }), { code: "ERR_RANGE" });
  t.throws(start({ refLogprobs: [] }), { code: "ERR_ARGUMENT" });
  t.throws(start({ responseMask: new Float32Array(20).fill(0.5) }), { code: "ERR_RANGE" });
  t.throws(() => begin({ inPlace: true } as never), { code: "ERR_ARGUMENT" });
});
