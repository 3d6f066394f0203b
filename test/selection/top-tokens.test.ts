/** Quantiles and the tokens above them: hand numbers, ties, both levels, both choices, parts of a batch. */
import test from "ava";
import { quantileThreshold, topTokenMask } from "../../lib/selection/selection.js";
import { assertClose } from "../support/close.js";
import { Random } from "../support/inputs.js";

const bits = (mask: Int32Array) => Array.from(mask);

test("a quantile is interpolated linearly between the counted values", (t) => {
  const thresholdOf = (values: number[], top: number) => quantileThreshold({ values, top });
  // Numbers of numpy.quantile([1, 2, 4, 8], 1 − top).
  t.is(thresholdOf([8, 1, 4, 2], 1), 1);
  t.is(thresholdOf([8, 1, 4, 2], 0), 8);
  assertClose(t, "0.75", thresholdOf([8, 1, 4, 2], 0.25), 5, { rtol: 1e-15, atol: 0 });
  assertClose(t, "0.5", thresholdOf([8, 1, 4, 2], 0.5), 3, { rtol: 1e-15, atol: 0 });
  assertClose(t, "0.9", thresholdOf([8, 1, 4, 2], 0.1), 6.8, { rtol: 1e-15, atol: 0 });
  t.is(thresholdOf([3], 0.4), 3);
  t.is(
    quantileThreshold({ values: [1, Number.NaN, 9, 3], top: 0.5, responseMask: [1, 1, 0, 1] }),
    2,
  );
  t.is(thresholdOf([], 0.5), Number.NaN);
  t.is(thresholdOf([-Infinity, 1], 0.5), -Infinity);
  t.is(thresholdOf([1, Infinity], 0.25), Infinity);
  t.is(thresholdOf([-Infinity, Infinity], 0.5), -Infinity);
});

test("the top of a sequence is what reaches its own quantile", (t) => {
  const options = { values: [1, 5, 2, 4, 3, 10, 30, 20, 0, 0], shape: [2, 5] as const };
  t.deepEqual(bits(topTokenMask({ ...options, top: 0.2 })), [0, 1, 0, 0, 0, 0, 1, 0, 0, 0]);
  t.deepEqual(bits(topTokenMask({ ...options, top: 0.5 })), [0, 1, 0, 1, 1, 1, 1, 1, 0, 0]);
  t.deepEqual(bits(topTokenMask({ ...options, top: 1 })), Array(10).fill(1));
  const responseMask = [1, 1, 0, 1, 0, 1, 1, 1, 1, 0];
  t.deepEqual(bits(topTokenMask({ ...options, responseMask, top: 1 })), responseMask);
});

test("the top of a batch is what reaches the quantile of all its tokens", (t) => {
  const options = { values: [1, 5, 2, 4, 3, 10, 30, 20, 0, 0], shape: [2, 5] as const };
  const mask = topTokenMask({ ...options, top: 0.3, level: "batch" });
  t.deepEqual(bits(mask), [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]);
  const padded = topTokenMask({
    ...options,
    top: 0.3,
    level: "batch",
    responseMask: [1, 1, 1, 1, 1, 0, 0, 0, 1, 1],
  });
  // Of 1 5 2 4 3 0 0 the 0.7-quantile is 3.2.
  t.deepEqual(bits(padded), [0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
});

test("equal values are kept together by quantile, and by position by count", (t) => {
  const options = { values: [2, 7, 7, 7, 1], top: 0.4 } as const;
  t.deepEqual(bits(topTokenMask(options)), [0, 1, 1, 1, 0]);
  t.deepEqual(bits(topTokenMask({ ...options, choice: "count" })), [0, 1, 1, 0, 0]);
});

test("a count is rounded up, never by an error of rounding", (t) => {
  for (let n = 1; n <= 200; n++) {
    const values = Array.from({ length: n }, (_, i) => i);
    for (const percent of [1, 10, 20, 30, 40, 70, 90, 100]) {
      const mask = topTokenMask({ values, top: percent / 100, choice: "count" });
      const expected = Math.floor((n * percent + 99) / 100);
      t.is(
        mask.reduce((sum, bit) => sum + bit, 0),
        expected,
        `${percent} % of ${n}`,
      );
      t.true(mask.subarray(n - expected).every((bit) => bit === 1));
    }
  }
});

test("each sequence's own rows of the mask say which of its tokens count", (t) => {
  const values = [1, 2, 3, 4, 9, 8, 7, 1];
  const responseMask = [1, 1, 1, 1, 0, 0, 1, 1];
  const shape = [2, 4] as const;
  for (const choice of ["quantile", "count"] as const) {
    const kept = topTokenMask({ values, responseMask, shape, top: 0.5, choice });
    t.deepEqual([...kept], [0, 0, 1, 1, 0, 0, 1, 0], choice);
  }
});

test("NaN is never at the top; with top 1 nothing is compared", (t) => {
  const values = [Number.NaN, 1, 3, Infinity];
  t.deepEqual(bits(topTokenMask({ values, top: 0.5 })), [0, 0, 1, 1]);
  t.deepEqual(bits(topTokenMask({ values, top: 0.5, choice: "count" })), [0, 0, 1, 1]);
  t.deepEqual(bits(topTokenMask({ values, top: 1 })), [1, 1, 1, 1]);
  t.deepEqual(bits(topTokenMask({ values: [Number.NaN], top: 0.5 })), [0]);
});

test("empty sequences keep nothing, single tokens are the top of theirs", (t) => {
  for (const choice of ["quantile", "count"] as const) {
    const mask = topTokenMask({
      values: [5, Number.NaN, 4],
      cuSeqlens: [0, 1, 1, 2, 3],
      responseMask: [1, 0, 1],
      top: 0.01,
      choice,
    });
    t.deepEqual(bits(mask), [1, 0, 1]);
  }
  t.is(topTokenMask({ values: [], top: 0.5, level: "batch" }).length, 0);
});

test("a threshold of the whole batch makes the same mask in parts", (t) => {
  const random = new Random(8);
  const values = Array.from({ length: 30 }, () => random.uniform());
  const whole = topTokenMask({ values, top: 0.2, level: "batch" });
  const threshold = quantileThreshold({ values, top: 0.2 });
  const parts = [values.slice(0, 11), values.slice(11)].map((part) =>
    topTokenMask({ values: part, threshold, level: "batch" }),
  );
  t.deepEqual(parts.flatMap(bits), bits(whole));
  t.is(
    whole.reduce((sum, bit) => sum + bit, 0),
    6,
  );
});
