/** Objectives whose logits lie on a device: the same results as on the CPU, and gradients beside the logits. */
import anyTest from "ava";
import {
  type Evaluation,
  type Logits,
  type LogitsBatch,
  type Objective,
  objective,
  papoLoss,
  type Rows,
  selectiveLogSoftmaxAsync,
  type Tensor,
  tensor,
  tokenEntropy,
  zeros,
} from "../../lib/index.js";
import { gradientsOf, logitsBatch, logitsTensor, valuesOf } from "../objective/batches.js";
import { type Assertions, assertClose } from "../support/close.js";
import { DISTRIBUTIONS, makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { onSimulation, onTwo } from "./conditions.js";
import { collect, DEVICE, failure, freeBytes, OTHER } from "./devices.js";

/** One after the other: they look at the memory of the device, and at calls of the addon. */
const test = anyTest.serial;
/** Memory to the byte; a real GPU hands it out in large pages, and to others. */

const BATCH = makeBatch({ seed: 3, vocabSize: 33, rowPitch: 40 });
const SHAPE = [BATCH.sequences, BATCH.tokens, BATCH.vocabSize];
const DIFFERENTIABLE = objective("papo-g-7b", { form: "corrected" }).build();
const CONSTANT = objective("papo-g-7b").build();
const PLANS = ["fused", "composed"] as const;

const there = (batch = BATCH) => logitsBatch(batch, "float32", DEVICE);

function memory(rowPitch: number = BATCH.vocabSize, device: "cpu" | typeof DEVICE = DEVICE) {
  const data = new Float32Array(BATCH.rows * rowPitch).fill(Number.NaN);
  return logitsTensor(data, SHAPE, "float32", rowPitch, device);
}

/** Every number of two evaluations. */
function close(t: Assertions, what: string, actual: Evaluation, expected: Evaluation): void {
  const flat = ({ loss, terms, metrics }: Evaluation) => ({ loss, ...terms, ...metrics });
  const [a, e] = [flat(actual), flat(expected)] as Record<string, number>[];
  for (const [name, value] of Object.entries(e as object)) {
    assertClose(t, `${name} of ${what}`, a?.[name] as number, value, TOLERANCES.golden);
  }
  for (const [name, of] of Object.entries(expected.tokens ?? {}) as [string, Tensor][]) {
    const values = (actual.tokens as unknown as Record<string, Tensor>)[name];
    const tolerance = TOLERANCES.engineStatistics;
    assertClose(t, `${name} of ${what}`, valuesOf(values), valuesOf(of), tolerance);
  }
  const gradients = gradientsOf(actual);
  for (const [name, values] of Object.entries(gradientsOf(expected))) {
    const tolerance = GRADIENT_TOLERANCES.float32;
    assertClose(t, `${name} of ${what}`, gradients[name] as Float64Array, values, tolerance);
  }
}

test("evaluations on a device give the loss, terms, metrics, values and gradients of the CPU", async (t) => {
  for (const distribution of DISTRIBUTIONS) {
    for (const plan of PLANS) {
      const batch = makeBatch({ distribution, vocabSize: 45 });
      const options = { plan, perToken: true };
      const expected = DIFFERENTIABLE.evaluate(logitsBatch(batch), options);
      const actual = DIFFERENTIABLE.evaluate(there(batch), options);
      close(t, `${plan} ${distribution}`, actual, expected);
      const later = await DIFFERENTIABLE.evaluateAsync(there(batch), options);
      t.is(later.loss, actual.loss);
      t.deepEqual(gradientsOf(later), gradientsOf(actual));
      t.is(actual.gradLogits?.device, DEVICE);
      t.is(actual.gradMaskedLogits?.device, DEVICE);
      t.is(actual.tokens?.logProbs.device, "cpu");
    }
  }
});

test("rows in blocks on a device give what they give at once", async (t) => {
  const whole = there();
  const expected = DIFFERENTIABLE.evaluate(whole);
  const { logits, maskedLogits, ...rows } = whole;
  const begin = () =>
    DIFFERENTIABLE.begin({ ...rows, shape: SHAPE.slice(0, 2), vocabSize: BATCH.vocabSize });
  const [sync, async] = [begin(), begin()];
  const gradients: number[][] = [[], []];
  for (let start = 0; start < BATCH.rows; start += 5) {
    const block = {
      rowStart: start,
      logits: logits.sliceRows(start, Math.min(start + 5, BATCH.rows)),
      maskedLogits: (maskedLogits as Logits).sliceRows(start, Math.min(start + 5, BATCH.rows)),
    };
    gradients[0]?.push(...valuesOf(sync.add(block).gradLogits));
    gradients[1]?.push(...valuesOf((await async.addAsync(block)).gradLogits));
  }
  for (const evaluation of [sync.finish(), async.finish()]) t.is(evaluation.loss, expected.loss);
  const own = [...valuesOf(expected.gradLogits)];
  t.deepEqual(gradients, [own, own]);
});

test("gradients go to memory that is given on the device, or over the logits", (t) => {
  for (const plan of PLANS) {
    const expected = gradientsOf(DIFFERENTIABLE.evaluate(there(), { plan }));
    const given = { gradLogits: memory(41), gradMaskedLogits: memory() };
    const evaluation = DIFFERENTIABLE.evaluate(there(), { plan, ...given });
    t.is<unknown, unknown>(evaluation.gradLogits, given.gradLogits);
    t.deepEqual(gradientsOf(evaluation), expected);
    const batch = there();
    const over = DIFFERENTIABLE.evaluate(batch, { plan, inPlace: true });
    t.is<unknown, unknown>(over.gradLogits, batch.logits);
    t.is<unknown, unknown>(over.gradMaskedLogits, batch.maskedLogits);
    t.deepEqual(gradientsOf(over), expected);
  }
});

test("memory on a device that is zero already is not touched where rows do not count", async (t) => {
  const isKept = (_: number, i: number) =>
    BATCH.responseMask[Math.floor(i / BATCH.vocabSize)] === 0;
  for (const plan of PLANS) {
    const expected = gradientsOf(DIFFERENTIABLE.evaluate(there(), { plan }));
    for (const later of [false, true]) {
      const gradLogits = memory(41);
      const options = { plan, gradLogits, gradsZeroed: true };
      const evaluation = later
        ? await DIFFERENTIABLE.evaluateAsync(there(), options)
        : DIFFERENTIABLE.evaluate(there(), options);
      const values = valuesOf(gradLogits);
      t.deepEqual(values.map(Number.isNaN as never), values.map(isKept as never));
      const counted = values.filter((x) => !Number.isNaN(x));
      t.deepEqual(
        counted,
        expected.gradLogits?.filter((x, i) => !isKept(x, i)),
      );
      // Beside it, fresh memory of a device is whole, too.
      t.deepEqual(valuesOf(evaluation.gradMaskedLogits), expected.gradMaskedLogits);
    }
  }
  const skipping = { ...BATCH, logits: BATCH.logits.slice() };
  skipping.logits[0] = Number.NaN;
  const gradLogits = memory();
  DIFFERENTIABLE.evaluate(there(skipping), { onInvalid: "skip", gradLogits, gradsZeroed: true });
  t.true(valuesOf(gradLogits.sliceRows(0, 1)).every((x) => x === 0));
  const constant = memory();
  CONSTANT.evaluate(there(), { gradMaskedLogits: constant, gradsZeroed: true });
  t.deepEqual(
    valuesOf(constant).map(Number.isNaN as never),
    valuesOf(constant).map(isKept as never),
  );
});

test("memory of a constant masked branch is filled with zeros on the device", async (t) => {
  const gradMaskedLogits = memory(41);
  const evaluation = CONSTANT.evaluate(there(), { gradMaskedLogits });
  t.false("gradMaskedLogits" in evaluation);
  t.deepEqual(valuesOf(gradMaskedLogits), new Float64Array(BATCH.rows * BATCH.vocabSize));
  const later = memory();
  await CONSTANT.evaluateAsync(there(), { gradMaskedLogits: later });
  t.deepEqual(valuesOf(later), new Float64Array(BATCH.rows * BATCH.vocabSize));
});

test("gradients of half logits on a device come in their dtype, or in float32", (t) => {
  for (const dtype of ["float16", "bfloat16"] as const) {
    const batch = logitsBatch(BATCH, dtype, DEVICE);
    const own = DIFFERENTIABLE.evaluate(batch);
    const wide = DIFFERENTIABLE.evaluate(batch, { gradDType: "float32" });
    t.deepEqual([own.gradLogits?.dtype, wide.gradLogits?.dtype], [dtype, "float32"]);
    const [actual, expected] = [own, wide].map(({ gradLogits }) => valuesOf(gradLogits));
    const tolerance = GRADIENT_TOLERANCES[dtype];
    assertClose(t, dtype, actual as Float64Array, expected as Float64Array, tolerance);
  }
});

test("rows that are skipped on a device are those of the CPU", (t) => {
  const batch = { ...BATCH, logits: BATCH.logits.slice() };
  batch.logits[2 * 40 + 3] = Number.NaN;
  const options = { onInvalid: "skip", perToken: true } as const;
  const expected = DIFFERENTIABLE.evaluate(logitsBatch(batch), options);
  const actual = DIFFERENTIABLE.evaluate(there(batch), options);
  t.deepEqual(actual.skippedRows, expected.skippedRows);
  t.deepEqual(actual.skippedRows, [2]);
  close(t, "skipping", actual, expected);
});

test("an unusable row of a block is named as a row of the batch", async (t) => {
  const { logits, maskedLogits: _, ...rows } = there();
  const spoiled = logits.to("cpu");
  (spoiled.data as Float32Array)[9 * BATCH.vocabSize] = Number.NaN;
  const block = { rowStart: 8, logits: spoiled.to(DEVICE).sliceRows(8, 10) };
  const evaluation = objective({})
    .build()
    .begin({
      ...{ ...rows, responseMask: undefined, shape: SHAPE.slice(0, 2) },
      vocabSize: BATCH.vocabSize,
    });
  const [code, message] = (await failure(() => evaluation.add(block))) ?? [];
  t.is(code, "ERR_NOT_FINITE");
  t.regex(message as string, /\brow 9\b/);
  evaluation.add({ rowStart: 8, logits: logits.sliceRows(8, 10) });
  t.pass("and may be added again");
});

/** Calls with something on a device where it may not be, and the end of their sentence. */
const MISPLACED: Readonly<Record<string, readonly [act: () => unknown, sentence: string]>> = {
  "masked logits elsewhere": [
    () => CONSTANT.evaluate({ ...there(), maskedLogits: logitsBatch(BATCH).maskedLogits }),
    "[Objective.evaluate] expected maskedLogits on cuda:0 as logits are, received cpu",
  ],
  "a gradient elsewhere": [
    () => CONSTANT.evaluate(there(), { gradLogits: memory(33, "cpu") }),
    "[Objective.evaluate] expected gradLogits on cuda:0, received cpu",
  ],
  "a gradient on a device for logits on the host": [
    () => CONSTANT.evaluate(logitsBatch(BATCH), { gradLogits: memory() }),
    "[Objective.evaluate] expected gradLogits on cpu, received cuda:0",
  ],
};

for (const [name, [act, sentence]] of Object.entries(MISPLACED)) {
  test(`${name}: an error, never a copy`, async (t) => {
    t.deepEqual(await failure(act), ["ERR_DEVICE_MISMATCH", sentence]);
  });
}

/** A [rows] argument of each verb, on the device. */
const ROWS_ON_DEVICE: Readonly<Record<string, (rows: never) => unknown>> = {
  oldLogProbs: (oldLogProbs) => CONSTANT.evaluate({ ...there(), oldLogProbs }),
  refLogProbs: (refLogProbs) => CONSTANT.evaluate({ ...there(), refLogProbs }),
  advantages: (advantages) => CONSTANT.evaluateAsync({ ...there(), advantages }),
  responseMask: (responseMask) => CONSTANT.evaluate({ ...there(), responseMask }),
  tokenIds: (tokenIds) => CONSTANT.evaluate({ ...there(), tokenIds }),
  logProbs: (logProbs) => CONSTANT.evaluate({ logProbs, advantages: [] }),
};

for (const [name, act] of Object.entries(ROWS_ON_DEVICE)) {
  test(`${name} of one number per token stay on the host, and are refused on a device by name`, async (t) => {
    const dtype = name === "tokenIds" || name === "responseMask" ? "int32" : "float64";
    const rows = zeros([BATCH.rows], { dtype, device: DEVICE });
    const [code, message] = (await failure(() => act(rows as never))) ?? [];
    t.is(code, "ERR_DEVICE_MISMATCH");
    const what = `expected ${name} in host memory (copy it there with .to("cpu")), received a tensor on cuda:0`;
    t.true((message as string).endsWith(what), message);
  });
}

onSimulation("a call that fails leaves no memory behind", async (t) => {
  await collect();
  const batch = there();
  const spoiled = there({ ...BATCH, logits: BATCH.logits.slice().fill(Number.NaN) });
  const leaf = spoiled.logits.alias({ requiresGrad: true });
  const before = freeBytes();
  const failing: Record<string, (objective: Objective) => unknown> = {
    evaluate: (objective) => objective.evaluate(spoiled),
    evaluateAsync: (objective) => objective.evaluateAsync(spoiled),
    "composed evaluate": (objective) => objective.evaluate(spoiled, { plan: "composed" }),
    overlap: (objective) => objective.evaluate(batch, { gradMaskedLogits: batch.logits as Tensor }),
    papoLoss: () => papoLoss({ ...spoiled, logits: leaf }),
    tokenEntropy: () => tokenEntropy({ logits: leaf }),
    aborted: (objective) => {
      const signal = AbortSignal.abort(new (class extends Error {})());
      return objective.evaluateAsync(batch, { signal });
    },
  };
  for (const [name, act] of Object.entries(failing)) {
    await t.throwsAsync(async () => await act(DIFFERENTIABLE), undefined, name);
    t.is(freeBytes(), before, name);
  }
});

test("log-probs are scored on a device off the event loop, and are rows of the host", async (t) => {
  const { logits, tokenIds, responseMask } = there();
  const scored: Rows = await selectiveLogSoftmaxAsync({
    ...{ logits, tokenIds },
    ...{ responseMask: responseMask as Int32Array },
  });
  t.is(scored.device, "cpu");
  const onHost = logitsBatch(BATCH) as LogitsBatch;
  const expected = await selectiveLogSoftmaxAsync({
    ...{ logits: onHost.logits, tokenIds },
    ...{ responseMask: responseMask as Int32Array },
  });
  assertClose(t, "logProbs", scored.data, expected.data, TOLERANCES.engineStatistics);
});

onTwo("logits and gradients on two devices are an error that names both", async (t) => {
  const batch = there();
  const elsewhere = batch.logits.to(OTHER) as Logits;
  t.deepEqual(await failure(() => CONSTANT.evaluate({ ...batch, maskedLogits: elsewhere })), [
    "ERR_DEVICE_MISMATCH",
    "[Objective.evaluate] expected maskedLogits on cuda:0 as logits are, received cuda:1",
  ]);
  const expected = CONSTANT.evaluate(batch);
  const maskedLogits = (batch.maskedLogits as Logits).to(OTHER) as Logits;
  const actual = CONSTANT.evaluate({ ...batch, logits: elsewhere, maskedLogits });
  close(t, "the other device", actual, expected);
  t.is(actual.gradLogits?.device, OTHER);
});

test("a tensor of zeros on a device is a batch like any other", (t) => {
  const logits = zeros([3, 4], { device: DEVICE });
  const { entropy } = { entropy: tokenEntropy({ logits }) };
  for (const value of entropy.data) t.true(Math.abs(value - Math.log(4)) < 1e-6);
  t.is(tensor([1]).device, "cpu");
});
