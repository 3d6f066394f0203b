/** Surrogates at their edges: limits, log-probs of −Infinity, and batches with nothing in them. */
import test from "ava";
import { parametersOf } from "../../lib/surrogates/describe.js";
import { SURROGATES, type SurrogateKind } from "../../lib/surrogates/table.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";
import { evaluate, randomBatch, tokensOf, uniform } from "./batches.js";

const far = {
  "far above": { logProbs: [-1, -1], oldLogProbs: [-51, -1] },
  "far below": { logProbs: [-51, -1], oldLogProbs: [-1, -1] },
  "not to be sampled before": { logProbs: [-1, -1], oldLogProbs: [-Infinity, -1] },
  "ruled out now": { logProbs: [-Infinity, -1], oldLogProbs: [-1, -1] },
  "ruled out by both": { logProbs: [-Infinity, -1], oldLogProbs: [-Infinity, -1] },
  "opposite infinities": { logProbs: [-Infinity, -1], oldLogProbs: [-1, -Infinity] },
} as const;

test("the ratio of a sequence goes where most of its tokens' infinite log-ratios go", (t) => {
  const [none, some] = [-Infinity, -1];
  const ratioOf = (logProbs: number[], oldLogProbs: number[]) => {
    const advantages = logProbs.map(() => 1);
    const tokens = tokensOf({ logProbs, oldLogProbs, advantages, logRatioLimit: 20 });
    return evaluate("gspo", tokens).ratios[0];
  };
  t.is(ratioOf([none, -1], [some, -3]), Math.exp(-20));
  t.is(ratioOf([some, -1], [none, -3]), Math.exp(20));
  t.is(ratioOf([none, none, some], [some, some, none]), Math.exp(-20));
  t.is(ratioOf([some, some, none], [none, none, some]), Math.exp(20));
  // Opposite ones leave the others: (−1 − (−3)) / 4 and (−2 − (−2.5)) / 4.
  t.is(ratioOf([none, some, -1, -2], [some, none, -3, -2.5]), Math.exp(2.5 / 4));
});

test("a loss on the log-prob of a token that the policy rules out is dropped", (t) => {
  for (const kind of ["cispo", "cispo-two-sided", "vespo", "reinforce"] as const) {
    const tokens = tokensOf({ logProbs: [-Infinity], oldLogProbs: [-1], advantages: [1] });
    const { values, slopes, clips } = evaluate(kind, tokens);
    t.deepEqual([values[0], slopes[0], clips[0]], [0, 0, 4], kind);
  }
});

/** Penalties, where a surrogate has one, switched on. */
const penalised = (kind: SurrogateKind) =>
  kind === "dppo" || kind === "kpop" ? { logRatioPenalty: 0.1 } : {};

for (const definition of SURROGATES) {
  const { kind } = definition;
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
          const result = evaluate(kind, tokens, penalised(kind));
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
        const { slopes, ratios } = evaluate(kind, tokens, penalised(kind));
        if (ofLogProb) t.true(Number.isFinite(slopes[0]));
        else t.is(Math.abs(slopes[0] as number), 0);
        t.true((ratios[0] as number) <= Math.exp(20));
      }
    }
  });

  test(`${kind}: a token that the policy rules out has no slope`, (t) => {
    for (const advantage of [1, -1]) {
      for (const old of [-1, -Infinity]) {
        const tokens = tokensOf({
          logProbs: [-Infinity, -1],
          oldLogProbs: [old, -1.1],
          advantages: [advantage, advantage],
        });
        const { slopes } = evaluate(kind, tokens, penalised(kind));
        t.is(Math.abs(slopes[0] as number), 0);
      }
    }
  });

  test(`${kind}: where the advantage is 0 there is nothing to lose and nothing to hold`, (t) => {
    for (const log of [-30, -1, 0, 1, 30]) {
      const tokens = tokensOf({ logProbs: [-40], oldLogProbs: [-40 - log], advantages: [0] });
      const { values, slopes, clips } = evaluate(
        kind,
        tokens,
        kind === "kl-cov" ? { coefficient: 0 } : {},
      );
      for (const line of [values, slopes, clips]) t.is(line[0], 0);
    }
  });

  test(`${kind} is finite with every parameter at the ends of its range`, (t) => {
    for (const { name, min, above, max, words, default: value } of parametersOf(definition)) {
      const ends =
        typeof value === "number"
          ? [min ?? above ?? -1e6, (above ?? 0) + 1e-6, max ?? 1e6]
          : (words ?? [true]);
      for (const end of ends.filter((x) => x !== above)) {
        for (const log of [-25, -15, -0.5, 0, 0.5, 15, 25]) {
          const tokens = tokensOf({
            logProbs: [-30, -1],
            oldLogProbs: [-30 - log, -1],
            advantages: [1, -1],
          });
          const result = evaluate(kind, tokens, { [name]: end });
          for (const line of Object.values(result))
            t.true(line.every(Number.isFinite), `${name} ${end} ${log}`);
        }
      }
    }
    t.pass();
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

test("vespo holds w within 1e-8 and e^logRatioLimit, and says so", (t) => {
  const below = tokensOf({ logProbs: [-20], oldLogProbs: [-1], advantages: [1] });
  const phi = Math.exp(3 + 2 * Math.log(1e-8) - 3e-8);
  const low = evaluate("vespo", below);
  assertClose(t, "φ", low.slopes, [-phi], TOLERANCES.engineRows);
  assertClose(t, "w", low.ratios, [1e-8], TOLERANCES.engineRows);
  t.deepEqual([...low.clips], [1]);
  const above = tokensOf({
    logProbs: [-1, -1],
    oldLogProbs: [-3, -3],
    advantages: [1, 1],
    logRatioLimit: 3,
  });
  const high = evaluate("vespo", above); // the sum of 4 is held at 3
  assertClose(t, "w", high.ratios, [Math.exp(3), Math.exp(3)], TOLERANCES.engineRows);
  const small = Math.exp(3 + 6 - 3 * Math.exp(3));
  assertClose(t, "φ", high.slopes, [-small, -small], { rtol: 1e-12, atol: 0 });
  t.deepEqual([...high.clips], [2, 2]);
});

test("a token that the policy rules out takes no part in covariances", (t) => {
  // Covariances 2.25, 0, 0 and 2.75 without it.
  const rest = { logProbs: [-1, -2, -2, -3], advantages: [2, 0, 0, -3] };
  const tokens = tokensOf({
    logProbs: [-Infinity, ...rest.logProbs],
    oldLogProbs: [0, 0, 0, 0, 0],
    advantages: [9, ...rest.advantages],
  });
  const moved = ({ slopes }: { slopes: Float64Array }, plain: { slopes: Float64Array }) =>
    [...slopes.keys()].filter((row) => slopes[row] !== plain.slopes[row]);
  const plain = evaluate("kl-cov", tokens, { coefficient: 0 });
  t.deepEqual(moved(evaluate("kl-cov", tokens), plain), [4]);
});

test("a token ruled out is marked as dropped where its log-prob is the loss", (t) => {
  const tokens = tokensOf({ logProbs: [-Infinity], oldLogProbs: [-1], advantages: [1] });
  for (const kind of ["cispo", "cispo-two-sided", "vespo", "reinforce"] as const) {
    t.deepEqual([...evaluate(kind, tokens).clips], [4], kind);
  }
});

for (const kind of ["gspo", "gspo-token", "gmpo"] as const) {
  test(`${kind}: opposite infinities cancel and leave the sequence's other log-ratios whole`, (t) => {
    // log-ratios +∞, 0.07, −∞, 0.05; GMPO clips what its advantages push outward, so they alternate.
    const tokens = tokensOf({
      logProbs: [-1, -1, -Infinity, -1],
      oldLogProbs: [-Infinity, -1.07, -1, -1.05],
      advantages: kind === "gmpo" ? [-1, 1, 1, 1] : [1, 1, 1, 1],
    });
    const { ratios } = evaluate(kind, tokens);
    assertClose(
      t,
      "ratios",
      ratios,
      new Array(4).fill(Math.exp((0.07 + 0.05) / 4)),
      TOLERANCES.reference,
    );
  });
}
