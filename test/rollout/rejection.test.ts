/** Rejection: each estimator at each level against a plain formula, its bounds, and what cannot be compared. */
import test from "ava";
import { rolloutRejection } from "../../lib/rollout/mismatch.js";
import { REJECTION_ESTIMATORS, REJECTION_LEVELS } from "../../lib/rollout/rejection.js";
import { Random } from "../support/inputs.js";

const TOKENS = 7;
const random = new Random(11);
const rows = 5 * TOKENS;
const oldLogProbs = Array.from({ length: rows }, () => -2 * random.uniform());
const rolloutLogProbs = oldLogProbs.map((old) => old + 0.6 * random.normal());
const responseMask = Array.from({ length: rows }, (_, row) =>
  row % TOKENS > 3 + row / 12 ? 0 : 1,
);

/** The same, a sequence at a time, written out. */
function plainly(by: string, level: string, low: number, high: number): number[] {
  return Array.from({ length: 5 }, (_, s) => s * TOKENS).flatMap((start) => {
    const tokens = Array.from({ length: TOKENS }, (_, i) => start + i);
    const counted = tokens.filter((row) => responseMask[row] === 1);
    const k = (row: number) => {
      const delta = (oldLogProbs[row] ?? 0) - (rolloutLogProbs[row] ?? 0);
      if (by === "k1") return -delta;
      return by === "k2" ? delta ** 2 / 2 : Math.exp(delta) - 1 - delta;
    };
    const fits = (value: number) => low <= value && value <= high;
    const sum = counted.reduce((total, row) => total + k(row), 0);
    const whole: Record<string, boolean> = {
      "sequence-sum": fits(sum),
      "sequence-mean": fits(sum / counted.length),
      "sequence-max": fits(Math.max(...counted.map(k))) && fits(Math.min(...counted.map(k))),
    };
    return tokens.map((row) =>
      responseMask[row] === 1 && (level === "token" ? fits(k(row)) : whole[level]) ? 1 : 0,
    );
  });
}

for (const by of REJECTION_ESTIMATORS) {
  for (const level of REJECTION_LEVELS) {
    test(`${by} of a ${level} keeps what lies within the bounds`, (t) => {
      const both = new Set<number>();
      for (const max of [1.05, 1.3, 2, 5]) {
        const options = { oldLogProbs, rolloutLogProbs, responseMask, shape: [5, TOKENS] as const };
        const bound = by === "k1" ? max : max - 1;
        const keep = rolloutRejection({ ...options, by, level, max: bound });
        const [low, high] = by === "k1" ? [-Math.log(max), Math.log(max)] : [-Infinity, bound];
        t.deepEqual(Array.from(keep), plainly(by, level, low, high), `${max}`);
        for (const bit of keep) both.add(bit);
      }
      t.is(both.size, 2, "some are kept, some are not");
    });
  }
}

test("k1 may have a lower bound of its own, on π_rollout / π_old", (t) => {
  const options = { oldLogProbs: [-1, -1], rolloutLogProbs: [-1.5, -0.5], by: "k1" } as const;
  t.deepEqual(
    Array.from(rolloutRejection({ ...options, level: "token", max: 2, min: 0.9 })),
    [0, 1],
  );
  t.deepEqual(
    Array.from(rolloutRejection({ ...options, level: "token", max: 1.2, min: 0.5 })),
    [1, 0],
  );
});

test("bounds are included; ratios of any size and −Infinity are decided", (t) => {
  const one = { oldLogProbs: [-1], rolloutLogProbs: [-3], by: "k2", level: "token" } as const;
  t.is(rolloutRejection({ ...one, max: 2 })[0], 1);
  t.is(rolloutRejection({ ...one, max: 1.999 })[0], 0);
  const alike = { oldLogProbs: [-1], rolloutLogProbs: [-1], by: "k1", level: "token" } as const;
  t.is(rolloutRejection({ ...alike, max: 1, min: 1 })[0], 1);
  const far = {
    oldLogProbs: [-Infinity, -1, -Infinity, -9000],
    rolloutLogProbs: [-1, -Infinity, -Infinity, -1],
    level: "token",
  } as const;
  for (const by of REJECTION_ESTIMATORS) {
    t.deepEqual(Array.from(rolloutRejection({ ...far, by, max: 2 })), [0, 0, 1, 0], by);
  }
});

test("sequences without a counted token have none to keep, and disturb no other", (t) => {
  for (const level of REJECTION_LEVELS) {
    const keep = rolloutRejection({
      oldLogProbs: [-1, Number.NaN, -1],
      rolloutLogProbs: [-1, 3, -1],
      responseMask: [1, 0, 1],
      cuSeqlens: [0, 1, 2, 2, 3],
      by: "k3",
      level,
      max: 0.1,
    });
    t.deepEqual(Array.from(keep), [1, 0, 1]);
  }
  const none = { oldLogProbs: [], rolloutLogProbs: [], by: "k1", level: "token", max: 2 } as const;
  t.is(rolloutRejection(none).length, 0);
});
