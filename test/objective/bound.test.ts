/** Bound evaluations: what a run gives is what `evaluate` gives for the memory as it is then, or an error that says why. */
import test, { type ExecutionContext } from "ava";
import {
  type BindOptions,
  type Evaluation,
  type LogitsBatch,
  Objective,
  objective,
  PRESET_IDS,
  type Tensor,
  tensor,
  toFloat16,
  zeros,
} from "../../lib/index.js";
import { DISTRIBUTIONS, makeBatch } from "../support/inputs.js";
import { gradientsOf, logitsBatch, logitsTensor, packed, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 7, vocabSize: 9, rowPitch: 11 });
const SHAPE = [BATCH.sequences, BATCH.tokens, BATCH.vocabSize];
const DIFFERENTIABLE = objective("papo-g-7b", { form: "corrected" }).build();
const CONSTANT = objective("papo-g-7b").build();
const SCHEDULED = objective("papo-g-7b", { form: "corrected" })
  .perceptionKl({ coef: { kind: "linear", from: 0.02, to: 0, steps: 10 } })
  .build();

/** A batch whose memory the test owns, fresh for every call. */
function ownBatch() {
  const { logits, maskedLogits } = logitsBatch(BATCH) as { logits: Tensor; maskedLogits: Tensor };
  return {
    logits: logits as LogitsBatch["logits"],
    maskedLogits: maskedLogits as LogitsBatch["logits"],
    tokenIds: BATCH.tokenIds.slice(),
    oldLogProbs: BATCH.oldLogProbs.slice(),
    refLogProbs: BATCH.refLogProbs.slice(),
    advantages: BATCH.advantages.slice(),
    responseMask: BATCH.responseMask.slice(),
  };
}

function memory(value: number = Number.NaN) {
  return logitsTensor(new Float32Array(BATCH.rows * BATCH.vocabSize).fill(value), SHAPE);
}

/** All of an evaluation as plain data, bit for bit. */
function dataOf(evaluation: Evaluation) {
  const { loss, terms, coefficients, metrics, tokens } = evaluation;
  const perToken = Object.entries(tokens ?? {}).map(([name, of]: [string, Tensor]) => [
    name,
    of.shape,
    valuesOf(of),
  ]);
  return { loss, terms, coefficients, metrics, perToken, gradients: gradientsOf(evaluation) };
}

/** Whether a bound evaluation gives what `evaluate` gives for the same memory. */
function same(
  t: ExecutionContext,
  loss: Objective,
  batch: LogitsBatch,
  options: BindOptions = {},
): void {
  const step = loss.bind(batch, options);
  const value = step.run();
  const given = dataOf(step.evaluation({ perToken: true }));
  const expected = dataOf(loss.evaluate(batch, { ...options, perToken: true }));
  t.deepEqual(given, expected);
  t.is(value, expected.loss);
}

function detach(array: { readonly buffer: ArrayBufferLike }): void {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
}

test("a run gives what evaluate gives, to the bit, for every preset and distribution", (t) => {
  const run = new Set<string>();
  for (const distribution of DISTRIBUTIONS) {
    const batch = logitsBatch(makeBatch({ seed: 5, vocabSize: 33, distribution }));
    for (const id of PRESET_IDS) {
      const loss = objective(id).build();
      if (!isOneOp(loss, batch)) continue;
      same(t, loss, batch);
      run.add(id);
    }
  }
  // What one op does not compute is another surrogate's, or VPPO's choice of tokens.
  const others = [
    "cispo",
    "sapo",
    "gspo",
    "gspo-token",
    "luspo",
    "gmpo",
    "vespo",
    "gpg",
    "reinforce",
  ];
  const more = [...others, "clip-cov", "kl-cov", "dppo", "icepop", "kpop", "vppo"];
  t.deepEqual(
    PRESET_IDS.filter((id) => !run.has(id)),
    PRESET_IDS.filter((id) => more.includes(id)),
  );
});

/** Whether the fused op computes all of the objective; any other is refused. */
function isOneOp(loss: Objective, batch: LogitsBatch): boolean {
  try {
    loss.bind(batch);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_UNSUPPORTED") return false;
    throw error;
  }
}

test("a run gives what evaluate gives for every form of memory and options", (t) => {
  const batch = logitsBatch(BATCH);
  same(t, DIFFERENTIABLE, batch, { gradients: false });
  same(t, DIFFERENTIABLE, batch, { gradScale: 4, denominators: { tokens: 99, worldSize: 2 } });
  same(t, DIFFERENTIABLE, logitsBatch(BATCH, "float16"));
  same(t, DIFFERENTIABLE, logitsBatch(BATCH, "bfloat16"), { gradDType: "float32" });
  same(t, DIFFERENTIABLE, packed(BATCH).batch);
  const { maskedLogits: _, responseMask: __, ...alone } = logitsBatch(makeBatch({ full: true }));
  same(t, objective("grpo").build(), alone);
  same(t, CONSTANT, { ...alone, maskedLogProbs: alone.refLogProbs });
});

test("inputs in other forms than arrays of their dtype are read at every run too", (t) => {
  const sequences = Array.from({ length: BATCH.sequences }, (_, s) => s - 1);
  const batch = {
    ...logitsBatch(BATCH),
    tokenIds: BigInt64Array.from(BATCH.tokenIds, BigInt),
    responseMask: Uint8Array.from(BATCH.responseMask),
    oldLogProbs: Float32Array.from(BATCH.oldLogProbs),
    refLogProbs: tensor(toFloat16(BATCH.refLogProbs), {
      dtype: "float16",
      shape: [BATCH.sequences, BATCH.tokens],
    }),
    advantages: sequences,
  };
  same(t, DIFFERENTIABLE, batch);
  const step = DIFFERENTIABLE.bind(batch);
  step.run();
  sequences.reverse();
  batch.tokenIds.fill(4n);
  batch.responseMask.fill(1);
  batch.oldLogProbs.fill(-2);
  t.is(step.run(), DIFFERENTIABLE.evaluate(batch).loss);
});

test("every run sees the memory as it is, and writes all of the gradients again", (t) => {
  const batch = ownBatch();
  const step = DIFFERENTIABLE.bind(batch);
  step.run();
  const other = makeBatch({ seed: 8, vocabSize: 9, rowPitch: 11 });
  const changes: readonly (() => unknown)[] = [
    () => batch.logits.data.set(other.logits),
    () => batch.maskedLogits.data.set(other.maskedLogits),
    () => batch.tokenIds.set(other.tokenIds),
    () => batch.oldLogProbs.set(other.oldLogProbs),
    () => batch.refLogProbs.set(other.refLogProbs),
    () => batch.advantages.set(other.advantages),
    () => batch.responseMask.set(other.responseMask),
    () => batch.responseMask.fill(0),
    () => batch.responseMask.fill(1),
    () => step.gradLogits?.data.fill(Number.NaN),
    () => step.gradMaskedLogits?.data.fill(Number.NaN),
  ];
  for (const change of changes) {
    change();
    const loss = step.run();
    const expected = dataOf(DIFFERENTIABLE.evaluate(batch));
    t.deepEqual({ ...dataOf(step.evaluation()), loss }, expected);
  }
});

test("row offsets that change move the sequences, and wrong ones are refused", (t) => {
  const { batch } = packed(BATCH);
  const rows = batch.logits.rows;
  const cuSeqlens = Int32Array.of(0, 1, 2, rows);
  const bound = { ...batch, cuSeqlens };
  const step = DIFFERENTIABLE.bind(bound);
  const before = step.run();
  cuSeqlens.set([0, 2, 3]);
  const after = step.run();
  t.is(after, DIFFERENTIABLE.evaluate(bound).loss);
  t.not(after, before);
  cuSeqlens[1] = rows + 1;
  t.throws(() => step.run(), { code: "ERR_RANGE", message: /cuSeqlens\[1\]/ });
  cuSeqlens.set([0, 1, 2]);
  t.is(step.run(), before);
});

test("a single row, counted or not, is a batch like others", async (t) => {
  for (const bit of [1, 0]) {
    const batch = {
      logits: tensor(Float32Array.of(0.5, -1, 2), { shape: [1, 3] }),
      maskedLogits: tensor(Float32Array.of(1, 0, -1), { shape: [1, 3] }),
      tokenIds: Int32Array.of(2),
      oldLogProbs: Float64Array.of(-0.4),
      refLogProbs: Float64Array.of(-0.3),
      advantages: Float64Array.of(1.5),
      responseMask: Int32Array.of(bit),
    };
    same(t, DIFFERENTIABLE, batch);
    const step = DIFFERENTIABLE.bind(batch);
    t.is(await step.runAsync(), DIFFERENTIABLE.evaluate(batch).loss);
    t.is(step.run() !== 0, bit === 1);
  }
});

test("a batch of one policy's logits alone measures what there is of it", (t) => {
  const { logits, tokenIds, advantages, responseMask } = ownBatch();
  same(t, new Objective({}), { logits, tokenIds, advantages, responseMask });
});

test("accuracies weigh the perception term of each run as they are then", (t) => {
  const loss = new Objective({ ...DIFFERENTIABLE.spec, perceptionWeighting: "correct-only" });
  const accuracies = new Float64Array(BATCH.sequences).fill(1);
  const batch = { ...ownBatch(), accuracies };
  const step = loss.bind(batch);
  const seen = new Set<number>();
  for (const [s, accuracy] of [
    [0, 1],
    [0, 0],
    [BATCH.sequences - 1, 0],
    [0, 1],
  ] as const) {
    accuracies[s] = accuracy;
    const value = step.run();
    t.is(value, loss.evaluate(batch).loss);
    t.deepEqual(dataOf(step.evaluation()), dataOf(loss.evaluate(batch)));
    seen.add(value);
  }
  t.is(seen.size, 4);
});

test("a mask that changes in one row, the first or the last, is another mask", (t) => {
  const batch = ownBatch();
  batch.responseMask.fill(1);
  const step = DIFFERENTIABLE.bind(batch);
  step.run();
  for (const row of [0, BATCH.rows - 1]) {
    batch.responseMask[row] = 0;
    t.is(step.run(), DIFFERENTIABLE.evaluate(batch).loss, `${row}`);
  }
});

test("the mask's rows that do not count are cleared when it changes, whatever gradsZeroed says", (t) => {
  const batch = ownBatch();
  batch.responseMask.fill(1);
  const gradLogits = memory(0);
  const gradMaskedLogits = memory(0);
  const step = DIFFERENTIABLE.bind(batch, { gradLogits, gradMaskedLogits, gradsZeroed: true });
  step.run();
  batch.responseMask[1] = 0;
  batch.tokenIds[0] = -1;
  t.throws(() => step.run(), { code: "ERR_RANGE" });
  batch.tokenIds[0] = 0;
  step.run();
  t.deepEqual(gradientsOf(step.evaluation()), gradientsOf(DIFFERENTIABLE.evaluate(batch)));
  // Of the same mask they are left alone, which is what the word is for.
  gradLogits.data.fill(5, BATCH.vocabSize, 2 * BATCH.vocabSize);
  step.run();
  t.deepEqual(
    [...gradLogits.data.subarray(BATCH.vocabSize, 2 * BATCH.vocabSize)],
    Array(9).fill(5),
  );
});

test("a constant masked branch fills given memory with zeros at every run", async (t) => {
  const gradMaskedLogits = memory();
  const step = CONSTANT.bind(logitsBatch(BATCH), { gradMaskedLogits });
  t.is(step.gradMaskedLogits, undefined);
  for (let i = 0; i < 2; i++) {
    gradMaskedLogits.data.fill(Number.NaN);
    step.run();
    t.true(gradMaskedLogits.data.every((value) => value === 0));
  }
  gradMaskedLogits.data.fill(Number.NaN);
  await step.runAsync();
  t.true(gradMaskedLogits.data.every((value) => value === 0));
});

test("accuracies that change move the perception KL's weights, and are needed for them", (t) => {
  const spec = { ...DIFFERENTIABLE.spec, perceptionWeighting: "correct-only" } as const;
  const loss = new Objective(spec);
  const accuracies = Float64Array.from({ length: BATCH.sequences }, (_, i) => i % 2);
  const batch = { ...ownBatch(), accuracies };
  const step = loss.bind(batch);
  const before = step.run();
  t.is(before, loss.evaluate(batch).loss);
  t.is(step.run(), before);
  accuracies.fill(1);
  t.is(step.run(), DIFFERENTIABLE.evaluate(ownBatch()).loss);
  t.not(step.run(), before);
  t.throws(() => loss.bind(ownBatch()), {
    code: "ERR_ARGUMENT",
    message: /accuracies, since perceptionWeighting is "correct-only"/,
  });
});

test("in place a run consumes the logits, and the next takes what was filled in since", (t) => {
  const batch = ownBatch();
  const expected = gradientsOf(DIFFERENTIABLE.evaluate(batch));
  const step = DIFFERENTIABLE.bind(batch, { inPlace: true });
  t.is<unknown, unknown>(step.gradLogits, batch.logits);
  for (let i = 0; i < 2; i++) {
    batch.logits.data.set(BATCH.logits);
    batch.maskedLogits.data.set(BATCH.maskedLogits);
    step.run();
    t.deepEqual(gradientsOf(step.evaluation()), expected);
  }
});

test("a schedule takes its step at each run, and needs it", (t) => {
  const batch = ownBatch();
  const step = SCHEDULED.bind(batch);
  for (const at of [0, 5, 5, 100]) {
    const loss = step.run({ step: at });
    const expected = SCHEDULED.evaluate(batch, { step: at });
    t.is(loss, expected.loss);
    t.deepEqual(step.evaluation().coefficients, expected.coefficients);
    t.deepEqual(gradientsOf(step.evaluation()), gradientsOf(expected));
  }
  t.throws(() => step.run(), { code: "ERR_ARGUMENT", message: /step, since perceptionKlCoef/ });
  t.throws(() => SCHEDULED.bind(batch, { step: 1 } as BindOptions), { code: "ERR_ARGUMENT" });
});

test("a run's own gradScale and denominators hold for that run", (t) => {
  const batch = ownBatch();
  const own = { gradScale: 2, denominators: { tokens: 50 } };
  const step = DIFFERENTIABLE.bind(batch, own);
  const other = { gradScale: 8, denominators: { tokens: 70, sequences: 9 } };
  for (const said of [undefined, other, undefined, { gradScale: 0.5 }]) {
    const loss = step.run(said);
    const expected = DIFFERENTIABLE.evaluate(batch, { ...own, ...said });
    t.is(loss, expected.loss);
    t.deepEqual(gradientsOf(step.evaluation()), gradientsOf(expected));
  }
});

test("off the event loop a run gives the same, and what changes meanwhile is of the next run", async (t) => {
  const batch = ownBatch();
  const step = DIFFERENTIABLE.bind(batch);
  const expected = dataOf(DIFFERENTIABLE.evaluate(batch));
  const running = step.runAsync();
  batch.advantages.fill(3);
  batch.tokenIds.fill(2);
  batch.responseMask.fill(1);
  batch.oldLogProbs.fill(Number.NaN);
  t.is(await running, expected.loss);
  t.deepEqual(dataOf(step.evaluation()), expected);
  await t.throwsAsync(step.runAsync(), { code: "ERR_NOT_FINITE", message: /oldLogProbs\[0\]/ });
});

test("two runs at once are refused, and so is an evaluation meanwhile", async (t) => {
  const step = DIFFERENTIABLE.bind(ownBatch());
  const running = step.runAsync();
  const refusal = { code: "ERR_ARGUMENT", message: /one run at a time/ };
  t.throws(() => step.run(), refusal);
  await t.throwsAsync(step.runAsync(), refusal);
  t.throws(() => step.evaluation(), { code: "ERR_ARGUMENT", message: /under way/ });
  const loss = await running;
  t.is(step.run(), loss);
});

test("an element that asks for another run while one begins is refused", (t) => {
  const advantages: number[] = [...BATCH.advantages];
  const step = DIFFERENTIABLE.bind({ ...ownBatch(), advantages });
  const before = step.run();
  let refused: unknown;
  Object.defineProperty(advantages, 0, {
    get() {
      refused = t.throws(() => step.run(), { code: "ERR_ARGUMENT", message: /one run at a time/ });
      return BATCH.advantages[0];
    },
  });
  t.is(step.run(), before);
  t.truthy(refused);
});

test("an aborted run rejects with the signal's reason, and the next one is as ever", async (t) => {
  const step = DIFFERENTIABLE.bind(ownBatch());
  const reason = new Error("enough");
  await t.throwsAsync(step.runAsync({ signal: AbortSignal.abort(reason) }), { is: reason });
  const controller = new AbortController();
  const aborted = step.runAsync({ signal: controller.signal });
  controller.abort(reason);
  await t.throwsAsync(aborted, { is: reason });
  t.throws(() => step.evaluation(), { code: "ERR_ARGUMENT", message: /received none/ });
  t.is(step.run(), DIFFERENTIABLE.evaluate(ownBatch()).loss);
});

test("memory that was detached, transferred or disposed of since is refused by name", (t) => {
  for (const name of [
    "tokenIds",
    "oldLogProbs",
    "refLogProbs",
    "advantages",
    "responseMask",
  ] as const) {
    const batch = ownBatch();
    const step = DIFFERENTIABLE.bind(batch);
    detach(batch[name]);
    t.throws(() => step.run(), {
      code: "ERR_DISPOSED",
      message: `[BoundEvaluation.run] expected ${name} to hold its memory, received a detached buffer`,
    });
  }
  for (const name of ["logits", "maskedLogits", "gradLogits", "gradMaskedLogits"] as const) {
    for (const [way, message] of [
      [(of: Tensor) => detach(of.data), /a detached buffer/],
      [(of: Tensor) => of.dispose(), /a disposed tensor/],
    ] as const) {
      const gradients = { gradLogits: memory(), gradMaskedLogits: memory() };
      const batch = ownBatch();
      const step = DIFFERENTIABLE.bind(batch, gradients);
      step.run();
      way({ ...batch, ...gradients }[name]);
      const error = t.throws(() => step.run(), { code: "ERR_DISPOSED", message });
      t.regex(String(error?.message), new RegExp(`\\b${name}\\b`));
    }
  }
  const gradMaskedLogits = memory();
  const constant = CONSTANT.bind(ownBatch(), { gradMaskedLogits });
  gradMaskedLogits.dispose();
  t.throws(() => constant.run(), { code: "ERR_DISPOSED", message: /gradMaskedLogits/ });
});

test("an array whose buffer was resized no longer fits, and is refused", (t) => {
  const bytes = 8 * BATCH.rows;
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(length: number): void };
  const buffer = new Resizable(bytes, { maxByteLength: 2 * bytes });
  const advantages = new Float64Array(buffer);
  advantages.set(BATCH.advantages);
  const step = DIFFERENTIABLE.bind({ ...ownBatch(), advantages });
  const before = step.run();
  buffer.resize(2 * bytes);
  t.throws(() => step.run(), { code: "ERR_SHAPE", message: /advantages/ });
  buffer.resize(0);
  t.throws(() => step.run(), { code: "ERR_DISPOSED", message: /advantages/ });
  buffer.resize(bytes);
  advantages.set(BATCH.advantages);
  t.is(step.run(), before);
});

test("unusable numbers are named at the run that meets them, and the next run is as ever", (t) => {
  const batch = ownBatch();
  batch.responseMask.fill(1);
  const step = DIFFERENTIABLE.bind(batch);
  const before = step.run();
  const spoilt: readonly [{ [row: number]: number }, number, string, RegExp][] = [
    [batch.tokenIds, BATCH.vocabSize, "ERR_RANGE", /tokenIds\[2\] in 0…8/],
    [batch.tokenIds, -100, "ERR_RANGE", /tokenIds\[2\]/],
    [batch.responseMask, 2, "ERR_RANGE", /responseMask\[2\] to be 0 or 1/],
    [batch.advantages, Number.POSITIVE_INFINITY, "ERR_NOT_FINITE", /advantages\[2\]/],
    [batch.refLogProbs, Number.NaN, "ERR_NOT_FINITE", /refLogProbs\[2\]/],
  ];
  for (const [array, value, code, message] of spoilt) {
    const kept = array[2] as number;
    array[2] = value;
    t.throws(() => step.run(), { code, message });
    t.throws(() => step.evaluation(), { code: "ERR_ARGUMENT" });
    array[2] = kept;
    t.is(step.run(), before);
  }
  batch.logits.data[2 * BATCH.rowPitch] = Number.NaN;
  t.throws(() => step.run(), { code: "ERR_NOT_FINITE", message: /\brow 2 of logits\b/ });
});

test("what cannot be bound is refused with the reason, before any memory is written", (t) => {
  const batch = ownBatch();
  const refused = (act: () => unknown, code: string, message: RegExp) =>
    t.throws(act, { code, message });
  const gspo = new Objective({ surrogate: "gspo" });
  refused(() => gspo.bind(batch), "ERR_UNSUPPORTED", /surrogate "gspo"/);
  const logProbs = { logProbs: [-1], advantages: [1] };
  refused(() => CONSTANT.bind(logProbs as never), "ERR_UNSUPPORTED", /log-probs/);
  refused(
    () => CONSTANT.bind({ ...batch, maskedLogProbs: batch.oldLogProbs }),
    "ERR_ARGUMENT",
    /both/,
  );
  const { refLogProbs: __, ...three } = { ...batch, refLogits: batch.logits };
  refused(() => CONSTANT.bind(three), "ERR_UNSUPPORTED", /at most two logits, received refLogits/);
  const { maskedLogits: _, ...alone } = batch;
  refused(() => CONSTANT.bind(alone), "ERR_ARGUMENT", /maskedLogits or maskedLogProbs/);
  refused(() => CONSTANT.bind(batch, { onInvalid: "skip" } as never), "ERR_ARGUMENT", /onInvalid/);
  const gradLogits = memory();
  const both = { inPlace: true, gradLogits };
  refused(() => CONSTANT.bind(batch, both), "ERR_ARGUMENT", /either inPlace/);
  refused(() => CONSTANT.bind(batch, { gradLogits: batch.logits }), "ERR_BUFFER", /gradLogits/);
  refused(() => CONSTANT.bind(batch, { gradsZeroed: true }), "ERR_ARGUMENT", /gradsZeroed/);
  const step = CONSTANT.bind(batch, { gradLogits });
  refused(() => step.evaluation(), "ERR_ARGUMENT", /the last run/);
  refused(() => step.run({ step: -1 }), "ERR_RANGE", /step/);
  refused(() => step.run({ gradScale: Number.NaN }), "ERR_RANGE", /gradScale/);
  refused(() => step.run({ seed: 1 } as never), "ERR_ARGUMENT", /options/);
  refused(() => step.run(null as never), "ERR_ARGUMENT", /options to be an object/);
  t.true(valuesOf(gradLogits).every(Number.isNaN));
});

test("a batch without rows has loss 0 and no gradient", async (t) => {
  const batch = {
    logits: logitsTensor(new Float32Array(0), [0, 4]),
    maskedLogits: logitsTensor(new Float32Array(0), [0, 4]),
    tokenIds: new Int32Array(0),
    advantages: new Float64Array(0),
    refLogProbs: new Float64Array(0),
  };
  const step = DIFFERENTIABLE.bind(batch);
  t.is(step.run(), DIFFERENTIABLE.evaluate(batch).loss);
  t.is(await step.runAsync(), 0);
  t.deepEqual(step.evaluation().metrics, DIFFERENTIABLE.evaluate(batch).metrics);
});

test("an evaluation is the caller's own: later runs do not change it", (t) => {
  const batch = ownBatch();
  const step = DIFFERENTIABLE.bind(batch, { gradLogits: zeros(SHAPE as never), perToken: true });
  step.run();
  const kept = step.evaluation();
  const { gradients: _, ...before } = dataOf(kept);
  batch.advantages.fill(-1);
  step.run();
  const { gradients: __, ...after } = dataOf(kept);
  t.deepEqual(after, before);
  t.notDeepEqual(step.evaluation().terms, kept.terms);
});
