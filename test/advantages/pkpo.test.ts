/** PKPO by enumeration: over the sets of k of a group, and over everything a small policy can sample. */
import test from "ava";
import { estimateAdvantages } from "../../lib/advantages/estimate.js";
import { maxAtK, passAtK } from "../../lib/advantages/max-at-k.js";
import { PKPO_BASELINES } from "../../lib/advantages/pkpo.js";
import { assertClose } from "../support/close.js";

const EXACT = { rtol: 1e-13, atol: 1e-13 };

/** All sets of k of 0 … n − 1. */
function setsOf(n: number, k: number): number[][] {
  if (k === 0) return [[]];
  return n < k ? [] : [...setsOf(n - 1, k), ...setsOf(n - 1, k - 1).map((set) => [...set, n - 1])];
}

const best = (rewards: readonly number[], set: readonly number[]): number =>
  Math.max(...set.map((i) => rewards[i] as number));

/** Mean of the best over all sets of k. */
function meanBest(rewards: readonly number[], k: number): number {
  const sets = setsOf(rewards.length, k);
  return sets.reduce((sum, set) => sum + best(rewards, set), 0) / sets.length;
}

const without = (rewards: readonly number[], i: number): number[] =>
  rewards.filter((_, j) => j !== i);

/** The definitions, set by set. */
const DEFINITIONS = {
  none(rewards: readonly number[], k: number, i: number): number {
    const sets = setsOf(rewards.length, k);
    const own = sets.filter((set) => set.includes(i));
    return own.reduce((sum, set) => sum + best(rewards, set), 0) / sets.length;
  },
  loo(rewards: readonly number[], k: number, i: number): number {
    const n = rewards.length;
    const others = without(rewards, i);
    // Mean over the n − 1 others of what each of them would get without i.
    const baseline = others.reduce((sum, _, j) => sum + DEFINITIONS.none(others, k, j), 0);
    return DEFINITIONS.none(rewards, k, i) - baseline / (n - 1);
  },
  "leave-two-out"(rewards: readonly number[], k: number, i: number): number {
    const n = rewards.length;
    const others = without(rewards, i);
    const swaps = others.flatMap((other, j) => {
      const rest = without(others, j);
      return setsOf(n - 2, k - 1).map((set) => {
        const beside = set.map((r) => rest[r] as number);
        return Math.max(rewards[i] as number, ...beside) - Math.max(other, ...beside);
      });
    });
    return ((k / n) * swaps.reduce((sum, swap) => sum + swap, 0)) / swaps.length;
  },
  "loo-minus-one"(rewards: readonly number[], k: number, i: number): number {
    const share = k / rewards.length;
    return DEFINITIONS.none(rewards, k, i) - share * meanBest(without(rewards, i), k - 1);
  },
} as const;

const GROUPS = [
  [0.3, -1, 2, 0.7, 0.1, 1.4],
  [1, 0, 0, 1, 0],
  [0.5, 0.5, 0.5, 0.5],
  [2, 2, -1, -1, 0, 3, 3],
  [-5, 4],
];

for (const baseline of PKPO_BASELINES) {
  test(`baseline ${baseline} is its mean over sets`, (t) => {
    let compared = 0;
    for (const rewards of GROUPS) {
      for (let k = 1; k <= rewards.length; k++) {
        if (/^(loo|leave-two-out)$/.test(baseline) && k === rewards.length) continue;
        if (baseline === "loo-minus-one" && k === 1) continue;
        const options = { rewards, groupSize: rewards.length, k, baseline };
        const wanted = rewards.map((_, i) => DEFINITIONS[baseline](rewards, k, i));
        const { advantages } = estimateAdvantages("pkpo", options);
        assertClose(t, `${rewards} at ${k}`, advantages, wanted, EXACT);
        const mean = estimateAdvantages("pkpo", { ...options, scale: "mean" }).advantages;
        assertClose(
          t,
          "mean",
          mean,
          wanted.map((a) => a * rewards.length),
          EXACT,
        );
        compared++;
      }
    }
    t.true(compared > 15);
  });

  test(`baseline ${baseline}: the expected gradient is that of the best of k`, (t) => {
    // A policy over three answers; every group of n that it can sample, with its probability.
    const logits = [0.4, -0.3, 0.1];
    const rewards = [0.2, 1.5, -0.7];
    const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
    const p = logits.map((z) => Math.exp(z) / total);
    for (const [n, k] of [
      [3, 2],
      [4, 2],
      [4, 3],
    ] as const) {
      const expected = [0, 0, 0];
      for (let code = 0; code < 3 ** n; code++) {
        const answers = Array.from({ length: n }, (_, i) => Math.floor(code / 3 ** i) % 3);
        const probability = answers.reduce((product, a) => product * (p[a] as number), 1);
        const own = answers.map((a) => rewards[a] as number);
        const options = { rewards: own, groupSize: n, k, baseline };
        const { advantages } = estimateAdvantages("pkpo", options);
        answers.forEach((answer, i) => {
          for (let v = 0; v < 3; v++) {
            // d log p(answer) / d logit v
            const slope = (answer === v ? 1 : 0) - (p[v] as number);
            expected[v] = (expected[v] as number) + probability * (advantages[i] as number) * slope;
          }
        });
      }
      // E[best of k] = Σ over answers by falling reward of reward · (P(none better) ^ k differences).
      const objective = (z: readonly number[]): number => {
        const sum = z.reduce((s, x) => s + Math.exp(x), 0);
        const q = z.map((x) => Math.exp(x) / sum) as [number, number, number];
        // Ascending rewards: answer 2, 0, 1.
        const [low, middle] = [q[2] ** k, (q[2] + q[0]) ** k];
        return -0.7 * low + 0.2 * (middle - low) + 1.5 * (1 - middle);
      };
      const h = 1e-5;
      const gradient = logits.map((_, v) => {
        const moved = (step: number) => objective(logits.map((z, w) => (w === v ? z + step : z)));
        return (moved(h) - moved(-h)) / (2 * h);
      });
      assertClose(t, `n ${n}, k ${k}`, expected, gradient, { rtol: 0, atol: 1e-9 });
    }
  });
}

test("binary rewards: k / n for a right answer, (k / n) pass@(k − 1) of the others for a wrong one", (t) => {
  const rewards = [1, 0, 0, 1, 0, 0];
  const [n, c, k] = [6, 2, 3];
  const options = { rewards, groupSize: n, k, baseline: "none" } as const;
  const wanted = rewards.map((r) => (r === 1 ? k / n : (k / n) * passAtK(n - 1, c, k - 1)));
  assertClose(t, "s", estimateAdvantages("pkpo", options).advantages, wanted, EXACT);
});

test("k 1 without a baseline is the reward over n", (t) => {
  const options = { rewards: [3, -1, 0.5], groupSize: 3, k: 1, baseline: "none" } as const;
  const { advantages } = estimateAdvantages("pkpo", options);
  assertClose(t, "s", advantages, [1, -1 / 3, 0.5 / 3], EXACT);
});

test("equal rewards add exactly nothing to each other; loo is not centred", (t) => {
  const rewards = [0.1, 0.1, 0.1, 0.1, 0.1];
  const options = { rewards, groupSize: 5, k: 3 };
  t.deepEqual(estimateAdvantages("pkpo", options).advantages, new Float64Array(5));
  const centred = estimateAdvantages("pkpo", { ...options, baseline: "leave-two-out" });
  t.deepEqual(centred.advantages, new Float64Array(5));
  const { advantages } = estimateAdvantages("pkpo", { ...options, baseline: "loo" });
  assertClose(t, "loo", advantages, Array(5).fill((-3 * 0.1) / 20), EXACT);
});

test("leave-two-out is centred in every group, and RLOO at k 1", (t) => {
  for (const rewards of GROUPS) {
    const group = { rewards, groupSize: rewards.length, baseline: "leave-two-out" } as const;
    for (let k = 1; k < rewards.length; k++) {
      const { advantages } = estimateAdvantages("pkpo", { ...group, k });
      assertClose(
        t,
        "sum",
        advantages.reduce((a, b) => a + b, 0),
        0,
        EXACT,
      );
    }
    const one = estimateAdvantages("pkpo", { ...group, k: 1, scale: "mean" }).advantages;
    const { advantages } = estimateAdvantages("rloo", { rewards, groupSize: rewards.length });
    assertClose(t, "RLOO", one, advantages, EXACT);
  }
});

test("maxAtK and passAtK are means over sets", (t) => {
  for (const rewards of GROUPS) {
    for (let k = 1; k <= rewards.length; k++) {
      assertClose(t, `${rewards} at ${k}`, maxAtK(rewards, k), meanBest(rewards, k), EXACT);
    }
  }
  for (let n = 1; n <= 7; n++) {
    for (let c = 0; c <= n; c++) {
      const binary = Array.from({ length: n }, (_, i) => (i < c ? 1 : 0));
      for (let k = 1; k <= n; k++) {
        assertClose(t, `${n} ${c} ${k}`, passAtK(n, c, k), meanBest(binary, k), EXACT);
      }
    }
  }
});

test("many answers need no binomials", (t) => {
  // 1 − C(9900, 5000) / C(10000, 5000) = 1 − Π (5000 − i) / (10000 − i), which is 1 to double precision.
  t.is(passAtK(10_000, 100, 5000), 1);
  assertClose(t, "one right of many", passAtK(100_000, 1, 1000), 0.01, EXACT);
  const rewards = Float64Array.from({ length: 4000 }, (_, i) => i);
  // The mean of the largest of k of 0 … n − 1 is k (n + 1) / (k + 1) − 1.
  assertClose(t, "uniform", maxAtK(rewards, 1999), (1999 * 4001) / 2000 - 1, {
    rtol: 1e-11,
    atol: 0,
  });
});

test("a group that is too small for k is an error, or what smallGroups says", (t) => {
  const group = { rewards: [1, 0, 2], groups: [0, 0, 1], k: 2 };
  t.throws(() => estimateAdvantages("pkpo", group), {
    message: "[estimateAdvantages] expected groups of at least 2 rewards, received 1 at sequence 2",
  });
  const zero = estimateAdvantages("pkpo", { ...group, smallGroups: "zero" });
  t.deepEqual(zero.advantages, Float64Array.of(1, 0, 0));
  const kept = estimateAdvantages("pkpo", { ...group, smallGroups: "reward" });
  t.deepEqual(kept.advantages, Float64Array.of(1, 0, 2));
  t.throws(() => estimateAdvantages("pkpo", { ...group, baseline: "loo" }), {
    message: /at least 3 rewards, received 2 at sequence 0/,
  });
  t.throws(() => estimateAdvantages("pkpo", { ...group, k: 1 }), {
    message:
      '[estimateAdvantages] expected k of at least 2 for baseline "loo-minus-one", received 1',
  });
});

test("bad calls of maxAtK and passAtK are refused", (t) => {
  const refused = (act: () => unknown, message: string) =>
    t.throws(act, { name: "PapoError", message });
  refused(() => passAtK(3, 4, 1), "[passAtK] expected c to be an integer in 0…3, received 4");
  refused(() => passAtK(3, 1, 4), "[passAtK] expected k to be an integer in 1…3, received 4");
  refused(() => maxAtK([], 1), "[maxAtK] expected k to be an integer in 1…0, received 1");
  refused(() => maxAtK([NaN, 1], 1), "[maxAtK] expected rewards[0] to be finite, received NaN");
  refused(() => passAtK(4, 1.5, 2), "[passAtK] expected c to be an integer in 0…4, received 1.5");
  refused(() => maxAtK([1, 2], 1.5), "[maxAtK] expected k to be an integer in 1…2, received 1.5");
  refused(() => maxAtK([1, NaN], 1), "[maxAtK] expected rewards[1] to be finite, received NaN");
});

test("without a baseline a group of one is enough for the best of one", (t) => {
  const options = { rewards: [0.75], groups: [0], k: 1 } as const;
  t.is(estimateAdvantages("pkpo", { ...options, baseline: "none" }).advantages[0], 0.75);
  t.throws(() => estimateAdvantages("pkpo", { ...options, baseline: "loo" }), {
    code: "ERR_RANGE",
  });
});
