/** Numbers that can be had by hand, or with a pocket calculator: one small case for each surrogate. */
import test, { type ExecutionContext } from "ava";
import type { SurrogateResult } from "../../lib/surrogates/surrogate.js";
import { binaryKl } from "../../lib/surrogates/trust-region.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";
import { evaluate, lossOf, tokensOf } from "./batches.js";

const { LN2, E, SQRT2, SQRT1_2 } = Math;

/** Values, slopes and clips of each token. */
function is(
  t: ExecutionContext,
  result: SurrogateResult,
  values: readonly number[],
  slopes: readonly number[],
  clips: readonly number[] = values.map(() => 0),
): void {
  assertClose(t, "values", result.values, values, TOLERANCES.printed);
  assertClose(t, "slopes", result.slopes, slopes, TOLERANCES.printed);
  t.deepEqual([...result.clips], [...clips]);
}

/** Ratio 2 and ratio 1/2. */
const twice = { logProbs: [-1], oldLogProbs: [-1 - LN2] };
const half = { logProbs: [-1], oldLogProbs: [-1 + LN2] };

test("ppo-clip: the two sequences of the published example", (t) => {
  const tokens = tokensOf({
    logProbs: [-0.1, -1.2, -2.5, -0.7, -3, -0.05],
    oldLogProbs: [-0.3, -1, -2.1, -0.7, -4.2, -0.05],
    advantages: [1, 1, 1, -1, -1, -1],
    mask: [1, 1, 1, 1, 1, 0],
    weights: [0.2, 0.2, 0.2, 0.2, 0.2, 0],
    offsets: [0, 3, 6],
    clip: { low: 0.2, high: 0.3, dual: 3 },
  });
  const result = evaluate("ppo-clip", tokens);
  assertClose(t, "token mean", lossOf(result, tokens), 0.2579092885, TOLERANCES.printed);
  t.deepEqual([...result.clips], [0, 0, 0, 0, 3, 0]);
});

test("cispo: −min(2, cap)·A·ℓ with ℓ = −1", (t) => {
  const tokens = tokensOf({ ...twice, advantages: [0.5] });
  is(t, evaluate("cispo", tokens), [1], [-1]);
  is(t, evaluate("cispo", tokens, { ratioCap: 1.5 }), [0.75], [-0.75], [2]);
});

test("cispo-two-sided: the ratio is held at 1.28 and at 0.8", (t) => {
  is(t, evaluate("cispo-two-sided", tokensOf({ ...twice, advantages: [1] })), [1.28], [-1.28], [2]);
  is(t, evaluate("cispo-two-sided", tokensOf({ ...half, advantages: [-1] })), [-0.8], [0.8], [1]);
});

test("sapo: −4σ(1) and −8σ(1)σ(−1) at ratio 2; −2A/τ and −A at ratio 1", (t) => {
  is(
    t,
    evaluate("sapo", tokensOf({ ...twice, advantages: [1] })),
    [-2.9242343145],
    [-1.5728954659],
  );
  const even = tokensOf({ logProbs: [-1], advantages: [-3] });
  is(t, evaluate("sapo", even, { temperatureNegative: 2 }), [3], [3]);
});

test("gspo: log-ratios ln 2 and 0 make s = √2, and each token has half of the slope", (t) => {
  const tokens = tokensOf({
    logProbs: [-1, -1],
    oldLogProbs: [-1 - LN2, -1],
    advantages: [1, 1],
    weights: [0.25, 0.75],
    clip: { high: 1 },
  });
  const [s, each] = [SQRT2, SQRT1_2];
  is(t, evaluate("gspo", tokens), [-s, -s], [-each, -each]);
  is(
    t,
    evaluate("gspo", { ...tokens, clip: { low: 0.2, high: 0.28, dual: 0 } }),
    [-1.28, -1.28],
    [0, 0],
    [2, 2],
  );
});

test("gspo with unequal advantages pools the slopes, gspo-token does not", (t) => {
  const tokens = tokensOf({ logProbs: [-1, -1], advantages: [3, -1] });
  is(t, evaluate("gspo", tokens), [-3, 1], [-1, -1]);
  is(t, evaluate("gspo-token", tokens), [-3, 1], [-3, 1]);
});

test("gspo-token: log s is held at the maximum, without slope", (t) => {
  const tokens = tokensOf({ logProbs: [-1], oldLogProbs: [-3], advantages: [-1] });
  is(t, evaluate("gspo-token", tokens), [E ** 2], [E ** 2]);
  is(t, evaluate("gspo-token", tokens, { sequenceLogRatioMax: 1 }), [E], [0], [2]);
});

test("gmpo: log-ratios ln 2 (held at 0.28) and 0 make a mean of 0.14", (t) => {
  const tokens = tokensOf({
    logProbs: [-1, -1],
    oldLogProbs: [-1 - LN2, -1],
    advantages: [1, 1],
    weights: [0.5, 0.5],
  });
  const ratio = 1.1502737989;
  is(t, evaluate("gmpo", tokens), [-ratio, -ratio], [0, -ratio / 2], [2, 0]);
  // With A < 0 only the lower bound acts: the mean is ln 2 / 2.
  const down = { ...tokens, advantages: Float64Array.of(-1, -1) };
  is(t, evaluate("gmpo", down), [SQRT2, SQRT2], [SQRT1_2, SQRT1_2]);
});

test("vespo: φ(1) = 1; φ(2) = 4e^−3 for A ≥ 0 and 8e^−2 for A < 0, of the sum of log-ratios", (t) => {
  is(t, evaluate("vespo", tokensOf({ logProbs: [-1], advantages: [2] })), [2], [-2]);
  const two = { logProbs: [-1, -1], oldLogProbs: [-1 - LN2, -1] };
  const [up, down] = [0.1991482735, 1.0826822659];
  is(t, evaluate("vespo", tokensOf({ ...two, advantages: [1, 1] })), [up, up], [-up, -up]);
  is(
    t,
    evaluate("vespo", tokensOf({ ...two, advantages: [-1, -1] })),
    [-down, -down],
    [down, down],
  );
  t.deepEqual([...evaluate("vespo", tokensOf({ ...two, advantages: [1, 1] })).ratios], [2, 2]);
});

test("reinforce: −A·ℓ", (t) => {
  const tokens = tokensOf({ ...twice, advantages: [0.5], weights: [3] });
  is(t, evaluate("reinforce", tokens), [0.5], [-1.5]);
});

/** Covariances 2, 0, 0, 2 about means 0 and −2. */
const ordered = { logProbs: [-1, -2, -2, -3], advantages: [2, 0, 0, -2] };

test("clip-cov: drops the tokens of covariance 2 between 1 and 5, and none between 3 and 5", (t) => {
  const tokens = tokensOf(ordered);
  is(t, evaluate("clip-cov", tokens, { fraction: 1 }), [0, 0, 0, 0], [0, 0, 0, 0], [4, 0, 0, 4]);
  is(t, evaluate("clip-cov", tokens, { lower: 3 }), [-2, 0, 0, 2], [-2, 0, 0, 2]);
});

test("kl-cov: half of four tokens are the two of covariance 2", (t) => {
  const tokens = tokensOf({ ...ordered, oldLogProbs: [-1, -2, -2, -3 - LN2] });
  const result = evaluate("kl-cov", tokens, { fraction: 0.5, coefficient: 0.1 });
  is(t, result, [-2, 0, 0, 4 + 0.1 * LN2], [-2, 0, 0, 4.1]);
});

test("binary KL of 0.5 and 0.25 is ln 2 − ln 3 / 2", (t) => {
  assertClose(t, "D", binaryKl(0.5, 0.25), 0.1438410362, TOLERANCES.printed);
  t.is(binaryKl(0.3, 0.3), 0);
  assertClose(
    t,
    "D at the ends",
    binaryKl(1, 0),
    (1 - 2e-6) * Math.log((1 - 1e-6) / 1e-6),
    TOLERANCES.printed,
  );
});

test("kpop: 0.5 against 0.25 is dropped at 0.1 and kept at 0.2; the penalty is (ln 2)²", (t) => {
  const tokens = tokensOf({
    logProbs: [-LN2],
    rolloutLogProbs: [-2 * LN2],
    oldLogProbs: [-7],
    advantages: [1],
  });
  is(t, evaluate("kpop", tokens), [0], [0], [4]);
  is(t, evaluate("kpop", tokens, { limit: 0.2 }), [-2], [-2]);
  is(t, evaluate("kpop", tokens, { logRatioPenalty: 1 }), [0.4804530139], [1.3862943611], [4]);
});

test("dppo: 0.5 against 0.25 is dropped at 0.2 and kept at 0.25, whichever way A pulls", (t) => {
  const tokens = tokensOf({ logProbs: [-LN2], rolloutLogProbs: [-2 * LN2], advantages: [-1] });
  is(t, evaluate("dppo", tokens), [0], [0], [4]);
  is(t, evaluate("dppo", tokens, { high: 0.25 }), [2], [2]);
  is(t, evaluate("dppo", tokens, { conditional: true }), [2], [2]);
  const outward = { ...tokens, advantages: Float64Array.of(1) };
  is(t, evaluate("dppo", outward, { conditional: true }), [0], [0], [4]);
  // D(q‖p) = 0.25 ln 0.5 + 0.75 ln 1.5 = 0.1308
  is(t, evaluate("dppo", outward, { divergence: "kl", high: 0.13 }), [0], [0], [4]);
  is(t, evaluate("dppo", outward, { divergence: "kl", high: 0.131 }), [-2], [-2]);
});

test("icepop: ratio 2 is kept up to 5 and dropped above 1.5; without a sampler the old policy stands in", (t) => {
  const tokens = tokensOf({ ...twice, advantages: [1] });
  is(t, evaluate("icepop", tokens), [-2], [-2]);
  is(t, evaluate("icepop", tokens, { high: 1.5 }), [0], [0], [4]);
  const sampled = tokensOf({ ...twice, rolloutLogProbs: [-1], advantages: [1] });
  is(t, evaluate("icepop", sampled, { high: 1.5 }), [-1], [-1]);
});
