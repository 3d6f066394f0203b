/** The family at its edges: bounds met exactly, single tokens, infinite divergences, and every metric by hand. */
import test from "ava";
import { Objective } from "../../lib/index.js";
import { gradientsOf, valuesOf } from "./batches.js";
import {
  at,
  BATCH,
  COUNTED,
  close,
  EXACT,
  evaluate,
  MASK,
  perception,
  rowsOf,
  sequenceOf,
  sum,
  TOKENS,
} from "./family-batch.js";

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
  const one = new Objective({}).evaluate({ logProbs: [-1, -2, -3], advantages: [1, 1, 1] }).metrics;
  t.deepEqual([one.responseLengthMin, one.responseLengthMax, one.responseLengthMean], [3, 3, 3]);
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
  const without = evaluate({ ...exact, refKlCoef: 0.5 }, { gradients: false }, { refKl });
  t.deepEqual(gradientsOf(without), {});
  const infinite = { refKl: refKl.with(1, Infinity) };
  t.throws(() => evaluate({ ...exact, refKlCoef: 0.5 }, {}, infinite), {
    code: "ERR_NOT_FINITE",
    message: /refKl\[1\]/,
  });
  const unused = evaluate({ ...exact, refKlCoef: 0 }, {}, infinite);
  t.is(unused.terms.refKl, Infinity);
  t.true(Number.isFinite(unused.loss));
});
