/** The family on a device: every way the composed plan is asked for gives what it gives on the CPU, beside the logits. */
import anyTest, { type ExecutionContext } from "ava";
import {
  type Evaluation,
  type LogitsBatch,
  Objective,
  type ObjectiveSpecInput,
  zeros,
} from "../../lib/index.js";
import { SURROGATES } from "../../lib/surrogates/table.js";
import { gradientsOf, logitsBatch, logitsTensor, valuesOf } from "../objective/batches.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { onTwo } from "./conditions.js";
import { callsOf, DEVICE, failure, OTHER, opOf } from "./devices.js";

/** One after the other: some listen to the calls of the addon. */
const test = anyTest.serial;

const SIZES = { sequences: 5, tokens: 6, vocabSize: 37 };
const BATCH = makeBatch({ ...SIZES, seed: 71, rowPitch: 40 });
const REFERENCE = makeBatch({ ...SIZES, seed: 72, rowPitch: 40 }).logits;
const SHAPE = [BATCH.sequences, BATCH.tokens, BATCH.vocabSize];
const SEED = 11;

/** A batch with all that any member of the family reads. */
function batchOn(device: "cpu" | typeof DEVICE | typeof OTHER = DEVICE): LogitsBatch {
  const { refLogProbs: _, ...rest } = logitsBatch(BATCH, "float32", device);
  return {
    ...rest,
    refLogits: logitsTensor(REFERENCE.slice(), SHAPE, "float32", BATCH.rowPitch, device),
    rolloutLogProbs: BATCH.oldLogProbs.map((x, row) => x + 0.3 * Math.sin(row)),
    accuracies: Array.from({ length: BATCH.sequences }, (_, s) => (s % 3 === 0 ? 0 : 1)),
  };
}

const TERMS: ObjectiveSpecInput = {
  refKlCoef: 0.05,
  perceptionKlCoef: 0.02,
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.04,
  maskedBranch: "differentiable",
  reduction: "seq-mean-token-mean",
};
const EXACT: ObjectiveSpecInput = {
  ...TERMS,
  refKlEstimator: "exact",
  perceptionKlEstimator: "exact",
  entropyEstimator: "exact",
};

/** What makes a spec composed, each alone and all at once. */
const CASES: Readonly<Record<string, ObjectiveSpecInput>> = {
  ...Object.fromEntries(
    SURROGATES.map(({ kind }) => [`surrogate ${kind}`, { ...TERMS, surrogate: kind }]),
  ),
  "clip-cov that drops half of the tokens": {
    ...TERMS,
    surrogate: { kind: "clip-cov", fraction: 0.5, lower: -1e3, upper: 1e3 },
  },
  "kl-cov that holds half of the tokens": {
    ...TERMS,
    surrogate: { kind: "kl-cov", fraction: 0.5, coefficient: 2 },
  },
  "rolloutCorrection, truncated": { ...TERMS, rolloutCorrection: { max: 1.1 } },
  "rolloutCorrection, sequences rejected": {
    ...TERMS,
    surrogate: "gspo",
    rolloutCorrection: {
      level: "sequence",
      mode: "mask",
      max: 3,
      batchNormalize: true,
      reject: { by: "k3", level: "token", max: 0.02 },
    },
  },
  "perceptionTokenMask of each sequence": { ...TERMS, perceptionTokenMask: { top: 0.4 } },
  "perceptionTokenMask of the batch, over the kept": {
    ...EXACT,
    perceptionTokenMask: { top: 0.3, level: "batch", choice: "count", denominator: "kept" },
  },
  "exact reference KL": EXACT,
  "exact reference KL, reversed": { ...EXACT, refKlEstimator: "exact-reverse" },
  "VPPO's mask and shaping": {
    ...TERMS,
    policyTokenMask: { by: "perception", top: 0.4, level: "sequence", choice: "count" },
    advantageShaping: { kind: "vppo", min: 0.9 },
  },
  "entropy bounds, SFT, weights by accuracy and bounds of the perception term": {
    ...EXACT,
    entropyBounds: { low: 1, high: 3, level: "batch" },
    sftCoef: 0.1,
    perceptionWeighting: "accuracy-weighted",
    perceptionKlMin: 0.01,
    perceptionKlMax: 0.2,
    offPolicyMask: { threshold: 0.01 },
  },
  "all of it": {
    ...EXACT,
    surrogate: "sapo",
    rolloutCorrection: { max: 1.1 },
    perceptionTokenMask: { top: 0.5 },
    policyTokenMask: { by: "entropy", top: 0.6 },
    sftCoef: 0.1,
  },
};

/** Every number of two evaluations: those of a device are its float32 exponentials off. */
function close(t: ExecutionContext, actual: Evaluation, expected: Evaluation): void {
  const flat = ({ loss, terms, metrics }: Evaluation) => ({ loss, ...terms, ...metrics });
  const [a, e] = [flat(actual), flat(expected)] as Record<string, number>[];
  for (const [name, value] of Object.entries(e as object)) {
    assertClose(t, name, a?.[name] as number, value, TOLERANCES.golden);
  }
  const gradients = gradientsOf(actual);
  const wanted = gradientsOf(expected);
  t.deepEqual(Object.keys(gradients), Object.keys(wanted));
  for (const [name, values] of Object.entries(wanted)) {
    const tolerance = GRADIENT_TOLERANCES.float32;
    assertClose(t, name, gradients[name] as Float64Array, values, tolerance);
  }
}

for (const [name, spec] of Object.entries(CASES)) {
  test(`${name}: value and gradients of the CPU, at once and off the event loop`, async (t) => {
    const objective = new Objective(spec);
    const options = { plan: "composed", seed: SEED, perToken: true } as const;
    const expected = objective.evaluate(batchOn("cpu"), options);
    const actual = objective.evaluate(batchOn(), options);
    close(t, actual, expected);
    t.is(actual.gradLogits?.device, DEVICE);
    t.is(actual.gradMaskedLogits?.device, DEVICE);
    t.true(valuesOf(actual.gradLogits).some((x) => x !== 0));
    for (const tokens of Object.values(actual.tokens ?? {})) t.is(tokens.device, "cpu");
    // What was chosen by rank, by chance or by a bound is chosen alike.
    const { clip } = expected.tokens ?? {};
    t.deepEqual([...valuesOf(actual.tokens?.clip)], [...valuesOf(clip)]);
    const later = await objective.evaluateAsync(batchOn(), options);
    t.is(later.loss, actual.loss);
    t.deepEqual(gradientsOf(later), gradientsOf(actual));
  });
}

test("the vocabulary stays on the device: no copy of logits or gradients is made", async (t) => {
  const objective = new Objective(CASES["all of it"] as ObjectiveSpecInput);
  const batch = batchOn();
  const evaluate = () => objective.evaluate(batch);
  t.deepEqual(await callsOf("copy", evaluate), []);
  const ops = (await callsOf("run", evaluate)).map(opOf);
  // Policy and reference each with a pass forward and one backward.
  t.is(ops.filter((op) => op === "token_stats").length, 2);
  t.true(ops.includes("token_stats_grad"));
  t.false(ops.includes("papo_loss"));
});

test("a seed decides on a device too, and other seeds choose other tokens", (t) => {
  const spec = CASES["clip-cov that drops half of the tokens"] as ObjectiveSpecInput;
  const objective = new Objective(spec);
  const losses = [1, 1, 2, 3].map((seed) => objective.evaluate(batchOn(), { seed }).loss);
  t.is(losses[0], losses[1]);
  t.true(new Set(losses).size > 1);
});

test("rows in blocks with a reference on the device give what they give at once", async (t) => {
  // A token's slope depends on no other token here, so that blocks may be cut anywhere.
  const objective = new Objective({ ...EXACT, surrogate: "sapo" });
  const whole = batchOn();
  const expected = objective.evaluate(whole);
  const { logits, maskedLogits, refLogits, ...rows } = whole;
  const begin = () =>
    objective.begin({ ...rows, shape: SHAPE.slice(0, 2), vocabSize: BATCH.vocabSize });
  const [sync, async] = [begin(), begin()];
  const gradients: number[][] = [[], []];
  for (let start = 0; start < BATCH.rows; start += 7) {
    const end = Math.min(start + 7, BATCH.rows);
    const block = {
      rowStart: start,
      logits: logits.sliceRows(start, end),
      maskedLogits: maskedLogits?.sliceRows(start, end),
      refLogits: refLogits?.sliceRows(start, end),
    };
    gradients[0]?.push(...valuesOf(sync.add(block).gradLogits));
    gradients[1]?.push(...valuesOf((await async.addAsync(block)).gradLogits));
  }
  for (const evaluation of [sync.finish(), async.finish()]) t.is(evaluation.loss, expected.loss);
  const own = [...valuesOf(expected.gradLogits)];
  t.deepEqual(gradients, [own, own]);
});

test("half logits of policy and reference on the device: their gradients in their dtype", (t) => {
  const objective = new Objective({ ...EXACT, surrogate: "gspo" });
  for (const dtype of ["float16", "bfloat16"] as const) {
    const batch = (device: "cpu" | typeof DEVICE): LogitsBatch => {
      const { rolloutLogProbs, accuracies } = batchOn("cpu");
      const reference = logitsBatch({ ...BATCH, logits: REFERENCE }, dtype, device);
      const { refLogProbs: _, ...own } = logitsBatch(BATCH, dtype, device);
      return { ...own, refLogits: reference.logits, rolloutLogProbs, accuracies };
    };
    const [expected, actual] = [
      objective.evaluate(batch("cpu")),
      objective.evaluate(batch(DEVICE)),
    ];
    t.is(actual.gradLogits?.dtype, dtype);
    assertClose(t, `${dtype} loss`, actual.loss, expected.loss, TOLERANCES.golden);
    const [a, e] = [actual, expected].map(({ gradLogits }) => valuesOf(gradLogits));
    const tolerance = GRADIENT_TOLERANCES[dtype];
    assertClose(t, dtype, a as Float64Array, e as Float64Array, tolerance);
  }
});

const REFUSING = new Objective(EXACT);

test("a reference on the host beside logits on a device is an error, never a copy, and the other way round", async (t) => {
  const [host, there] = [batchOn("cpu"), batchOn()];
  const sentence = (where: string, on: string, received: string) =>
    `[${where}] expected refLogits on ${on} as logits are, received ${received}`;
  const mixed = { ...there, refLogits: host.refLogits };
  const [sync, async] = ["Objective.evaluate", "Objective.evaluateAsync"] as const;
  t.deepEqual(await failure(() => REFUSING.evaluate(mixed)), [
    "ERR_DEVICE_MISMATCH",
    sentence(sync, "cuda:0", "cpu"),
  ]);
  t.deepEqual(await failure(() => REFUSING.evaluateAsync(mixed)), [
    "ERR_DEVICE_MISMATCH",
    sentence(async, "cuda:0", "cpu"),
  ]);
  t.deepEqual(await failure(() => REFUSING.evaluate({ ...host, refLogits: there.refLogits })), [
    "ERR_DEVICE_MISMATCH",
    sentence(sync, "cpu", "cuda:0"),
  ]);
});

onTwo("a reference on another device is an error that names both, also in a block", async (t) => {
  const there = batchOn();
  const refLogits = batchOn(OTHER).refLogits;
  const words = "expected refLogits on cuda:0 as logits are, received cuda:1";
  t.deepEqual(await failure(() => REFUSING.evaluate({ ...there, refLogits })), [
    "ERR_DEVICE_MISMATCH",
    `[Objective.evaluate] ${words}`,
  ]);
  const { logits, maskedLogits, refLogits: _, ...rows } = there;
  const evaluation = REFUSING.begin({
    ...rows,
    shape: SHAPE.slice(0, 2),
    vocabSize: BATCH.vocabSize,
  });
  const [code, message] =
    (await failure(() => evaluation.add({ rowStart: 0, logits, maskedLogits, refLogits }))) ?? [];
  t.is(code, "ERR_DEVICE_MISMATCH");
  t.true((message as string).endsWith(words), message);
  // All of it on the other device is a batch like any other.
  const [expected, actual] = [REFUSING.evaluate(there), REFUSING.evaluate(batchOn(OTHER))];
  t.is(actual.loss, expected.loss);
  t.is(actual.gradLogits?.device, OTHER);
});

test("rollout log-probs and accuracies stay on the host, and are refused on a device by name", async (t) => {
  for (const [name, length] of [
    ["rolloutLogProbs", BATCH.rows],
    ["accuracies", BATCH.sequences],
  ] as const) {
    const there = zeros([length], { dtype: "float64", device: DEVICE });
    const act = () => REFUSING.evaluate({ ...batchOn(), [name]: there } as LogitsBatch);
    const [code, message] = (await failure(act)) ?? [];
    t.is(code, "ERR_DEVICE_MISMATCH");
    t.true((message as string).includes(`expected ${name} in host memory`), message);
  }
});
