/** tokenKl and clippedSurrogate: values and gradients against the reference, in every kind of input. */
import test from "ava";
import { backward } from "../../lib/autograd/grad.js";
import { type TokenKlOptions, tokenKl } from "../../lib/functional/kl.js";
import { type ClippedSurrogateOptions, clippedSurrogate } from "../../lib/functional/surrogate.js";
import {
  finiteDifference,
  tokenObjective as reference,
  SAMPLED_KL_ESTIMATORS,
} from "../../lib/reference/index.js";
import { tensor, zeros } from "../../lib/tensor/create.js";
import { assertClose } from "../support/close.js";
import { Random } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";

const ROWS = 60;
const random = new Random(11);
const numbers = (of: () => number) => Float64Array.from({ length: ROWS }, of);
const LOG_PROBS = numbers(() => -5 * random.uniform());
const OTHER = LOG_PROBS.map((value) => value + 2 * random.normal());
const OLD = LOG_PROBS.map((value) => value + 0.4 * random.normal());
const ADVANTAGES = numbers(() => random.normal());
const MASK = Int32Array.from(LOG_PROBS, () => +(random.uniform() < 0.7));
const UPSTREAM = numbers(() => random.normal());
const leaf = (data: Float64Array) => tensor(data, { requiresGrad: true });

for (const estimator of SAMPLED_KL_ESTIMATORS) {
  test(`the ${estimator} KL agrees with the reference, in value and in both slopes`, (t) => {
    const limits = { logRatioLimit: 3, klLimit: 4 };
    const [logProbs, otherLogProbs] = [leaf(LOG_PROBS), leaf(OTHER)];
    const rest = { oldLogProbs: OLD, responseMask: MASK };
    const kl = tokenKl({ logProbs, otherLogProbs, estimator, ...rest, ...limits });
    backward(kl, { gradLoss: tensor(UPSTREAM) });
    const expected = reference({
      statistics: { logProbs: LOG_PROBS, maskedLogProbs: OTHER },
      ...rest,
      ...limits,
      weights: UPSTREAM,
      perceptionKlCoef: -1,
      perceptionKlEstimator: estimator,
      maskedBranch: "differentiable",
    });
    const { logProbs: slopes, maskedLogProbs: otherSlopes } = expected.cotangents;
    assertClose(t, "value", kl.data, expected.terms.perceptionKl, TOLERANCES.engineRows);
    assertClose(t, "gradient", logProbs.grad?.data as Float64Array, slopes, TOLERANCES.engineRows);
    assertClose(
      t,
      "other",
      otherLogProbs.grad?.data as Float64Array,
      otherSlopes,
      TOLERANCES.engineRows,
    );
  });
}

test("k3 is the default, and its gradient agrees with finite differences", (t) => {
  const logProbs = leaf(LOG_PROBS);
  backward(tokenKl({ logProbs, otherLogProbs: OTHER }), { gradLoss: tensor(UPSTREAM) });
  const value = (x: Float64Array) =>
    tokenKl({ logProbs: x, otherLogProbs: OTHER, estimator: "k3" }).data.reduce(
      (sum, kl, row) => sum + kl * (UPSTREAM[row] as number),
      0,
    );
  const expected = finiteDifference(value, LOG_PROBS);
  assertClose(
    t,
    "gradient",
    logProbs.grad?.data as Float64Array,
    expected,
    TOLERANCES.finiteDifference,
  );
});

test("the clipped surrogate agrees with the reference, in value and slope", (t) => {
  const clips = { clipLow: 0.1, clipHigh: 0.3, clipDual: 1.5, logRatioLimit: 0.8 };
  const rest = { oldLogProbs: OLD, advantages: ADVANTAGES, responseMask: MASK };
  const logProbs = leaf(LOG_PROBS);
  const surrogate = clippedSurrogate({ logProbs, ...rest, ...clips });
  backward(surrogate, { gradLoss: tensor(UPSTREAM) });
  const expected = reference({
    statistics: { logProbs: LOG_PROBS },
    ...rest,
    ...clips,
    weights: UPSTREAM,
  });
  assertClose(t, "value", surrogate.data, expected.terms.surrogate, TOLERANCES.engineRows);
  const gradient = logProbs.grad?.data as Float64Array;
  assertClose(t, "gradient", gradient, expected.cotangents.logProbs, TOLERANCES.engineRows);
});

test("log-probs of any floating-point array give the same values", (t) => {
  const single = Float32Array.from(LOG_PROBS);
  const expected = tokenKl({ logProbs: Array.from(single), otherLogProbs: OTHER }).data;
  for (const logProbs of [single, Float64Array.from(single), tensor(single)]) {
    t.deepEqual(tokenKl({ logProbs, otherLogProbs: tensor(OTHER) }).data, expected);
  }
});

test("limits and clips that are not said are the documented ones", (t) => {
  const kl = (x: number, estimator?: TokenKlOptions["estimator"]) =>
    tokenKl({ logProbs: [-40], otherLogProbs: [-40 + x], ...(estimator && { estimator }) }).data[0];
  t.is(kl(3), 10);
  t.is(kl(25, "k1"), -20);
  t.is(kl(-25, "k1"), 20);
  const surrogate = (logRatio: number, advantage: number) =>
    clippedSurrogate({ logProbs: [-1], oldLogProbs: [-1 - logRatio], advantages: [advantage] })
      .data[0];
  t.is(surrogate(1, 1), -1.2);
  t.is(surrogate(-1, -1), 0.8);
  t.is(surrogate(25, -1), Math.exp(20));
});

test("a difference of exactly the limit is free, and one beyond it has no slope", (t) => {
  const slope = (x: number) => {
    const logProbs = leaf(Float64Array.of(-4));
    const otherLogProbs = [-4 + x];
    const kl = tokenKl({ logProbs, otherLogProbs, estimator: "k1", logRatioLimit: 2 });
    backward(kl, { gradLoss: 1 });
    return logProbs.grad?.data[0];
  };
  t.deepEqual([slope(2), slope(-2), slope(2.25), slope(-2.25)], [1, 1, 0, 0]);
});

test("a ratio of exactly a bound is free, and one beyond it has no slope", (t) => {
  const slope = (ratio: number, advantages: number, clips: object) => {
    // For 2 and 1 / 2 the difference is exact, and so is its exponential.
    const logProbs = leaf(Float64Array.of(-Math.LN2));
    const oldLogProbs = [-Math.LN2 - Math.log(ratio)];
    backward(clippedSurrogate({ logProbs, oldLogProbs, advantages: [advantages], ...clips }), {
      gradLoss: 1,
    });
    return logProbs.grad?.data[0];
  };
  t.deepEqual(
    [2, 2.01].map((ratio) => slope(ratio, 3, { clipHigh: 1 })),
    [-6, 0],
  );
  t.deepEqual(
    [0.5, 0.49].map((ratio) => slope(ratio, -3, { clipLow: 0.5 })),
    [1.5, 0],
  );
  t.deepEqual(
    [2, 2.01].map((ratio) => slope(ratio, -3, { clipDual: 2 })),
    [6, 0],
  );
});

test("the slope of abs is the sign of the difference, and 0 where there is none", (t) => {
  const slopes = (x: number) => {
    const [logProbs, otherLogProbs] = [leaf(Float64Array.of(-4)), leaf(Float64Array.of(-4 + x))];
    backward(tokenKl({ logProbs, otherLogProbs, estimator: "abs" }), { gradLoss: 1 });
    return [logProbs, otherLogProbs].map(({ grad }) => grad?.data[0]);
  };
  t.deepEqual(slopes(1), [-1, 1]);
  t.deepEqual(slopes(0.25), [-1, 1]);
  t.deepEqual(slopes(-1), [1, -1]);
  t.deepEqual(slopes(0).map(Math.abs as (x: unknown) => number), [0, 0]);
});

test("the Jensen-Shannon estimate of almost equal log-probs keeps its digits", (t) => {
  // ½ (u log u − (1 + u) log((1 + u) / 2)) with u = e^x, by its series.
  const series = (x: number) => x ** 2 / 8 + x ** 3 / 16 + x ** 4 / 64;
  for (const distance of [1e-6, -1e-6, 1e-5, -1e-5]) {
    const [logProb, other] = [-1, -1 + distance];
    const jsd = tokenKl({ logProbs: [logProb], otherLogProbs: [other], estimator: "jsd" });
    const expected = series(other - logProb);
    assertClose(t, `${distance}`, jsd.data, [expected], { rtol: 1e-13, atol: 0 });
  }
  // Far below nothing cancels in the definition.
  const u = Math.exp(-19);
  const far = tokenKl({ logProbs: [-1], otherLogProbs: [-20], estimator: "jsd" });
  const expected = (u * -19 - (1 + u) * (Math.log1p(u) - Math.LN2)) / 2;
  assertClose(t, "far", far.data, [expected], { rtol: 1e-13, atol: 0 });
});

test("float32 and padded log-probs get their gradient in their own dtype and shape", (t) => {
  const data = new Float32Array(5).fill(Number.NaN);
  data.set([-1, -2], 0);
  data.set([-3, -4], 3);
  const logProbs = tensor(data, { shape: [2, 2], rowPitch: 3, requiresGrad: true });
  backward(clippedSurrogate({ logProbs, advantages: [1, 2, 3, 4] }), { gradLoss: 1 });
  t.deepEqual(logProbs.grad?.shape, [2, 2]);
  t.deepEqual(logProbs.grad?.data, Float32Array.of(-1, -2, -3, -4));
  logProbs.grad = zeros([2, 2], { rowPitch: 4 });
  backward(clippedSurrogate({ logProbs, advantages: [1, 2, 3, 4] }), { gradLoss: 1 });
  t.deepEqual(Array.from(logProbs.grad.data), [-1, -2, 0, 0, -3, -4, 0, 0]);
});

test("half-precision log-probs cannot hold a gradient, which is said", (t) => {
  const logProbs = tensor([-1, -2], { dtype: "bfloat16", requiresGrad: true });
  const surrogate = clippedSurrogate({ logProbs, advantages: [1, 2] });
  t.throws(() => backward(surrogate, { gradLoss: 1 }), {
    code: "ERR_DTYPE",
    message: "[backward] expected grad to hold float32 or float64, received bfloat16",
  });
});

test("rows that do not count give 0 and are not checked", (t) => {
  const logProbs = [Number.NaN, -1];
  const rest = { otherLogProbs: [-1, -1], responseMask: [0, 1] };
  t.deepEqual(tokenKl({ logProbs, ...rest }).data, Float64Array.of(0, 0));
  t.throws(() => tokenKl({ logProbs, ...rest, responseMask: [1, 0] }), {
    message: "[tokenKl] expected logProbs[0] to be a number, received NaN",
  });
});

test("NaN in the other policy's first row is named as the caller has it, with or without a mask", (t) => {
  for (const responseMask of [undefined, [1, 1]]) {
    const error = t.throws(
      () => tokenKl({ logProbs: [-1, -1], otherLogProbs: [Number.NaN, -1], responseMask }),
      { message: "[tokenKl] expected otherLogProbs[0] to be a number, received NaN" },
    );
    t.is((error as unknown as { row: number }).row, 0);
  }
  const masked = { otherLogProbs: [Number.NaN, -1], responseMask: [0, 1] };
  t.is(tokenKl({ logProbs: [-1, -1], ...masked }).data[0], 0);
});

test("bad calls are refused with the name of what is wrong", (t) => {
  const kl = (change: object, code: string, message: string) => {
    const options = { logProbs: [-1, -2], otherLogProbs: [-1, -2], ...change } as TokenKlOptions;
    t.throws(() => tokenKl(options), {
      name: "PapoError",
      code,
      message: `[tokenKl] expected ${message}`,
    });
  };
  kl({ otherLogProbs: [-1] }, "ERR_SHAPE", "otherLogProbs [2], received [1]");
  kl(
    { otherLogProbs: [-1, Number.NaN] },
    "ERR_NOT_FINITE",
    "otherLogProbs[1] to be a number, received NaN",
  );
  kl(
    { logProbs: undefined },
    "ERR_ARGUMENT",
    "logProbs to be a Tensor, an array of numbers, or a Float32Array, Float64Array, received undefined",
  );
  kl(
    { estimator: "exact" },
    "ERR_ARGUMENT",
    'estimator to be one of k1, k2, k3, k3+, abs, unbiased, jsd, received "exact"',
  );
  kl({ klLimit: "10" }, "ERR_ARGUMENT", 'klLimit to be a number, received "10"');
  kl(
    { other: [1] },
    "ERR_ARGUMENT",
    'options to hold only logProbs, otherLogProbs, estimator, oldLogProbs, responseMask, logRatioLimit, klLimit, received "other"',
  );
  const missing = { logProbs: [-1] } as unknown as TokenKlOptions;
  t.throws(() => tokenKl(missing), { code: "ERR_ARGUMENT", message: /otherLogProbs/ });
  const unknown = {
    logProbs: [-1],
    otherLogProbs: [-1],
    estimator: "k4",
  } as unknown as TokenKlOptions;
  t.throws(() => tokenKl(unknown), { name: "PapoError", message: /^\[tokenKl\] / });

  const surrogate = (change: object, message: RegExp) => {
    const options = {
      logProbs: [-1, -2],
      advantages: [1, 2],
      ...change,
    } as ClippedSurrogateOptions;
    t.throws(() => clippedSurrogate(options), { name: "PapoError", message });
  };
  surrogate({ clipDual: 1.1 }, /^\[clippedSurrogate\] expected clipDual/);
  surrogate({ clipLow: 2 }, /^\[clippedSurrogate\] expected clipLow/);
  surrogate({ advantages: undefined }, /^\[clippedSurrogate\] expected advantages/);
  surrogate({ advantages: [1, Number.NaN] }, /^\[clippedSurrogate\] expected advantages\[1\]/);
  surrogate({ logProbs: [Number.NaN, 1] }, /^\[clippedSurrogate\] expected logProbs\[0\]/);
});
