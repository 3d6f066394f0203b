/** Baseline, present value and trend, against hand numbers and the normal equations. */
import test from "ava";
import fc from "fast-check";
import {
  afterGap,
  EMPTY_TRACK,
  presentOf,
  type TrackRule,
  track,
  trendOf,
} from "../../lib/monitor/track.js";
import { assertClose } from "../support/close.js";

const RULE: TrackRule = { floor: 0.01, recent: 3, warmUp: 3, memory: 10, pull: Math.log(1.5) };
const NEAR = { rtol: 1e-12, atol: 1e-12 };

function follow(values: readonly number[], rule = RULE, emerges = false) {
  return values.reduce(
    (state, value, step) => track(state, step, value, rule, emerges),
    EMPTY_TRACK,
  );
}

test("the first baseline is a median, so that one wild value does not make it", (t) => {
  assertClose(t, "baseline", Math.exp(follow([0.1, 50, 0.2]).baseline), 0.2, NEAR);
  t.is(presentOf(follow([1, 2]), RULE), undefined);
  assertClose(t, "present", presentOf(follow([9, 0.1, 50, 0.2]), RULE) ?? 0, 0.2, NEAR);
  const even = { ...RULE, recent: 2 };
  assertClose(t, "even", presentOf(follow([2, 8], even), even) ?? 0, 4, NEAR);
});

test("later it moves by 1/n, and by 1/memory at last, as if no value were further than the pull", (t) => {
  const near = follow([1, 1, 1, 1.2]).baseline;
  assertClose(t, "1/4", near, Math.log(1.2) / 4, NEAR);
  assertClose(t, "up", follow([1, 1, 1, 1e9]).baseline, Math.log(1.5) / 4, NEAR);
  assertClose(t, "down", follow([1, 1, 1, 0]).baseline, -Math.log(1.5) / 4, NEAR);
  const long = [...Array<number>(40).fill(1), 1.2];
  assertClose(t, "1/memory", follow(long).baseline, Math.log(1.2) / 10, NEAR);
});

test("units do not matter", (t) => {
  const values = fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 3 });
  fc.assert(
    fc.property(values, fc.double({ min: 1, max: 1e6, noNaN: true }), (list, unit) => {
      const one = follow(list).baseline + Math.log(unit);
      const other = follow(list.map((value) => unit * value)).baseline;
      assertClose(t, "shift", other, one, { rtol: 1e-10, atol: 1e-10 });
    }),
  );
});

test("what is below the floor counts as the floor, Infinity as a number", (t) => {
  assertClose(t, "zeros", Math.exp(follow([0, 0, -1]).baseline), 0.01, NEAR);
  const endless = follow([Infinity, Infinity, Infinity]);
  t.true(Number.isFinite(endless.baseline));
  t.true(Number.isFinite(presentOf(endless, RULE)));
});

test("a quantity that emerges is measured from its first value above the floor", (t) => {
  t.is(follow([0, 0, 0.005, 0.01], RULE, true).count, 0);
  const state = follow([0, 0, 0.02, 0], RULE, true);
  t.is(state.count, 2);
  t.is(state.at, 3);
});

test("after a gap a baseline that stands is kept, and one that warmed up is not", (t) => {
  const old = follow([1, 2, 3, 4]);
  t.deepEqual(afterGap(old, RULE), { ...old, recent: [] });
  t.deepEqual(afterGap(follow([1, 2]), RULE), EMPTY_TRACK);
});

test("a trend is the least-squares line with its standard error", (t) => {
  // Steps 0, 1, 3; values 1, 2, 2: slope 2/7.
  const trend = trendOf([
    [0, 1],
    [1, 2],
    [3, 2],
  ]);
  assertClose(t, "slope", trend?.slope ?? 0, 2 / 7, NEAR);
  assertClose(t, "t", trend?.t ?? 0, 2 / 7 / Math.sqrt(residual() / (14 / 3)), NEAR);
  t.is(
    trendOf([
      [0, 1],
      [1, 2],
    ]),
    undefined,
  );
  t.is(
    trendOf([
      [0, 5],
      [1, 5],
      [2, 5],
    ])?.t,
    0,
  );
});

/** Σ (y − mean − slope·(x − mean))² / (3 − 2) of the three points, written out. */
function residual(): number {
  const line = (x: number) => 5 / 3 + (2 / 7) * (x - 4 / 3);
  return (1 - line(0)) ** 2 + (2 - line(1)) ** 2 + (2 - line(3)) ** 2;
}
