/** Properties that hold for every batch: shifts of logits, order of rows, pitch, mask, and fused against composed. */
import test from "ava";
import fc from "fast-check";
import { grad } from "../../lib/autograd/grad.js";
import { papoLoss } from "../../lib/functional/papo-loss.js";
import { tokenStats } from "../../lib/functional/token-stats.js";
import { COTANGENTS } from "../../lib/ops/lines.js";
import { tensor } from "../../lib/tensor/create.js";
import type { Logits } from "../../lib/tensor/tensor.js";
import { elementsOf } from "../ops/engine-batch.js";
import { assertClose } from "../support/close.js";
import { type Batch, makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";

const batches = fc
  .record({
    seed: fc.integer(),
    sequences: fc.integer({ min: 1, max: 4 }),
    tokens: fc.integer({ min: 1, max: 5 }),
    vocabSize: fc.integer({ min: 2, max: 70 }),
    padding: fc.integer({ min: 0, max: 9 }),
    distribution: fc.constantFrom("plain", "far", "peaked", "negative", "wide"),
  })
  .map(({ padding, ...options }) =>
    makeBatch({ ...options, rowPitch: options.vocabSize + padding }),
  );

const RUNS = { numRuns: 60 };

const OBJECTIVE = {
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  perceptionKlEstimator: "exact",
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.03,
  entropyEstimator: "exact",
  maskedBranch: "differentiable",
} as const;

function logitsOf({ rows, vocabSize, rowPitch }: Batch, data: Float32Array): Logits {
  return tensor(data, { shape: [rows, vocabSize], rowPitch });
}

function statisticsOf(batch: Batch) {
  const { tokenIds, responseMask } = batch;
  const [logits, maskedLogits] = [batch.logits, batch.maskedLogits].map((z) => logitsOf(batch, z));
  return tokenStats({
    logits: logits as Logits,
    maskedLogits: maskedLogits as Logits,
    tokenIds,
    responseMask,
  });
}

function gradientsOf(batch: Batch): [Float32Array, Float32Array] {
  const { tokenIds, responseMask, oldLogProbs, refLogProbs, advantages } = batch;
  const rows = { tokenIds, responseMask, oldLogProbs, refLogProbs, advantages };
  const f = (logits: Logits, maskedLogits: Logits) =>
    papoLoss({ logits, maskedLogits, ...rows, ...OBJECTIVE });
  const gradients = grad(f)(logitsOf(batch, batch.logits), logitsOf(batch, batch.maskedLogits));
  return [elementsOf(gradients[0]), elementsOf(gradients[1])];
}

/** Logits on a grid that float32 can shift without rounding. */
function onGrid(batch: Batch): Batch {
  const round = (z: Float32Array) => z.map((logit) => Math.round(logit * 256) / 256);
  return { ...batch, logits: round(batch.logits), maskedLogits: round(batch.maskedLogits) };
}

test("a shift of all logits of a row changes no statistic and no gradient", (t) => {
  const property = fc.property(batches, fc.constantFrom(-64, -1, 2, 128), (any, by) => {
    const batch = onGrid(any);
    const shift = (z: Float32Array, offset: number) => z.map((logit) => logit + offset);
    const logits = shift(batch.logits, by);
    const moved = { ...batch, logits, maskedLogits: shift(batch.maskedLogits, -by) };
    const [actual, expected] = [statisticsOf(moved), statisticsOf(batch)];
    for (const name of COTANGENTS) {
      assertClose(t, name, actual[name].data, expected[name].data, TOLERANCES.engineStatistics);
    }
    const [after, before] = [gradientsOf(moved), gradientsOf(batch)];
    after.forEach((gradient, i) => {
      assertClose(
        t,
        `gradient ${i}`,
        gradient,
        before[i] as Float32Array,
        GRADIENT_TOLERANCES.float32,
      );
    });
  });
  fc.assert(property, RUNS);
});

test("rows in another order are the same rows, to the last bit", (t) => {
  const property = fc.property(batches, (batch) => {
    const { rows, rowPitch } = batch;
    const order = Array.from({ length: rows }, (_, row) => rows - 1 - row);
    const turned = <A extends Float32Array | Float64Array | Int32Array>(
      values: A,
      width = 1,
    ): A => {
      const result = values.slice() as A;
      order.forEach((from, to) => {
        result.set(values.subarray(from * width, (from + 1) * width), to * width);
      });
      return result;
    };
    const reordered = {
      ...batch,
      logits: turned(batch.logits, rowPitch),
      maskedLogits: turned(batch.maskedLogits, rowPitch),
      tokenIds: turned(batch.tokenIds),
      responseMask: turned(batch.responseMask),
    };
    const [actual, expected] = [statisticsOf(reordered), statisticsOf(batch)];
    for (const name of COTANGENTS)
      t.deepEqual(actual[name].data, turned(expected[name].data as Float64Array));
  });
  fc.assert(property, RUNS);
});

test("padding between rows changes nothing, to the last bit", (t) => {
  const property = fc.property(batches, (batch) => {
    const { rows, vocabSize, rowPitch } = batch;
    const tight = (z: Float32Array) =>
      Float32Array.from({ length: rows * vocabSize }, (_, i) => {
        return z[Math.floor(i / vocabSize) * rowPitch + (i % vocabSize)] as number;
      });
    const packed = {
      ...batch,
      rowPitch: vocabSize,
      logits: tight(batch.logits),
      maskedLogits: tight(batch.maskedLogits),
    };
    const [actual, expected] = [statisticsOf(packed), statisticsOf(batch)];
    for (const name of COTANGENTS) t.deepEqual(actual[name].data, expected[name].data);
    t.deepEqual(gradientsOf(packed), gradientsOf(batch));
  });
  fc.assert(property, RUNS);
});

test("a row that does not count may be anything", (t) => {
  const property = fc.property(batches, (batch) => {
    const expected = gradientsOf(batch);
    const { responseMask, rowPitch } = batch;
    const logits = batch.logits.slice();
    const advantages = batch.advantages.slice();
    responseMask.forEach((bit, row) => {
      if (bit === 1) return;
      logits.fill(Number.NaN, row * rowPitch, (row + 1) * rowPitch);
      advantages[row] = Number.NaN;
    });
    t.deepEqual(gradientsOf({ ...batch, logits, advantages }), expected);
  });
  fc.assert(property, RUNS);
});

test("entropies lie between 0 and log vocab, divergences are not negative, log-probs not positive", (t) => {
  const property = fc.property(batches, (batch) => {
    const { logProbs, entropy, kl, reverseKl } = statisticsOf(batch);
    const most = Math.log(batch.vocabSize) * (1 + TOLERANCES.engineStatistics.rtol);
    t.true(entropy.data.every((value) => value >= 0 && value <= most));
    t.true(kl.data.every((value) => value >= 0));
    t.true(reverseKl.data.every((value) => value >= 0));
    t.true(logProbs.data.every((value) => value <= 0));
  });
  fc.assert(property, RUNS);
});
