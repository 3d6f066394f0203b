/** The subgradient that is taken at a kink, and which side a token exactly on a border belongs to. */
import test from "ava";
import { binaryKl } from "../../lib/surrogates/trust-region.js";
import { evaluate, tokensOf } from "./batches.js";

test("at a bound itself the unclipped branch counts", (t) => {
  // Ratio 1 lies on both bounds where both are 0.
  const clip = { low: 0, high: 0 };
  for (const advantage of [1, -1]) {
    const tokens = tokensOf({ logProbs: [-1], advantages: [advantage], clip });
    for (const kind of ["ppo-clip", "gspo", "gspo-token", "gmpo", "clip-cov"] as const) {
      const { slopes, clips } = evaluate(kind, tokens);
      t.is(slopes[0], -advantage, kind);
      t.is(clips[0], 0, kind);
    }
  }
});

test("a ratio exactly at a cap or on the border of a region is within", (t) => {
  const tokens = tokensOf({ logProbs: [-1], oldLogProbs: [-1.5], advantages: [1] });
  const ratio = Math.exp(0.5);
  t.is(evaluate("cispo", tokens, { ratioCap: ratio }).clips[0], 0);
  t.is(evaluate("icepop", tokens, { high: ratio }).clips[0], 0);
  t.is(
    evaluate(
      "gspo-token",
      { ...tokens, clip: { low: 0, high: 1, dual: 0 } },
      { sequenceLogRatioMax: 0.5 },
    ).slopes[0],
    -ratio,
  );
  const [p, q] = [Math.exp(-1), Math.exp(-1.5)];
  t.is(evaluate("dppo", tokens, { high: p - q }).clips[0], 0);
  const down = tokensOf({ logProbs: [-1.5], oldLogProbs: [-1], advantages: [1] });
  t.is(evaluate("icepop", down, { low: Math.exp(-0.5) }).clips[0], 0);
  t.is(evaluate("dppo", down, { low: p - q }).clips[0], 0);
});

test("a log-ratio of exactly the limit is free, above and below", (t) => {
  for (const [logProbs, oldLogProbs, ratio] of [
    [[-1], [-1.5], Math.exp(0.5)],
    [[-1.5], [-1], Math.exp(-0.5)],
  ] as const) {
    // The side that no clip holds.
    const advantages = [logProbs[0] === -1 ? -1 : 1];
    const tokens = tokensOf({ logProbs, oldLogProbs, advantages });
    for (const kind of ["ppo-clip", "gspo", "icepop", "gmpo"] as const) {
      const slope = (logRatioLimit: number) =>
        Math.abs(evaluate(kind, { ...tokens, logRatioLimit }).slopes[0] as number);
      t.is(slope(0.5), ratio, kind);
      t.is(slope(0.499), 0, kind);
    }
  }
});

test("a ratio exactly at a bound of cispo-two-sided is its own, and so is a KL at that of kpop", (t) => {
  const [up, down] = [
    tokensOf({ logProbs: [-Math.LN2], oldLogProbs: [-2 * Math.LN2], advantages: [1] }),
    tokensOf({ logProbs: [-2 * Math.LN2], oldLogProbs: [-Math.LN2], advantages: [1] }),
  ];
  // Ratios of exactly 2 and 1 / 2.
  const clip = { low: 0.5, high: 1, dual: 0 };
  t.is(evaluate("cispo-two-sided", { ...up, clip }).clips[0], 0);
  t.is(evaluate("cispo-two-sided", { ...down, clip }).clips[0], 0);
  t.is(evaluate("cispo-two-sided", { ...up, clip: { ...clip, high: 0.99 } }).clips[0], 2);
  t.is(evaluate("cispo-two-sided", { ...down, clip: { ...clip, low: 0.49 } }).clips[0], 1);
  for (const tokens of [up, down]) {
    const [p, q] = [tokens.logProbs, tokens.oldLogProbs].map(([log]) => Math.exp(log as number));
    const limit = Math.max(binaryKl(p as number, q as number), binaryKl(q as number, p as number));
    t.is(evaluate("kpop", tokens, { limit }).clips[0], 0);
    t.is(evaluate("kpop", tokens, { limit: limit * (1 - 1e-12) }).clips[0], 4);
  }
});

test("a covariance exactly at a bound of clip-cov is no candidate", (t) => {
  const tokens = tokensOf({ logProbs: [-1, -3], advantages: [2, -2] }); // both 2
  const dropped = (bounds: object) =>
    [...evaluate("clip-cov", tokens, { fraction: 1, ...bounds }).clips].filter((c) => c === 4)
      .length;
  t.is(dropped({ lower: 2 }), 0);
  t.is(dropped({ upper: 2 }), 0);
  t.is(dropped({ lower: 1.9, upper: 2.1 }), 2);
});

test("the penalty of kl-cov has no slope where the policy has not moved, and acts without advantage", (t) => {
  const tokens = tokensOf({ logProbs: [-1, -2], oldLogProbs: [-1, -3], advantages: [0, 0] });
  const { values, slopes } = evaluate("kl-cov", tokens, { fraction: 1 });
  t.deepEqual([...values], [0, 1]);
  t.deepEqual([...slopes], [0, 1]);
});

test("of equal covariances kl-cov takes the first", (t) => {
  const tokens = tokensOf({
    logProbs: [-1, -1, -1],
    oldLogProbs: [-2, -2, -2],
    advantages: [0, 0, 0],
  });
  t.deepEqual([...evaluate("kl-cov", tokens).slopes], [1, 0, 0]);
});

test("kl-cov takes no more than its share where some covariances are equal and others above them", (t) => {
  // Means −1 and 0: the covariances are 0.5 in rows 2 and 5, and 0 in the others.
  const tokens = tokensOf({
    logProbs: [-1, -1, -0.5, -1, -1, -1.5],
    oldLogProbs: [-2, -2, -2, -2, -2, -2],
    advantages: [0, 0, 1, 0, 0, -1],
  });
  const chosen = (fraction: number) => {
    const plain = evaluate("kl-cov", tokens, { fraction, coefficient: 0 }).slopes;
    const { slopes } = evaluate("kl-cov", tokens, { fraction, coefficient: 1 });
    return [...slopes].flatMap((slope, row) => (slope === plain[row] ? [] : [row]));
  };
  t.deepEqual(chosen(1 / 6), [2]);
  t.deepEqual(chosen(2 / 6), [2, 5]);
  t.deepEqual(chosen(3 / 6), [0, 2, 5]);
  t.deepEqual(chosen(4 / 6), [0, 1, 2, 5]);
});
