/** VPPO's advantage shaping and the perception-augmented reward, by hand and in parts. */
import test from "ava";
import {
  divergenceRange,
  perceptionReward,
  vppoAdvantages,
} from "../../lib/selection/selection.js";
import { assertClose } from "../support/close.js";
import { Random } from "../support/inputs.js";

const TOLERANCE = { rtol: 1e-14, atol: 0 };
// Mean divergences 0.1, 0.5, 0.2; the last row is padding.
const BATCH = {
  shape: [3, 2] as const,
  divergences: [0.1, 0.1, 0.2, 0.8, 0.2, 99],
  responseMask: [1, 1, 1, 1, 1, 0],
};

test("factors run from min to what makes their mean 1", (t) => {
  const shaped = vppoAdvantages({ ...BATCH, advantages: [2, -1, 1] });
  // n = 0, 1, 1/4 with mean 5/12.
  const slope = 0.1 / (5 / 12 + 1e-8);
  const factors = [0.9, 0.9 + slope, 0.9 + slope / 4];
  const [a, b, c] = [2, -1, 1].map((A, s) => A * (factors[s] as number)) as [
    number,
    number,
    number,
  ];
  assertClose(t, "shaped", shaped, [a, a, b, b, c, c], TOLERANCE);
  const mean = factors.reduce((sum, factor) => sum + factor, 0) / 3;
  assertClose(t, "mean", mean, 1, { rtol: 1e-8, atol: 0 });
});

test("advantages of each token are scaled by their sequence's factor", (t) => {
  const advantages = [1, 2, 3, 4, 5, 6];
  const shaped = vppoAdvantages({ ...BATCH, advantages, min: 0 });
  const top = 1 / (5 / 12 + 1e-8);
  assertClose(t, "shaped", shaped, [0, 0, 3 * top, 4 * top, 1.25 * top, 1.5 * top], TOLERANCE);
});

test("min 1, equal divergences, one sequence and none leave advantages as they are", (t) => {
  const advantages = [2, -1, 1];
  const same = [2, 2, -1, -1, 1, 1];
  const unchanged = (options: object) =>
    t.deepEqual(Array.from(vppoAdvantages({ ...BATCH, advantages, ...options })), same);
  unchanged({ min: 1 });
  unchanged({ divergences: [1, 3, 2, 2, 2, 0] });
  unchanged({ range: { low: 0.3, high: 0.3, mean: 0 } });
  unchanged({ responseMask: [1, 1, 0, 0, 0, 0] });
  unchanged({ responseMask: [0, 0, 0, 0, 0, 0] });
  t.is(vppoAdvantages({ divergences: [], advantages: [] }).length, 0);
});

test("a sequence without a counted token keeps its advantage and moves no other", (t) => {
  const responseMask = [1, 1, 0, 0, 1, 0];
  const shaped = vppoAdvantages({ ...BATCH, responseMask, advantages: [1, 1, 1] });
  // Left are 0.1 and 0.2: n = 0, 1 with mean 1/2.
  const high = 0.9 + 0.1 / (0.5 + 1e-8);
  assertClose(t, "shaped", shaped, [0.9, 0.9, 1, 1, high, high], TOLERANCE);
});

test("with the range of the whole batch, parts are shaped as the whole", (t) => {
  const random = new Random(4);
  const divergences = Array.from({ length: 12 }, () => random.uniform());
  const advantages = [1, -2, 3, -4];
  const whole = vppoAdvantages({ divergences, advantages, shape: [4, 3] });
  const range = divergenceRange({ divergences, shape: [4, 3] });
  const part = (from: number, to: number) =>
    vppoAdvantages({
      divergences: divergences.slice(3 * from, 3 * to),
      advantages: advantages.slice(from, to),
      shape: [to - from, 3],
      range,
    });
  assertClose(t, "parts", [...part(0, 1), ...part(1, 4)], whole, TOLERANCE);
});

test("what lies beyond a given range is at its ends", (t) => {
  const range = { low: 0.2, high: 0.4, mean: 0.5 };
  const shaped = vppoAdvantages({ ...BATCH, advantages: [1, 1, 1], min: 0.5, range });
  assertClose(t, "factors", shaped, [0.5, 0.5, 1.5, 1.5, 0.5, 0.5], { rtol: 1e-6, atol: 0 });
});

test("a range of equal divergences, of one sequence or of none has no width and no mean", (t) => {
  const divergences = [0.3, 0.3];
  const equal = divergenceRange({ divergences, shape: [2, 1] });
  t.deepEqual(equal, { low: 0.3, high: 0.3, mean: 0 });
  const nothing = { low: 0, high: 0, mean: 0 };
  t.deepEqual(divergenceRange({ divergences, shape: [1, 2] }), nothing);
  t.deepEqual(divergenceRange({ divergences: [], shape: [0, 2] }), nothing);
});

test("sequences as wide apart as a rounding are one divergence to shape by", (t) => {
  const shaped = (apart: number) =>
    vppoAdvantages({ divergences: [0, apart], advantages: [1, 1], shape: [2, 1], min: 0.5 });
  assertClose(t, "1e-6", shaped(1e-6), [1, 1], TOLERANCE);
  t.true((shaped(1.001e-6)[0] as number) < 0.51);
});

test("correct is an accuracy above 0.1 where nothing else is said, and bounds may be one number", (t) => {
  const rewards = [0, 0, 0];
  const paid = (options: object) => perceptionReward({ ...BATCH, rewards, coef: 1, ...options });
  const correct = { weighting: "correct-only", accuracies: [0.11, 0.1, 0.09] };
  assertClose(t, "default", paid(correct), [0.1, 0, 0], TOLERANCE);
  assertClose(t, "one bound", paid({ min: 0.3, max: 0.3 }), [0.3, 0.3, 0.3], TOLERANCE);
});

test("a perception reward is bounded, and earned by all or by the correct", (t) => {
  const rewards = [1, 0, 0.9];
  const paid = (options: object) => perceptionReward({ ...BATCH, rewards, coef: 0.5, ...options });
  assertClose(t, "default", paid({}), [1.05, 0.1, 1], TOLERANCE);
  assertClose(t, "wide", paid({ max: 1 }), [1.05, 0.25, 1], TOLERANCE);
  assertClose(t, "low", paid({ min: 0.15 }), [1.075, 0.1, 1], TOLERANCE);
  const correct = { weighting: "correct-only", accuracies: [1, 0.1, 0] };
  assertClose(t, "correct", paid(correct), [1.05, 0, 0.9], TOLERANCE);
  assertClose(t, "low bar", paid({ ...correct, correctThreshold: -1 }), [1.05, 0.1, 1], TOLERANCE);
  const empty = paid({ min: 0.1, responseMask: [1, 1, 0, 0, 1, 0] });
  assertClose(t, "empty", empty, [1.05, 0, 1], TOLERANCE);
});
