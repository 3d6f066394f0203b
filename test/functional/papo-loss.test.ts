/** papoLoss: the loss and its gradients against the reference and the golden files, and its ways through the tape. */
import test from "ava";
import { backward, backwardAsync, grad, noGrad } from "../../lib/autograd/grad.js";
import { papoLoss, papoLossAsync } from "../../lib/functional/papo-loss.js";
import type { PapoLossOptions } from "../../lib/functional/papo-loss-options.js";
import { add, mul } from "../../lib/ops/pointwise.js";
import { papoLoss as reference } from "../../lib/reference/index.js";
import { tensor, zeros } from "../../lib/tensor/create.js";
import { type Logits, Tensor } from "../../lib/tensor/tensor.js";
import {
  type EngineBatch,
  elementsOf,
  engineBatch,
  LOGITS_DTYPES,
  plainLogits,
} from "../ops/engine-batch.js";
import { assertClose } from "../support/close.js";
import { GOLDEN_NAMES, loadGolden } from "../support/golden.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";

const OBJECTIVE = {
  clipHigh: 0.28,
  clipDual: 3,
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  entropyCoef: 0.05,
  maskedEntropyCoef: 0.03,
  maskedBranch: "differentiable",
  reduction: "seq-mean-token-mean",
} as const;

function optionsOf(batch: EngineBatch): PapoLossOptions {
  const { logits, maskedLogits, tokenIds, responseMask, reference: rows } = batch;
  const { oldLogProbs, refLogProbs, advantages } = rows;
  const cuSeqlens = [0, 4, 8, 12];
  const data = { tokenIds, responseMask, oldLogProbs, refLogProbs, advantages, cuSeqlens };
  return { logits, maskedLogits, ...data, ...OBJECTIVE };
}

const expectedOf = (batch: EngineBatch, change: object = {}) =>
  reference({ ...batch.reference, ...OBJECTIVE, ...change });

function close(
  t: Parameters<typeof assertClose>[0],
  actual: Tensor | undefined,
  expected: unknown,
): void {
  const tolerance = GRADIENT_TOLERANCES[actual?.dtype as "float32"];
  assertClose(t, "gradient", elementsOf(actual as Tensor), expected as Float64Array, tolerance);
}

for (const name of GOLDEN_NAMES) {
  test(`golden ${name}: loss and gradients`, async (t) => {
    const golden = await loadGolden(name);
    const { dtype, shape, stored, spec } = golden;
    const make = (data: Float32Array | Uint16Array): Logits =>
      new Tensor("golden", data, { dtype, shape, requiresGrad: true });
    const [logits, maskedLogits] = [make(stored.logits), make(stored.maskedLogits)];
    const { tokenIds, oldLogProbs, refLogProbs, advantages, responseMask, cuSeqlens } = golden;
    const data = { tokenIds, oldLogProbs, refLogProbs, advantages, responseMask, cuSeqlens };
    const loss = papoLoss({ logits, maskedLogits, ...data, ...spec });
    backward(loss);
    const expected = (key: string) => golden.expected.get(key) as Float64Array;
    assertClose(t, "loss", loss.item(), expected("loss"), TOLERANCES.golden);
    close(t, logits.grad, expected("grad_logits"));
    if (spec.maskedBranch === "differentiable") {
      close(t, maskedLogits.grad, expected("grad_masked_logits"));
    } else t.is(maskedLogits.grad, undefined);
  });
}

for (const dtype of LOGITS_DTYPES) {
  test(`${dtype} logits: loss and gradients agree with the reference`, (t) => {
    const batch = engineBatch({ vocabSize: 60 }, dtype);
    for (const input of [batch.logits, batch.maskedLogits]) input.requiresGrad = true;
    const loss = papoLoss(optionsOf(batch));
    backward(loss);
    const expected = expectedOf(batch);
    assertClose(t, "loss", loss.item(), expected.loss, TOLERANCES.golden);
    close(t, batch.logits.grad, expected.gradLogits);
    close(t, batch.maskedLogits.grad, expected.gradMaskedLogits);
  });
}

test("padded logits are sequences by their shape", (t) => {
  const batch = engineBatch({ sequences: 3, tokens: 4 });
  const { cuSeqlens: _, ...options } = optionsOf(batch);
  const padded = (z: Logits) => tensor(z.data as Float32Array, { shape: [3, 4, 7] });
  const [logits, maskedLogits] = [padded(batch.logits), padded(batch.maskedLogits)];
  t.is(papoLoss({ ...options, logits, maskedLogits }).item(), papoLoss(optionsOf(batch)).item());
});

test("advantages may come one per sequence", (t) => {
  const batch = engineBatch();
  const advantages = [1, -2, 0.5];
  const expected = expectedOf(batch, { advantages });
  assertClose(
    t,
    "loss",
    papoLoss({ ...optionsOf(batch), advantages }).item(),
    expected.loss,
    TOLERANCES.golden,
  );
});

test("a scaled loss has scaled gradients, made once more from the logits", (t) => {
  const batch = engineBatch({ vocabSize: 60 });
  const { gradLogits } = expectedOf(batch);
  batch.logits.requiresGrad = true;
  backward(mul(papoLoss(optionsOf(batch)), -3));
  close(
    t,
    batch.logits.grad,
    gradLogits.map((value) => -3 * value),
  );
});

test("gradients are added to those that are there", (t) => {
  const batch = engineBatch({ vocabSize: 60 });
  const { gradLogits, gradMaskedLogits } = expectedOf(batch);
  for (const input of [batch.logits, batch.maskedLogits]) input.requiresGrad = true;
  // One gradient is there before the loss and one is not: the first is added to, the second fresh.
  const memory = zeros([12, 60], { rowPitch: 64 });
  batch.logits.grad = memory;
  backward(papoLoss(optionsOf(batch)));
  backward(papoLoss(optionsOf(batch)));
  t.is(batch.logits.grad, memory);
  close(
    t,
    memory,
    gradLogits.map((value) => 2 * value),
  );
  close(
    t,
    batch.maskedLogits.grad,
    gradMaskedLogits?.map((value) => 2 * value),
  );
});

test("a loss walked back twice, or used twice, adds up", (t) => {
  const batch = engineBatch({ vocabSize: 60 });
  const { gradLogits } = expectedOf(batch);
  batch.logits.requiresGrad = true;
  const loss = papoLoss(optionsOf(batch));
  backward(loss);
  backward(loss);
  close(
    t,
    batch.logits.grad,
    gradLogits.map((value) => 2 * value),
  );
  const [sum] = grad((z: Logits) => {
    const own = papoLoss({ ...optionsOf(batch), logits: z });
    return add(own, add(own, papoLoss({ ...optionsOf(batch), logits: z })));
  })(batch.logits);
  close(
    t,
    sum,
    gradLogits.map((value) => 3 * value),
  );
});

test("each walk gives a gradient of its own memory", (t) => {
  const batch = engineBatch({ vocabSize: 60 });
  batch.logits.requiresGrad = true;
  const loss = papoLoss(optionsOf(batch));
  const walk = () => {
    batch.logits.grad = undefined;
    backward(loss);
    return batch.logits.grad as Tensor | undefined;
  };
  const [first, second] = [walk(), walk()];
  t.not(first?.data, second?.data);
  close(t, first, expectedOf(batch).gradLogits);
  close(t, second, expectedOf(batch).gradLogits);
});

test("where a gradient is there to be added to, none is made with the loss", (t) => {
  const logits = plainLogits(1024, 2048);
  logits.requiresGrad = true;
  logits.grad = zeros([1024, 2048]);
  const rows = { tokenIds: new Int32Array(1024), advantages: new Float64Array(1024) };
  const before = process.memoryUsage().arrayBuffers;
  papoLoss({ logits, ...rows });
  const grown = process.memoryUsage().arrayBuffers - before;
  t.true(grown < logits.data.byteLength / 8, `${grown} bytes`);
});

test("gradients go over what is in the memory given, in float32 where that is", (t) => {
  const batch = engineBatch({ vocabSize: 60 }, "bfloat16");
  const out = [zeros([12, 60]), undefined] as const;
  out[0].data.fill(1000);
  const f = (z: Logits, zm: Logits) =>
    papoLoss({ ...optionsOf(batch), logits: z, maskedLogits: zm, gradDType: "float32" });
  const [own, masked] = grad(f, { out })(batch.logits, batch.maskedLogits);
  t.is(own, out[0]);
  t.is(masked.dtype, "float32");
  close(t, own, expectedOf(batch).gradLogits);
  close(t, masked, expectedOf(batch).gradMaskedLogits);
});

test("a constant masked branch gets no gradient", (t) => {
  const batch = engineBatch({ vocabSize: 60 });
  for (const input of [batch.logits, batch.maskedLogits]) input.requiresGrad = true;
  backward(papoLoss({ ...optionsOf(batch), maskedBranch: "constant" }));
  close(t, batch.logits.grad, expectedOf(batch, { maskedBranch: "constant" }).gradLogits);
  t.is(batch.maskedLogits.grad, undefined);
});

test("one tensor as both sets of logits gets both gradients", (t) => {
  const batch = engineBatch({ vocabSize: 60 });
  const maskedLogits = batch.reference.logits;
  const same = { ...batch, reference: { ...batch.reference, maskedLogits } };
  const { gradLogits, gradMaskedLogits } = expectedOf(same);
  const [own] = grad((z: Logits) => papoLoss({ ...optionsOf(batch), logits: z, maskedLogits: z }))(
    batch.logits,
  );
  close(
    t,
    own,
    gradLogits.map((value, i) => value + (gradMaskedLogits?.[i] ?? 0)),
  );
});

test("without recording there is a loss and no history", (t) => {
  const batch = engineBatch();
  batch.logits.requiresGrad = true;
  const loss = noGrad(() => papoLoss(optionsOf(batch)));
  t.false(loss.requiresGrad);
  t.is(loss.item(), papoLoss(optionsOf(batch)).item());
});

test("no counted token gives loss 0 and gradients 0", (t) => {
  const batch = engineBatch();
  batch.logits.requiresGrad = true;
  const loss = papoLoss({ ...optionsOf(batch), responseMask: new Int32Array(12) });
  backward(loss);
  t.is(loss.item(), 0);
  t.true(elementsOf(batch.logits.grad as Tensor).every((value) => value === 0));
});

test("parts of a batch with the whole's counts add up to the whole, in loss and gradients", (t) => {
  const batch = engineBatch({ vocabSize: 30 });
  const whole = optionsOf(batch);
  const tokens = batch.responseMask.reduce((sum, bit) => sum + bit, 0);
  batch.logits.requiresGrad = true;
  backward(papoLoss(whole));
  const loss = papoLoss(whole).item();
  let sum = 0;
  const pieces: number[] = [];
  for (let s = 0; s < 3; s++) {
    const [from, to] = [4 * s, 4 * s + 4];
    const part = (z: Logits) => {
      const data = (z.data as Float32Array).subarray(from * 30, to * 30);
      return tensor(data, { shape: [4, 30], requiresGrad: true });
    };
    const logits = part(batch.logits);
    const own = papoLoss({
      ...{ logits, maskedLogits: part(batch.maskedLogits), ...OBJECTIVE },
      ...{ denominators: { tokens, sequences: 3 }, tokenIds: batch.tokenIds.subarray(from, to) },
      responseMask: batch.responseMask.subarray(from, to),
      oldLogProbs: batch.reference.oldLogProbs.subarray(from, to),
      refLogProbs: batch.reference.refLogProbs.subarray(from, to),
      advantages: batch.reference.advantages.subarray(from, to),
    });
    backward(own);
    sum += own.item();
    pieces.push(...elementsOf(logits.grad as Tensor));
  }
  assertClose(t, "loss", sum, loss, TOLERANCES.engineRows);
  close(t, batch.logits.grad, pieces);
});

test("off the event loop loss and gradients are the same to the last bit", async (t) => {
  const [batch, later] = [engineBatch({ vocabSize: 90 }), engineBatch({ vocabSize: 90 })];
  for (const { logits } of [batch, later]) logits.requiresGrad = true;
  const [loss, lossLater] = [papoLoss(optionsOf(batch)), await papoLossAsync(optionsOf(later))];
  t.is(lossLater.item(), loss.item());
  for (const factor of [1, 3]) {
    backward(mul(loss, factor));
    await backwardAsync(mul(lossLater, factor));
    t.deepEqual(later.logits.grad?.data, batch.logits.grad?.data);
  }
  const reason = new Error("stop");
  const aborted = papoLossAsync({ ...optionsOf(batch), signal: AbortSignal.abort(reason) });
  t.is(await t.throwsAsync(aborted), reason);
});

test("terms that are switched on without their data are refused, not silently 0", (t) => {
  const batch = engineBatch();
  const refused = (change: object, code: string, message: string) => {
    const options = { ...optionsOf(batch), ...change } as PapoLossOptions;
    t.throws(() => papoLoss(options), {
      name: "PapoError",
      code,
      message: `[papoLoss] ${message}`,
    });
  };
  const maskedLogProbs = batch.reference.oldLogProbs;
  refused(
    { refLogProbs: undefined },
    "ERR_ARGUMENT",
    "expected refLogProbs, since refKlCoef is not 0, received none",
  );
  refused(
    { maskedLogits: undefined },
    "ERR_ARGUMENT",
    "expected maskedLogits or maskedLogProbs, since perceptionKlCoef is not 0, received none",
  );
  refused(
    { maskedLogits: undefined, perceptionKlCoef: 0 },
    "ERR_ARGUMENT",
    "expected maskedLogits or maskedLogProbs, since maskedEntropyCoef is not 0, received none",
  );
  refused(
    { maskedLogProbs },
    "ERR_ARGUMENT",
    "expected maskedLogits or maskedLogProbs, received both",
  );
  refused(
    { maskedLogits: undefined, maskedLogProbs },
    "ERR_UNSUPPORTED",
    "a differentiable maskedBranch needs maskedLogits, received only maskedLogProbs",
  );
  refused(
    { maskedLogits: undefined, maskedLogProbs, perceptionKlEstimator: "exact" },
    "ERR_UNSUPPORTED",
    "an exact estimator of the masked policy needs maskedLogits, received only maskedLogProbs",
  );
});

test("bad calls are refused with the name of what is wrong", (t) => {
  const refused = (change: object, message: RegExp) => {
    const options = { ...optionsOf(engineBatch({ full: true })), ...change } as PapoLossOptions;
    t.throws(() => papoLoss(options), { name: "PapoError", message });
  };
  refused(
    { advantages: undefined },
    /^\[papoLoss\] expected advantages to be a Tensor, .*received undefined$/,
  );
  refused(
    { advantages: [1, 2] },
    /expected advantages \[12\] for rows or \[3\] for sequences, received \[2\]$/,
  );
  refused(
    { advantages: new Float64Array(12).fill(Infinity) },
    /^\[papoLoss\] expected advantages\[0\]/,
  );
  refused(
    { oldLogProbs: new Float64Array(12).fill(Number.NaN) },
    /^\[papoLoss\] expected oldLogProbs\[0\]/,
  );
  refused(
    { tokenIds: new Int32Array(12).fill(7) },
    /^\[papoLoss\] expected tokenIds\[0\] in 0…6, received 7$/,
  );
  refused({ reduction: "mean" }, /^\[papoLoss\] expected reduction to be one of/);
  refused({ entropyReduction: "sum" }, /^\[papoLoss\] expected entropyReduction to be/);
  refused(
    { clipDual: 1.2 },
    /^\[papoLoss\] expected clipDual to be 0 \(off\) or above 1 \+ clipHigh/,
  );
  refused({ refKlEstimator: "exact" }, /^\[papoLoss\] expected refKlEstimator/);
  refused({ temperature: 0 }, /^\[papoLoss\] expected temperature/);
  refused({ gamma: 0.02 }, /received "gamma"$/);
  refused({ cuSeqlens: [0, 13] }, /expected cuSeqlens\[1\] to be in 0…12, received 13$/);
});

test("limits may be null for none", (t) => {
  const batch = engineBatch({ distribution: "far" });
  const options = optionsOf(batch);
  const none = papoLoss({ ...options, klLimit: null, exactKlLimit: null }).item();
  const infinite = papoLoss({ ...options, klLimit: Infinity, exactKlLimit: Infinity }).item();
  t.is(none, infinite);
  t.not(none, papoLoss(options).item());
});

test("bounds may be null for none, and bind where they are numbers", (t) => {
  const batch = engineBatch({ distribution: "far" });
  const options = { ...optionsOf(batch), entropyCoef: 0.1, perceptionKlCoef: 0.1 };
  const none = {
    perceptionKlMin: null,
    perceptionKlMax: null,
    entropyLow: null,
    entropyHigh: null,
  };
  const free = papoLoss(options).item();
  t.is(papoLoss({ ...options, ...none }).item(), free);
  t.not(papoLoss({ ...options, ...none, perceptionKlMax: 0.01 }).item(), free);
  t.not(papoLoss({ ...options, ...none, perceptionKlMin: 1 }).item(), free);
  t.not(papoLoss({ ...options, ...none, entropyLow: 0.1 }).item(), free);
  t.not(papoLoss({ ...options, ...none, entropyHigh: 0.1 }).item(), free);
});
