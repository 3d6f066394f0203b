/** Surrogates at their edges: kinks, limits, log-probs of −Infinity, and batches with nothing in them. */
import test from "ava";
import { SURROGATES } from "../../lib/surrogates/table.js";
import { Random } from "../support/inputs.js";
import { evaluate, randomBatch, tokensOf } from "./batches.js";

// The subgradient at a kink.

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

// Limits and infinities.

const far = {
  "far above": { logProbs: [-1, -1], oldLogProbs: [-51, -1] },
  "far below": { logProbs: [-51, -1], oldLogProbs: [-1, -1] },
  "not to be sampled before": { logProbs: [-1, -1], oldLogProbs: [-Infinity, -1] },
  "ruled out now": { logProbs: [-Infinity, -1], oldLogProbs: [-1, -1] },
  "ruled out by both": { logProbs: [-Infinity, -1], oldLogProbs: [-Infinity, -1] },
  "opposite infinities": { logProbs: [-Infinity, -1], oldLogProbs: [-1, -Infinity] },
} as const;

for (const { kind } of SURROGATES) {
  for (const [name, { logProbs, oldLogProbs }] of Object.entries(far)) {
    test(`${kind} is finite with a token ${name}`, (t) => {
      for (const advantages of [
        [1, 1],
        [-1, -1],
        [0, 0],
        [1, -1],
      ]) {
        for (const rolloutLogProbs of [undefined, oldLogProbs]) {
          const tokens = tokensOf({
            logProbs,
            oldLogProbs,
            advantages,
            ...(rolloutLogProbs && { rolloutLogProbs }),
          });
          const result = evaluate(
            kind,
            tokens,
            kind === "dppo" || kind === "kpop" ? { logRatioPenalty: 0.1 } : {},
          );
          for (const line of Object.values(result))
            t.true(line.every(Number.isFinite), `${advantages}`);
          if (kind !== "kl-cov" && kind !== "dppo" && kind !== "kpop" && advantages[0] === 0) {
            t.deepEqual([...result.values, ...result.slopes].map(Math.abs), [0, 0, 0, 0]);
          }
        }
      }
    });
  }

  test(`${kind}: no slope where the limit of the log-ratio holds the ratio`, (t) => {
    const ofLogProb = ["cispo", "cispo-two-sided", "vespo", "reinforce"].includes(kind);
    for (const advantage of [1, -1]) {
      for (const old of [-30, -1]) {
        const tokens = tokensOf({
          logProbs: [old === -1 ? -30 : -1],
          oldLogProbs: [old],
          advantages: [advantage],
        });
        const { slopes, ratios } = evaluate(
          kind,
          tokens,
          kind === "kl-cov" ? { coefficient: 0 } : {},
        );
        if (ofLogProb) t.true(Number.isFinite(slopes[0]));
        else t.is(Math.abs(slopes[0] as number), 0);
        t.true((ratios[0] as number) <= Math.exp(20));
      }
    }
  });

  test(`${kind}: a token that the policy rules out has no slope`, (t) => {
    for (const advantage of [1, -1]) {
      const tokens = tokensOf({
        logProbs: [-Infinity],
        oldLogProbs: [-1],
        advantages: [advantage],
      });
      const { slopes } = evaluate(kind, tokens, kind === "kl-cov" ? { coefficient: 0 } : {});
      t.is(Math.abs(slopes[0] as number), 0);
    }
  });

  // Masks.

  test(`${kind}: masked rows are not read, and come back 0`, (t) => {
    for (let seed = 0; seed < 10; seed++) {
      const batch = randomBatch(seed);
      const result = evaluate(kind, { ...batch, random: uniform(seed) });
      const zeros = (values: Float64Array) => values.map((x, i) => (batch.mask?.[i] === 0 ? 0 : x));
      const clean = evaluate(kind, {
        ...batch,
        logProbs: zeros(batch.logProbs),
        oldLogProbs: zeros(batch.oldLogProbs),
        rolloutLogProbs: batch.rolloutLogProbs && zeros(batch.rolloutLogProbs),
        advantages: zeros(batch.advantages),
        weights: zeros(batch.weights),
        random: uniform(seed),
      });
      t.deepEqual(result, clean);
      for (const line of Object.values(result)) t.deepEqual(line, zeros(line));
    }
  });

  test(`${kind}: nothing to count gives zeros`, (t) => {
    const none = tokensOf({
      logProbs: [Number.NaN, Number.NaN],
      advantages: [Number.NaN, 1],
      mask: [0, 0],
    });
    for (const line of Object.values(evaluate(kind, none))) t.deepEqual([...line], [0, 0]);
    const empty = tokensOf({ logProbs: [], advantages: [], offsets: [0, 0, 0] });
    for (const line of Object.values(evaluate(kind, empty))) t.is(line.length, 0);
  });

  test(`${kind}: without a mask every row counts`, (t) => {
    const given = {
      logProbs: [-1, -2, -0.5],
      oldLogProbs: [-1.1, -1.7, -0.5],
      advantages: [1, -1, 0.5],
    };
    t.deepEqual(
      evaluate(kind, tokensOf(given)),
      evaluate(kind, tokensOf({ ...given, mask: [1, 1, 1] })),
    );
  });
}

test("a token ruled out is marked as dropped where its log-prob is the loss", (t) => {
  const tokens = tokensOf({ logProbs: [-Infinity], oldLogProbs: [-1], advantages: [1] });
  for (const kind of ["cispo", "cispo-two-sided", "vespo", "reinforce"] as const) {
    t.deepEqual([...evaluate(kind, tokens).clips], [4], kind);
  }
});

// Draws.

const uniform = (seed: number) => {
  const random = new Random(seed);
  return () => random.uniform();
};

/** Six candidates of covariance 4 among twelve tokens. */
const many = {
  logProbs: [-1, -1, -1, -3, -3, -3, -5, -5, -5, -3, -3, -3],
  advantages: [2, 2, 2, 0, 0, 0, -2, -2, -2, 0, 0, 0],
};

function droppedWith(seed: number, fraction: number): number[] {
  const tokens = tokensOf({ ...many, random: uniform(seed) });
  const { clips } = evaluate("clip-cov", tokens, { fraction });
  return [...clips.keys()].filter((row) => clips[row] === 4);
}

test("clip-cov: the same seed drops the same tokens, other seeds drop others", (t) => {
  t.deepEqual(droppedWith(1, 0.2), droppedWith(1, 0.2));
  t.true(new Set(Array.from({ length: 20 }, (_, seed) => String(droppedWith(seed, 0.2)))).size > 5);
});

test("clip-cov: every candidate is drawn equally often, and nobody else", (t) => {
  const times = new Array<number>(12).fill(0);
  for (let seed = 0; seed < 3000; seed++) {
    const rows = droppedWith(seed, 0.2); // ⌊0.2 · 12⌋ = 2
    t.is(rows.length, 2);
    for (const row of rows) times[row] = (times[row] as number) + 1;
  }
  const candidates = [0, 1, 2, 6, 7, 8];
  times.forEach((count, row) => {
    // 1000 each, with a standard deviation of 26.
    if (candidates.includes(row)) t.true(Math.abs(count - 1000) < 130, `row ${row}: ${count}`);
    else t.is(count, 0);
  });
});

test("clip-cov: at least one token goes where there is a candidate, and a seed is always asked for", (t) => {
  t.is(droppedWith(0, 0).length, 1);
  const tokens = tokensOf({
    logProbs: [-1],
    advantages: [1],
    random: () => {
      throw new Error("no seed");
    },
  });
  t.throws(() => evaluate("clip-cov", tokens), { message: "no seed" });
});
