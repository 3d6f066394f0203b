/** Dynamic sampling and the metrics of groups. */
import test from "ava";
import { filterGroups, type GroupFilterOptions } from "../../lib/advantages/filter.js";
import { groupMetrics } from "../../lib/advantages/metrics.js";
import { assertClose } from "../support/close.js";

/** All right, mixed, all wrong, mixed. */
const SCORES = [1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1];
const BATCH = { scores: SCORES, groupSize: 3 };

test("groups that are neither all right nor all wrong are kept", (t) => {
  t.deepEqual(filterGroups(BATCH), {
    keep: Int32Array.of(0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1),
    kept: Int32Array.of(3, 4, 5, 9, 10, 11),
    groups: 4,
    keptGroups: 2,
    fellBack: false,
  });
});

test("groups may lie anywhere in the batch", (t) => {
  const { kept } = filterGroups({ scores: [1, 0, 1, 1, 0], groups: ["a", "b", "b", "a", "c"] });
  t.deepEqual(kept, Int32Array.of(1, 2));
});

test("bounds are strict", (t) => {
  const scores = [0.25, 0.75, 0, 0.5, 1, 0.5];
  const kept = (low: number, high: number) => [
    ...filterGroups({ scores, groupSize: 2, low, high }).kept,
  ];
  t.deepEqual(kept(0.25, 0.75), [0, 1], "means 0.5, 0.25, 0.75");
  t.deepEqual(kept(0.2, 0.8), [0, 1, 2, 3, 4, 5]);
  t.deepEqual(kept(0, 0.5), [2, 3]);
});

test("where no group passes, none is kept (the paper), or all are (the authors' code)", (t) => {
  const scores = [1, 1, 0, 0];
  const none = filterGroups({ scores, groupSize: 2 });
  t.deepEqual(none, filterGroups({ scores, groupSize: 2, fallback: "none" }));
  t.is(none.keptGroups, 0);
  t.deepEqual(none.keep, new Int32Array(4));
  const all = filterGroups({ scores, groupSize: 2, fallback: "keep-all" });
  t.is(all.keptGroups, 2);
  t.true(all.fellBack);
  t.deepEqual(all.keep, new Int32Array(4).fill(1));
  t.deepEqual(filterGroups({ ...BATCH, fallback: "keep-all" }), filterGroups(BATCH));
});

test("the rule by spread keeps what is not equal, and groups of one", (t) => {
  const batch = { scores: [2, 2, 0.1, 0.1, 0.1, 5, 7, 3], groups: [0, 0, 1, 1, 1, 2, 2, 3] };
  t.deepEqual([...filterGroups({ ...batch, rule: "spread" }).kept], [5, 6, 7]);
});

test("any spread is one, a single group can fall back, and the bounds are 0.01 and 0.99", (t) => {
  const near = { scores: [0.4, 0.6, 0.5, 0.5], groupSize: 2, rule: "spread" } as const;
  t.deepEqual([...filterGroups(near).kept], [0, 1]);
  const alone = filterGroups({ scores: [1, 1], groupSize: 2, fallback: "keep-all" });
  t.deepEqual([alone.fellBack, [...alone.kept]], [true, [0, 1]]);
  const means = { scores: [0.01, 0.011, 0.989, 0.99], groupSize: 1 };
  t.deepEqual([...filterGroups(means).kept], [1, 2]);
});

test("a missing score is an error, or left out of its group and of what is kept", (t) => {
  const batch = { scores: [1, null, 0, 1, 1, Number.NaN], groupSize: 3 };
  t.throws(() => filterGroups(batch), {
    message:
      '[filterGroups] expected scores[1] to be there (missing: "skip" leaves its sequence out), received NaN',
  });
  const { kept, groups } = filterGroups({ ...batch, missing: "skip" });
  t.deepEqual([...kept], [0, 2]);
  t.is(groups, 2);
  const nothing = { scores: [null, null], groupSize: 2, missing: "skip" } as const;
  const all = filterGroups({ ...nothing, fallback: "keep-all" });
  t.deepEqual([all.groups, all.keptGroups, all.fellBack], [0, 0, false]);
});

test("an empty batch keeps nothing", (t) => {
  const empty = filterGroups({ scores: [], groupSize: 4, fallback: "keep-all" });
  t.deepEqual([empty.groups, empty.keptGroups, empty.kept.length], [0, 0, 0]);
  t.false(empty.fellBack);
});

test("bad calls of filterGroups are refused with the name of what is wrong", (t) => {
  const refused = (options: object, message: string) =>
    t.throws(() => filterGroups({ ...BATCH, ...options } as GroupFilterOptions), {
      name: "PapoError",
      message: `[filterGroups] expected ${message}`,
    });
  refused({ low: 0.5, high: 0.5 }, "low to be less than high, received 0.5 and 0.5");
  refused({ low: NaN }, "low to be less than high, received NaN and 0.99");
  refused({ high: "1" }, 'high to be a number, received "1"');
  refused({ fallback: "all" }, 'fallback to be one of none, keep-all, received "all"');
  refused({ rule: "std" }, 'rule to be one of mean, spread, received "std"');
  refused({ groupSize: undefined }, "groups or groupSize, received neither");
});

test("metrics by hand", (t) => {
  const metrics = groupMetrics({
    rewards: [1, 0, 0.5, 0.5, 2, null, null],
    groups: [0, 0, 1, 1, 2, 3, 0],
    missing: "skip",
  });
  const { rewardStd, groupStdMean, ...counts } = metrics;
  t.deepEqual(counts, {
    sequences: 7,
    missingRewards: 2,
    groups: 3,
    singleGroups: 1,
    zeroVarianceGroups: 1,
    zeroVarianceFraction: 0.5,
    rewardMean: 0.8,
  });
  const squares = 0.2 ** 2 + 0.8 ** 2 + 2 * 0.3 ** 2 + 1.2 ** 2;
  assertClose(t, "std", rewardStd, Math.sqrt(squares / 4), { rtol: 1e-14, atol: 0 });
  assertClose(t, "std of groups", groupStdMean, Math.SQRT1_2 / 2, { rtol: 1e-14, atol: 0 });
});

test("metrics without groups are those of the rewards", (t) => {
  const { groups, rewardMean, rewardStd } = groupMetrics({ rewards: [1, 3] });
  t.deepEqual([groups, rewardMean, rewardStd], [0, 2, Math.SQRT2]);
});
