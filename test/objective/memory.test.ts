/** Where gradients go: fresh memory, the caller's, the logits themselves, or nowhere. */
import test from "ava";
import { type LogitsBatch, Objective, objective, type Tensor } from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, logitsTensor, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 3, vocabSize: 7, rowPitch: 10 });
const SHAPE = [BATCH.sequences, BATCH.tokens, BATCH.vocabSize];
const DIFFERENTIABLE = objective("papo-g-7b", { form: "corrected" }).build();
const CONSTANT = objective("papo-g-7b").build();
const PLANS = ["fused", "composed"] as const;

function memory(rowPitch: number = BATCH.vocabSize, value: number = Number.NaN) {
  return logitsTensor(
    new Float32Array(BATCH.rows * rowPitch).fill(value),
    SHAPE,
    "float32",
    rowPitch,
  );
}

test("given memory of any pitch is written, what lies between its rows is not", (t) => {
  for (const plan of PLANS) {
    const expected = gradientsOf(DIFFERENTIABLE.evaluate(logitsBatch(BATCH), { plan }));
    const gradLogits = memory(9);
    const gradMaskedLogits = memory(8);
    const evaluation = DIFFERENTIABLE.evaluate(logitsBatch(BATCH), {
      plan,
      gradLogits,
      gradMaskedLogits,
    });
    t.is<unknown, unknown>(evaluation.gradLogits, gradLogits);
    t.is<unknown, unknown>(evaluation.gradMaskedLogits, gradMaskedLogits);
    t.deepEqual(gradientsOf(evaluation), expected);
    t.is(gradLogits.data.filter(Number.isNaN).length, BATCH.rows * 2);
    t.is(gradMaskedLogits.data.filter(Number.isNaN).length, BATCH.rows);
  }
});

test("in place the gradients lie over the logits and are the same", (t) => {
  for (const plan of PLANS) {
    const batch = logitsBatch(BATCH);
    const expected = gradientsOf(DIFFERENTIABLE.evaluate(batch, { plan }));
    const evaluation = DIFFERENTIABLE.evaluate(batch, { plan, inPlace: true });
    t.is<unknown, unknown>(evaluation.gradLogits, batch.logits);
    t.is<unknown, unknown>(evaluation.gradMaskedLogits, batch.maskedLogits);
    t.deepEqual(gradientsOf(evaluation), expected);
  }
});

test("a constant masked branch has no gradient, and given memory of it is filled with zeros", (t) => {
  for (const plan of PLANS) {
    const batch = logitsBatch(BATCH);
    const before = valuesOf(batch.maskedLogits);
    const gradMaskedLogits = memory(9);
    const evaluation = CONSTANT.evaluate(batch, { plan, gradMaskedLogits });
    t.false("gradMaskedLogits" in evaluation);
    t.deepEqual(valuesOf(gradMaskedLogits), new Float64Array(BATCH.rows * BATCH.vocabSize));
    t.is(gradMaskedLogits.data.filter(Number.isNaN).length, BATCH.rows * 2);
    t.false("gradMaskedLogits" in CONSTANT.evaluate(batch, { plan, inPlace: true }));
    t.deepEqual(valuesOf(batch.maskedLogits), before);
  }
});

test("gradients of half logits come in their dtype, or in float32 where asked or given", (t) => {
  for (const dtype of ["float16", "bfloat16"] as const) {
    const batch = logitsBatch(BATCH, dtype);
    const own = DIFFERENTIABLE.evaluate(batch);
    const wide = DIFFERENTIABLE.evaluate(batch, { gradDType: "float32" });
    t.deepEqual([own.gradLogits?.dtype, own.gradMaskedLogits?.dtype], [dtype, dtype]);
    t.deepEqual([wide.gradLogits?.dtype, wide.gradMaskedLogits?.dtype], ["float32", "float32"]);
    const given = memory();
    DIFFERENTIABLE.evaluate(batch, { gradLogits: given, gradDType: "float32" });
    t.deepEqual(valuesOf(given), valuesOf(wide.gradLogits));
    const tolerance = GRADIENT_TOLERANCES[dtype];
    assertClose(t, dtype, valuesOf(own.gradLogits), valuesOf(wide.gradLogits), tolerance);
    t.throws(() => DIFFERENTIABLE.evaluate(batch, { inPlace: true, gradDType: "float32" }), {
      code: "ERR_DTYPE",
    });
  }
});

test("gradScale multiplies gradients before they are rounded, and nothing else", (t) => {
  const loss = new Objective({ reduction: "token-mean" });
  const batch = logitsBatch(BATCH, "float16");
  const denominators = { tokens: 1e9 };
  const plain = loss.evaluate(batch, { denominators });
  const scaled = loss.evaluate(batch, { denominators, gradScale: 2 ** 30 });
  t.is(scaled.loss, plain.loss);
  t.deepEqual(scaled.metrics, plain.metrics);
  t.true(
    valuesOf(plain.gradLogits).every((value) => value === 0),
    "underflow without the scale",
  );
  const wide = loss.evaluate(batch, { denominators, gradDType: "float32" });
  const expected = valuesOf(wide.gradLogits).map((value) => value * 2 ** 30);
  const tolerance = GRADIENT_TOLERANCES.float16;
  assertClose(t, "scaled", valuesOf(scaled.gradLogits), expected, tolerance);
});

test("without gradients there are none, and the logits are as they were", (t) => {
  for (const plan of PLANS) {
    const batch = logitsBatch(BATCH);
    const before = batch.logits.data.slice();
    const evaluation = DIFFERENTIABLE.evaluate(batch, { gradients: false, plan });
    t.deepEqual(gradientsOf(evaluation), {});
    t.is(evaluation.loss, DIFFERENTIABLE.evaluate(batch, { plan }).loss);
    t.deepEqual(batch.logits.data, before);
  }
});

test("constant masked log-probs are the constant masked branch", (t) => {
  const batch = logitsBatch(BATCH);
  const expected = CONSTANT.evaluate(batch, { perToken: true });
  const { maskedLogits: _, ...rest } = batch;
  const maskedLogProbs = expected.tokens?.maskedLogProbs as never;
  for (const plan of PLANS) {
    const evaluation = CONSTANT.evaluate({ ...rest, maskedLogProbs }, { plan, perToken: true });
    t.is(evaluation.loss, expected.loss);
    t.deepEqual(evaluation.terms, expected.terms);
    t.deepEqual(valuesOf(evaluation.tokens?.maskedLogProbs), valuesOf(maskedLogProbs));
    t.is(evaluation.tokens?.kl, undefined);
    const tolerance = GRADIENT_TOLERANCES.float32;
    const gradient = valuesOf(expected.gradLogits);
    assertClose(t, plan, valuesOf(evaluation.gradLogits), gradient, tolerance);
  }
});

test("a failed evaluation leaves logits that it did not own as they were", (t) => {
  for (const plan of PLANS) {
    const batch = logitsBatch(BATCH);
    const last = BATCH.responseMask.lastIndexOf(1);
    batch.logits.data[last * BATCH.rowPitch] = Number.NaN;
    const before = batch.logits.data.slice();
    t.throws(() => DIFFERENTIABLE.evaluate(batch, { plan }), {
      code: "ERR_NOT_FINITE",
      message: new RegExp(`\\brow ${last}\\b`),
    });
    t.deepEqual(batch.logits.data, before);
  }
});

function refused(
  t: Parameters<typeof assertClose>[0] & { throws: (f: () => void, e: object) => unknown },
  batch: LogitsBatch,
  options: Parameters<Objective["evaluate"]>[1],
  code: string,
  message?: RegExp,
): void {
  t.throws(
    () => void DIFFERENTIABLE.evaluate(batch, options),
    message ? { code, message } : { code },
  );
}

test("memory that does not fit is refused before anything is written", (t) => {
  const batch = logitsBatch(BATCH);
  const { logits, maskedLogits } = batch as { logits: Tensor; maskedLogits: Tensor };
  const gradLogits = memory();
  refused(t, batch, { inPlace: true, gradLogits }, "ERR_ARGUMENT", /either inPlace or memory/);
  refused(t, batch, { gradients: false, gradLogits }, "ERR_ARGUMENT");
  refused(t, batch, { gradients: false, inPlace: true }, "ERR_ARGUMENT");
  refused(t, batch, { gradLogits: logitsTensor(new Float32Array(7), [1, 7]) }, "ERR_SHAPE");
  refused(t, batch, { gradLogits: new Float32Array(99) as never }, "ERR_ARGUMENT");
  refused(t, batch, { gradLogits: logits }, "ERR_BUFFER");
  refused(t, batch, { gradLogits: maskedLogits }, "ERR_BUFFER", /gradLogits in memory of its own/);
  refused(t, batch, { gradMaskedLogits: logits }, "ERR_BUFFER");
  refused(t, batch, { gradLogits, gradMaskedLogits: gradLogits }, "ERR_BUFFER");
  const halves = logitsBatch(BATCH, "float16");
  const bits = logitsTensor(new Uint16Array(84), SHAPE, "bfloat16");
  refused(t, halves, { gradLogits: bits }, "ERR_DTYPE");
  const twice = { ...batch, maskedLogits: batch.logits };
  refused(t, twice, { inPlace: true }, "ERR_BUFFER");
  const { maskedLogits: _, ...alone } = batch;
  t.throws(() => new Objective({}).evaluate(alone, { gradMaskedLogits: gradLogits }), {
    code: "ERR_ARGUMENT",
    message: /gradMaskedLogits only with maskedLogits/,
  });
  t.true(valuesOf(gradLogits).every(Number.isNaN));
});
