/** The statistics of the reference: known numbers, edge cases, digits, properties. */
import test from "ava";
import fc from "fast-check";
import { exactKl, k3 } from "../../lib/reference/divergence.js";
import { STATISTICS, type TokenStatsOptions, tokenStats } from "../../lib/reference/index.js";
import { logSoftmax } from "../../lib/reference/log-softmax.js";
import { entropyOf } from "../../lib/reference/token-stats.js";
import { assertClose } from "../support/close.js";
import { DISTRIBUTIONS, makeBatch } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";

const NONE = -Infinity;

/** Statistics of one row, as numbers. */
function statsOf(logits: number[], maskedLogits?: number[], more: Partial<TokenStatsOptions> = {}) {
  const shape = { rows: 1, vocabSize: logits.length };
  const stats = tokenStats({ logits, maskedLogits, tokenIds: [0], ...shape, ...more });
  return Object.fromEntries(STATISTICS.map((name) => [name, stats[name][0]!])) as Record<
    (typeof STATISTICS)[number],
    number
  >;
}

test("the full-vocabulary golden numbers of the definition sheet hold", (t) => {
  const stats = statsOf([2, 1, 0, -1], [0.5, 1.5, 0, -0.5]);
  assertClose(t, "kl", stats.kl, 0.4372173705, TOLERANCES.printed);
  assertClose(t, "reverseKl", stats.reverseKl, 0.4033636758, TOLERANCES.printed);
  assertClose(t, "entropy", stats.entropy, 0.947536964, TOLERANCES.printed);
  assertClose(t, "maskedEntropy", stats.maskedEntropy, 1.1097670015, TOLERANCES.printed);
});

test("the expectation of k3 under the policy is the KL, and that of the printed formula is not", (t) => {
  const p = logSoftmax([2, 1, 0, -1], 0, 4, 1)!;
  const q = logSoftmax([0.5, 1.5, 0, -0.5], 0, 4, 1)!;
  const expectation = (f: (v: number) => number): number =>
    p.probs.reduce((sum, probability, v) => sum + probability * f(v), 0);
  const x = (v: number): number => q.logProbs[v]! - p.logProbs[v]!;
  assertClose(
    t,
    "E[k3]",
    expectation((v) => k3(x(v))),
    0.4372173705,
    TOLERANCES.printed,
  );
  assertClose(
    t,
    "printed",
    expectation((v) => k3(-x(v))),
    0.6772293606,
    TOLERANCES.printed,
  );
});

test("uniform logits give log V everywhere", (t) => {
  const stats = statsOf([3, 3, 3, 3, 3]);
  assertClose(t, "entropy", stats.entropy, Math.log(5), TOLERANCES.float64);
  assertClose(t, "logProbs", stats.logProbs, -Math.log(5), TOLERANCES.float64);
  assertClose(t, "logSumExp", stats.logSumExp, 3 + Math.log(5), TOLERANCES.float64);
});

test("statistics are in nats after the temperature", (t) => {
  const hot = statsOf([2, 1, 0], [1, 1, 0], { temperature: 0.5 });
  const scaled = statsOf([4, 2, 0], [2, 2, 0]);
  for (const name of STATISTICS) {
    assertClose(t, name, hot[name], scaled[name], TOLERANCES.float64);
  }
});

test("without masked logits the masked statistics and the divergences are 0", (t) => {
  const stats = statsOf([2, 1, 0]);
  for (const name of ["maskedLogProbs", "maskedEntropy", "kl", "reverseKl"] as const) {
    t.is(stats[name], 0, name);
  }
  t.not(stats.logProbs, 0);
});

test("a certain token keeps the digits of its log-probability and of its entropy", (t) => {
  const { logProbs, entropy } = statsOf([50, 0]);
  const tail = Math.exp(-50);
  assertClose(t, "logProbs", logProbs, -tail, { rtol: 1e-14, atol: 0 });
  assertClose(t, "entropy", entropy, tail * 51, { rtol: 1e-14, atol: 0 });
});

test("a KL of 1e-13 keeps its digits", (t) => {
  // Two outcomes, p = σ(1): to second order KL = p(1 − p)·δ²/2, to third −p(1 − p)(1 − 2p)·δ³/6 more.
  const shift = 1e-6;
  const p = 1 / (1 + Math.exp(-1));
  const slope = p * (1 - p);
  const second = (slope * shift ** 2) / 2;
  const third = (slope * (1 - 2 * p) * shift ** 3) / 6;
  const { kl, reverseKl } = statsOf([1, 0], [1 + shift, 0]);
  assertClose(t, "kl", kl, second + third, { rtol: 1e-9, atol: 0 });
  assertClose(t, "reverseKl", reverseKl, second + 2 * third, { rtol: 1e-9, atol: 0 });
});

test("k3 agrees with e^x − 1 − x on both sides of where its series ends", (t) => {
  for (const x of [-40, -1, -0.0201, -0.0199, 0.0199, 0.0201, 1, 20]) {
    assertClose(t, `k3(${x})`, k3(x), Math.expm1(x) - x, { rtol: 1e-12, atol: 1e-17 });
  }
  t.is(k3(0), 0);
  t.is(k3(NONE), Infinity);
  t.is(k3(Infinity), Infinity);
});

test("k3 of a tiny difference keeps its digits", (t) => {
  for (const x of [1e-9, -1e-9]) {
    assertClose(t, `k3(${x})`, k3(x), (x * x) / 2 + x ** 3 / 6, { rtol: 1e-15, atol: 0 });
  }
});

test("logits of −Infinity in both policies change nothing", (t) => {
  const plain = statsOf([2, 1, 0], [1, 1, 3]);
  const holes = statsOf([2, NONE, 1, 0, NONE], [1, NONE, 1, 3, NONE]);
  t.deepEqual(holes, plain);
});

test("a token that only the masked policy rules out makes the KL infinite and not the reverse", (t) => {
  const stats = statsOf([1, 0], [1, NONE]);
  t.is(stats.kl, Infinity);
  assertClose(t, "reverseKl", stats.reverseKl, Math.log1p(Math.exp(-1)), TOLERANCES.float64);
});

test("a token that only the policy rules out makes the reverse KL infinite and not the KL", (t) => {
  const stats = statsOf([1, NONE], [1, 0]);
  t.is(stats.reverseKl, Infinity);
  assertClose(t, "kl", stats.kl, Math.log1p(Math.exp(-1)), TOLERANCES.float64);
});

test("a token e^−87 below the largest has no mass for the masked policy to rule out", (t) => {
  t.true(statsOf([0, -88], [0, NONE]).kl < 1e-30);
  t.is(statsOf([0, -86], [0, NONE]).kl, Infinity);
  t.is(statsOf([0, -86], [0, NONE], { temperature: 0.5 }).kl < 1e-30, true);
  t.true(statsOf([0, NONE], [0, -88]).reverseKl < 1e-30);
});

test("a sampled token at −Infinity has log-probability −Infinity", (t) => {
  const stats = statsOf([NONE, 0], [1, 0]);
  t.is(stats.logProbs, NONE);
  t.is(stats.entropy, 0);
  t.true(Number.isFinite(stats.maskedLogProbs));
});

test("huge logits do not overflow", (t) => {
  const stats = statsOf([3e38, -3e38, 3e38], [-3e38, 3e38, 0]);
  assertClose(t, "logProbs", stats.logProbs, -Math.LN2, TOLERANCES.float64);
  assertClose(t, "entropy", stats.entropy, Math.LN2, TOLERANCES.float64);
  t.is(stats.maskedLogProbs, -6e38);
  t.is(stats.maskedEntropy, 0);
});

for (const [what, logits] of Object.entries({
  "NaN in column 1": [0, Number.NaN, 1],
  "Infinity in column 2": [0, 1, Infinity],
  "−Infinity in every column": [NONE, NONE, NONE],
})) {
  test(`a counted row with ${what} is refused by its number`, (t) => {
    const good = [0, 1, 2];
    const options = { tokenIds: [0, 0], rows: 2, vocabSize: 3 };
    const policy = t.throws(() => tokenStats({ ...options, logits: [...good, ...logits] }));
    t.like(policy, { code: "ERR_NOT_FINITE", row: 1 });
    t.is(
      policy?.message,
      "[reference.tokenStats] expected logits[1] to hold numbers or −Infinity, and a finite one " +
        `among them, received ${what}`,
    );
    const masked = t.throws(() =>
      tokenStats({ ...options, logits: [...good, ...good], maskedLogits: [...logits, ...good] }),
    );
    t.like(masked, { code: "ERR_NOT_FINITE", row: 0 });
    t.regex(masked?.message ?? "", /maskedLogits\[0\]/);
  });

  test(`a counted row with ${what} is skipped on request`, (t) => {
    const stats = tokenStats({
      logits: [...logits, 0, 1, 2],
      tokenIds: [0, 0],
      rows: 2,
      vocabSize: 3,
      onInvalid: "skip",
    });
    t.deepEqual([...stats.invalid], [1, 0]);
    t.is(stats.logProbs[0], 0);
    t.not(stats.logProbs[1], 0);
  });
}

test("rows that do not count are not read", (t) => {
  const stats = tokenStats({
    logits: [Number.NaN, Number.NaN, 1, 0],
    maskedLogits: [NONE, NONE, 1, 1],
    tokenIds: [-100, 1],
    responseMask: [0, 1],
    rows: 2,
    vocabSize: 2,
  });
  for (const name of STATISTICS) t.is(stats[name][0], 0, name);
  t.deepEqual([...stats.invalid], [0, 0]);
});

test("what lies between the rows is not read", (t) => {
  const tight = makeBatch({ seed: 5, full: true });
  const pitched = makeBatch({ seed: 5, full: true, rowPitch: 11 });
  t.deepEqual(tokenStats(pitched), tokenStats(tight));
});

test("no rows give no statistics", (t) => {
  t.is(tokenStats({ logits: [], tokenIds: [], rows: 0, vocabSize: 3 }).kl.length, 0);
});

const good: TokenStatsOptions = { logits: [0, 1, 2, 3], tokenIds: [0, 1], rows: 2, vocabSize: 2 };
for (const [what, wrong, code] of [
  ["too few logits", { logits: [0, 1, 2] }, "ERR_SHAPE"],
  ["too few masked logits", { maskedLogits: [0] }, "ERR_SHAPE"],
  ["a token id beyond the vocabulary", { tokenIds: [0, 2] }, "ERR_RANGE"],
  ["a negative token id", { tokenIds: [-100, 0] }, "ERR_RANGE"],
  ["too many token ids", { tokenIds: [0, 1, 0] }, "ERR_SHAPE"],
  ["a mask that is not 0 or 1", { responseMask: [1, 0.5] }, "ERR_RANGE"],
  ["a pitch below the vocabulary", { rowPitch: 1 }, "ERR_RANGE"],
  ["a temperature of 0", { temperature: 0 }, "ERR_RANGE"],
  ["an empty vocabulary", { vocabSize: 0 }, "ERR_RANGE"],
  ["half a row", { rows: 1.5 }, "ERR_RANGE"],
] as const) {
  test(`${what} is refused`, (t) => {
    t.throws(() => tokenStats({ ...good, ...wrong }), { name: "PapoError", code });
  });
}

for (const distribution of DISTRIBUTIONS) {
  test(`on ${distribution} logits, divergences and entropies keep their bounds`, (t) => {
    const batch = makeBatch({ distribution, full: true, vocabSize: 40, seed: 11 });
    const stats = tokenStats(batch);
    for (let row = 0; row < batch.rows; row++) {
      t.true(stats.kl[row]! > 0 && stats.reverseKl[row]! > 0);
      t.true(stats.entropy[row]! >= 0 && stats.entropy[row]! <= Math.log(40) + 1e-12);
      t.true(stats.logProbs[row]! <= 0);
    }
  });
}

const row = fc.array(fc.double({ min: -30, max: 30, noNaN: true }), {
  minLength: 2,
  maxLength: 12,
});

test("adding a constant to the logits of a row changes nothing but log-sum-exp", (t) => {
  fc.assert(
    fc.property(row, fc.integer({ min: -500, max: 500 }), (logits, shift) => {
      const before = statsOf(logits);
      const after = statsOf(logits.map((logit) => logit + shift));
      const tolerance = { rtol: 1e-11, atol: 1e-11 };
      assertClose(t, "logProbs", after.logProbs, before.logProbs, tolerance);
      assertClose(t, "entropy", after.entropy, before.entropy, tolerance);
      assertClose(t, "logSumExp", after.logSumExp, before.logSumExp + shift, tolerance);
    }),
  );
  t.pass();
});

test("the KL of a policy with itself is exactly 0, and swapping the policies swaps the divergences", (t) => {
  fc.assert(
    fc.property(row, row, (first, second) => {
      const size = Math.min(first.length, second.length);
      const p = logSoftmax(first, 0, size, 1)!;
      const q = logSoftmax(second, 0, size, 1)!;
      t.deepEqual(exactKl(p, p), { kl: 0, reverseKl: 0 });
      const there = exactKl(p, q);
      const back = exactKl(q, p);
      t.deepEqual([there.kl, there.reverseKl], [back.reverseKl, back.kl]);
    }),
  );
});

test("the exact KL is cross-entropy less entropy", (t) => {
  fc.assert(
    fc.property(row, row, (first, second) => {
      const size = Math.min(first.length, second.length);
      const p = logSoftmax(first, 0, size, 1)!;
      const q = logSoftmax(second, 0, size, 1)!;
      const cross = p.probs.reduce((sum, prob, v) => sum - prob * q.logProbs[v]!, 0);
      const difference = cross - entropyOf(p);
      assertClose(t, "kl", exactKl(p, q).kl, difference, { rtol: 1e-12, atol: 1e-13 });
    }),
  );
});
