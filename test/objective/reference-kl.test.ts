/** The reference as logits: its log-probs for the sampled estimators, the exact KL with a gradient of its own. */
import test from "ava";
import { type LogitsBatch, Objective, type ObjectiveSpecInput, tensor } from "../../lib/index.js";
import { finiteDifference, tokenStats } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, logitsTensor, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 51, sequences: 4, tokens: 4, vocabSize: 6 });
const SHAPE = [BATCH.sequences, BATCH.tokens];
const REFERENCE = makeBatch({ seed: 52, sequences: 4, tokens: 4, vocabSize: 6 }).logits;

/** Statistics of the pair of policy and reference, by the reference implementation. */
const PAIR = tokenStats({ ...BATCH, maskedLogits: REFERENCE });

function batchOf(): LogitsBatch {
  const { refLogProbs: _, ...rest } = logitsBatch(BATCH);
  const refLogits = logitsTensor(REFERENCE.slice(), [...SHAPE, BATCH.vocabSize]);
  return { ...rest, refLogits };
}

const TERMS: ObjectiveSpecInput = {
  refKlCoef: 0.4,
  perceptionKlCoef: 0.05,
  entropyCoef: 0.02,
  maskedBranch: "differentiable",
};

for (const estimator of ["exact", "exact-reverse"] as const) {
  const objective = new Objective({ ...TERMS, refKlEstimator: estimator });
  const kl = estimator === "exact" ? PAIR.kl : PAIR.reverseKl;

  test(`${estimator}: the term is the mean KL of the two vocabularies`, (t) => {
    const { terms, metrics, tokens } = objective.evaluate(batchOf(), { perToken: true });
    const counted = [...kl.keys()].filter((row) => BATCH.responseMask[row] === 1);
    const mean = counted.reduce((sum, row) => sum + (kl[row] as number), 0) / counted.length;
    assertClose(t, "refKl", terms.refKl, mean, TOLERANCES.golden);
    assertClose(t, "metric", metrics.refKl ?? Number.NaN, mean, TOLERANCES.golden);
    const values = valuesOf(tokens?.refKl);
    assertClose(t, "tokens", values, kl, TOLERANCES.golden, { elements: counted });
  });

  test(`${estimator}: its gradient in the logits is the slope of the loss`, (t) => {
    const only = new Objective({ refKlCoef: 0.4, refKlEstimator: estimator });
    const counted = [...kl.keys()].filter((row) => BATCH.responseMask[row] === 1);
    const loss = (logits: Float64Array) => {
      const pair = tokenStats({ ...BATCH, logits, maskedLogits: REFERENCE });
      const values = estimator === "exact" ? pair.kl : pair.reverseKl;
      return counted.reduce(
        (sum, row) => sum + (0.4 * (values[row] as number)) / counted.length,
        0,
      );
    };
    const expected = finiteDifference(loss, Float64Array.from(BATCH.logits));
    const advantages = new Float64Array(BATCH.rows);
    const { gradLogits } = only.evaluate({ ...batchOf(), advantages });
    assertClose(t, "gradLogits", valuesOf(gradLogits), expected, GRADIENT_TOLERANCES.float32);
  });

  test(`${estimator}: its gradient adds to that of the other terms`, (t) => {
    const others = new Objective({ ...TERMS, refKlCoef: 0 }).evaluate(logitsBatch(BATCH));
    const advantages = new Float64Array(BATCH.rows);
    const alone = new Objective({ refKlCoef: 0.4, refKlEstimator: estimator });
    const own = valuesOf(alone.evaluate({ ...batchOf(), advantages }).gradLogits);
    const sum = valuesOf(others.gradLogits).map((x, i) => x + (own[i] as number));
    const { gradLogits, gradMaskedLogits } = objective.evaluate(batchOf());
    assertClose(t, "gradLogits", valuesOf(gradLogits), sum, GRADIENT_TOLERANCES.float32);
    const masked = valuesOf(others.gradMaskedLogits);
    const tolerance = GRADIENT_TOLERANCES.float32;
    assertClose(t, "gradMaskedLogits", valuesOf(gradMaskedLogits), masked, tolerance);
  });

  test(`${estimator}: blocks without gradients wait for each other where a sequence couples them`, (t) => {
    const coupled = new Objective({ ...TERMS, refKlEstimator: estimator, surrogate: "gspo" });
    const { logits, maskedLogits, refLogits, ...rows } = batchOf();
    const batch = { ...rows, shape: SHAPE, vocabSize: BATCH.vocabSize };
    const begun = coupled.begin(batch, { gradients: false });
    for (const [start, end] of [
      [0, 9],
      [9, 16],
    ] as const) {
      const part = (of: typeof refLogits) => of?.sliceRows(start, end) as never;
      begun.add({
        rowStart: start,
        logits: part(logits),
        maskedLogits: part(maskedLogits),
        refLogits: part(refLogits),
      });
    }
    const expected = coupled.evaluate(batchOf());
    t.is(begun.finish().loss, expected.loss);
    t.not(expected.terms.refKl, 0);
  });

  test(`${estimator}: asynchronously, in blocks and into given memory it is the same`, async (t) => {
    const evaluation = objective.evaluate(batchOf());
    const again = await objective.evaluateAsync(batchOf());
    t.is(again.loss, evaluation.loss);
    t.deepEqual(gradientsOf(again), gradientsOf(evaluation));
    const size = [...SHAPE, BATCH.vocabSize];
    const dirty = () => logitsTensor(new Float32Array(BATCH.logits.length).fill(Number.NaN), size);
    const memory = { gradLogits: dirty(), gradMaskedLogits: dirty() };
    const given = objective.evaluate(batchOf(), memory);
    t.deepEqual(gradientsOf(given), gradientsOf(evaluation));
    const { logits, maskedLogits, refLogits, ...rows } = batchOf();
    const begun = objective.begin({ ...rows, shape: SHAPE, vocabSize: BATCH.vocabSize });
    const gradients = [
      [7, 16],
      [0, 7],
    ].map(([start = 0, end]) => {
      const part = (of: typeof refLogits) => of?.sliceRows(start, end as number) as never;
      const block = {
        logits: part(logits),
        maskedLogits: part(maskedLogits),
        refLogits: part(refLogits),
      };
      return [...valuesOf(begun.add({ rowStart: start, ...block }).gradLogits)];
    });
    t.is(begun.finish().loss, evaluation.loss);
    t.deepEqual(Float64Array.from(gradients.reverse().flat()), valuesOf(evaluation.gradLogits));
  });

  test(`${estimator}: log-probs take the KL itself and give a gradient in it`, (t) => {
    const fromLogits = objective.evaluate(batchOf(), { perToken: true });
    const of = (name: "logProbs" | "maskedLogProbs" | "refKl") =>
      valuesOf(fromLogits.tokens?.[name]);
    const name = estimator === "exact" ? "refKl" : "refReverseKl";
    const { oldLogProbs, advantages, responseMask } = BATCH;
    const evaluate = (values: Float64Array) =>
      objective.evaluate({
        logProbs: tensor(of("logProbs"), { shape: SHAPE }) as never,
        maskedLogProbs: of("maskedLogProbs"),
        oldLogProbs,
        advantages,
        responseMask,
        [name]: values,
      });
    const evaluation = evaluate(of("refKl"));
    t.is(evaluation.loss, fromLogits.loss);
    t.deepEqual(evaluation.terms, fromLogits.terms);
    const gradient = estimator === "exact" ? evaluation.gradRefKl : evaluation.gradRefReverseKl;
    const slope = finiteDifference((x) => evaluate(x).loss, of("refKl"));
    assertClose(t, "gradient", valuesOf(gradient), slope, TOLERANCES.finiteDifference);
  });

  test(`${estimator}: in place it is refused, since the logits are walked twice`, (t) => {
    t.throws(() => objective.evaluate(batchOf(), { inPlace: true }), {
      code: "ERR_UNSUPPORTED",
      message: new RegExp(`other memory with refKlEstimator "${estimator}", received inPlace`),
    });
    t.throws(() => objective.evaluate(batchOf(), { plan: "fused" }), {
      code: "ERR_UNSUPPORTED",
      message: /plan "composed" with refLogits, received "fused"/,
    });
  });

  test(`${estimator}: without the reference's logits it is an error, unless its coefficient is 0`, (t) => {
    t.throws(() => objective.evaluate(logitsBatch(BATCH)), {
      code: "ERR_ARGUMENT",
      message: /refLogits \(or ref\w*Kl with log-probs\), since refKlCoef is 0.4, received none/,
    });
    const evaluation = objective.evaluate(logitsBatch(BATCH), { coefficients: { refKl: 0 } });
    t.is(evaluation.metrics.refKl, undefined);
    t.is(evaluation.terms.refKl, 0);
  });
}

test("sampled estimators take the log-probs of the reference's logits", (t) => {
  for (const refKlEstimator of ["k3", "unbiased"] as const) {
    const objective = new Objective({ ...TERMS, refKlEstimator });
    const fromLogits = objective.evaluate(batchOf());
    const refLogProbs = PAIR.maskedLogProbs as Float64Array;
    const { refLogits: _, ...rest } = batchOf();
    const fromLogProbs = objective.evaluate({ ...rest, refLogProbs }, { plan: "composed" });
    assertClose(t, "loss", fromLogits.loss, fromLogProbs.loss, TOLERANCES.golden);
    const expected = valuesOf(fromLogProbs.gradLogits);
    assertClose(
      t,
      "gradLogits",
      valuesOf(fromLogits.gradLogits),
      expected,
      GRADIENT_TOLERANCES.float32,
    );
    const inPlace = objective.evaluate(batchOf(), { inPlace: true });
    t.deepEqual(gradientsOf(inPlace), gradientsOf(fromLogits));
    const { logits, maskedLogits, refLogits, ...rows } = batchOf();
    const coupled = new Objective({ ...TERMS, refKlEstimator, surrogate: "gspo" });
    const begun = coupled.begin(
      { ...rows, shape: SHAPE, vocabSize: BATCH.vocabSize },
      { gradients: false },
    );
    for (const [start, end] of [
      [0, 9],
      [9, 16],
    ] as const) {
      const part = (of: typeof refLogits) => of?.sliceRows(start, end) as never;
      const block = {
        logits: part(logits),
        maskedLogits: part(maskedLogits),
        refLogits: part(refLogits),
      };
      begun.add({ rowStart: start, ...block });
    }
    t.is(begun.finish().loss, coupled.evaluate(batchOf()).loss);
  }
});

test("rows that cannot be used in the reference are named, or skipped", (t) => {
  const objective = new Objective({ ...TERMS, refKlEstimator: "exact" });
  const row = BATCH.responseMask.lastIndexOf(1);
  const broken = batchOf();
  (broken.refLogits?.data as Float32Array)[row * BATCH.vocabSize + 1] = Number.NaN;
  const error = t.throws(() => objective.evaluate(broken), { code: "ERR_NOT_FINITE" });
  t.is((error as unknown as { row: number }).row, row);
  t.regex(error?.message ?? "", /refLogits/);
  const skipped = objective.evaluate(broken, { onInvalid: "skip" });
  const responseMask = BATCH.responseMask.with(row, 0);
  const masked = objective.evaluate({ ...batchOf(), responseMask });
  t.deepEqual(skipped.skippedRows, [row]);
  t.is(skipped.loss, masked.loss);
  t.deepEqual(gradientsOf(skipped), gradientsOf(masked));
});

test("the reference is given once, fits, and comes with every block or none", (t) => {
  const objective = new Objective({ ...TERMS, refKlEstimator: "exact" });
  const { refLogProbs } = BATCH;
  t.throws(() => objective.evaluate({ ...batchOf(), refLogProbs }), {
    code: "ERR_ARGUMENT",
    message: /expected refLogits or refLogProbs, received both/,
  });
  const narrow = logitsTensor(new Float32Array(80), [...SHAPE, 5]);
  t.throws(() => objective.evaluate({ ...batchOf(), refLogits: narrow }), {
    code: "ERR_SHAPE",
    message: /expected refLogits \[4, 4, 6\] to match logits/,
  });
  const over = batchOf();
  for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
    t.throws(() => objective.evaluate(over, { [name]: over.refLogits }), {
      code: "ERR_BUFFER",
      message: new RegExp(`${name} in memory of its own`),
    });
  }
  const { logits, maskedLogits, refLogits, ...rows } = batchOf();
  const begun = new Objective(TERMS).begin({
    ...rows,
    refLogProbs: undefined,
    shape: SHAPE,
    vocabSize: BATCH.vocabSize,
  });
  const block = (start: number, end: number, withReference: boolean) => ({
    rowStart: start,
    logits: logits.sliceRows(start, end) as never,
    maskedLogits: maskedLogits?.sliceRows(start, end) as never,
    ...(withReference ? { refLogits: refLogits?.sliceRows(start, end) as never } : {}),
  });
  begun.add(block(0, 8, true));
  t.throws(() => begun.add(block(8, 16, false)), {
    code: "ERR_ARGUMENT",
    message: /refLogits in every block or in none, received a block without/,
  });
});
