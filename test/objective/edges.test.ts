/** Empty batches, unusable rows, infinite divergences, missing inputs, aborted calls. */
import test from "ava";
import { type LogitsBatch, Objective, objective, tensor } from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, logitsTensor, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 31, sequences: 5, tokens: 6, vocabSize: 8 });
const COUNTED = Array.from({ length: BATCH.rows }, (_, row) => row).filter(
  (row) => BATCH.responseMask[row] === 1,
);
const CORRECTED = objective("papo-g-7b", { form: "corrected" }).build();
const WAYS = [{ plan: "fused" }, { plan: "composed" }, { onInvalid: "skip" }] as const;

test("a batch without a counted token has loss, terms, gradients and metrics 0", (t) => {
  const batch = { ...logitsBatch(BATCH), responseMask: new Int32Array(BATCH.rows) };
  // Nothing of these rows is read.
  batch.logits.data.fill(Number.NaN);
  batch.oldLogProbs = BATCH.oldLogProbs.map(() => Number.NaN);
  for (const reduction of [
    "token-mean",
    "seq-mean-token-mean",
    "seq-mean-token-sum",
    "sum",
  ] as const) {
    for (const options of WAYS) {
      const evaluation = objective(CORRECTED.spec)
        .reduce(reduction)
        .build()
        .evaluate(batch, options);
      t.is(evaluation.loss, 0);
      t.true(Object.values(evaluation.terms).every((value) => value === 0));
      for (const [name, value] of Object.entries(evaluation.metrics)) {
        t.is(value, name === "sequences" ? BATCH.sequences : 0, name);
      }
      for (const values of Object.values(gradientsOf(evaluation))) {
        t.true(values.every((value) => value === 0));
      }
    }
  }
});

test("a batch without rows is one of them", async (t) => {
  for (const shape of [
    [0, 8],
    [0, 5, 8],
    [3, 0, 8],
  ]) {
    const logits = logitsTensor(new Float32Array(0), shape);
    const maskedLogits = logitsTensor(new Float32Array(0), shape);
    const batch = { logits, maskedLogits, tokenIds: [], refLogProbs: [], advantages: [] };
    for (const options of WAYS) {
      const evaluation = CORRECTED.evaluate(batch, options);
      t.is(evaluation.loss, 0);
      t.is(evaluation.metrics.tokens, 0);
      t.deepEqual(evaluation.gradLogits?.shape, shape);
      t.is((await CORRECTED.evaluateAsync(batch, options)).loss, 0);
    }
  }
  t.is(objective().build().evaluate({ logProbs: [], advantages: [] }).loss, 0);
});

/** The batch with unusable logits in these rows: NaN, +Infinity, nothing but −Infinity, and the last in the masked branch. */
function broken(rows: readonly [number, number, number, number]): LogitsBatch {
  const batch = logitsBatch(BATCH);
  const [nan, plus, minus, masked] = rows;
  batch.logits.data[nan * 8 + 3] = Number.NaN;
  batch.logits.data[plus * 8] = Number.POSITIVE_INFINITY;
  batch.logits.data.fill(Number.NEGATIVE_INFINITY, minus * 8, minus * 8 + 8);
  (batch.maskedLogits as LogitsBatch["logits"]).data[masked * 8 + 7] = Number.NaN;
  return batch;
}

const BAD = [COUNTED[3], COUNTED[0], COUNTED.at(-1), COUNTED[1]] as [
  number,
  number,
  number,
  number,
];

test("skip treats unusable rows as masked: loss, gradients, own denominators and metrics", async (t) => {
  const responseMask = BATCH.responseMask.slice();
  for (const row of BAD) responseMask[row] = 0;
  for (const reduction of ["token-mean", "seq-mean-token-mean", "sum"] as const) {
    const loss = objective(CORRECTED.spec).reduce(reduction).build();
    const expected = loss.evaluate({ ...logitsBatch(BATCH), responseMask }, { perToken: true });
    const options = { onInvalid: "skip", perToken: true } as const;
    for (const evaluation of [
      loss.evaluate(broken(BAD), options),
      await loss.evaluateAsync(broken(BAD), options),
    ]) {
      t.is(evaluation.loss, expected.loss);
      t.deepEqual(evaluation.metrics, { ...expected.metrics, skippedRows: 4 });
      t.deepEqual(
        evaluation.skippedRows,
        [...BAD].sort((a, b) => a - b),
      );
      t.deepEqual(evaluation.tokens, expected.tokens);
      for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
        const tolerance = GRADIENT_TOLERANCES.float32;
        assertClose(t, name, valuesOf(evaluation[name]), valuesOf(expected[name]), tolerance);
      }
    }
  }
});

test("skip without a mask masks only what is unusable, and without such a row changes nothing", (t) => {
  const { responseMask: _, ...batch } = logitsBatch(BATCH);
  const plain = CORRECTED.evaluate(batch, { plan: "composed" });
  const skipped = CORRECTED.evaluate(batch, { onInvalid: "skip" });
  t.is(skipped.loss, plain.loss);
  t.deepEqual(skipped.skippedRows, []);
  t.deepEqual(gradientsOf(skipped), gradientsOf(plain));
  batch.logits.data[0] = Number.NaN;
  t.deepEqual(CORRECTED.evaluate(batch, { onInvalid: "skip" }).skippedRows, [0]);
});

test("skip leaves given denominators alone", (t) => {
  const responseMask = BATCH.responseMask.slice();
  for (const row of BAD) responseMask[row] = 0;
  const loss = objective(CORRECTED.spec).reduce("token-mean").build();
  const denominators = { tokens: 1000 };
  t.is(
    loss.evaluate(broken(BAD), { onInvalid: "skip", denominators }).loss,
    loss.evaluate({ ...logitsBatch(BATCH), responseMask }, { denominators }).loss,
  );
});

test("without skip the first unusable counted row is named", async (t) => {
  const row = Math.min(...BAD);
  for (const plan of ["fused", "composed"] as const) {
    const error = t.throws(() => CORRECTED.evaluate(broken(BAD), { plan }), {
      code: "ERR_NOT_FINITE",
      message: new RegExp(`^\\[Objective.evaluate\\] .*\\brow ${row}\\b`),
    });
    t.is((error as unknown as { row: number }).row, row);
    await t.throwsAsync(CORRECTED.evaluateAsync(broken(BAD), { plan }), { code: "ERR_NOT_FINITE" });
  }
});

test("an infinite exact KL needs a limit where it enters the loss, and only there", (t) => {
  const batch = logitsBatch(BATCH);
  const row = COUNTED[2] as number;
  const column = ((BATCH.tokenIds[row] as number) + 1) % 8;
  (batch.maskedLogits as LogitsBatch["logits"]).data[row * 8 + column] = Number.NEGATIVE_INFINITY;
  const exact = { perceptionKlEstimator: "exact", maskedBranch: "differentiable" } as const;
  for (const plan of ["fused", "composed"] as const) {
    const without = new Objective({ ...exact, perceptionKlCoef: 0.01 });
    const error = t.throws(() => without.evaluate(batch, { plan }), { code: "ERR_NOT_FINITE" });
    t.is((error as unknown as { row: number }).row, row);
    const limited = new Objective({ ...exact, perceptionKlCoef: 0.01, exactKlLimit: 10 });
    const evaluation = limited.evaluate(batch, { plan, perToken: true });
    t.true(Number.isFinite(evaluation.loss));
    t.is(valuesOf(evaluation.tokens?.perceptionKl)[row], 10);
    t.is(valuesOf(evaluation.tokens?.kl)[row], Number.POSITIVE_INFINITY);
    for (const values of Object.values(gradientsOf(evaluation))) {
      t.true(values.every(Number.isFinite));
    }
    const off = new Objective(exact).evaluate(batch, { plan });
    t.true(Number.isFinite(off.loss));
    t.is(off.metrics.infiniteKlTokens, 1);
  }
});

test("a masked policy as logits and as log-probs at once is refused", (t) => {
  const batch = { ...logitsBatch(BATCH), maskedLogProbs: BATCH.oldLogProbs };
  t.throws(() => CORRECTED.evaluate(batch), {
    code: "ERR_ARGUMENT",
    message: "[Objective.evaluate] expected maskedLogits or maskedLogProbs, received both",
  });
});

test("constant masked log-probs cannot be the differentiable branch of a term that is on", (t) => {
  const { maskedLogits: _, ...rest } = logitsBatch(BATCH);
  const batch = { ...rest, maskedLogProbs: BATCH.oldLogProbs };
  const spec = { maskedBranch: "differentiable" } as const;
  t.throws(() => new Objective({ ...spec, perceptionKlCoef: 0.01 }).evaluate(batch), {
    code: "ERR_ARGUMENT",
    message: /maskedLogits, since maskedBranch is "differentiable"/,
  });
  t.true("maskedLogProbs" in new Objective(spec).evaluate(batch).metrics);
});

test("batches and options that do not fit are refused in a sentence", (t) => {
  const batch = logitsBatch(BATCH);
  const refused = (candidate: object, options: object, code: string, message: RegExp) =>
    t.throws(() => CORRECTED.evaluate(candidate as never, options as never), { code, message });
  refused({}, {}, "ERR_ARGUMENT", /a batch with logits or with logProbs, received neither/);
  refused({ ...batch, logProbs: [] }, {}, "ERR_ARGUMENT", /received both/);
  refused({ ...batch, refLogprobs: [] }, {}, "ERR_ARGUMENT", /"refLogprobs"/);
  refused(batch, { gradient: true }, "ERR_ARGUMENT", /"gradient"/);
  refused(batch, { gradients: "no" }, "ERR_ARGUMENT", /gradients to be a boolean/);
  refused(batch, { perToken: 1 }, "ERR_ARGUMENT", /perToken to be a boolean/);
  refused(batch, { onInvalid: "ignore" }, "ERR_ARGUMENT", /one of "error", "skip"/);
  refused(batch, { plan: "fast" }, "ERR_ARGUMENT", /one of "auto", "fused", "composed"/);
  refused(batch, { plan: "fused", onInvalid: "skip" }, "ERR_UNSUPPORTED", /plan "composed"/);
  refused(batch, { gradScale: Number.NaN }, "ERR_RANGE", /gradScale to be a finite number/);
  refused(batch, { gradDType: "float16" }, "ERR_DTYPE", /gradDType/);
  refused(batch, { denominators: { tokns: 3 } }, "ERR_ARGUMENT", /"tokns"/);
  refused(batch, { denominators: { tokens: 0 } }, "ERR_RANGE", /denominators.tokens/);
  refused({ ...batch, advantages: undefined }, {}, "ERR_ARGUMENT", /advantages/);
  refused({ ...batch, advantages: new Float32Array(4) }, {}, "ERR_SHAPE", /advantages/);
  refused({ ...batch, tokenIds: BATCH.tokenIds.map(() => 8) }, {}, "ERR_RANGE", /tokenIds\[0\]/);
  refused(null as never, {}, "ERR_ARGUMENT", /the batch to be an object, received null/);
  t.throws(() => CORRECTED.evaluate(batch, null as never), { code: "ERR_ARGUMENT" });
});

test("an aborted evaluation rejects with the signal's reason", async (t) => {
  const reason = new Error("enough");
  const aborted = CORRECTED.evaluateAsync(logitsBatch(BATCH), {
    signal: AbortSignal.abort(reason),
  });
  t.is(await t.throwsAsync(aborted), reason);
  const controller = new AbortController();
  const running = CORRECTED.evaluateAsync(logitsBatch(BATCH), { signal: controller.signal });
  controller.abort(reason);
  t.is(await t.throwsAsync(running), reason);
});

test("an asynchronous evaluation has its own copy of everything but the logits", async (t) => {
  const expected = CORRECTED.evaluate(logitsBatch(BATCH));
  const advantages = BATCH.advantages.slice();
  const tokenIds = BATCH.tokenIds.slice();
  const running = CORRECTED.evaluateAsync({ ...logitsBatch(BATCH), advantages, tokenIds });
  advantages.fill(99);
  tokenIds.fill(0);
  t.is((await running).loss, expected.loss);
});

test("without old log-probs the policy is its own old policy", (t) => {
  const { oldLogProbs: _, ...batch } = logitsBatch(BATCH);
  const { tokens, loss } = objective().build().evaluate(batch, { perToken: true });
  const ratio = valuesOf(tokens?.ratio);
  t.true(COUNTED.every((row) => ratio[row] === 1));
  const own = objective()
    .build()
    .evaluate({ ...batch, oldLogProbs: tokens?.logProbs as never });
  t.is(loss, own.loss);
});

test("one objective may evaluate batches at the same time", async (t) => {
  const batches = [1, 2, 3].map((seed) => logitsBatch(makeBatch({ seed })));
  const together = await Promise.all(batches.map((batch) => CORRECTED.evaluateAsync(batch)));
  t.deepEqual(
    together.map(({ loss }) => loss),
    batches.map((batch) => CORRECTED.evaluate(batch).loss),
  );
});

test("a sampled token that its policy rules out gets no gradient, with old log-probs or without", (t) => {
  for (const surrogate of ["ppo-clip", "gspo", "gmpo", "sapo"] as const) {
    const loss = new Objective({ surrogate });
    for (const oldLogProbs of [undefined, [-Infinity, -0.7]]) {
      for (const plan of ["auto", "composed"] as const) {
        const batch = {
          logits: tensor(Float32Array.of(0, -Infinity, 1, 0, 0.5, 1), { shape: [2, 3] }),
          tokenIds: [1, 2],
          advantages: [1],
          cuSeqlens: [0, 2],
          oldLogProbs,
        };
        const { gradLogits } = loss.evaluate(batch, { plan });
        const [ruledOut, other] = [gradLogits?.data.slice(0, 3), gradLogits?.data.slice(3)];
        t.deepEqual([...(ruledOut ?? [])], [0, 0, 0], `${surrogate} ${plan} ${oldLogProbs}`);
        t.true(other?.every((slope) => slope !== 0));
      }
    }
  }
});
