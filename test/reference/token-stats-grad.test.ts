/** The gradients of the reference's statistics: against differences of the statistics themselves, and at the edges. */
import test from "ava";
import {
  COTANGENTS,
  type CotangentName,
  finiteDifference,
  tokenStats,
  tokenStatsGrad,
} from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { type DistributionName, makeBatch, Random } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";

const NONE = -Infinity;
const SIZE = { sequences: 2, tokens: 2, vocabSize: 5 };

/** Σ cotangent·statistic, the number whose gradients tokenStatsGrad gives. */
function weightedSum(
  options: Parameters<typeof tokenStats>[0],
  cotangents: Partial<Record<CotangentName, Float64Array>>,
): number {
  const stats = tokenStats(options);
  let sum = 0;
  for (const name of COTANGENTS) {
    cotangents[name]?.forEach((cotangent, row) => {
      sum += cotangent * stats[name][row]!;
    });
  }
  return sum;
}

function randomCotangents(rows: number, names: readonly CotangentName[] = COTANGENTS) {
  const random = new Random(99);
  const of = () => Float64Array.from({ length: rows }, () => random.normal());
  return Object.fromEntries(names.map((name) => [name, of()]));
}

/** Both gradients against differences; columns at −Infinity are left out, since nothing can be added to them. */
function assertGradients(
  t: Parameters<typeof assertClose>[0],
  batch: Parameters<typeof tokenStats>[0],
  cotangents: Partial<Record<CotangentName, Float64Array>>,
): void {
  const { gradLogits, gradMaskedLogits } = tokenStatsGrad({ ...batch, cotangents });
  const finite = (values: ArrayLike<number>): number[] =>
    Array.from(values, (value, i) => (Number.isFinite(value) ? i : -1)).filter((i) => i >= 0);
  for (const [name, gradient] of [
    ["logits", gradLogits],
    ["maskedLogits", gradMaskedLogits],
  ] as const) {
    const at = batch[name] as ArrayLike<number>;
    const elements = finite(at);
    const f = (x: Float64Array): number => weightedSum({ ...batch, [name]: x }, cotangents);
    const expected = finiteDifference(f, at, { elements });
    assertClose(t, name, gradient!, expected, TOLERANCES.finiteDifference);
  }
}

for (const name of COTANGENTS) {
  test(`the gradient of ${name} is that of its differences, in both logits`, (t) => {
    const batch = makeBatch({ ...SIZE, seed: 3, full: true });
    assertGradients(t, batch, randomCotangents(batch.rows, [name]));
  });
}

for (const distribution of ["plain", "near", "far", "peaked", "negative", "holes"] as const) {
  test(`all cotangents together hold on ${distribution} logits`, (t) => {
    const batch = makeBatch({ ...SIZE, seed: 4, distribution });
    assertGradients(t, batch, randomCotangents(batch.rows));
  });
}

test("gradients are those after the temperature", (t) => {
  const batch = { ...makeBatch({ ...SIZE, seed: 5 }), temperature: 0.7 };
  assertGradients(t, batch, randomCotangents(batch.rows));
});

test("the full-vocabulary golden gradients of the definition sheet hold", (t) => {
  const gradients = (cotangents: Partial<Record<CotangentName, number[]>>) =>
    tokenStatsGrad({
      logits: [2, 1, 0, -1],
      maskedLogits: [0.5, 1.5, 0, -0.5],
      tokenIds: [0],
      rows: 1,
      vocabSize: 4,
      cotangents,
    });
  const kl = gradients({ kl: [1] });
  const inLogits = [0.4305206368, -0.3153859449, -0.0724518458, -0.0426828462];
  const inMasked = [-0.4308169556, 0.3423757119, 0.0421057298, 0.0463355139];
  assertClose(t, "kl in z", kl.gradLogits, inLogits, TOLERANCES.printed);
  assertClose(t, "kl in z_m", kl.gradMaskedLogits!, inMasked, TOLERANCES.printed);
  const entropy = [-0.3266881389, 0.1167009681, 0.1300762057, 0.0799109651];
  const { gradLogits } = gradients({ entropy: [1] });
  assertClose(t, "entropy in z", gradLogits, entropy, TOLERANCES.printed);
});

test("every row of a gradient sums to 0, since a constant in the logits changes nothing", (t) => {
  const batch = makeBatch({ seed: 6, vocabSize: 50 });
  const cotangents = randomCotangents(batch.rows);
  const { gradLogits, gradMaskedLogits } = tokenStatsGrad({ ...batch, cotangents });
  for (const gradient of [gradLogits, gradMaskedLogits!]) {
    for (let row = 0; row < batch.rows; row++) {
      const sum = gradient.subarray(row * 50, (row + 1) * 50).reduce((a, b) => a + b, 0);
      t.true(Math.abs(sum) < 1e-14, `row ${row}: ${sum}`);
    }
  }
});

test("the gradients of two almost equal policies keep their digits", (t) => {
  // To first order in δ, KL's gradient in z is −p(1 − p)·δ for the moved token, and the opposite in z_m.
  const delta = 1e-7;
  const p = 1 / (1 + Math.exp(-1));
  const { gradLogits, gradMaskedLogits } = tokenStatsGrad({
    logits: [1, 0],
    maskedLogits: [1 + delta, 0],
    tokenIds: [0],
    rows: 1,
    vocabSize: 2,
    cotangents: { kl: [1] },
  });
  const slope = p * (1 - p) * delta;
  assertClose(t, "in z", gradLogits, [-slope, slope], { rtol: 1e-6, atol: 0 });
  assertClose(t, "in z_m", gradMaskedLogits!, [slope, -slope], { rtol: 1e-6, atol: 0 });
});

test("the gradient of a nearly certain token keeps its digits", (t) => {
  const { gradLogits } = tokenStatsGrad({
    logits: [50, 0],
    tokenIds: [0],
    rows: 1,
    vocabSize: 2,
    cotangents: { logProbs: [1] },
  });
  const tail = Math.exp(-50);
  assertClose(t, "gradient", gradLogits, [tail, -tail], { rtol: 1e-14, atol: 0 });
});

test("a logit of −Infinity gets gradient exactly 0 and disturbs no other", (t) => {
  const dense = {
    logits: [2, 1, 0],
    maskedLogits: [1, 1, 3],
    tokenIds: [2],
    rows: 1,
    vocabSize: 3,
  };
  const holes = {
    logits: [2, NONE, 1, NONE, 0],
    maskedLogits: [1, NONE, 1, NONE, 3],
    tokenIds: [4],
    rows: 1,
    vocabSize: 5,
  };
  const cotangents = randomCotangents(1);
  const plain = tokenStatsGrad({ ...dense, cotangents });
  const holey = tokenStatsGrad({ ...holes, cotangents });
  for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
    const [a, b, c] = plain[name]!;
    t.deepEqual([...holey[name]!], [a, 0, b, 0, c], name);
  }
});

test("the log-probability of an impossible token still has gradient −p in the other logits", (t) => {
  const { gradLogits } = tokenStatsGrad({
    logits: [NONE, 0, 0],
    tokenIds: [0],
    rows: 1,
    vocabSize: 3,
    cotangents: { logProbs: [2] },
  });
  assertClose(t, "gradient", gradLogits, [0, -1, -1], TOLERANCES.float64);
});

test("an infinite divergence is no obstacle where its cotangent is 0, and an error where it is not", (t) => {
  const options = {
    logits: [1, 0, -1],
    maskedLogits: [1, NONE, 0],
    tokenIds: [0],
    rows: 1,
    vocabSize: 3,
  };
  const { gradLogits, gradMaskedLogits } = tokenStatsGrad({
    ...options,
    cotangents: { kl: [0], entropy: [1], reverseKl: [1] },
  });
  t.true([...gradLogits, ...gradMaskedLogits!].every(Number.isFinite));
  const error = t.throws(() => tokenStatsGrad({ ...options, cotangents: { kl: [1] } }));
  t.like(error, { code: "ERR_NOT_FINITE", row: 0 });
});

test("rows that do not count are not read and get gradient 0", (t) => {
  const { gradLogits } = tokenStatsGrad({
    logits: [Number.NaN, Number.NaN, 1, 0],
    tokenIds: [-100, 1],
    responseMask: [0, 1],
    rows: 2,
    vocabSize: 2,
    cotangents: { logProbs: [Number.NaN, 1] },
  });
  t.deepEqual([...gradLogits.subarray(0, 2)], [0, 0]);
  t.true(gradLogits[2]! < 0 && gradLogits[3]! > 0);
});

test("gradScale scales and cotangents add up", (t) => {
  const batch = makeBatch({ ...SIZE, seed: 8, distribution: "plain" satisfies DistributionName });
  const cotangents = randomCotangents(batch.rows);
  const whole = tokenStatsGrad({ ...batch, cotangents, gradScale: 3 });
  const sum = new Float64Array(whole.gradLogits.length);
  for (const name of COTANGENTS) {
    const part = tokenStatsGrad({ ...batch, cotangents: { [name]: cotangents[name] } });
    for (let i = 0; i < sum.length; i++) sum[i]! += 3 * part.gradLogits[i]!;
  }
  assertClose(t, "gradLogits", whole.gradLogits, sum, TOLERANCES.float64);
});

test("a cotangent that is not finite is refused by its row", (t) => {
  const batch = makeBatch({ ...SIZE, full: true });
  const kl = new Float64Array(batch.rows);
  kl[2] = Number.NaN;
  const error = t.throws(() => tokenStatsGrad({ ...batch, cotangents: { kl } }));
  t.like(error, { code: "ERR_NOT_FINITE", row: 2 });
});
