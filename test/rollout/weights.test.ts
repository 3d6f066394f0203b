/** Rollout weights: each level and mode by hand, normalisation in parts, extreme and empty batches. */
import test from "ava";
import { rolloutCorrectionOf } from "../../lib/rollout/correction.js";
import { rolloutWeights } from "../../lib/rollout/mismatch.js";
import { type RejectionInput, readRolloutCorrection } from "../../lib/rollout/rules.js";
import { assertClose } from "../support/close.js";
import { Random } from "../support/inputs.js";

const TOLERANCE = { rtol: 1e-13, atol: 1e-15 };
const LN2 = Math.log(2);

// Two sequences of three tokens; ratios 2, 4, 1/2 and 1/4, 1, (padding).
const BATCH = {
  shape: [2, 3] as const,
  responseMask: [1, 1, 1, 1, 1, 0],
  oldLogProbs: [-1, -1, -1 - LN2, -1 - 2 * LN2, -1, Number.NaN],
  rolloutLogProbs: [-1 - LN2, -1 - 2 * LN2, -1, -1, -1, Number.NaN],
};

test("token weights are truncated above, below where asked, or masked", (t) => {
  const weightsOf = (rule: object) => rolloutWeights({ ...BATCH, ...rule });
  assertClose(t, "2", weightsOf({}).weights, [2, 2, 0.5, 0.25, 1, 0], TOLERANCE);
  assertClose(t, "3", weightsOf({ max: 3 }).weights, [2, 3, 0.5, 0.25, 1, 0], TOLERANCE);
  const both = weightsOf({ max: 3, min: 0.4 });
  assertClose(t, "both", both.weights, [2, 3, 0.5, 0.4, 1, 0], TOLERANCE);
  t.deepEqual(Array.from(both.keep), [1, 1, 1, 1, 1, 0]);
  const masked = weightsOf({ mode: "mask", max: 3, min: 0.4 });
  assertClose(t, "masked", masked.weights, [2, 0, 0.5, 0, 1, 0], TOLERANCE);
  t.deepEqual(Array.from(masked.keep), [1, 0, 1, 0, 1, 0]);
});

test("sequence weights are bounded products on each token", (t) => {
  const weightsOf = (rule: object) =>
    rolloutWeights({ ...BATCH, level: "sequence", max: 3, ...rule }).weights;
  assertClose(t, "truncate", weightsOf({}), [3, 3, 3, 0.25, 0.25, 0], TOLERANCE);
  assertClose(t, "mask", weightsOf({ mode: "mask" }), [0, 0, 0, 0.25, 0.25, 0], TOLERANCE);
  assertClose(t, "wide", weightsOf({ max: 5 }), [4, 4, 4, 0.25, 0.25, 0], TOLERANCE);
  assertClose(t, "none", weightsOf({ level: "none" }), [1, 1, 1, 1, 1, 0], TOLERANCE);
});

test("metrics say what was bounded and what the weights are worth", (t) => {
  const { metrics } = rolloutWeights({ ...BATCH, min: 0.4, max: 3 });
  // Weights 2, 3, 0.5, 0.4, 1.
  assertClose(t, "mean", metrics.weightMean, 6.9 / 5, TOLERANCE);
  assertClose(t, "ESS", metrics.effectiveSampleFraction, 6.9 ** 2 / (5 * 14.41), TOLERANCE);
  const [first, second] = [5.5 / 3, 0.7];
  assertClose(t, "sequences", metrics.sequenceWeightMean, (first + second) / 2, TOLERANCE);
  const worth = (first + second) ** 2 / (2 * (first ** 2 + second ** 2));
  assertClose(t, "their ESS", metrics.sequenceEffectiveSampleFraction, worth, TOLERANCE);
  const { weightMin, weightMax, ratioMin, ratioMax } = metrics;
  const extremes = [weightMin, weightMax, ratioMin, ratioMax];
  assertClose(t, "extremes", extremes, [0.4, 3, 0.25, 4], TOLERANCE);
  const { aboveFraction, belowFraction, clippedFraction, keptFraction, normalizer } = metrics;
  const fractions = [aboveFraction, belowFraction, clippedFraction, keptFraction, normalizer];
  assertClose(t, "fractions", fractions, [0.2, 0.2, 0.4, 1, 1], TOLERANCE);
});

test("normalised weights have mean 1 over tokens, or over sequences, also in parts", (t) => {
  const random = new Random(5);
  const rows = 24;
  const logProbs = () => Array.from({ length: rows }, () => -3 * random.uniform());
  const [oldLogProbs, rolloutLogProbs] = [logProbs(), logProbs()];
  const cuSeqlens = [0, 5, 5, 6, 17, 24];
  for (const level of ["token", "sequence"] as const) {
    const rule = { level, batchNormalize: true };
    const whole = rolloutWeights({ oldLogProbs, rolloutLogProbs, cuSeqlens, ...rule });
    const plain = rolloutWeights({ oldLogProbs, rolloutLogProbs, cuSeqlens, level });
    const means =
      level === "token" ? whole.weights : [0, 5, 6, 17].map((row) => whole.weights[row]);
    const mean = Array.from(means, Number).reduce((sum, w) => sum + w, 0) / means.length;
    assertClose(t, "mean", mean, 1, TOLERANCE);
    const part = (start: number, end: number, offsets: number[]) =>
      rolloutWeights({
        oldLogProbs: oldLogProbs.slice(start, end),
        rolloutLogProbs: rolloutLogProbs.slice(start, end),
        cuSeqlens: offsets,
        ...rule,
        weightMean: level === "token" ? plain.metrics.weightMean : plain.metrics.sequenceWeightMean,
      }).weights;
    const parts = [...part(0, 6, [0, 5, 5, 6]), ...part(6, 24, [0, 11, 18])];
    assertClose(t, "parts", parts, whole.weights, TOLERANCE);
  }
});

test("ratios of any size, and log-probs of −Infinity, give finite weights", (t) => {
  const oldLogProbs = [-1, -Infinity, -1, -Infinity, -5000];
  const rolloutLogProbs = [-5000, -1, -Infinity, -Infinity, -1];
  const { weights, metrics } = rolloutWeights({ oldLogProbs, rolloutLogProbs, max: Infinity });
  const e20 = Math.exp(20);
  assertClose(t, "weights", weights, [e20, 1 / e20, e20, 1, 1 / e20], TOLERANCE);
  for (const value of Object.values(metrics)) t.true(Number.isFinite(value));
  const level = "sequence" as const;
  const whole = rolloutWeights({ oldLogProbs, rolloutLogProbs, level, max: Infinity });
  // The old policy excludes a token, so that the product is the least there is.
  assertClose(t, "product", whole.weights, Array(5).fill(1 / e20), TOLERANCE);
  // Tokens of a sequence may leave the limit together where their sum does not.
  const sum = rolloutWeights({
    oldLogProbs: [-1, -40],
    rolloutLogProbs: [-31, -10.5],
    level,
    max: 2,
  });
  assertClose(t, "sum", sum.weights, [Math.exp(0.5), Math.exp(0.5)], TOLERANCE);
});

test("a batch without a counted token, and one of a single token, have defined results", (t) => {
  for (const responseMask of [[0, 0], undefined]) {
    const none = responseMask ? [Number.NaN, Number.NaN] : [];
    const { weights, keep, metrics } = rolloutWeights({
      oldLogProbs: none,
      rolloutLogProbs: none,
      responseMask,
      batchNormalize: true,
    });
    t.deepEqual(
      Array.from(weights),
      none.map(() => 0),
    );
    t.deepEqual(
      Array.from(keep),
      none.map(() => 0),
    );
    const { normalizer, ...others } = metrics;
    t.is(normalizer, 1);
    for (const value of Object.values(others)) t.is(value, 0);
  }
  const one = rolloutWeights({ oldLogProbs: [-1], rolloutLogProbs: [-1], batchNormalize: true });
  t.deepEqual(Array.from(one.weights), [1]);
  t.is(one.metrics.effectiveSampleFraction, 1);
});

test("weights that are all masked stay 0 when they are normalised", (t) => {
  const { weights, metrics } = rolloutWeights({
    oldLogProbs: [-1, -2],
    rolloutLogProbs: [-9, -9],
    mode: "mask",
    batchNormalize: true,
  });
  t.deepEqual(Array.from(weights), [0, 0]);
  t.is(metrics.normalizer, 1);
  t.is(metrics.keptFraction, 0);
  t.is(metrics.effectiveSampleFraction, 0);
});

test("a correction takes what it rejects from its weights, after they were normalised", (t) => {
  const offsets = Int32Array.of(0, 3, 6);
  const mask = Int32Array.of(...BATCH.responseMask);
  const [old, rollout] = [
    Float64Array.from(BATCH.oldLogProbs),
    Float64Array.from(BATCH.rolloutLogProbs),
  ];
  const rule = readRolloutCorrection("test", "rolloutCorrection", {
    batchNormalize: true,
    reject: [
      { by: "k1", max: 3 },
      { by: "k2", level: "token", max: 0.9 },
    ],
  });
  const { weights, keep, metrics } = rolloutCorrectionOf(offsets, mask, old, rollout, rule);
  // k1 bounds π_rollout/π_old = 1/2, 1/4, 2, 4, 1 by 1/3 and 3; k2 = Δ²/2 drops |Δ| > 1.34: the same two.
  t.deepEqual(Array.from(keep), [1, 0, 1, 0, 1, 0]);
  const mean = (2 + 2 + 0.5 + 0.25 + 1) / 5;
  const expected = [2, 0, 0.5, 0, 1, 0].map((weight) => weight / mean);
  assertClose(t, "weights", weights, expected, TOLERANCE);
  assertClose(t, "normalizer", metrics.normalizer, mean, TOLERANCE);
  assertClose(t, "kept", metrics.keptFraction, 0.6, TOLERANCE);
});

test("a sequence goes to the limit with the token that one policy excludes, and down where both do", (t) => {
  const weightsOf = (oldLogProbs: number[], rolloutLogProbs: number[]) =>
    rolloutWeights({ oldLogProbs, rolloutLogProbs, level: "sequence", max: 1e12 }).weights[0];
  t.is(weightsOf([-1, -1], [-Infinity, -2]), Math.exp(20));
  t.is(weightsOf([-Infinity, -1], [-1, -2]), Math.exp(-20));
  t.is(weightsOf([-Infinity, -1], [-1, -Infinity]), Math.exp(-20));
  t.is(weightsOf([-1, -Infinity], [-Infinity, -1]), Math.exp(-20));
  t.is(weightsOf([-Infinity, -1], [-Infinity, -2]), Math.exp(1));
});

test("weights are not divided by a mean of 1e-8 or less", (t) => {
  const normalizer = (weightMean: number) =>
    rolloutWeights({ ...BATCH, batchNormalize: true, weightMean }).metrics.normalizer;
  t.is(normalizer(1e-8), 1);
  t.is(normalizer(1.5e-8), 1.5e-8);
});

test("one rule alone rejects like a list of it, the first row and the last one too", (t) => {
  const [old, rollout] = [Float64Array.of(-1, -1, -1), Float64Array.of(-3, -1, -4)];
  const kept = (reject: RejectionInput | readonly RejectionInput[] | null) => {
    const rule = readRolloutCorrection("test", "rule", { max: 100, reject });
    const offsets = Int32Array.of(0, 3);
    return rolloutCorrectionOf(offsets, undefined, old, rollout, rule);
  };
  const rule: RejectionInput = { by: "k2", level: "token", max: 1 };
  for (const reject of [rule, [rule], [rule, rule]]) {
    const { weights, keep, metrics } = kept(reject);
    t.deepEqual(Array.from(keep), [0, 1, 0]);
    t.deepEqual(Array.from(weights), [0, 1, 0]);
    t.is(metrics.keptFraction, 1 / 3);
  }
  for (const reject of [null, []]) t.deepEqual(Array.from(kept(reject).keep), [1, 1, 1]);
});

test("a ratio at a bound is within it", (t) => {
  const pair = { oldLogProbs: [-1, -2], rolloutLogProbs: [-1, -2] };
  const { keep, metrics } = rolloutWeights({ ...pair, mode: "mask", min: 1, max: 1 });
  t.deepEqual(Array.from(keep), [1, 1]);
  t.is(metrics.clippedFraction, 0);
});

test("the kept fraction of a correction is of counted tokens, 0 without one", (t) => {
  const rule = readRolloutCorrection("test", "rule", { reject: { by: "k3", max: 1 } });
  const one = Float64Array.of(-1);
  const keptOf = (bit: number) =>
    rolloutCorrectionOf(Int32Array.of(0, 1), Int32Array.of(bit), one, one, rule).metrics
      .keptFraction;
  t.is(keptOf(1), 1);
  t.is(keptOf(0), 0);
});

test("a rule is read once, completed and frozen", (t) => {
  t.deepEqual(readRolloutCorrection("test", "rule", {}), {
    level: "token",
    mode: "truncate",
    max: 2,
    min: 0,
    batchNormalize: false,
    reject: null,
  });
  const rule = readRolloutCorrection("test", "rule", {
    reject: { by: "k1", level: "token", max: 4 },
  });
  t.deepEqual(rule.reject, { by: "k1", level: "token", max: 4, min: 0.25 });
  t.true(Object.isFrozen(rule) && Object.isFrozen(rule.reject));
});
