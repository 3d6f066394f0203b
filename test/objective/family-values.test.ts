/** What each key of the family makes of a small batch, against its formula written out here in plain float64. */
import test from "ava";
import { type EvaluateOptions, Objective, type ObjectiveSpecInput } from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";
import { valuesOf } from "./batches.js";

// Three sequences of 4, 3 and 2 tokens, the last token of the second does not count.
const OFFSETS = [0, 4, 7, 9];
const MASK = [1, 1, 1, 1, 1, 1, 0, 1, 1];
const BATCH = {
  logProbs: [-0.4, -1.3, -2.2, -0.1, -0.9, -0.6, Number.NaN, -1.7, -0.3],
  oldLogProbs: [-0.5, -1.1, -2.0, -0.2, -1.2, -0.6, Number.NaN, -1.5, -0.2],
  rolloutLogProbs: [-0.6, -1.3, -1.4, -0.2, -2.4, -0.5, Number.NaN, -1.6, -0.9],
  refLogProbs: [-0.7, -1.2, -2.6, -0.1, -1.0, -0.4, Number.NaN, -1.6, -0.5],
  maskedLogProbs: [-1.4, -1.2, -2.9, -0.8, -0.7, -2.1, Number.NaN, -1.9, -0.35],
  entropy: [0.4, 1.9, 2.3, 0.05, 1.1, 0.8, 0, 1.5, 0.3],
  maskedEntropy: [0.9, 2.1, 2.4, 0.6, 1.2, 1.3, 0, 1.4, 0.2],
  advantages: [1.2, -0.7, 0.4],
  accuracies: [0.9, 0.05, 0.5],
  responseMask: MASK,
  cuSeqlens: OFFSETS,
};
const EXACT = { entropyEstimator: "exact", maskedBranch: "differentiable" } as const;
const COUNTED = [0, 1, 2, 3, 4, 5, 7, 8];
const TOKENS = COUNTED.length;
const NONE = { denominatorEpsilon: 0 };

const at = (values: readonly number[], row: number) => values[row] as number;
const sequenceOf = (row: number) => (row < 4 ? 0 : row < 7 ? 1 : 2);
const rowsOf = (s: number) => COUNTED.filter((row) => sequenceOf(row) === s);
const sum = (rows: readonly number[], f: (row: number) => number) =>
  rows.reduce((total, row) => total + f(row), 0);
const delta = (row: number) => at(BATCH.logProbs, row) - at(BATCH.oldLogProbs, row);
const advantage = (row: number) => at(BATCH.advantages, sequenceOf(row));
/** PPO's clip at ±0.2. */
const surrogate = (row: number, A = advantage(row)) => {
  const r = Math.exp(delta(row));
  return -Math.min(r * A, Math.min(Math.max(r, 0.8), 1.2) * A);
};
/** k3 of the masked policy. */
const perception = (row: number) => {
  const x = at(BATCH.maskedLogProbs, row) - at(BATCH.logProbs, row);
  return Math.exp(x) - x - 1;
};

function evaluate(spec: ObjectiveSpecInput, options: EvaluateOptions = {}, more: object = {}) {
  return new Objective({ ...NONE, ...spec }).evaluate({ ...BATCH, ...more }, options);
}

/** Linear interpolation between sorted values, as numpy has it. */
function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const low = Math.floor(place);
  const [a, b] = [sorted[low] as number, sorted[Math.min(low + 1, sorted.length - 1)] as number];
  return a + (place - low) * (b - a);
}

function close(t: Parameters<typeof assertClose>[0], name: string, a: number, b: number): void {
  assertClose(t, name, a, b, TOLERANCES.engineRows);
}

test("perceptionWeighting: weights of sequences, over all tokens", (t) => {
  const coef = { perceptionKlCoef: 0.1 };
  for (const [perceptionWeighting, weight] of [
    ["correct-only", [1, 0, 1]],
    ["accuracy-weighted", [1, 0.1, 1]],
  ] as const) {
    const { terms, loss } = evaluate({ ...coef, perceptionWeighting });
    const expected = sum(COUNTED, (row) => at(weight, sequenceOf(row)) * perception(row)) / TOKENS;
    close(t, perceptionWeighting, terms.perceptionKl, expected);
    close(t, "loss", loss, sum(COUNTED, surrogate) / TOKENS - 0.1 * expected);
  }
  const none = evaluate({ ...coef, perceptionWeighting: "correct-only", correctThreshold: 1 });
  t.is(none.terms.perceptionKl, 0);
});

test("perceptionTokenMask: the authors' quantile of each sequence over all tokens, or of the kept", (t) => {
  const keeps = (row: number) =>
    perception(row) >= quantile(rowsOf(sequenceOf(row)).map(perception), 1 - 0.5);
  const kept = COUNTED.filter(keeps);
  t.true(kept.length < TOKENS);
  const all = evaluate({ perceptionTokenMask: { top: 0.5 } });
  close(t, "all", all.terms.perceptionKl, sum(kept, perception) / TOKENS);
  close(t, "fraction", all.metrics.perceptionTokenFraction as number, kept.length / TOKENS);
  const own = evaluate({ perceptionTokenMask: { top: 0.5, denominator: "kept" } });
  close(t, "kept", own.terms.perceptionKl, sum(kept, perception) / kept.length);
  const means = evaluate({
    perceptionTokenMask: { top: 0.5, denominator: "kept" },
    reduction: "seq-mean-token-mean",
  });
  const mean = sum([0, 1, 2], (s) => {
    const rows = rowsOf(s).filter(keeps);
    return sum(rows, perception) / rows.length / 3;
  });
  close(t, "means", means.terms.perceptionKl, mean);
});

test("perceptionTokenMask ranks tokens before perceptionKlMax holds them", (t) => {
  const spec = {
    perceptionTokenMask: { top: 0.25, level: "batch" },
    perceptionKlMax: 0.1,
  } as const;
  const bound = quantile(COUNTED.map(perception), 0.75);
  const kept = COUNTED.filter((row) => perception(row) >= bound);
  const { terms } = evaluate(spec);
  close(t, "held", terms.perceptionKl, sum(kept, (row) => Math.min(perception(row), 0.1)) / TOKENS);
});

test("perceptionKlMin and perceptionKlMax hold the value, with no gradient beyond them", (t) => {
  const spec = { perceptionKlCoef: 1, perceptionKlMin: 0.05, perceptionKlMax: 0.2, refKlCoef: 0 };
  const { terms, gradLogProbs } = evaluate(
    { ...spec, maskedBranch: "constant" },
    {},
    {
      advantages: [0, 0, 0],
    },
  );
  const held = (row: number) => Math.min(Math.max(perception(row), 0.05), 0.2);
  close(t, "value", terms.perceptionKl, sum(COUNTED, held) / TOKENS);
  const gradient = valuesOf(gradLogProbs);
  for (const row of COUNTED) {
    const x = at(BATCH.maskedLogProbs, row) - at(BATCH.logProbs, row);
    const free = perception(row) >= 0.05 && perception(row) <= 0.2;
    close(t, `slope ${row}`, at([...gradient], row), free ? -(1 - Math.exp(x)) / TOKENS : 0);
  }
});

test("policyTokenMask: the surrogate on the tokens of top entropy or top perception", (t) => {
  const byEntropy = quantile(
    COUNTED.map((row) => at(BATCH.entropy, row)),
    1 - 0.5,
  );
  const top = COUNTED.filter((row) => at(BATCH.entropy, row) >= byEntropy);
  const entropy = evaluate({ policyTokenMask: { by: "entropy", top: 0.5 } });
  close(t, "entropy", entropy.terms.surrogate, sum(top, (row) => surrogate(row)) / TOKENS);
  close(t, "fraction", entropy.metrics.policyTokenFraction as number, top.length / TOKENS);
  const gradient = valuesOf(entropy.gradLogProbs);
  for (const row of COUNTED) if (!top.includes(row)) t.is(gradient[row], 0);
  // ⌈0.4 · n⌉ of each sequence: 2, 1 and 1 tokens.
  const counts = [2, 1, 1];
  const first = [0, 1, 2].flatMap((s) =>
    rowsOf(s)
      .sort((a, b) => perception(b) - perception(a))
      .slice(0, counts[s]),
  );
  const vppo = evaluate({
    policyTokenMask: { by: "perception", top: 0.4, level: "sequence", choice: "count" },
  });
  close(t, "count", vppo.terms.surrogate, sum(first, (row) => surrogate(row)) / TOKENS);
});

test("advantageShaping: VPPO's factors, 1 on average", (t) => {
  const means = [0, 1, 2].map((s) => sum(rowsOf(s), perception) / rowsOf(s).length);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const n = means.map((mean) => (mean - low) / (high - low));
  const average = (n[0] as number) / 3 + (n[1] as number) / 3 + (n[2] as number) / 3;
  const factors = n.map((value) => 0.9 + (value * 0.1) / (average + 1e-8));
  const { terms } = evaluate({ advantageShaping: { kind: "vppo" } });
  const expected = sum(COUNTED, (row) =>
    surrogate(row, advantage(row) * at(factors, sequenceOf(row))),
  );
  close(t, "surrogate", terms.surrogate, expected / TOKENS);
});

test("offPolicyMask: negative advantages of far sequences are dropped", (t) => {
  const gap = (s: number) =>
    sum(rowsOf(s), (row) => at(BATCH.rolloutLogProbs, row) - at(BATCH.logProbs, row)) /
    rowsOf(s).length;
  // Only the second sequence has a negative advantage.
  for (const [threshold, isKept] of [
    [gap(1) - 0.01, false],
    [gap(1), true],
  ] as const) {
    const { terms, metrics } = evaluate({ offPolicyMask: { threshold } });
    const kept = COUNTED.filter((row) => isKept || sequenceOf(row) !== 1);
    close(t, "surrogate", terms.surrogate, sum(kept, (row) => surrogate(row)) / TOKENS);
    close(t, "fraction", metrics.offPolicyKeptFraction as number, kept.length / TOKENS);
  }
});

test("rolloutCorrection: the surrogate times bounded ratios, no other term", (t) => {
  const ratio = (row: number) =>
    Math.exp(at(BATCH.oldLogProbs, row) - at(BATCH.rolloutLogProbs, row));
  const plain = evaluate({ refKlCoef: 0.1, perceptionKlCoef: 0.1 });
  const truncated = evaluate({ refKlCoef: 0.1, perceptionKlCoef: 0.1, rolloutCorrection: {} });
  const expected = sum(COUNTED, (row) => Math.min(ratio(row), 2) * surrogate(row)) / TOKENS;
  close(t, "truncated", truncated.terms.surrogate, expected);
  t.is(truncated.terms.refKl, plain.terms.refKl);
  t.is(truncated.terms.perceptionKl, plain.terms.perceptionKl);
  const above = COUNTED.filter((row) => ratio(row) > 2).length;
  t.true(above > 0);
  close(t, "clipped", truncated.metrics.rolloutClippedFraction as number, above / TOKENS);
  const product = (s: number) => Math.exp(sum(rowsOf(s), (row) => Math.log(ratio(row))));
  const masked = evaluate({ rolloutCorrection: { level: "sequence", mode: "mask", max: 3 } });
  const inside = (row: number) => (product(sequenceOf(row)) <= 3 ? product(sequenceOf(row)) : 0);
  close(
    t,
    "masked",
    masked.terms.surrogate,
    sum(COUNTED, (row) => inside(row) * surrogate(row)) / TOKENS,
  );
  const k1 = sum(COUNTED, (row) => -Math.log(ratio(row))) / TOKENS;
  close(t, "rolloutKl", masked.metrics.rolloutKl as number, k1);
});

test("metrics of the sampler and of the surrogate's ratios", (t) => {
  const mean = (rows: readonly number[], f: (row: number) => number) => sum(rows, f) / rows.length;
  const log = (row: number) => at(BATCH.oldLogProbs, row) - at(BATCH.rolloutLogProbs, row);
  const ofSequences = (f: (rows: readonly number[]) => number) =>
    mean([0, 1, 2], (s) => f(rowsOf(s)));
  const { metrics } = evaluate({
    surrogate: { kind: "icepop", low: 0.75, high: 2 },
    rolloutCorrection: { max: 3, min: 0.6 },
  });
  const metric = (name: keyof typeof metrics, expected: number) =>
    close(t, name, metrics[name] as number, expected);
  // The surrogate's ratio is to the sampler.
  const own = (row: number) => Math.exp(at(BATCH.logProbs, row) - at(BATCH.rolloutLogProbs, row));
  const ratios = COUNTED.map(own);
  const dropped = ratios.filter((ratio) => ratio < 0.75 || ratio > 2).length;
  t.true(dropped > 0 && dropped < TOKENS / 2);
  metric("surrogateRatioMean", mean(COUNTED, own));
  metric("surrogateRatioMin", Math.min(...ratios));
  metric("surrogateRatioMax", Math.max(...ratios));
  metric("droppedFraction", dropped / TOKENS);

  metric(
    "rolloutKl",
    mean(COUNTED, (row) => -log(row)),
  );
  metric(
    "rolloutKl3",
    mean(COUNTED, (row) => Math.exp(log(row)) - 1 - log(row)),
  );
  metric(
    "rolloutPerplexityGap",
    ofSequences((rows) => mean(rows, (row) => -log(row))),
  );
  metric(
    "rolloutPerplexity",
    ofSequences((rows) => Math.exp(-mean(rows, (row) => at(BATCH.rolloutLogProbs, row)))),
  );
  metric(
    "oldPerplexity",
    ofSequences((rows) => Math.exp(-mean(rows, (row) => at(BATCH.oldLogProbs, row)))),
  );
  metric("rolloutChiSquareToken", mean(COUNTED, (row) => Math.exp(log(row)) ** 2) - 1);
  metric("rolloutChiSquareSequence", ofSequences((rows) => Math.exp(sum(rows, log)) ** 2) - 1);

  const weights = COUNTED.map((row) => Math.min(Math.max(Math.exp(log(row)), 0.6), 3));
  const total = weights.reduce((all, weight) => all + weight, 0);
  const squares = weights.reduce((all, weight) => all + weight ** 2, 0);
  const clipped = COUNTED.filter((row) => Math.exp(log(row)) < 0.6 || Math.exp(log(row)) > 3);
  t.true(clipped.length > 0);
  metric("rolloutWeightMean", total / TOKENS);
  metric("rolloutWeightMin", 0.6);
  metric("rolloutWeightMax", 3);
  metric("rolloutClippedFraction", clipped.length / TOKENS);
  metric("rolloutKeptFraction", 1);
  metric("rolloutEffectiveSampleSize", total ** 2 / (TOKENS * squares));
});

test("lengths are of counted tokens, and a batch of no sequences has none", (t) => {
  const found = evaluate({}).metrics;
  t.deepEqual(
    [found.responseLengthMin, found.responseLengthMax, found.responseLengthMean],
    [2, 4, 8 / 3],
  );
  const { metrics, loss } = new Objective({}).evaluate({
    logProbs: [],
    advantages: [],
    cuSeqlens: [0],
  });
  const { responseLengthMin, responseLengthMax, responseLengthMean } = metrics;
  t.deepEqual([loss, responseLengthMin, responseLengthMax, responseLengthMean], [0, 0, 0, 0]);
});

test("infinite divergences are counted where only one of the two is measured", (t) => {
  const some = [0.1, Infinity, 0.2, 0.3, 0.4, Infinity, Infinity, 0.5, 0.6];
  const none = some.map((_, row) => (row === 0 ? Infinity : 0.5));
  for (const [given, infinite] of [
    [{ kl: some }, 2],
    [{ reverseKl: some }, 2],
    [{ kl: some, reverseKl: none }, 3],
  ] as const) {
    t.is(evaluate({}, {}, given).metrics.infiniteKlTokens, infinite);
  }
  t.is(evaluate({}).metrics.infiniteKlTokens, undefined);
});

test("entropyBounds: hinges of every token, and of the mean", (t) => {
  const coefs = { ...EXACT, entropyCoef: 1, maskedEntropyCoef: 1 };
  const hinge = (H: number, low: number, high: number) =>
    Math.max(0, low - H) + Math.max(0, H - high);
  const token = evaluate({ ...coefs, entropyBounds: {} });
  const expected = (values: readonly number[]) =>
    sum(COUNTED, (row) => hinge(at(values, row), 0.1, 2)) / TOKENS;
  close(t, "token", token.terms.entropy, expected(BATCH.entropy));
  close(t, "masked", token.terms.maskedEntropy, expected(BATCH.maskedEntropy));
  const slopes = COUNTED.map((row) => {
    const H = at(BATCH.entropy, row);
    return H < 0.1 ? -1 / TOKENS : H > 2 ? 1 / TOKENS : 0;
  });
  const gradient = valuesOf(token.gradEntropy);
  COUNTED.forEach((row, i) => {
    close(t, `slope ${row}`, gradient[row] as number, slopes[i] as number);
  });
  const mean = sum(COUNTED, (row) => at(BATCH.entropy, row)) / TOKENS;
  const bounds = { low: 0.1, high: mean - 0.3, level: "batch" } as const;
  const batch = evaluate({ ...coefs, entropyBounds: bounds });
  close(t, "batch", batch.terms.entropy, 0.3);
  t.true(valuesOf(batch.gradEntropy).every((x, row) => x === (MASK[row] === 0 ? 0 : 1 / TOKENS)));
  // The hinge is of the mean whatever the reduction; its sum is as large as the weights are.
  const sums = { reduction: "sum", entropyReduction: "same" } as const;
  const summed = evaluate({ ...coefs, ...sums, entropyBounds: bounds });
  close(t, "sum", summed.terms.entropy, 0.3 * TOKENS);
  const inside = evaluate({ ...coefs, entropyBounds: { ...bounds, high: mean + 0.1 } });
  t.is(inside.terms.entropy, 0);
  t.true(valuesOf(inside.gradEntropy).every((x) => x === 0));
});

test("entropyBounds: a mean below its lower bound is raised, one at a bound is left alone", (t) => {
  const coefs = { ...EXACT, entropyCoef: 0.5, maskedEntropyCoef: 0.25 };
  const means = [BATCH.entropy, BATCH.maskedEntropy].map(
    (values) => sum(COUNTED, (row) => at(values, row)) / TOKENS,
  );
  const [mean, masked] = means as [number, number];
  const low = Math.max(mean, masked) + 0.2;
  for (const high of [null, low + 1]) {
    const bounds = { low, high, level: "batch" } as const;
    const { terms, loss, gradEntropy, gradMaskedEntropy } = evaluate({
      ...coefs,
      entropyBounds: bounds,
    });
    close(t, "value", terms.entropy, low - mean);
    close(t, "masked", terms.maskedEntropy, low - masked);
    close(t, "loss", loss, terms.surrogate + 0.5 * (low - mean) + 0.25 * (low - masked));
    for (const row of COUNTED) {
      close(t, `slope ${row}`, valuesOf(gradEntropy)[row] as number, -0.5 / TOKENS);
      close(t, `masked ${row}`, valuesOf(gradMaskedEntropy)[row] as number, -0.25 / TOKENS);
    }
  }
  // Powers of two, whose mean is exact.
  const even = { entropy: new Array(9).fill(0.5), maskedEntropy: new Array(9).fill(0.5) };
  for (const bounds of [
    { low: 0.5, high: null },
    { low: null, high: 0.5 },
  ]) {
    const spec = { ...coefs, entropyBounds: { ...bounds, level: "batch" } } as const;
    const { terms, gradEntropy } = evaluate(spec, {}, even);
    t.is(terms.entropy, 0);
    t.true(valuesOf(gradEntropy).every((x) => x === 0));
  }
});

test("entropyBounds: a mean of sampled entropies, to which an impossible token adds nothing", (t) => {
  const logProbs = BATCH.logProbs.with(2, -Infinity);
  const spec = { entropyCoef: 1, entropyBounds: { low: 3, high: null, level: "batch" } } as const;
  const rows = COUNTED.filter((row) => row !== 2);
  const mean = sum(rows, (row) => -at(logProbs, row)) / TOKENS;
  const { terms } = evaluate({ entropyEstimator: "sampled", ...spec }, {}, { logProbs });
  close(t, "value", terms.entropy, 3 - mean);
});

test("sftCoef: a single token has all of the weight, and one that is ruled out no slope", (t) => {
  const accuracies = [0, 0, 1];
  const responseMask = MASK.map((bit, row) => (row === 8 ? 0 : bit));
  const only = evaluate({ sftCoef: 0.5 }, {}, { accuracies, responseMask, advantages: [0, 0, 0] });
  close(t, "sft", only.terms.sft as number, -at(BATCH.logProbs, 7));
  const gradient = valuesOf(only.gradLogProbs);
  t.deepEqual([...gradient].map(Math.abs), [0, 0, 0, 0, 0, 0, 0, 0.5, 0]);
  t.is(gradient[7], -0.5);
  const logProbs = BATCH.logProbs.with(8, -Infinity);
  const slopes = valuesOf(
    evaluate({ sftCoef: 0.5 }, { gradients: true }, { accuracies, logProbs, advantages: [0, 0, 0] })
      .gradLogProbs,
  );
  close(t, "the other", slopes[7] as number, -0.25);
  t.is(Math.abs(slopes[8] as number), 0);
});

test("an accuracy of exactly correctThreshold is not correct", (t) => {
  const accuracies = [0.9, 0.05, 0.5];
  const spec = { perceptionKlCoef: 0.1, perceptionWeighting: "correct-only", sftCoef: 1 } as const;
  for (const [correctThreshold, correct] of [
    [0.5, [0]],
    [0.49, [0, 2]],
  ] as const) {
    const { terms } = evaluate({ ...spec, correctThreshold }, {}, { accuracies });
    const rows = correct.flatMap(rowsOf);
    close(t, "perception", terms.perceptionKl, sum(rows, perception) / TOKENS);
    const expected = sum(rows, (row) => -at(BATCH.logProbs, row)) / rows.length;
    close(t, "sft", terms.sft as number, expected);
  }
});

test("sftCoef: denominatorEpsilon is added to the count of correct tokens", (t) => {
  const correct = COUNTED.filter((row) => sequenceOf(row) !== 1);
  const { terms } = evaluate({ sftCoef: 0.5, denominatorEpsilon: 2 });
  const expected = sum(correct, (row) => -at(BATCH.logProbs, row)) / (correct.length + 2);
  close(t, "sft", terms.sft as number, expected);
});

test("tokens of sequences are counts of all, which a mean over kept tokens cannot divide by", (t) => {
  const policyTokenMask = { by: "entropy", top: 0.5, denominator: "kept" } as const;
  const denominators = { sequenceTokens: [4, 2, 2] };
  t.throws(
    () => evaluate({ policyTokenMask, reduction: "seq-mean-token-mean" }, { denominators }),
    {
      code: "ERR_ARGUMENT",
      message: /a mask of tokens that divides by "all" with denominators\.sequenceTokens/,
    },
  );
  for (const reduction of ["sum", "seq-mean-token-sum"] as const) {
    const { loss } = evaluate({ policyTokenMask, reduction }, { denominators });
    t.is(loss, evaluate({ policyTokenMask, reduction }).loss);
  }
});

test("an exact KL to the reference has the weight of its token, and must be finite where it is a loss", (t) => {
  const refKl = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, Number.NaN, 0.8, 0.9];
  const exact = { refKlEstimator: "exact", reduction: "sum" } as const;
  const { terms, gradRefKl } = evaluate({ ...exact, refKlCoef: 0.5 }, {}, { refKl });
  close(t, "value", terms.refKl, 3.8);
  t.deepEqual(
    [...valuesOf(gradRefKl)],
    MASK.map((bit) => bit / 2),
  );
  const infinite = { refKl: refKl.with(1, Infinity) };
  t.throws(() => evaluate({ ...exact, refKlCoef: 0.5 }, {}, infinite), {
    code: "ERR_NOT_FINITE",
    message: /refKl\[1\]/,
  });
  const unused = evaluate({ ...exact, refKlCoef: 0 }, {}, infinite);
  t.is(unused.terms.refKl, Infinity);
  t.true(Number.isFinite(unused.loss));
});

test("entropyAnnealing: both entropies follow γ as the authors have it", (t) => {
  const schedule = { kind: "linear", from: 0.04, to: 0.01, steps: 10 } as const;
  const spec = { perceptionKlCoef: schedule, entropyCoef: 0.2, maskedEntropyCoef: 0.1 };
  const own = evaluate(spec, { step: 5 });
  t.is(own.coefficients.entropy, 0.2);
  const together = evaluate({ ...spec, entropyAnnealing: "with-perception" }, { step: 5 });
  close(t, "γ", together.coefficients.perceptionKl, 0.025);
  close(t, "η", together.coefficients.entropy, 0.2 * (0.025 / 0.04));
  close(t, "η of the masked", together.coefficients.maskedEntropy, 0.1 * (0.025 / 0.04));
  const given = evaluate(
    { ...spec, entropyAnnealing: "with-perception" },
    { coefficients: { perceptionKl: 0.02 }, step: 0 },
  );
  close(t, "given", given.coefficients.entropy, 0.1);
  t.throws(() => new Objective({ entropyAnnealing: "with-perception" }), {
    code: "ERR_RANGE",
    message: /perceptionKlCoef to begin above 0 with entropyAnnealing "with-perception"/,
  });
});

test("sftCoef: the token mean of −log-prob over correct sequences", (t) => {
  const { terms, loss, gradLogProbs, metrics } = evaluate({ sftCoef: 0.5 });
  const correct = COUNTED.filter((row) => sequenceOf(row) !== 1);
  const expected = sum(correct, (row) => -at(BATCH.logProbs, row)) / correct.length;
  close(t, "sft", terms.sft as number, expected);
  close(t, "loss", loss, terms.surrogate + 0.5 * expected);
  const without = valuesOf(evaluate({}).gradLogProbs);
  const gradient = valuesOf(gradLogProbs);
  for (const row of COUNTED) {
    const slope = correct.includes(row) ? -0.5 / correct.length : 0;
    close(t, `slope ${row}`, (gradient[row] as number) - (without[row] as number), slope);
  }
  t.true((metrics.gradShareSft as number) > 0);
  t.is(evaluate({}).terms.sft, undefined);
  t.is(evaluate({ sftCoef: 0.5, correctThreshold: 2 }).terms.sft, 0);
});

test("emptySequences: verl's mean leaves out what TRL's counts", (t) => {
  const responseMask = MASK.map((bit, row) => (sequenceOf(row) === 1 ? 0 : bit));
  const mean = (over: number) =>
    sum([0, 2], (s) => sum(rowsOf(s), (row) => surrogate(row)) / rowsOf(s).length) / over;
  for (const [emptySequences, over] of [
    ["count", 3],
    ["skip", 2],
  ] as const) {
    const spec = { reduction: "seq-mean-token-mean", emptySequences } as const;
    close(t, emptySequences, evaluate(spec, {}, { responseMask }).terms.surrogate, mean(over));
  }
});

test("coefficients of one evaluation take the place of the spec's, without a step", (t) => {
  const schedule = { kind: "linear", from: 0.04, to: 0.01, steps: 10 } as const;
  const spec = { refKlCoef: schedule, perceptionKlCoef: 0.1 };
  const { loss, terms, coefficients } = evaluate(spec, { coefficients: { refKl: 0.3 } });
  t.is(coefficients.refKl, 0.3);
  close(t, "loss", loss, terms.surrogate + 0.3 * terms.refKl - 0.1 * terms.perceptionKl);
  for (const [coefficients, code, message] of [
    [
      { refKl: Number.NaN },
      "ERR_RANGE",
      /coefficients\.refKl to be a finite number, received NaN$/,
    ],
    [{ refKl: -Infinity }, "ERR_RANGE", /coefficients\.refKl to be a finite number/],
    [{ refKl: "1" }, "ERR_ARGUMENT", /coefficients\.refKl to be a finite number, received "1"$/],
    [{ beta: 1 }, "ERR_ARGUMENT", /coefficients to hold only/],
    [3, "ERR_ARGUMENT", /coefficients to be an object/],
  ] as const) {
    t.throws(() => evaluate({}, { coefficients } as never), { code, message });
  }
});

test("parts of a batch with the whole's counts are the whole, where tokens are on their own", (t) => {
  const spec = {
    sftCoef: 0.3,
    perceptionKlCoef: 0.1,
    perceptionWeighting: "correct-only",
    perceptionTokenMask: { top: 0.5, denominator: "kept" },
    policyTokenMask: { by: "perception", top: 0.5, level: "sequence", denominator: "kept" },
  } as const;
  const whole = evaluate(spec);
  const kept = Math.round(TOKENS * (whole.metrics.policyTokenFraction as number));
  const denominators = {
    tokens: TOKENS,
    sequences: 3,
    policyTokens: kept,
    perceptionTokens: kept,
    correctTokens: 6,
    worldSize: 2,
  };
  const part = (s: number) => {
    const rows = (values: readonly number[]) => values.slice(OFFSETS[s], OFFSETS[s + 1]);
    const length = at(OFFSETS, s + 1) - at(OFFSETS, s);
    const more = Object.fromEntries(
      Object.entries(BATCH).map(([name, values]) =>
        name === "advantages" || name === "accuracies"
          ? [name, values.slice(s, s + 1)]
          : [name, rows(values)],
      ),
    );
    return evaluate(spec, { denominators }, { ...more, cuSeqlens: [0, length] });
  };
  const parts = [0, 1, 2].map(part);
  close(
    t,
    "loss",
    parts.reduce((total, one) => total + one.loss / 2, 0),
    whole.loss,
  );
  const gradient = parts.flatMap((one) => [...valuesOf(one.gradLogProbs)].map((x) => x / 2));
  assertClose(t, "gradient", gradient, valuesOf(whole.gradLogProbs), TOLERANCES.engineRows);
});

const REFUSED: readonly [ObjectiveSpecInput, EvaluateOptions, object, string, RegExp][] = [
  [{ sftCoef: 1 }, {}, { accuracies: undefined }, "ERR_ARGUMENT", /accuracies, since sftCoef is 1/],
  [
    { perceptionKlCoef: 1, perceptionWeighting: "correct-only" },
    {},
    { accuracies: undefined },
    "ERR_ARGUMENT",
    /accuracies, since perceptionWeighting is "correct-only"/,
  ],
  [{}, {}, { accuracies: [1, 2] }, "ERR_SHAPE", /accuracies \[3\], received \[2\]/],
  [{}, {}, { accuracies: [1, Number.NaN, 0] }, "ERR_NOT_FINITE", /accuracies\[1\]/],
  [
    { rolloutCorrection: {} },
    {},
    { rolloutLogProbs: undefined },
    "ERR_ARGUMENT",
    /rolloutLogProbs, since rolloutCorrection is on/,
  ],
  [
    { rolloutCorrection: {} },
    {},
    { oldLogProbs: undefined },
    "ERR_ARGUMENT",
    /oldLogProbs, since rolloutCorrection is on/,
  ],
  [
    { policyTokenMask: { by: "entropy", top: 0.5 } },
    {},
    { entropy: undefined },
    "ERR_ARGUMENT",
    /entropy, since policyTokenMask is by "entropy"/,
  ],
  [
    { advantageShaping: { kind: "vppo" } },
    {},
    { maskedLogProbs: undefined },
    "ERR_ARGUMENT",
    /since advantageShaping is "vppo"/,
  ],
  [
    { policyTokenMask: { by: "perception", top: 0.5, denominator: "kept" } },
    { denominators: { tokens: 20 } },
    {},
    "ERR_ARGUMENT",
    /denominators.policyTokens beside denominators.tokens/,
  ],
  [
    { sftCoef: 1 },
    { denominators: { tokens: 20 } },
    {},
    "ERR_ARGUMENT",
    /denominators.correctTokens beside denominators.tokens/,
  ],
  [{ surrogate: "clip-cov" }, {}, {}, "ERR_ARGUMENT", /seed, since surrogate "clip-cov" draws/],
  [{ surrogate: "clip-cov" }, { seed: 0.5 }, {}, "ERR_RANGE", /seed to be an integer/],
  [
    { perceptionKlMin: 1, perceptionKlMax: 0.5 },
    {},
    {},
    "ERR_RANGE",
    /perceptionKlMax to be at least/,
  ],
  [{ surrogate: { kind: "kl-cov", fraction: 0 } }, {}, {}, "ERR_RANGE", /surrogate.fraction/],
  [{ surrogate: { kind: "clip-cov", fraction: 0 } }, {}, {}, "ERR_RANGE", /surrogate.fraction/],
  [
    { entropyBounds: { low: null, high: null } },
    {},
    {},
    "ERR_ARGUMENT",
    /entropyBounds to have low, high or both/,
  ],
  [{ entropyBounds: { low: 3 } }, {}, {}, "ERR_RANGE", /entropyBounds.high to be at least/],
  [
    { policyTokenMask: { top: 0.5 } as never },
    {},
    {},
    "ERR_ARGUMENT",
    /policyTokenMask.by to be one of/,
  ],
  [{ perceptionTokenMask: {} }, {}, {}, "ERR_ARGUMENT", /perceptionTokenMask.top to be a number/],
  [
    { perceptionTokenMask: { top: 2 } },
    {},
    {},
    "ERR_RANGE",
    /perceptionTokenMask.top to be a number/,
  ],
  [{ rolloutCorrection: { max: Infinity } }, {}, {}, "ERR_RANGE", /rolloutCorrection.max/],
  [
    { offPolicyMask: {} as never },
    {},
    {},
    "ERR_ARGUMENT",
    /offPolicyMask.threshold to be a number/,
  ],
];

test("what is missing or makes no sense is refused by name", (t) => {
  for (const [spec, options, more, code, message] of REFUSED) {
    t.throws(() => evaluate(spec, options, more), { code, message }, JSON.stringify(spec));
  }
});
