/** `gradsZeroed`: rows with mask 0 are not touched, in no layout and on no way; without it they become zeros. */
import test from "ava";
import {
  type EvaluateOptions,
  type Evaluation,
  type LogitsBatch,
  objective,
  type RowBlock,
  type Tensor,
} from "../../lib/index.js";
import { makeBatch } from "../support/inputs.js";
import { logitsBatch, logitsTensor, takeRows, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 9, sequences: 4, tokens: 5, vocabSize: 33 });
const DIFFERENTIABLE = objective("papo-g-7b", { form: "corrected" }).build();
const CONSTANT = objective("papo-g-7b").build();
const PLANS = [{ plan: "fused" }, { plan: "composed" }, { onInvalid: "skip" }] as const;
/** What nobody would write by chance. */
const MARK = 7;

const ALL = Array.from({ length: BATCH.rows }, (_, row) => row);
const LAYOUTS: Readonly<Record<string, () => LogitsBatch>> = {
  padded: () => logitsBatch(BATCH),
  "half precision": () => logitsBatch(BATCH, "bfloat16"),
  packed: () => takeRows(BATCH, ALL, { cuSeqlens: [0, 7, 7, 20] }),
};

/** Memory full of marks, in rows a few elements apart. */
function marked(of: { readonly shape: readonly number[] }): Tensor {
  const pitch = BATCH.vocabSize + 3;
  const data = new Float32Array(BATCH.rows * pitch).fill(MARK);
  return logitsTensor(data, of.shape, "float32", pitch);
}

const rowOf = (values: Float64Array, row: number) =>
  values.subarray(row * BATCH.vocabSize, (row + 1) * BATCH.vocabSize);

/** What evaluations into memory full of marks leave there: [gradLogits, gradMaskedLogits]. */
async function left(
  batch: LogitsBatch,
  options: EvaluateOptions,
  later: boolean,
): Promise<Float64Array[]> {
  const memory = { gradLogits: marked(batch.logits), gradMaskedLogits: marked(batch.logits) };
  const all = { ...options, ...memory, gradDType: "float32" } as const;
  if (later) await DIFFERENTIABLE.evaluateAsync(batch, all);
  else DIFFERENTIABLE.evaluate(batch, all);
  return [memory.gradLogits, memory.gradMaskedLogits].map(valuesOf);
}

for (const [layout, make] of Object.entries(LAYOUTS)) {
  for (const way of PLANS) {
    test(`rows with mask 0 keep what they hold, the others are overwritten: ${layout}, ${JSON.stringify(way)}`, async (t) => {
      for (const later of [false, true]) {
        const zeros = await left(make(), way, later);
        const kept = await left(make(), { ...way, gradsZeroed: true }, later);
        for (const [i, values] of kept.entries()) {
          for (const row of ALL) {
            const [actual, before] = [values, zeros[i] as Float64Array].map((of) => rowOf(of, row));
            if (BATCH.responseMask[row] === 1) t.deepEqual(actual, before);
            else {
              t.true(actual?.every((x) => x === MARK));
              t.true(before?.every((x) => x === 0));
            }
          }
        }
      }
    });
  }
}

test("blocks of rows leave the rows with mask 0 alone", async (t) => {
  const { logits, maskedLogits, ...rows } = logitsBatch(BATCH);
  const expected = valuesOf(DIFFERENTIABLE.evaluate({ logits, maskedLogits, ...rows }).gradLogits);
  const shape = [BATCH.sequences, BATCH.tokens];
  for (const later of [false, true]) {
    const memory = marked({ shape: [BATCH.rows, BATCH.vocabSize] });
    const evaluation = DIFFERENTIABLE.begin({ ...rows, shape, vocabSize: BATCH.vocabSize });
    for (let rowStart = 0; rowStart < BATCH.rows; rowStart += 6) {
      const end = Math.min(rowStart + 6, BATCH.rows);
      const block = {
        rowStart,
        logits: logits.sliceRows(rowStart, end),
        maskedLogits: (maskedLogits as typeof logits).sliceRows(rowStart, end),
        gradLogits: memory.sliceRows(rowStart, end),
        gradsZeroed: true,
      } as RowBlock;
      if (later) await evaluation.addAsync(block);
      else evaluation.add(block);
    }
    evaluation.finish();
    const values = valuesOf(memory);
    for (const row of ALL) {
      if (BATCH.responseMask[row] === 0) t.true(rowOf(values, row).every((x) => x === MARK));
      else t.deepEqual(rowOf(values, row), rowOf(expected, row));
    }
  }
});

test("memory that is left from a batch of the same mask serves the next one", (t) => {
  const fresh = DIFFERENTIABLE.evaluate(logitsBatch(BATCH));
  const { gradLogits, gradMaskedLogits } = fresh;
  const before = [valuesOf(gradLogits), valuesOf(gradMaskedLogits)];
  const memory = { gradLogits, gradMaskedLogits, gradsZeroed: true };
  DIFFERENTIABLE.evaluate(logitsBatch(BATCH), { ...memory, gradScale: 3 });
  t.notDeepEqual(valuesOf(gradLogits), before[0]);
  DIFFERENTIABLE.evaluate(logitsBatch(BATCH), memory);
  t.deepEqual([valuesOf(gradLogits), valuesOf(gradMaskedLogits)], before);
});

test("rows that are skipped become zeros, whatever they held, and those with mask 0 are left alone", async (t) => {
  const skipped = ALL.filter((row) => BATCH.responseMask[row] === 1).slice(1, 3);
  for (const later of [false, true]) {
    const batch = logitsBatch(BATCH);
    for (const row of skipped) batch.logits.data[row * BATCH.vocabSize] = Number.NaN;
    const options = { onInvalid: "skip", gradsZeroed: true } as const;
    for (const values of await left(batch, options, later)) {
      for (const row of ALL) {
        const only = skipped.includes(row) ? 0 : MARK;
        const counts = BATCH.responseMask[row] === 1 && !skipped.includes(row);
        t.is(
          rowOf(values, row).every((x) => x === only),
          !counts,
        );
      }
    }
  }
});

test("memory of a constant masked branch becomes zero where rows count", (t) => {
  const gradMaskedLogits = marked({ shape: [BATCH.sequences, BATCH.tokens, BATCH.vocabSize] });
  CONSTANT.evaluate(logitsBatch(BATCH), { gradMaskedLogits, gradsZeroed: true });
  const values = valuesOf(gradMaskedLogits);
  for (const row of ALL) {
    const only = BATCH.responseMask[row] === 1 ? 0 : MARK;
    t.true(rowOf(values, row).every((x) => x === only));
  }
});

test("one gradient in memory that is given, and the other in fresh memory, are both whole", (t) => {
  const expected = DIFFERENTIABLE.evaluate(logitsBatch(BATCH));
  const gradLogits = logitsTensor(
    new Float32Array(BATCH.rows * BATCH.vocabSize),
    expected.gradLogits?.shape ?? [],
  );
  const actual = DIFFERENTIABLE.evaluate(logitsBatch(BATCH), { gradLogits, gradsZeroed: true });
  const values = ({ gradLogits, gradMaskedLogits }: Evaluation) =>
    [gradLogits, gradMaskedLogits].map(valuesOf);
  t.deepEqual(values(actual), values(expected));
});

test("after an error in the data, rows that count hold zeros and the others what they held", (t) => {
  const batch = logitsBatch(BATCH);
  const bad = BATCH.responseMask.lastIndexOf(1);
  batch.logits.data[bad * BATCH.vocabSize] = Number.NaN;
  const gradLogits = marked(batch.logits);
  const options = { gradLogits, gradsZeroed: true };
  t.throws(() => DIFFERENTIABLE.evaluate(batch, options), { code: "ERR_NOT_FINITE" });
  const values = valuesOf(gradLogits);
  for (const row of ALL) {
    const only = BATCH.responseMask[row] === 1 ? 0 : MARK;
    t.true(rowOf(values, row).every((x) => x === only));
  }
});

test("it is a word about memory that is given, and not about the logits' own", (t) => {
  const batch = logitsBatch(BATCH);
  const refused = (options: EvaluateOptions, message: RegExp) =>
    t.throws(() => DIFFERENTIABLE.evaluate(batch, options), { code: "ERR_ARGUMENT", message });
  refused({ gradsZeroed: true }, /gradsZeroed only with memory for gradients, received none/);
  refused({ gradsZeroed: true, inPlace: true }, /either inPlace or gradsZeroed, received both/);
  refused({ gradsZeroed: true, gradients: false }, /only where gradients are asked for/);
  refused({ gradsZeroed: 1 as never }, /gradsZeroed to be a boolean, received 1/);
  DIFFERENTIABLE.evaluate(batch, { gradsZeroed: false });
  t.throws(
    () =>
      objective({})
        .build()
        .evaluate({ logProbs: [-1], advantages: [1] }, { gradsZeroed: true }),
    { code: "ERR_ARGUMENT", message: /memory for gradients only with logits/ },
  );
});
