/** The ops over logits on a device, beside the CPU's and the float64 reference. */
import test from "ava";
import { OBJECTIVE_DEFAULTS } from "../../lib/functional/papo-loss-options.js";
import { fromDevicePointer, Tensor, tensor } from "../../lib/index.js";
import { COTANGENTS, line, newLines, STATISTICS, TERMS } from "../../lib/ops/lines.js";
import { type PapoLossArgs, papoLoss, papoLossAsync } from "../../lib/ops/papo-loss.js";
import type { ObjectiveAttributes } from "../../lib/ops/token-objective.js";
import { type TokenStatsArgs, tokenStats, tokenStatsAsync } from "../../lib/ops/token-stats.js";
import {
  type TokenStatsGradArgs,
  tokenStatsGrad,
  tokenStatsGradAsync,
} from "../../lib/ops/token-stats-grad.js";
import { papoLoss as reference } from "../../lib/reference/index.js";
import { gradientTensor } from "../../lib/tensor/gradient.js";
import { valuesOf } from "../objective/batches.js";
import { type EngineBatch, LOGITS_DTYPES } from "../ops/engine-batch.js";
import { type Assertions, assertClose } from "../support/close.js";
import { DISTRIBUTIONS, Random } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { batches, DEVICE, failure, onDevice } from "./devices.js";

/** One column, fewer than a vector, odd rows that no vector is aligned to, and several rounds of a block. */
const VOCAB_SIZES = [1, 7, 130, 1031];
/** Enough for several blocks to share a row. */
const LARGE_VOCAB = 20_003;
/** Every size with every distribution, and a large one. */
const CASES = [
  ...DISTRIBUTIONS.flatMap((distribution) =>
    VOCAB_SIZES.map((vocabSize) => ({ distribution, vocabSize })),
  ),
  { distribution: "plain", vocabSize: LARGE_VOCAB } as const,
];

const ATTRIBUTES: ObjectiveAttributes = {
  ...OBJECTIVE_DEFAULTS,
  clipHigh: 0.28,
  clipDual: 3,
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  perceptionKlEstimator: "exact",
  entropyCoef: 0.05,
  maskedEntropyCoef: 0.03,
  entropyEstimator: "exact",
  maskedBranch: "differentiable",
  exactKlLimit: 10,
};

function lossArgs(batch: EngineBatch): PapoLossArgs & Required<Pick<PapoLossArgs, "gradLogits">> {
  const { logits, maskedLogits, tokenIds, responseMask, reference: rows } = batch;
  const { oldLogProbs, refLogProbs, advantages } = rows;
  const counted = responseMask.reduce((sum, bit) => sum + bit, 0);
  const weights = Float64Array.from(responseMask, (bit) => bit / (counted + 1e-8));
  return {
    ...{ where: "papoLoss", logits, maskedLogits, tokenIds, responseMask },
    ...{ oldLogProbs, refLogProbs, advantages, weights, entropyWeights: weights },
    ...{ temperature: 0.9, gradScale: 3, attributes: ATTRIBUTES },
    gradLogits: gradientTensor("test", "g", logits),
    gradMaskedLogits: gradientTensor("test", "g", maskedLogits),
  };
}

function statsArgs({ logits, maskedLogits, tokenIds, responseMask }: EngineBatch): TokenStatsArgs {
  const inputs = { logits, maskedLogits, tokenIds, responseMask };
  return { where: "tokenStats", ...inputs, temperature: 1.3, onInvalid: "error" };
}

function gradArgs(batch: EngineBatch, statistics: Float64Array): TokenStatsGradArgs {
  const random = new Random(99);
  const cotangents = newLines(COTANGENTS, batch.logits.rows).map(() => random.normal());
  const { onInvalid: _, ...inputs } = statsArgs(batch);
  return { ...inputs, statistics, cotangents, gradScale: 2, accumulate: false };
}

function closeLines(
  t: Assertions,
  what: string,
  names: readonly string[],
  actual: Float64Array,
  expected: Float64Array,
): void {
  for (const name of names) {
    const [a, e] = [actual, expected].map((lines) => line(lines, names, name));
    const tolerance = names === STATISTICS ? TOLERANCES.deviceStatistics : TOLERANCES.deviceTerms;
    assertClose(t, `${name} of ${what}`, a as Float64Array, e as Float64Array, tolerance);
  }
}

function closeGradients(t: Assertions, what: string, actual: unknown, expected: Tensor): void {
  const tolerance = GRADIENT_TOLERANCES[expected.dtype as "float32"];
  assertClose(t, what, valuesOf(actual as Tensor), valuesOf(expected), tolerance);
}

for (const dtype of LOGITS_DTYPES) {
  test(`papo_loss of ${dtype} logits on a device is that of the CPU and of the reference`, (t) => {
    for (const { distribution, vocabSize } of CASES) {
      const what = `${distribution} logits over ${vocabSize} tokens`;
      const { host, device } = batches({ distribution, vocabSize }, dtype);
      const [onHost, there] = [lossArgs(host), lossArgs(device)];
      const [expected, actual] = [papoLoss(onHost), papoLoss(there)];
      closeLines(t, what, STATISTICS, actual.statistics, expected.statistics);
      closeLines(t, what, TERMS, actual.terms, expected.terms);
      closeGradients(t, what, there.gradLogits, onHost.gradLogits as Tensor);
      closeGradients(t, what, there.gradMaskedLogits, onHost.gradMaskedLogits as Tensor);
      const { temperature, gradScale } = there;
      const exact = reference({ ...host.reference, ...ATTRIBUTES, temperature, gradScale });
      for (const name of STATISTICS) {
        // One token is evaluated at temperature 1, since no result but these two depends on it.
        if (vocabSize === 1 && name.endsWith("ogSumExp")) continue;
        const values = line(actual.statistics, STATISTICS, name);
        const tolerance = TOLERANCES.deviceStatistics;
        assertClose(t, `${name} of ${what}`, values, exact.tokens[name], tolerance);
      }
      const gradient = valuesOf(there.gradLogits);
      assertClose(t, what, gradient, exact.gradLogits, GRADIENT_TOLERANCES[dtype]);
    }
  });

  test(`token_stats and its gradient of ${dtype} logits on a device are those of the CPU`, (t) => {
    for (const { distribution, vocabSize } of CASES) {
      const what = `${distribution} logits over ${vocabSize} tokens`;
      const rowPitch = vocabSize + 5;
      const { host, device } = batches({ distribution, vocabSize, rowPitch }, dtype);
      const expected = tokenStats(statsArgs(host));
      const actual = tokenStats(statsArgs(device));
      closeLines(t, what, STATISTICS, actual.statistics, expected.statistics);
      for (const [gradDType, names] of [
        [undefined, ["gradLogits", "gradMaskedLogits"]],
        ["float32", ["gradLogits"]],
        [undefined, ["gradMaskedLogits"]],
      ] as const) {
        const gradientsOf = (batch: EngineBatch) => {
          const options = { dtype: gradDType };
          const memory = names.map((name) => [
            name,
            gradientTensor("test", name, batch.logits, options),
          ]);
          const gradients = Object.fromEntries(memory) as Record<string, Tensor>;
          tokenStatsGrad({ ...gradArgs(batch, expected.statistics), ...gradients });
          return gradients;
        };
        const [onHost, there] = [gradientsOf(host), gradientsOf(device)];
        for (const name of names) {
          closeGradients(t, `${name} of ${what}`, there[name], onHost[name] as Tensor);
        }
      }
    }
  });

  test(`gradients of ${dtype} logits are added to what is there, or lie over the logits`, (t) => {
    for (const vocabSize of VOCAB_SIZES) {
      const { host, device } = batches({ vocabSize }, dtype);
      const { statistics } = tokenStats(statsArgs(host));
      const added = (batch: EngineBatch) => {
        const gradLogits = gradientTensor("test", "g", batch.logits, { dtype: "float32" });
        const args = { ...gradArgs(batch, statistics), gradLogits };
        tokenStatsGrad(args);
        tokenStatsGrad({ ...args, accumulate: true });
        return gradLogits;
      };
      closeGradients(t, `over ${vocabSize} tokens`, added(device), added(host));
      const { logits: gradLogits, maskedLogits: gradMaskedLogits } = device;
      const fresh = lossArgs(batches({ vocabSize }, dtype).device);
      papoLoss(fresh);
      papoLoss({ ...lossArgs(device), gradLogits, gradMaskedLogits });
      t.deepEqual(valuesOf(gradLogits), valuesOf(fresh.gradLogits), "in place");
      t.deepEqual(valuesOf(gradMaskedLogits), valuesOf(fresh.gradMaskedLogits), "in place");
    }
  });
}

for (const [name, attributes] of Object.entries({
  "Jensen-Shannon": { perceptionKlEstimator: "jsd", refKlEstimator: "jsd" },
  bounded: {
    perceptionKlEstimator: "k3",
    perceptionKlMin: 0.05,
    perceptionKlMax: 0.3,
    entropyEstimator: "sampled",
    entropyLow: 1,
    entropyHigh: 3,
  },
  "bounded exact": { perceptionKlMax: 0.3, entropyHigh: 3 },
} satisfies Record<string, Partial<ObjectiveAttributes>>)) {
  test(`the ${name} objective on a device, with weights of the perception term's own, is that of the CPU`, (t) => {
    for (const { distribution, vocabSize } of CASES) {
      const what = `${distribution} logits over ${vocabSize} tokens`;
      const { host, device } = batches({ distribution, vocabSize });
      const [onHost, there] = [host, device].map((batch) => ({
        ...lossArgs(batch),
        attributes: { ...ATTRIBUTES, ...attributes },
        perceptionWeights: Float64Array.from(batch.responseMask, (_, row) => (row % 4) / 10),
      })) as [PapoLossArgs, PapoLossArgs];
      const [expected, actual] = [papoLoss(onHost), papoLoss(there)];
      closeLines(t, what, TERMS, actual.terms, expected.terms);
      closeGradients(t, what, there.gradLogits, onHost.gradLogits as Tensor);
      closeGradients(t, what, there.gradMaskedLogits, onHost.gradMaskedLogits as Tensor);
    }
  });
}

test("one set of logits needs no other, and a row that does not count gets zeros", (t) => {
  const { host, device } = batches({ vocabSize: 33 });
  const [expected, actual] = [host, device].map((batch) => {
    const { maskedLogits: _, gradMaskedLogits: __, ...args } = lossArgs(batch);
    const attributes = { ...OBJECTIVE_DEFAULTS, entropyCoef: 0.1 };
    papoLoss({ ...args, attributes });
    return args.gradLogits as Tensor;
  }) as [Tensor, Tensor];
  closeGradients(t, "gradLogits", actual, expected);
  const row = host.responseMask.indexOf(0);
  t.deepEqual(valuesOf(actual.sliceRows(row, row + 1)), new Float64Array(33));
});

test("what lies between the rows of a gradient is not written", (t) => {
  const { host, device } = batches({ vocabSize: 7 });
  const { rows } = host.logits;
  const whole = tensor(new Float32Array(rows * 10).fill(-7), { shape: [rows, 10], device: DEVICE });
  const gradLogits = fromDevicePointer({
    ...{ pointer: whole.devicePointer, device: DEVICE, owner: whole },
    ...{ dtype: "float32", shape: [rows, 7], rowPitch: 10 },
  });
  papoLoss({ ...lossArgs(device), gradLogits });
  const expected = lossArgs(host);
  papoLoss(expected);
  closeGradients(t, "gradLogits", gradLogits, expected.gradLogits as Tensor);
  const between = valuesOf(whole).filter((_, i) => i % 10 >= 7);
  t.deepEqual(between, new Float64Array(rows * 3).fill(-7));
});

test("the same call gives the same bits, on the event loop and off it", async (t) => {
  const { device } = batches({ vocabSize: 1031 }, "bfloat16");
  const runs = [];
  for (const run of [papoLoss, papoLoss, papoLossAsync]) {
    const args = lossArgs(device);
    const result = await run(args);
    runs.push({ ...result, gradients: [args.gradLogits, args.gradMaskedLogits].map(valuesOf) });
  }
  t.deepEqual(runs[1], runs[0]);
  t.deepEqual(runs[2], runs[0]);
  const statistics = tokenStats(statsArgs(device));
  t.deepEqual(await tokenStatsAsync(statsArgs(device)), statistics);
  const [once, again] = [0, 0].map(() => gradientTensor("test", "g", device.logits));
  const args = gradArgs(device, statistics.statistics);
  tokenStatsGrad({ ...args, gradLogits: once });
  await tokenStatsGradAsync({ ...args, gradLogits: again });
  t.deepEqual(valuesOf(again), valuesOf(once));
});

test("many calls at once give what each gives alone", async (t) => {
  const { device } = batches({ vocabSize: 130 });
  const expected = papoLoss(lossArgs(device));
  const calls = Array.from({ length: 8 }, () => papoLossAsync(lossArgs(device)));
  for (const result of await Promise.all(calls)) t.deepEqual(result, expected);
});

test("an unusable row is named by the same sentence as on the CPU, and leaves zeros", async (t) => {
  const spoils: [value: number, all: boolean][] = [
    [Number.NaN, false],
    [Number.POSITIVE_INFINITY, false],
    [Number.NEGATIVE_INFINITY, true],
  ];
  for (const [value, all] of spoils) {
    for (const key of ["logits", "maskedLogits"] as const) {
      const { host } = batches({ vocabSize: 33, full: true });
      const spoiled = host[key].data as Float32Array;
      spoiled.fill(value, 5 * 33, all ? 6 * 33 : 5 * 33 + 1);
      const device = {
        ...host,
        logits: onDevice(host.logits),
        maskedLogits: onDevice(host.maskedLogits),
      };
      const args = lossArgs(device);
      const expected = await failure(() => papoLoss(lossArgs(host)));
      t.is(expected?.[0], "ERR_NOT_FINITE");
      t.deepEqual(await failure(() => papoLoss(args)), expected);
      t.deepEqual(await failure(() => papoLossAsync(lossArgs(device))), expected);
      t.true(valuesOf(args.gradLogits).every((x) => x === 0));
      const skipping = { ...statsArgs(host), onInvalid: "skip" } as const;
      const { invalid } = tokenStats({ ...skipping, ...device });
      t.deepEqual(invalid, tokenStats(skipping).invalid);
      t.deepEqual(
        await failure(() => tokenStats(statsArgs(device))),
        await failure(() => tokenStats(statsArgs(host))),
      );
    }
  }
});

test("a call without rows does nothing", (t) => {
  const logits = new Tensor<"float32", 2>("test", new Float32Array(0), {
    shape: [0, 5],
    device: DEVICE,
  });
  const result = tokenStats({
    ...{ where: "tokenStats", logits, tokenIds: new Int32Array(0) },
    ...{ temperature: 1, onInvalid: "error" },
  });
  t.is(result.statistics.length, 0);
});
