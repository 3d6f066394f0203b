/** tokenStats and its two shorthands: what they give, their gradients through the tape, and the memory these go to. */
import test from "ava";
import { backward, backwardAsync, grad, gradAsync, valueAndGrad } from "../../lib/autograd/grad.js";
import {
  selectiveLogSoftmax,
  selectiveLogSoftmaxAsync,
  tokenEntropy,
  tokenEntropyAsync,
} from "../../lib/functional/log-probs.js";
import { reduceTokens } from "../../lib/functional/reduce.js";
import {
  type PairStatistics,
  type TokenStatsOptions,
  tokenStats,
  tokenStatsAsync,
} from "../../lib/functional/token-stats.js";
import { COTANGENTS } from "../../lib/ops/lines.js";
import { add, detach, mul, where } from "../../lib/ops/pointwise.js";
import {
  tokenStats as reference,
  tokenStatsGrad as referenceGrad,
} from "../../lib/reference/index.js";
import { tensor, zeros } from "../../lib/tensor/create.js";
import type { Logits, Rows, Scalar, Tensor } from "../../lib/tensor/tensor.js";
import {
  type EngineBatch,
  elementsOf,
  engineBatch,
  LOGITS_DTYPES,
  plainLogits,
} from "../ops/engine-batch.js";
import { assertClose } from "../support/close.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";

const FACTORS = {
  logProbs: 1,
  maskedLogProbs: -2,
  entropy: 3,
  maskedEntropy: -4,
  kl: 5,
  reverseKl: -6,
};

/** All six statistics in one number. */
function mixture(statistics: PairStatistics): Scalar {
  const parts = COTANGENTS.map((name) => mul(statistics[name], FACTORS[name]));
  return reduceTokens(
    parts.reduce((sum: Rows, part: Rows) => add(sum, part)),
    { reduction: "sum" },
  );
}

function optionsOf({ logits, maskedLogits, tokenIds, responseMask }: EngineBatch) {
  return { logits, maskedLogits, tokenIds, responseMask };
}

/** The numbers behind the tensors, which a comparison of tensors does not see. */
function numbersOf(statistics: Partial<PairStatistics>): (Float64Array | undefined)[] {
  return COTANGENTS.map((name) => statistics[name]?.data);
}

/** The gradients of `mixture`. */
function expectedOf({ reference: batch }: EngineBatch) {
  const cotangents = Object.fromEntries(
    COTANGENTS.map((name) => [name, new Float64Array(batch.rows).fill(FACTORS[name])]),
  );
  return referenceGrad({ ...batch, cotangents });
}

function close(
  t: Parameters<typeof assertClose>[0],
  actual: Tensor | undefined,
  expected: unknown,
): void {
  const dtype = actual?.dtype as "float32";
  assertClose(
    t,
    "gradient",
    elementsOf(actual as Tensor),
    expected as Float64Array,
    GRADIENT_TOLERANCES[dtype],
  );
}

test("statistics are those of the reference", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const actual = tokenStats(optionsOf(batch));
  const expected = reference(batch.reference);
  for (const name of COTANGENTS) {
    assertClose(t, name, actual[name].data, expected[name], TOLERANCES.engineStatistics);
  }
});

test("logits of one set give no statistics of a second", (t) => {
  const { logits, tokenIds } = engineBatch();
  t.deepEqual(Object.keys(tokenStats({ logits, tokenIds })), ["logProbs", "entropy"]);
});

test("padded logits [sequences, tokens, vocab] give rows one sequence after the other", (t) => {
  const { logits, tokenIds } = engineBatch({ sequences: 3, tokens: 4 });
  const padded = tensor(logits.data as Float32Array, { shape: [3, 4, 7] });
  const rows = tokenStats({ logits, tokenIds });
  t.deepEqual(numbersOf(tokenStats({ logits: padded, tokenIds })), numbersOf(rows));
});

for (const dtype of LOGITS_DTYPES) {
  test(`all six gradients reach both sets of ${dtype} logits`, (t) => {
    const batch = engineBatch({ vocabSize: 50 }, dtype);
    for (const input of [batch.logits, batch.maskedLogits]) input.requiresGrad = true;
    backward(mixture(tokenStats(optionsOf(batch))));
    const { gradLogits, gradMaskedLogits } = expectedOf(batch);
    t.is(batch.logits.grad?.dtype, dtype);
    close(t, batch.logits.grad, gradLogits);
    close(t, batch.maskedLogits.grad, gradMaskedLogits);
  });
}

test("gradients stop at what is detached, branch by branch", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const { logits, maskedLogits } = batch;
  logits.requiresGrad = true;
  maskedLogits.requiresGrad = true;
  backward(mixture(tokenStats({ ...optionsOf(batch), maskedLogits: detach(maskedLogits) })));
  close(t, logits.grad, expectedOf(batch).gradLogits);
  t.is(maskedLogits.grad, undefined);
});

test("half-precision logits may have float32 gradients, by option or by the memory that is there", (t) => {
  const batch = engineBatch({ vocabSize: 50 }, "bfloat16");
  const { logits, maskedLogits } = batch;
  const { gradLogits, gradMaskedLogits } = expectedOf(batch);
  logits.requiresGrad = true;
  maskedLogits.requiresGrad = true;
  backward(mixture(tokenStats({ ...optionsOf(batch), gradDType: "float32" })));
  close(t, logits.grad, gradLogits);
  t.is(logits.grad?.dtype, "float32");
  // One gradient in each dtype: the kernel writes only one, so that it is called twice.
  logits.grad = undefined;
  maskedLogits.grad = zeros([12, 50]);
  backward(mixture(tokenStats(optionsOf(batch))));
  close(t, logits.grad, gradLogits);
  close(t, maskedLogits.grad, gradMaskedLogits);
});

test("gradients are added to those that are there, in memory of any pitch", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const { logits } = batch;
  logits.requiresGrad = true;
  const memory = zeros([12, 50], { rowPitch: 64 });
  logits.grad = memory;
  const loss = () => mixture(tokenStats(optionsOf(batch)));
  backward(loss());
  backward(loss());
  t.is(logits.grad, memory);
  close(
    t,
    memory,
    expectedOf(batch).gradLogits.map((value) => 2 * value),
  );
  t.true(memory.data.subarray(50, 64).every((value) => value === 0));
});

test("logits used by two calls get the sum of both gradients", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const { logits, tokenIds, responseMask } = batch;
  const entropyOf = (z: Logits) => tokenStats({ logits: z, tokenIds, responseMask }).entropy;
  const sum = (rows: Rows) => reduceTokens(rows, { reduction: "sum" });
  const [twice] = grad((z: Logits) => add(sum(entropyOf(z)), sum(mul(entropyOf(z), 2))))(logits);
  const cotangents = { entropy: new Float64Array(12).fill(3) };
  close(
    t,
    twice,
    referenceGrad({ ...batch.reference, maskedLogits: undefined, cotangents }).gradLogits,
  );
});

test("one tensor as both sets of logits gets both gradients", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const maskedLogits = batch.reference.logits;
  const same = { ...batch, reference: { ...batch.reference, maskedLogits } };
  const [own] = grad((z: Logits) =>
    mixture(tokenStats({ ...optionsOf(batch), logits: z, maskedLogits: z })),
  )(batch.logits);
  const { gradLogits, gradMaskedLogits } = expectedOf(same);
  close(
    t,
    own,
    gradLogits.map((value, i) => value + (gradMaskedLogits?.[i] ?? 0)),
  );
});

test("one set fresh and one added to are both right", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const { gradLogits, gradMaskedLogits } = expectedOf(batch);
  const out = [undefined, zeros([12, 50])] as const;
  out[1].data.fill(1000);
  const [own, masked] = grad(
    (z: Logits, zm: Logits) =>
      mixture(tokenStats({ ...optionsOf(batch), logits: z, maskedLogits: zm })),
    { out },
  )(batch.logits, batch.maskedLogits);
  t.is(masked, out[1]);
  close(t, own, gradLogits);
  close(t, masked, gradMaskedLogits);
});

test("one set added to and one written over are both right", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const { gradLogits, gradMaskedLogits } = expectedOf(batch);
  const out = [zeros([12, 50]), zeros([12, 50])] as const;
  for (const memory of out) memory.data.fill(1000);
  const [own, masked] = grad(
    (z: Logits, zm: Logits) => {
      // The second use of z is the first on the way back, so that the pair's call finds a gradient of z alone.
      const pair = mixture(tokenStats({ ...optionsOf(batch), logits: z, maskedLogits: zm }));
      const { tokenIds, responseMask } = batch;
      const { entropy } = tokenStats({ logits: z, tokenIds, responseMask });
      return add(pair, mul(reduceTokens(entropy, { reduction: "sum" }), 0));
    },
    { out },
  )(batch.logits, batch.maskedLogits);
  close(t, own, gradLogits);
  close(t, masked, gradMaskedLogits);
});

test("the logits are not copied", (t) => {
  const [rows, vocab] = [2048, 2048];
  const logits = plainLogits(rows, vocab);
  const before = process.memoryUsage().arrayBuffers;
  tokenStats({ logits, tokenIds: new Int32Array(rows) });
  const grown = process.memoryUsage().arrayBuffers - before;
  t.true(grown < logits.data.byteLength / 8, `${grown} bytes`);
});

test("an infinite KL may be chosen away before it reaches the loss", (t) => {
  const logits = tensor([0, 0, 1, 1], { shape: [2, 2], requiresGrad: true });
  const maskedLogits = tensor([0, -Infinity, 2, 1], { shape: [2, 2] });
  const { kl } = tokenStats({ logits, maskedLogits, tokenIds: [0, 0] });
  t.is(kl.data[0], Infinity);
  const finite = Array.from(kl.data, Number.isFinite);
  backward(reduceTokens(where(finite, kl, 10)));
  t.deepEqual(logits.grad?.data.slice(0, 2), Float32Array.of(0, 0));
  t.true(Array.from(logits.grad?.data as Float32Array).every(Number.isFinite));
});

test("rows that are skipped have no statistics and no gradient", (t) => {
  const batch = engineBatch({ vocabSize: 20, full: true });
  const { logits } = batch;
  (logits.data as Float32Array)[2 * 20] = Number.NaN;
  logits.requiresGrad = true;
  const statistics = tokenStats({ ...optionsOf(batch), onInvalid: "skip" });
  t.is(statistics.invalid?.indexOf(1), 2);
  backward(reduceTokens(statistics.entropy, { reduction: "sum" }));
  const gradient = logits.grad?.data as Float32Array;
  t.true(gradient.subarray(40, 60).every((value) => value === 0));
  t.true(gradient.every(Number.isFinite));
});

test("writing into results or inputs after the call does not reach the gradient", (t) => {
  const batch = engineBatch({ vocabSize: 20 });
  const { logits } = batch;
  logits.requiresGrad = true;
  const statistics = tokenStats(optionsOf(batch));
  const loss = mixture(statistics);
  for (const name of COTANGENTS) statistics[name].data.fill(0);
  batch.tokenIds.fill(0);
  batch.responseMask.fill(1);
  backward(loss);
  close(t, logits.grad, expectedOf(engineBatch({ vocabSize: 20 })).gradLogits);
});

test("the shorthands are the statistics of the same name", (t) => {
  const { logits, tokenIds, responseMask } = engineBatch({ vocabSize: 30 });
  const options = { logits, responseMask, temperature: 0.7 };
  const { logProbs, entropy } = tokenStats({ ...options, tokenIds });
  t.deepEqual(selectiveLogSoftmax({ ...options, tokenIds }).data, logProbs.data);
  // Not to the bit: a row's sums are taken around its sampled token, and the entropy alone samples another.
  assertClose(t, "entropy", tokenEntropy(options).data, entropy.data, TOLERANCES.engineStatistics);
  const [gradient] = grad((z: Logits) => reduceTokens(tokenEntropy({ ...options, logits: z })))(
    logits,
  );
  t.true(elementsOf(gradient).some((value) => value !== 0));
});

test("the shorthands are the same off the event loop, and can be aborted", async (t) => {
  const { logits, tokenIds, responseMask } = engineBatch({ vocabSize: 30 });
  const options = { logits, responseMask, temperature: 0.7 };
  const logProbs = await selectiveLogSoftmaxAsync({ ...options, tokenIds });
  t.deepEqual(logProbs.data, selectiveLogSoftmax({ ...options, tokenIds }).data);
  const entropy = await tokenEntropyAsync(options);
  t.deepEqual(entropy.data, tokenEntropy(options).data);
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  t.is(await t.throwsAsync(selectiveLogSoftmaxAsync({ ...options, tokenIds, signal })), reason);
  t.is(await t.throwsAsync(tokenEntropyAsync({ ...options, signal })), reason);
});

test("off the event loop statistics and gradients are the same to the last bit", async (t) => {
  const batch = engineBatch({ vocabSize: 90 });
  for (const input of [batch.logits, batch.maskedLogits]) input.requiresGrad = true;
  const later = await tokenStatsAsync(optionsOf(batch));
  t.deepEqual(numbersOf(later), numbersOf(tokenStats(optionsOf(batch))));
  await backwardAsync(mixture(later));
  const together = engineBatch({ vocabSize: 90 });
  for (const input of [together.logits, together.maskedLogits]) input.requiresGrad = true;
  backward(mixture(tokenStats(optionsOf(together))));
  t.deepEqual(batch.logits.grad?.data, together.logits.grad?.data);
  t.deepEqual(batch.maskedLogits.grad?.data, together.maskedLogits.grad?.data);
});

test("an abort while gradients are made rejects with the signal's reason", async (t) => {
  const logits = plainLogits(2048, 1024);
  logits.requiresGrad = true;
  const { entropy } = tokenStats({ logits, tokenIds: new Int32Array(2048) });
  const controller = new AbortController();
  const reason = new Error("stop");
  const promise = backwardAsync(reduceTokens(entropy), { signal: controller.signal });
  controller.abort(reason);
  t.is(await t.throwsAsync(promise), reason);
  t.is(logits.grad, undefined);
});

test("the value of a function comes with its gradient", (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const f = (z: Logits, zm: Logits) =>
    mixture(tokenStats({ ...optionsOf(batch), logits: z, maskedLogits: zm }));
  const [value, [own, masked]] = valueAndGrad(f)(batch.logits, batch.maskedLogits);
  t.is(value.item(), mixture(tokenStats(optionsOf(batch))).item());
  close(t, own, expectedOf(batch).gradLogits);
  close(t, masked, expectedOf(batch).gradMaskedLogits);
});

test("memory for gradients that is zero already keeps what its rows with mask 0 hold", async (t) => {
  const batch = engineBatch({ vocabSize: 50 });
  const f = (z: Logits, zm: Logits) =>
    mixture(tokenStats({ ...optionsOf(batch), logits: z, maskedLogits: zm }));
  const marked = (value: number) => {
    const memory = tensor(new Float32Array(12 * 50).fill(value), { shape: [12, 50] });
    return { out: [memory, undefined], gradsZeroed: value === 7 };
  };
  const [expected] = grad(f, marked(3))(batch.logits, batch.maskedLogits);
  for (const [own, masked] of [
    grad(f, marked(7))(batch.logits, batch.maskedLogits),
    await gradAsync(f, marked(7))(batch.logits, batch.maskedLogits),
  ]) {
    const kept = elementsOf(expected).map((x, i) =>
      batch.responseMask[Math.floor(i / 50)] === 0 ? 7 : x,
    );
    t.deepEqual(elementsOf(own), kept);
    close(t, masked, expectedOf(batch).gradMaskedLogits);
  }
  t.throws(() => grad(f, { gradsZeroed: true }), {
    code: "ERR_ARGUMENT",
    message: "[grad] expected gradsZeroed only with memory in out, received none",
  });
});

test("bad calls are refused with the name of what is wrong", (t) => {
  const { logits, maskedLogits, tokenIds } = engineBatch();
  const refused = (change: object, code: string, message: string) => {
    const options = { logits, maskedLogits, tokenIds, ...change } as TokenStatsOptions;
    t.throws(() => tokenStats(options), {
      name: "PapoError",
      code,
      message: `[tokenStats] expected ${message}`,
    });
  };
  const shaped = (shape: readonly number[]) => tensor(new Float32Array(84), { shape });
  refused(
    { logits: new Float32Array(84) },
    "ERR_ARGUMENT",
    "logits to be a Tensor, received Float32Array of 84 elements",
  );
  refused({ logits: undefined }, "ERR_ARGUMENT", "logits to be a Tensor, received undefined");
  refused(
    { logits: shaped([84]) },
    "ERR_SHAPE",
    "logits [rows, vocab] or [sequences, tokens, vocab] with a vocab of at least 1, received [84]",
  );
  refused(
    { logits: shaped([84, 0]) },
    "ERR_SHAPE",
    "logits [rows, vocab] or [sequences, tokens, vocab] with a vocab of at least 1, received [84, 0]",
  );
  refused(
    { logits: zeros([12, 7], { dtype: "float64" }) },
    "ERR_DTYPE",
    "logits to hold float32, float16, bfloat16, received float64",
  );
  refused(
    { maskedLogits: shaped([12, 6]) },
    "ERR_SHAPE",
    "maskedLogits [12, 7] to match logits, received [12, 6]",
  );
  refused(
    { maskedLogits: shaped([3, 4, 7]) },
    "ERR_SHAPE",
    "maskedLogits [12, 7] to match logits, received [3, 4, 7]",
  );
  refused(
    { maskedLogits: zeros([12, 7], { dtype: "float16" }) },
    "ERR_DTYPE",
    "maskedLogits to hold float32 as logits do, received float16",
  );
  refused({ tokenIds: new Int32Array(11) }, "ERR_SHAPE", "tokenIds [12], received [11]");
  refused({ tokenIds: new Int32Array(12).fill(7) }, "ERR_RANGE", "tokenIds[0] in 0…6, received 7");
  refused(
    { tokenIds: new Int32Array(12).fill(-100) },
    "ERR_RANGE",
    "tokenIds[0] in 0…6, received -100",
  );
  refused({ responseMask: [1] }, "ERR_SHAPE", "responseMask [12], received [1]");
  refused(
    { gradDType: "float16" },
    "ERR_DTYPE",
    'gradDType to be "float32", or not given (that of the logits), received "float16"',
  );
  refused(
    { temprature: 1 },
    "ERR_ARGUMENT",
    'options to hold only logits, maskedLogits, tokenIds, responseMask, temperature, onInvalid, gradDType, received "temprature"',
  );
  for (const temperature of [0, -1, Number.NaN, "1"]) {
    const options = { logits, tokenIds, temperature } as TokenStatsOptions;
    t.throws(() => tokenStats(options), {
      name: "PapoError",
      message: /^\[tokenStats\] expected temperature/,
    });
  }
  const options = { logits, tokenIds, onInvalid: "ignore" } as unknown as TokenStatsOptions;
  t.throws(() => tokenStats(options), {
    name: "PapoError",
    message: /^\[tokenStats\] expected onInvalid/,
  });
  t.throws(() => Reflect.apply(tokenStats, undefined, []), {
    message: "[tokenStats] expected options to be an object, received undefined",
  });
});
