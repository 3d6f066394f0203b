/** Every group estimator against its formula written out, and what it must not depend on. */
import test from "ava";
import { type AdvantageOptions, estimateAdvantages } from "../../lib/advantages/estimate.js";
import { statisticsOf } from "../../lib/advantages/statistics.js";
import type { AdvantageKind } from "../../lib/advantages/table.js";
import { assertClose } from "../support/close.js";

const EXACT = { rtol: 0, atol: 1e-13 };

const REWARDS = [0.9, 0.1, 1, 0, 0.35, -2, 4.5, 0.2, 0.7, 0.1, 0.1];
/** Sizes 4, 3, 2, 2, interleaved. */
const GROUPS = ["a", "b", "a", "c", "b", "a", "d", "b", "c", "a", "d"];
const LENGTHS = [3, 7, 1, 4, 2, 9, 5, 0, 6, 8, 1];

const mean = (x: readonly number[]): number => x.reduce((sum, value) => sum + value, 0) / x.length;
const variance = (x: readonly number[]): number =>
  x.reduce((sum, value) => sum + (value - mean(x)) ** 2, 0) / (x.length - 1);
const std = (x: readonly number[]): number => Math.sqrt(variance(x));
const membersOf = (i: number): number[] =>
  [...REWARDS.keys()].filter((j) => GROUPS[j] === GROUPS[i]);
const groupOf = (i: number): number[] => membersOf(i).map((j) => REWARDS[j] as number);
const perSequence = (f: (reward: number, i: number) => number): number[] => REWARDS.map(f);

/** Σ len R / Σ len of i's group. */
function lengthMean(i: number): number {
  const members = membersOf(i);
  const sum = (f: (j: number) => number): number => members.reduce((total, j) => total + f(j), 0);
  const length = (j: number): number => LENGTHS[j] as number;
  return sum((j) => length(j) * (REWARDS[j] as number)) / sum(length);
}

/** (B − mean B) / √(var B + ε) where each B is repeated once for each of its tokens. */
function whitenedByLength(values: readonly number[]): number[] {
  const repeated = values.flatMap((value, i) => Array<number>(LENGTHS[i] as number).fill(value));
  const scale = Math.sqrt(variance(repeated) + 1e-8);
  return values.map((value, i) => (LENGTHS[i] === 0 ? 0 : (value - mean(repeated)) / scale));
}

const grouped = { rewards: REWARDS, groups: GROUPS };
const FORMULAS: readonly (readonly [string, () => Float64Array, number[]])[] = [
  [
    "grpo",
    () => estimateAdvantages("grpo", grouped).advantages,
    perSequence((r, i) => (r - mean(groupOf(i))) / (std(groupOf(i)) + 1e-6)),
  ],
  [
    "grpo with TRL's epsilon",
    () => estimateAdvantages("grpo", { ...grouped, epsilon: 1e-4 }).advantages,
    perSequence((r, i) => (r - mean(groupOf(i))) / (std(groupOf(i)) + 1e-4)),
  ],
  [
    "dr-grpo",
    () => estimateAdvantages("dr-grpo", grouped).advantages,
    perSequence((r, i) => r - mean(groupOf(i))),
  ],
  [
    "grpo-batch",
    () => estimateAdvantages("grpo-batch", grouped).advantages,
    perSequence((r, i) => (r - mean(groupOf(i))) / (std(REWARDS) + 1e-4)),
  ],
  [
    "rloo",
    () => estimateAdvantages("rloo", grouped).advantages,
    perSequence((r, i) => {
      const others = membersOf(i).filter((j) => j !== i);
      return r - mean(others.map((j) => REWARDS[j] as number));
    }),
  ],
  [
    "remax",
    () =>
      estimateAdvantages("remax", { rewards: REWARDS, baselines: LENGTHS.map((n) => n / 10) })
        .advantages,
    perSequence((r, i) => r - (LENGTHS[i] as number) / 10),
  ],
  [
    "opo",
    () => estimateAdvantages("opo", { ...grouped, lengths: LENGTHS }).advantages,
    perSequence((r, i) => r - lengthMean(i)),
  ],
  [
    "gpg",
    () => estimateAdvantages("gpg", { ...grouped, norm: 2 }).advantages,
    // One of the eleven rewards is 0.
    perSequence((r, i) => ((11 / 10) * (r - mean(groupOf(i)))) / 2),
  ],
  [
    "reinforce++-baseline",
    () =>
      estimateAdvantages("reinforce++-baseline", {
        ...grouped,
        lengths: LENGTHS,
        denominatorEpsilon: 0,
      }).advantages,
    whitenedByLength(perSequence((r, i) => r - mean(groupOf(i)))),
  ],
  [
    "pass@k",
    () => estimateAdvantages("pass@k", grouped).advantages,
    perSequence((r, i) => {
      const [first = 0, second = 0] = groupOf(i).sort((a, b) => b - a);
      return r === first ? (first - second) / (std(groupOf(i)) + 1e-6) : 0;
    }),
  ],
  [
    "pass@k without scale",
    () => estimateAdvantages("pass@k", { ...grouped, scale: "none" }).advantages,
    perSequence((r, i) => {
      const [first = 0, second = 0] = groupOf(i).sort((a, b) => b - a);
      return r === first ? first - second : 0;
    }),
  ],
];

for (const [name, actual, wanted] of FORMULAS) {
  test(`${name} is its formula`, (t) => assertClose(t, name, actual(), wanted, EXACT));
}

test("by hand: rewards 1, 0, 0, 1 in one group", (t) => {
  const rewards = [1, 0, 0, 1];
  const only = { rewards, groupSize: 4 };
  // Mean 1/2, variance 1/3.
  const sigma = Math.sqrt(1 / 3);
  const half = 0.5 / (sigma + 1e-6);
  const grpo = estimateAdvantages("grpo", only).advantages;
  assertClose(t, "grpo", grpo, [half, -half, -half, half], EXACT);
  const rloo = estimateAdvantages("rloo", only).advantages;
  assertClose(t, "rloo", rloo, [2 / 3, -2 / 3, -2 / 3, 2 / 3], EXACT);
  const opo = estimateAdvantages("opo", { ...only, lengths: [1, 2, 3, 4] }).advantages;
  assertClose(t, "opo", opo, [0.5, -0.5, -0.5, 0.5], EXACT);
  t.deepEqual(estimateAdvantages("gpg", only).advantages, Float64Array.of(1, -1, -1, 1));
  t.deepEqual(estimateAdvantages("pass@k", only).advantages, new Float64Array(4));
});

test("gpg counts nonzero rewards, or what carries gradient", (t) => {
  const only = { rewards: [1, 1, 0, 1, 1, 0], groupSize: 2 };
  // Four of six rewards are not 0; the last two groups carry gradient.
  const scaled = (alpha: number) => [0, 0, -alpha, alpha, alpha, -alpha].map((a) => a / 2);
  const rewards = estimateAdvantages("gpg", only).advantages;
  assertClose(t, "rewards", rewards, scaled(6 / 4), EXACT);
  const advantages = estimateAdvantages("gpg", { ...only, nonzero: "advantages" }).advantages;
  assertClose(t, "advantages", advantages, scaled(6 / 4), EXACT);
  const allRight = { rewards: [1, 1, 1, 1, 1, 0], groupSize: 2 };
  const last = (nonzero: "rewards" | "advantages") =>
    estimateAdvantages("gpg", { ...allRight, nonzero }).advantages[4];
  assertClose(t, "five of six", last("rewards") ?? 0, (6 / 5) * 0.5, EXACT);
  assertClose(t, "two of six", last("advantages") ?? 0, 3 * 0.5, EXACT);
});

test("gpg with a single reward that is not 0 counts one", (t) => {
  const { advantages } = estimateAdvantages("gpg", { rewards: [1, 0], groupSize: 2 });
  t.deepEqual(advantages, Float64Array.of(1, -1));
});

test("without an epsilon a spread of 1 divides and none at all gives 0", (t) => {
  const groups = { groupSize: 3, epsilon: 0 };
  const rewards = [0, 1, 2, 5, 5, 5];
  // In their groups −1, 0, 1 and 0, 0, 0, whose deviation over the batch is √(2 / 5).
  const gdpo = estimateAdvantages("gdpo", { rewardComponents: [rewards], ...groups }).advantages;
  const wanted = [-1, 0, 1, 0, 0, 0].map((x) => x / Math.sqrt(2 / 5));
  assertClose(t, "gdpo", gdpo, wanted, EXACT);
  const equal = [3, 3, 3];
  const none = new Float64Array(3);
  const own = { rewardComponents: [equal], ...groups };
  t.deepEqual(estimateAdvantages("gdpo", own).advantages, none);
  const batch = { rewards: equal, ...groups };
  t.deepEqual(estimateAdvantages("grpo-batch", batch).advantages, none);
});

test("pass@k without a scale leaves the reward of a group of one as it is", (t) => {
  const alone = { rewards: [0.75], groups: [0], smallGroups: "reward", scale: "none" } as const;
  t.deepEqual(estimateAdvantages("pass@k", alone).advantages, Float64Array.of(0.75));
});

test("the statistics of one number are that number and no deviation", (t) => {
  t.deepEqual(statisticsOf(Float64Array.of(0.3)), { count: 1, mean: 0.3, std: 0 });
  t.deepEqual(statisticsOf(Float64Array.of(0.3, 0.3)), { count: 2, mean: 0.3, std: 0 });
  t.deepEqual(statisticsOf(Float64Array.of(0, 1, 2)), { count: 3, mean: 1, std: 1 });
  t.deepEqual(statisticsOf(new Float64Array(0)), { count: 0, mean: 0, std: 0 });
});

test("gdpo normalises each reward in its group, then their weighted sum over the batch", (t) => {
  const accuracy = [1, 0, 0, 1, 1, 1];
  const format = [0.2, 0.8, 0.5, 0.1, 0.9, 0.4];
  const [weightA, weightF, epsilon] = [0.9, 0.1, 1e-4];
  const normal = (x: readonly number[], i: number): number => {
    const own = i < 3 ? x.slice(0, 3) : x.slice(3);
    return ((x[i] as number) - mean(own)) / (std(own) + epsilon);
  };
  const sums = accuracy.map((_, i) => weightA * normal(accuracy, i) + weightF * normal(format, i));
  const wanted = sums.map((sum) => (sum - mean(sums)) / (std(sums) + epsilon));
  const { advantages, metrics } = estimateAdvantages("gdpo", {
    rewardComponents: [accuracy, format],
    rewardWeights: [weightA, weightF],
    groupSize: 3,
  });
  assertClose(t, "gdpo", advantages, wanted, EXACT);
  const total = accuracy.map((a, i) => weightA * a + weightF * (format[i] as number));
  assertClose(t, "mean of the weighted sum", metrics.rewardMean, mean(total), EXACT);
});

test("gdpo leaves a missing component out of its own statistics only", (t) => {
  const accuracy = [1, 0, 0, 1];
  const format = [0.5, null, 1, null];
  const [mu, sigma] = [mean([0.5, 1]), std([0.5, 1])];
  const a = accuracy.map((x) => (x - 0.5) / (std(accuracy) + 1e-4));
  const f = format.map((x) => (x === null ? 0 : (x - mu) / (sigma + 1e-4)));
  const sums = a.map((x, i) => x + (f[i] as number));
  const wanted = sums.map((sum) => (sum - mean(sums)) / (std(sums) + 1e-4));
  const options = { rewardComponents: [accuracy, format], groupSize: 4, missing: "skip" } as const;
  const { advantages, missing } = estimateAdvantages("gdpo", options);
  assertClose(t, "gdpo", advantages, wanted, EXACT);
  t.deepEqual(missing, new Int32Array(0));
});

// Invariance.

const GROUP_KINDS: readonly AdvantageKind[] = [
  "grpo",
  "dr-grpo",
  "grpo-batch",
  "rloo",
  "opo",
  "gpg",
  "reinforce++-baseline",
  "pass@k",
  "pkpo",
  "gdpo",
];

function optionsOf(kind: AdvantageKind, order: readonly number[]): AdvantageOptions<never> {
  const rewards = order.map((i) => REWARDS[i] as number);
  const groups = order.map((i) => GROUPS[i] as string);
  const lengths = order.map((i) => LENGTHS[i] as number);
  const inputs = kind === "gdpo" ? { rewardComponents: [rewards, lengths] } : { rewards };
  const takesLengths = kind === "opo" || kind === "reinforce++-baseline";
  return { ...inputs, groups, ...(takesLengths ? { lengths } : {}) } as never;
}

const IDENTITY = [...REWARDS.keys()];
const ORDERS = [
  [...IDENTITY].reverse(),
  [4, 9, 0, 10, 7, 2, 1, 8, 3, 6, 5],
  // Group by group.
  [...IDENTITY].sort((a, b) => (GROUPS[a] as string).localeCompare(GROUPS[b] as string)),
];

for (const kind of GROUP_KINDS) {
  test(`${kind} does not depend on the order of sequences and groups`, (t) => {
    const { advantages, metrics } = estimateAdvantages(kind, optionsOf(kind, IDENTITY));
    t.true(advantages.some((advantage) => advantage !== 0));
    for (const order of ORDERS) {
      const other = estimateAdvantages(kind, optionsOf(kind, order));
      const wanted = order.map((i) => advantages[i] as number);
      assertClose(t, kind, other.advantages, wanted, EXACT);
      assertClose(t, "metrics", Object.values(other.metrics), Object.values(metrics), EXACT);
    }
  });

  test(`${kind} takes groups as numbers, strings, bigints or a size`, (t) => {
    const order = ORDERS[2] as number[];
    const strings = optionsOf(kind, order) as { groups: string[] };
    const wanted = estimateAdvantages(kind, strings as never).advantages;
    const numbers = strings.groups.map((id) => id.charCodeAt(0));
    for (const groups of [
      numbers,
      Int32Array.from(numbers),
      Float64Array.from(numbers),
      numbers.map(BigInt),
      BigInt64Array.from(numbers.map(BigInt)),
    ]) {
      t.deepEqual(estimateAdvantages(kind, { ...strings, groups } as never).advantages, wanted);
    }
  });
}

test("groupSize is groups one after the other", (t) => {
  const rewards = REWARDS.slice(0, 9);
  const groups = rewards.map((_, i) => Math.floor(i / 3));
  t.deepEqual(
    estimateAdvantages("grpo", { rewards, groupSize: 3 }),
    estimateAdvantages("grpo", { rewards, groups }),
  );
});

test("adding a constant to the rewards changes no centred estimator, scaling scales the unscaled", (t) => {
  const shifted = { ...grouped, rewards: REWARDS.map((r) => 3 * r + 5) };
  const scaled = (kind: "dr-grpo" | "rloo") =>
    estimateAdvantages(kind, grouped).advantages.map((a) => 3 * a);
  for (const kind of ["dr-grpo", "rloo"] as const) {
    const { advantages } = estimateAdvantages(kind, shifted);
    assertClose(t, kind, advantages, scaled(kind), { rtol: 0, atol: 1e-12 });
  }
});
