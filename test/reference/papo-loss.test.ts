/** The whole loss of the reference: the definition sheet's numbers, gradients against differences, layouts, edges. */
import test from "ava";
import {
  type CotangentName,
  finiteDifference,
  objectiveOfStatistics,
  type PapoLossOptions,
  papoLoss,
  REDUCTIONS,
} from "../../lib/reference/index.js";
import { type Assertions, assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";

const NONE = -Infinity;

// The sampled numbers of the definition sheet: two sequences of three tokens, the last one is padding.

const SHEET = {
  statistics: {
    logProbs: [-0.1, -1.2, -2.5, -0.7, -3.0, -0.05],
    maskedLogProbs: [-0.9, -1.0, -6.5, -0.7, -0.2, -0.05],
  },
  oldLogProbs: [-0.3, -1.0, -2.1, -0.7, -4.2, -0.05],
  refLogProbs: [-0.2, -1.1, -2.5, -0.9, -2.0, -0.06],
  advantages: [1, -1],
  responseMask: [1, 1, 1, 1, 1, 0],
  sequences: 2,
  denominatorEpsilon: 0,
};
const PAPO_G_7B = {
  clipLow: 0.2,
  clipHigh: 0.3,
  clipDual: 3,
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  entropyCoef: 0.05,
  maskedEntropyCoef: 0.05,
};
const PAPO_D = {
  ...PAPO_G_7B,
  clipHigh: 0.28,
  refKlCoef: 0,
  perceptionKlCoef: 0.01,
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.03,
};

for (const [reduction, expected] of [
  ["token-mean", [0.2579092885, 0.1494041835, 2.6578094722, 0.3742471409]],
  ["seq-mean-token-mean", [0.5482577405, 0.1859212014, 3.0481745602, 0.6571534613]],
] as const) {
  test(`the sheet's terms and its PAPO-G total by ${reduction} hold`, (t) => {
    const { loss, terms } = objectiveOfStatistics({ ...SHEET, ...PAPO_G_7B, reduction });
    const actual = [terms.surrogate, terms.refKl, terms.perceptionKl, loss];
    assertClose(t, "terms", actual, expected, TOLERANCES.printed);
    const entropies = [terms.entropy, terms.maskedEntropy];
    assertClose(t, "entropies", entropies, [1.5, 1.86], TOLERANCES.float64);
  });
}

test("the sheet's PAPO-D total holds", (t) => {
  const { loss } = objectiveOfStatistics({ ...SHEET, ...PAPO_D });
  assertClose(t, "loss", loss, 0.3321311938, TOLERANCES.printed);
});

test("the sheet's clip fractions, mean log-ratio and per-token perception KL hold", (t) => {
  const { metrics, tokenTerms } = objectiveOfStatistics({ ...SHEET, ...PAPO_G_7B });
  const { clipFractionLow, clipFractionHigh, clipFractionDual, approxKl } = metrics;
  t.deepEqual([clipFractionLow, clipFractionHigh, clipFractionDual], [0, 0, 0.2]);
  assertClose(t, "approxKl", approxKl, -0.16, TOLERANCES.float64);
  const kl = [0.2493289641, 0.0214027582, 3.0183156389, 0, 10, 0];
  assertClose(t, "perceptionKl", tokenTerms.perceptionKl, kl, TOLERANCES.printed);
});

test("the sheet's slopes in the log-probs hold", (t) => {
  const { cotangents } = objectiveOfStatistics({ ...SHEET, ...PAPO_G_7B });
  const slopes = [-0.2562929, -0.1730709, -0.1479907, 0.1903625, -0.0134366, 0];
  assertClose(t, "logProbs", cotangents.logProbs, slopes, TOLERANCES.printedShort);
});

test("the epsilon of the denominators shrinks a token mean by as much", (t) => {
  const { loss } = objectiveOfStatistics({ ...SHEET, ...PAPO_G_7B });
  const { denominatorEpsilon: _, ...sheet } = SHEET;
  const shrunk = objectiveOfStatistics({ ...sheet, ...PAPO_G_7B });
  assertClose(t, "loss", shrunk.loss, loss / (1 + 1e-8 / 5), { rtol: 1e-15, atol: 0 });
});

// Gradients against differences of the loss.

const EVERYTHING = {
  clipHigh: 0.3,
  clipDual: 3,
  refKlCoef: 0.5,
  perceptionKlCoef: 0.4,
  entropyCoef: 0.3,
  maskedEntropyCoef: 0.2,
  maskedBranch: "differentiable",
} as const;

const SMALL = { sequences: 2, tokens: 3, vocabSize: 4, full: true } as const;

function assertGradients(t: Assertions, options: PapoLossOptions): void {
  const { gradLogits, gradMaskedLogits } = papoLoss(options);
  for (const [name, gradient] of [
    ["logits", gradLogits],
    ["maskedLogits", gradMaskedLogits],
  ] as const) {
    const f = (x: Float64Array): number => papoLoss({ ...options, [name]: x }).loss;
    const isConstant = name === "maskedLogits" && options.maskedBranch === "constant";
    const at = options[name] as ArrayLike<number>;
    const expected = isConstant ? new Float64Array(at.length) : finiteDifference(f, at);
    assertClose(t, name, gradient!, expected, TOLERANCES.finiteDifference);
  }
}

for (const estimator of [
  "k1",
  "k2",
  "k3",
  "abs",
  "unbiased",
  "jsd",
  "exact",
  "exact-reverse",
] as const) {
  for (const distribution of ["plain", "far"] as const) {
    test(`the gradients with ${estimator} on ${distribution} policies are those of differences`, (t) => {
      const exact = estimator.startsWith("exact");
      assertGradients(t, {
        ...makeBatch({ ...SMALL, distribution, seed: 21 }),
        ...EVERYTHING,
        perceptionKlEstimator: estimator,
        entropyEstimator: exact ? "exact" : "sampled",
        refKlEstimator: exact ? "k3" : (estimator as "k1"),
        exactKlLimit: 3,
      });
    });
  }
}

for (const reduction of REDUCTIONS) {
  for (const entropyReduction of ["token-mean", "same"] as const) {
    test(`the gradients by ${reduction}, entropies ${entropyReduction}, are those of differences`, (t) => {
      assertGradients(t, {
        ...makeBatch({ ...SMALL, full: false, seed: 22 }),
        ...EVERYTHING,
        reduction,
        entropyReduction,
        temperature: 0.8,
      });
    });
  }
}

test("a constant masked branch takes no gradient, and the policy's is that of differences", (t) => {
  for (const perceptionKlEstimator of ["k3", "exact"] as const) {
    assertGradients(t, {
      ...makeBatch({ ...SMALL, seed: 23 }),
      ...EVERYTHING,
      perceptionKlEstimator,
      entropyEstimator: "exact",
      maskedBranch: "constant",
    });
  }
});

test("masked log-probs as constants give the loss and the gradient of a constant masked branch", (t) => {
  const { maskedLogits, ...batch } = makeBatch({ seed: 24 });
  const whole = papoLoss({ ...batch, maskedLogits, ...EVERYTHING, maskedBranch: "constant" });
  const { maskedLogProbs } = whole.tokens;
  const constants = papoLoss({ ...batch, maskedLogProbs, ...EVERYTHING });
  t.is(constants.loss, whole.loss);
  t.deepEqual(constants.gradLogits, whole.gradLogits);
  t.deepEqual(constants.tokenTerms, whole.tokenTerms);
  t.is(constants.gradMaskedLogits, undefined);
});

// Layouts and denominators.

test("packed sequences give the numbers of padded ones", (t) => {
  const padded = makeBatch({ seed: 25, sequences: 4 });
  const kept = [...padded.responseMask.keys()].filter((row) => padded.responseMask[row] === 1);
  const lengths = [0, 1, 2, 3].map(
    (s) => kept.filter((row) => Math.floor(row / padded.tokens) === s).length,
  );
  t.is(lengths[1], 0, "one sequence is empty");
  const rowsOf = (logits: Float32Array): number[] =>
    kept.flatMap((row) => [...logits.subarray(row * 7, (row + 1) * 7)]);
  const pick = (values: ArrayLike<number>): number[] => kept.map((row) => values[row]!);
  const cuSeqlens = [0];
  for (const length of lengths) cuSeqlens.push(cuSeqlens.at(-1)! + length);
  const packed = {
    rows: kept.length,
    vocabSize: 7,
    cuSeqlens,
    logits: rowsOf(padded.logits),
    maskedLogits: rowsOf(padded.maskedLogits),
    tokenIds: pick(padded.tokenIds),
    oldLogProbs: pick(padded.oldLogProbs),
    refLogProbs: pick(padded.refLogProbs),
    advantages: pick(padded.advantages),
  };
  for (const reduction of REDUCTIONS) {
    const spec = { ...EVERYTHING, reduction, entropyReduction: "same" } as const;
    // A packed batch does not know how wide the padding was.
    const denominators = { maxLength: padded.tokens };
    const a = papoLoss({ ...padded, ...spec });
    const b = papoLoss({ ...packed, ...spec, denominators });
    assertClose(t, reduction, b.loss, a.loss, TOLERANCES.float64);
    const gradient = kept.flatMap((row) => [...a.gradLogits.subarray(row * 7, (row + 1) * 7)]);
    assertClose(t, reduction, b.gradLogits, gradient, TOLERANCES.float64);
  }
});

test("micro-batches with the denominators of the whole add up to it", (t) => {
  const whole = makeBatch({ seed: 26, sequences: 4 });
  const tokensOf = (mask: Int32Array): number => mask.reduce((sum, bit) => sum + bit, 0);
  const denominators = { tokens: tokensOf(whole.responseMask), sequences: 4 };
  for (const reduction of REDUCTIONS) {
    const spec = { ...EVERYTHING, reduction } as const;
    const { loss, gradLogits } = papoLoss({ ...whole, ...spec });
    let sum = 0;
    const gradients: number[] = [];
    for (let s = 0; s < 4; s++) {
      const [from, to] = [s * whole.tokens, (s + 1) * whole.tokens];
      const cut = <A extends Float64Array | Int32Array>(values: A) => values.subarray(from, to);
      const part = papoLoss({
        ...spec,
        denominators,
        rows: whole.tokens,
        vocabSize: 7,
        logits: whole.logits.subarray(from * 7, to * 7),
        maskedLogits: whole.maskedLogits.subarray(from * 7, to * 7),
        tokenIds: cut(whole.tokenIds),
        oldLogProbs: cut(whole.oldLogProbs),
        refLogProbs: cut(whole.refLogProbs),
        advantages: cut(whole.advantages),
        responseMask: cut(whole.responseMask),
      });
      sum += part.loss;
      gradients.push(...part.gradLogits);
    }
    assertClose(t, reduction, sum, loss, TOLERANCES.float64);
    assertClose(t, reduction, gradients, gradLogits, TOLERANCES.float64);
  }
});

test("advantages by sequence are those of each of its tokens", (t) => {
  const batch = makeBatch({ seed: 27 });
  const bySequence = [0.5, -1, 2];
  const byRow = [...batch.tokenIds.keys()].map((row) => bySequence[Math.floor(row / 4)]!);
  const a = papoLoss({ ...batch, advantages: bySequence });
  const b = papoLoss({ ...batch, advantages: byRow });
  t.is(a.loss, b.loss);
  t.not(a.loss, papoLoss(batch).loss);
});

test("gradScale scales the gradients and not the loss", (t) => {
  const batch = makeBatch({ seed: 28 });
  const plain = papoLoss({ ...batch, ...EVERYTHING });
  const scaled = papoLoss({ ...batch, ...EVERYTHING, gradScale: 8 });
  t.is(scaled.loss, plain.loss);
  t.deepEqual([...scaled.gradLogits], [...plain.gradLogits.map((x) => 8 * x)]);
});

// Edges.

test("a batch without counted tokens has loss, terms, metrics and gradients 0", (t) => {
  const batch = makeBatch({ seed: 29 });
  for (const reduction of REDUCTIONS) {
    const result = papoLoss({
      ...batch,
      ...EVERYTHING,
      reduction,
      denominatorEpsilon: 0,
      responseMask: new Int32Array(batch.rows),
    });
    t.is(result.loss, 0);
    t.true(Object.values(result.terms).every((x) => x === 0));
    t.true(Object.values(result.metrics).every((x) => x === 0));
    t.true(result.gradLogits.every((x) => x === 0));
    t.true(result.gradMaskedLogits!.every((x) => x === 0));
  }
});

test("what stands in rows that do not count changes nothing", (t) => {
  const batch = makeBatch({ seed: 30 });
  const { responseMask, rows, vocabSize } = batch;
  const poison = <A extends Float32Array | Float64Array>(values: A, value: number): A => {
    const copy = values.slice() as A;
    const size = values.length / rows;
    for (let row = 0; row < rows; row++) {
      if (responseMask[row] === 0) copy.fill(value, row * size, (row + 1) * size);
    }
    return copy;
  };
  const poisoned = {
    ...batch,
    logits: poison(batch.logits, Number.NaN),
    maskedLogits: poison(batch.maskedLogits, NONE),
    oldLogProbs: poison(batch.oldLogProbs, Number.NaN),
    refLogProbs: poison(batch.refLogProbs, Number.NaN),
    advantages: poison(batch.advantages, Infinity),
    tokenIds: batch.tokenIds.map((id, row) => (responseMask[row] === 0 ? -100 : id)),
  };
  t.is(vocabSize * rows, batch.logits.length);
  t.deepEqual(papoLoss({ ...poisoned, ...EVERYTHING }), papoLoss({ ...batch, ...EVERYTHING }));
});

test("a skipped row is a row that does not count", (t) => {
  const batch = makeBatch({ seed: 31, full: true });
  const logits = batch.logits.slice();
  logits[2 * 7 + 3] = Number.NaN;
  const responseMask = batch.responseMask.map((bit, row) => (row === 2 ? 0 : bit));
  const skipped = papoLoss({ ...batch, logits, ...EVERYTHING, onInvalid: "skip" });
  const masked = papoLoss({ ...batch, ...EVERYTHING, responseMask });
  t.is(skipped.loss, masked.loss);
  t.deepEqual(skipped.gradLogits, masked.gradLogits);
  t.deepEqual(skipped.metrics, masked.metrics);
  const error = t.throws(() => papoLoss({ ...batch, logits, ...EVERYTHING }));
  t.like(error, { code: "ERR_NOT_FINITE", row: 2 });
});

test("sampled tokens at −Infinity leave loss and gradients finite", (t) => {
  const batch = makeBatch({ seed: 32, full: true });
  const logits = batch.logits.slice();
  const maskedLogits = batch.maskedLogits.slice();
  logits[batch.tokenIds[0]!] = NONE;
  maskedLogits[batch.tokenIds[0]!] = NONE;
  logits[7 + batch.tokenIds[1]!] = NONE;
  const result = papoLoss({ ...batch, logits, maskedLogits, ...EVERYTHING });
  t.true(Number.isFinite(result.loss));
  t.true([...result.gradLogits, ...result.gradMaskedLogits!].every(Number.isFinite));
  t.is(result.tokens.logProbs[1], NONE);
});

for (const [what, wrong, code] of [
  ["a reference term without reference log-probs", { refLogProbs: undefined }, "ERR_ARGUMENT"],
  ["a perception term without a masked policy", { maskedLogits: undefined }, "ERR_ARGUMENT"],
  ["masked logits and masked log-probs", { maskedLogProbs: [0] }, "ERR_ARGUMENT"],
  ["sequences that do not divide the rows", { sequences: 5 }, "ERR_SHAPE"],
  ["offsets that do not end at the rows", { cuSeqlens: [0, 3] }, "ERR_RANGE"],
  ["offsets that fall", { cuSeqlens: [0, 6, 3, 12] }, "ERR_RANGE"],
  ["advantages of another length", { advantages: [1, 2] }, "ERR_SHAPE"],
  ["an unknown reduction", { reduction: "none" }, "ERR_ARGUMENT"],
  ["a negative count", { denominators: { tokens: -1 } }, "ERR_RANGE"],
] as const) {
  test(`${what}: refused`, (t) => {
    const options = { ...makeBatch(), ...EVERYTHING, ...wrong } as unknown as PapoLossOptions;
    t.throws(() => papoLoss(options), { name: "PapoError", code });
  });
}

test("an exact term needs statistics over the vocabulary", (t) => {
  const { maskedLogits, ...batch } = makeBatch();
  const { maskedLogProbs } = papoLoss({ ...batch, maskedLogits }).tokens;
  for (const spec of [
    { perceptionKlCoef: 0.1, perceptionKlEstimator: "exact" },
    { maskedEntropyCoef: 0.1, entropyEstimator: "exact" },
  ] as const) {
    t.throws(() => papoLoss({ ...batch, maskedLogProbs, ...spec }), { code: "ERR_ARGUMENT" });
  }
});

/** Σ over the tokens of a policy of its probability times the gradients of one estimator, with logits of both free. */
function expectedGradients(estimator: "jsd", logits: number[], maskedLogits: number[]) {
  const sums = { logits: new Float64Array(4), maskedLogits: new Float64Array(4) };
  for (let tokenId = 0; tokenId < 4; tokenId++) {
    const { tokens, gradLogits, gradMaskedLogits } = papoLoss({
      ...{ logits, maskedLogits, rows: 1, vocabSize: 4, denominatorEpsilon: 0 },
      tokenIds: [tokenId],
      perceptionKlCoef: -1,
      perceptionKlEstimator: estimator,
      maskedBranch: "differentiable",
    });
    const probability = Math.exp(tokens.logProbs[0]!);
    for (let v = 0; v < 4; v++) {
      sums.logits[v]! += probability * gradLogits[v]!;
      sums.maskedLogits[v]! += probability * gradMaskedLogits![v]!;
    }
  }
  return sums;
}

test("on policy the expected gradient of jsd is that of the divergence in the masked logits, and in the policy's of another", (t) => {
  const logits = [2, 1, 0, -1];
  const maskedLogits = [0.5, 1.5, 0, -0.5];
  const softmax = (z: ArrayLike<number>) => {
    const powers = Array.from(z, Math.exp);
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  };
  const p = softmax(logits);
  const divergence = (z: Float64Array): number =>
    softmax(z).reduce((sum, q, v) => {
      const middle = (p[v]! + q) / 2;
      return sum + (p[v]! * Math.log(p[v]! / middle) + q * Math.log(q / middle)) / 2;
    }, 0);
  const expected = expectedGradients("jsd", logits, maskedLogits);
  const masked = finiteDifference(divergence, Float64Array.from(maskedLogits));
  assertClose(t, "masked", expected.maskedLogits, masked, TOLERANCES.finiteDifference);
  // In the policy's: −½ Σ q log(2q/(p + q)) ∇ log p, as the documentation says.
  const q = softmax(maskedLogits);
  const slopes = q.map((x, v) => (-x * Math.log((2 * x) / (p[v]! + x))) / 2);
  const sum = slopes.reduce((a, b) => a + b, 0);
  const policy = slopes.map((slope, v) => slope - p[v]! * sum);
  assertClose(t, "policy", expected.logits, policy, TOLERANCES.float64);
});

// What the estimators optimise, as their documentation says: expectations over the vocabulary, exactly.

for (const [estimator, direction] of [
  ["k1", undefined],
  ["k2", "kl"],
  ["k3", "reverseKl"],
  ["k3+", "kl"],
  ["unbiased", "kl"],
] as const) {
  const gradientOf = direction === undefined ? "nothing" : `the ${direction}`;
  test(`on policy the expected gradient of ${estimator} is that of ${gradientOf}`, (t) => {
    const logits = [2, 1, 0, -1];
    const maskedLogits = [0.5, 1.5, 0, -0.5];
    const shape = { logits, maskedLogits, rows: 1, vocabSize: 4, denominatorEpsilon: 0 };
    const expectation = new Float64Array(4);
    for (let tokenId = 0; tokenId < 4; tokenId++) {
      const { tokens, gradLogits } = papoLoss({
        ...shape,
        tokenIds: [tokenId],
        perceptionKlCoef: -1,
        perceptionKlEstimator: estimator,
      });
      const probability = Math.exp(tokens.logProbs[0]!);
      for (let v = 0; v < 4; v++) expectation[v]! += probability * gradLogits[v]!;
    }
    const exactEstimator = { kl: "exact", reverseKl: "exact-reverse" } as const;
    const exact = papoLoss({
      ...shape,
      tokenIds: [0],
      perceptionKlCoef: direction === undefined ? 0 : -1,
      perceptionKlEstimator: exactEstimator[(direction ?? "kl") satisfies CotangentName],
    });
    assertClose(t, estimator, expectation, exact.gradLogits, TOLERANCES.float64);
  });
}
