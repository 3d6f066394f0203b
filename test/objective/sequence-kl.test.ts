/** The KL to the reference times the ratio of the sequence, against its formula written out here in plain float64. */
import test from "ava";
import { Objective, type ObjectiveSpecInput } from "../../lib/index.js";
import { finiteDifference, tokenStats } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, valuesOf } from "./batches.js";

// Three sequences of 4, 3 and 1 tokens, the last token of the second does not count.
const OFFSETS = [0, 4, 7, 8];
const COUNTED = [[0, 1, 2, 3], [4, 5], [7]];
const LOG_PROBS = Float64Array.of(-0.4, -1.3, -2.2, -0.1, -0.9, -0.6, -1, -1.7);
const OLD = [-0.5, -1.1, -2.0, -0.9, -1.2, -0.5, -2, -1.5];
const REF = [-0.7, -1.2, -2.6, -0.3, -1.0, -0.1, -3, -1.1];
const BATCH = {
  logProbs: LOG_PROBS,
  oldLogProbs: OLD,
  refLogProbs: REF,
  advantages: [1.2, -0.7, 0.4],
  responseMask: [1, 1, 1, 1, 1, 1, 0, 1],
  cuSeqlens: OFFSETS,
};
const ONLY: ObjectiveSpecInput = {
  refKlCoef: 0.3,
  refKlEstimator: "unbiased-sequence",
  reduction: "seq-mean-token-mean",
  denominatorEpsilon: 0,
};
const silent = { ...BATCH, advantages: [0, 0, 0] };

const at = (values: ArrayLike<number>, row: number) => values[row] as number;
const k3 = (logProbs: ArrayLike<number>, row: number) => {
  const x = at(REF, row) - at(logProbs, row);
  return Math.exp(x) - 1 - x;
};
const logRatio = (logProbs: ArrayLike<number>, rows: readonly number[]) =>
  rows.reduce((sum, row) => sum + at(logProbs, row) - at(OLD, row), 0) / rows.length;

/** Mean over sequences of the token means of s · k3, for log-ratios within ± limit. */
function term(logProbs: ArrayLike<number>, limit = 20): number {
  const means = COUNTED.map((rows) => {
    const s = Math.exp(Math.min(Math.max(logRatio(logProbs, rows), -limit), limit));
    return rows.reduce((sum, row) => sum + s * k3(logProbs, row), 0) / rows.length;
  });
  return means.reduce((sum, mean) => sum + mean, 0) / means.length;
}

test("each token has k3 times the ratio of its sequence", (t) => {
  const { terms, tokens, metrics, loss } = new Objective(ONLY).evaluate(silent, { perToken: true });
  const expected = new Float64Array(8);
  for (const rows of COUNTED) {
    for (const row of rows) {
      expected[row] = Math.exp(logRatio(LOG_PROBS, rows)) * k3(LOG_PROBS, row);
    }
  }
  assertClose(t, "tokens", valuesOf(tokens?.refKl), expected, TOLERANCES.golden);
  assertClose(t, "term", terms.refKl, term(LOG_PROBS), TOLERANCES.golden);
  assertClose(t, "loss", loss, 0.3 * term(LOG_PROBS), TOLERANCES.golden);
  const mean = expected.reduce((sum, value) => sum + value, 0) / 7;
  assertClose(t, "metric", metrics.refKl ?? Number.NaN, mean, TOLERANCES.golden);
  t.is(metrics.gradShareRefKl, 1);
});

test("its gradient reaches every token of the sequence, through k3 and through the ratio", (t) => {
  const { gradLogProbs } = new Objective(ONLY).evaluate(silent);
  const slope = finiteDifference((x) => 0.3 * term(x), LOG_PROBS);
  assertClose(t, "gradient", valuesOf(gradLogProbs), slope, TOLERANCES.finiteDifference);
});

test("beside surrogate and entropies the gradient is the sum of both", (t) => {
  const others: ObjectiveSpecInput = { surrogate: "gspo", entropyCoef: 0.1, clipHigh: 0.5 };
  const both = new Objective({ ...ONLY, ...others }).evaluate(BATCH);
  const rest = new Objective({ ...ONLY, ...others, refKlCoef: 0 }).evaluate(BATCH);
  const own = new Objective(ONLY).evaluate(silent);
  const sum = valuesOf(rest.gradLogProbs).map((x, row) => x + at(valuesOf(own.gradLogProbs), row));
  assertClose(t, "gradient", valuesOf(both.gradLogProbs), sum, TOLERANCES.golden);
  assertClose(t, "loss", both.loss, rest.loss + own.loss, TOLERANCES.golden);
  t.is(rest.terms.refKl, own.terms.refKl);
});

test("where logRatioLimit holds the ratio, only k3 has a slope", (t) => {
  const limit = 0.13;
  const spec = { ...ONLY, logRatioLimit: limit, refKlCoef: 1 };
  const near = REF.map((_, row) => at(LOG_PROBS, row) + 0.1);
  const { gradLogProbs, terms } = new Objective(spec).evaluate({ ...silent, refLogProbs: near });
  const expected = new Float64Array(8);
  let total = 0;
  for (const rows of COUNTED) {
    const mean = logRatio(LOG_PROBS, rows);
    const s = Math.exp(Math.min(Math.max(mean, -limit), limit));
    const value = s * (Math.exp(0.1) - 1.1);
    const throughRatio = Math.abs(mean) < limit ? value : 0;
    for (const row of rows) {
      expected[row] = (s * (1 - Math.exp(0.1)) + throughRatio) / 3 / rows.length;
    }
    total += value / 3;
  }
  t.true(COUNTED.some((rows) => Math.abs(logRatio(LOG_PROBS, rows)) > limit));
  t.true(COUNTED.some((rows) => Math.abs(logRatio(LOG_PROBS, rows)) < limit));
  assertClose(t, "term", terms.refKl, total, TOLERANCES.golden);
  assertClose(t, "gradient", valuesOf(gradLogProbs), expected, TOLERANCES.golden);
});

test("on policy the ratio is 1 and has its slope all the same", (t) => {
  const { oldLogProbs: _, ...onPolicy } = silent;
  const absent = new Objective(ONLY).evaluate(onPolicy);
  const equal = new Objective(ONLY).evaluate({ ...silent, oldLogProbs: LOG_PROBS });
  t.is(absent.loss, equal.loss);
  t.deepEqual(valuesOf(absent.gradLogProbs), valuesOf(equal.gradLogProbs));
  const rows = COUNTED[1] as number[];
  const sum = rows.reduce((total, row) => total + k3(LOG_PROBS, row), 0);
  for (const row of rows) {
    const slope = 1 - Math.exp(at(REF, row) - at(LOG_PROBS, row)) + sum / rows.length;
    const found = at(valuesOf(absent.gradLogProbs), row);
    assertClose(t, `row ${row}`, found, (0.3 * slope) / 6, TOLERANCES.golden);
  }
});

test("of sequences of one token it is the estimator unbiased", (t) => {
  const alone = { ...BATCH, advantages: LOG_PROBS, cuSeqlens: [0, 1, 2, 3, 4, 5, 6, 7, 8] };
  const own = new Objective(ONLY).evaluate(alone);
  const token = new Objective({ ...ONLY, refKlEstimator: "unbiased" }).evaluate(alone);
  assertClose(t, "loss", own.loss, token.loss, TOLERANCES.golden);
  const [found, expected] = [valuesOf(own.gradLogProbs), valuesOf(token.gradLogProbs)];
  assertClose(t, "gradient", found, expected, TOLERANCES.golden);
});

test("a product that overflows is an error, unless its coefficient is 0", (t) => {
  const wide = { ...ONLY, logRatioLimit: 700, klLimit: null };
  const far = {
    logProbs: Float64Array.of(-0.1, -600),
    oldLogProbs: [-1300, -600],
    refLogProbs: [-0.1, -0.1],
    advantages: [0],
    cuSeqlens: [0, 2],
  };
  t.throws(() => new Objective(wide).evaluate(far), {
    code: "ERR_NOT_FINITE",
    message: /refKl\[1\]/,
  });
  const { loss, gradLogProbs } = new Objective({ ...wide, refKlCoef: 0 }).evaluate(far);
  t.is(loss, 0);
  t.deepEqual(valuesOf(gradLogProbs), Float64Array.of(0, 0));
});

const LOGITS = makeBatch({ seed: 61, sequences: 4, tokens: 4, vocabSize: 6 });

test("logits give the gradient of the same loss, asynchronously too", async (t) => {
  const objective = new Objective(ONLY);
  const batch = { ...logitsBatch(LOGITS), advantages: new Float64Array(4) };
  const { oldLogProbs, refLogProbs, responseMask } = LOGITS;
  const loss = (logits: Float64Array) => {
    const { logProbs } = tokenStats({ ...LOGITS, logits });
    let total = 0;
    for (let s = 0; s < 4; s++) {
      const rows = [0, 1, 2, 3].map((i) => 4 * s + i).filter((row) => responseMask[row] === 1);
      if (rows.length === 0) continue;
      const delta = (row: number) => at(logProbs, row) - at(oldLogProbs, row);
      const ratio = Math.exp(rows.reduce((sum, row) => sum + delta(row), 0) / rows.length);
      const each = rows.map((row) => {
        const x = at(refLogProbs as Float64Array, row) - at(logProbs, row);
        return ratio * (Math.exp(x) - 1 - x);
      });
      total += each.reduce((sum, value) => sum + value, 0) / rows.length / 4;
    }
    return 0.3 * total;
  };
  const evaluation = objective.evaluate(batch);
  const slope = finiteDifference(loss, Float64Array.from(LOGITS.logits));
  const gradient = valuesOf(evaluation.gradLogits);
  assertClose(t, "gradLogits", gradient, slope, GRADIENT_TOLERANCES.float32);
  const again = await objective.evaluateAsync(batch);
  t.is(again.loss, evaluation.loss);
  t.deepEqual(gradientsOf(again), gradientsOf(evaluation));
});

test("it takes all rows of a sequence at once, and no single op computes it", (t) => {
  const objective = new Objective(ONLY);
  const batch = logitsBatch(LOGITS);
  const because = /refKlEstimator "unbiased-sequence"/;
  t.throws(() => objective.bind(batch), { code: "ERR_UNSUPPORTED", message: because });
  t.throws(() => objective.evaluate(batch, { plan: "fused" }), {
    code: "ERR_UNSUPPORTED",
    message: because,
  });
  const { logits, maskedLogits: _, ...rows } = batch;
  const [shape, vocabSize] = [[4, 4], 6];
  t.regex(objective.begin({ ...rows, shape, vocabSize }).coupledBecause ?? "", because);
  const begun = objective.begin({ ...rows, shape, vocabSize }, { gradients: false });
  begun.add({ rowStart: 7, logits: logits.sliceRows(7, 16) as never });
  begun.add({ rowStart: 0, logits: logits.sliceRows(0, 7) as never });
  t.is(begun.finish().loss, objective.evaluate(batch).loss);
});

test("the perception term has no such estimator", (t) => {
  const wrong = { perceptionKlEstimator: "unbiased-sequence" } as never;
  t.throws(() => new Objective(wrong), { code: "ERR_ARGUMENT", message: /"exact-reverse", rec/ });
});
