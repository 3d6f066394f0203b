/** The metrics record against plain arithmetic on per-token values. */
import test from "ava";
import { type Metrics, type ObjectiveSpecInput, objective } from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";
import { logitsBatch, logitsTensor, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 8, sequences: 4, tokens: 6, vocabSize: 9, distribution: "far" });
const COUNTED = Array.from({ length: BATCH.rows }, (_, row) => row).filter(
  (row) => BATCH.responseMask[row] === 1,
);
const SPEC: ObjectiveSpecInput = {
  clipHigh: 0.28,
  clipDual: 3,
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.05,
  maskedBranch: "differentiable",
  reduction: "seq-mean-token-mean",
};

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("every metric is what plain arithmetic on the counted tokens gives", (t) => {
  const { metrics, tokens } = objective(SPEC)
    .build()
    .evaluate(logitsBatch(BATCH), { perToken: true });
  if (tokens === undefined) throw new Error("expected tokens");
  const column = (name: keyof typeof tokens) => {
    const values = valuesOf(tokens[name]);
    return COUNTED.map((row) => values[row] as number);
  };
  const fraction = (values: readonly boolean[]) => mean(values.map(Number));
  const logRatio = COUNTED.map((row, i) =>
    Math.min(
      20,
      Math.max(-20, (column("logProbs")[i] as number) - (BATCH.oldLogProbs[row] as number)),
    ),
  );
  const ratio = logRatio.map(Math.exp);
  const advantages = COUNTED.map((row) => BATCH.advantages[row] as number);
  const lengths = [0, 1, 2, 3].map(
    (s) => COUNTED.filter((row) => Math.floor(row / 6) === s).length,
  );
  const perception = column("perceptionKl");
  const low = fraction(ratio.map((r, i) => (advantages[i] as number) < 0 && r < 0.8));
  const high = fraction(ratio.map((r, i) => (advantages[i] as number) > 0 && r > 1.28));
  const expected: Omit<Metrics, `gradShare${string}`> = {
    tokens: COUNTED.length,
    sequences: 4,
    skippedRows: 0,
    impossibleTokens: 0,
    infiniteKlTokens: 0,
    responseLengthMean: mean(lengths),
    responseLengthMin: Math.min(...lengths),
    responseLengthMax: Math.max(...lengths),
    logProbs: mean(column("logProbs")),
    maskedLogProbs: mean(column("maskedLogProbs")),
    entropy: mean(column("entropy")),
    maskedEntropy: mean(column("maskedEntropy")),
    kl: mean(column("kl")),
    reverseKl: mean(column("reverseKl")),
    refKl: mean(column("refKl")),
    perceptionKl: mean(perception),
    perceptionKlVariance: mean(perception.map((value) => (value - mean(perception)) ** 2)),
    perceptionKlMax: Math.max(...perception),
    advantageMean: mean(advantages),
    advantagePositive: fraction(advantages.map((advantage) => advantage > 0)),
    approxKl: -mean(logRatio),
    approxKl3: mean(logRatio.map((x) => Math.exp(x) - 1 - x)),
    ratioMean: mean(ratio),
    ratioMin: Math.min(...ratio),
    ratioMax: Math.max(...ratio),
    effectiveSampleSize: mean(ratio) ** 2 / mean(ratio.map((r) => r * r)),
    clipFractionLow: low,
    clipFractionHigh: high,
    clipFractionDual: fraction(ratio.map((r, i) => (advantages[i] as number) < 0 && r > 3)),
    clipFraction: low + high,
  };
  t.deepEqual(
    Object.keys(metrics)
      .filter((name) => !name.startsWith("gradShare"))
      .sort(),
    Object.keys(expected).sort(),
  );
  t.true(low > 0 && high > 0 && (expected.clipFractionDual as number) > 0);
  for (const [name, value] of Object.entries(expected)) {
    assertClose(t, name, metrics[name as keyof Metrics] as number, value, TOLERANCES.engineRows);
  }
});

test("each term's share of the gradient is its part of all |d loss / d log-prob|", (t) => {
  // One term at a time gives its own sum; together they add up to 1.
  const off = { refKlCoef: 0, perceptionKlCoef: 0, entropyCoef: 0, maskedEntropyCoef: 0 };
  const sums = (spec: ObjectiveSpecInput, advantages: Float64Array) => {
    const loss = objective({ ...SPEC, ...off, ...spec }).build();
    const tokens = loss.evaluate(logitsBatch(BATCH), { perToken: true }).tokens;
    const { gradLogProbs, gradMaskedLogProbs } = loss.evaluate({
      logProbs: tokens?.logProbs as never,
      maskedLogProbs: tokens?.maskedLogProbs as never,
      oldLogProbs: BATCH.oldLogProbs,
      refLogProbs: BATCH.refLogProbs,
      responseMask: BATCH.responseMask,
      advantages,
    });
    const all = [...valuesOf(gradLogProbs), ...valuesOf(gradMaskedLogProbs)];
    return all.reduce((sum, value) => sum + Math.abs(value), 0);
  };
  const none = new Float64Array(BATCH.rows);
  const parts = {
    gradShareSurrogate: sums({}, BATCH.advantages),
    gradShareRefKl: sums({ refKlCoef: 0.01 }, none),
    gradSharePerceptionKl: sums({ perceptionKlCoef: 0.02 }, none),
    gradShareEntropy: sums({ entropyCoef: 0.03 }, none),
    gradShareMaskedEntropy: sums({ maskedEntropyCoef: 0.05 }, none),
  };
  const whole = Object.values(parts).reduce((sum, part) => sum + part, 0);
  const { metrics } = objective(SPEC).build().evaluate(logitsBatch(BATCH));
  for (const [name, part] of Object.entries(parts)) {
    const share = metrics[name as keyof typeof parts] as number;
    assertClose(t, name, share, part / whole, TOLERANCES.engineRows);
  }
});

test("without gradients the metrics are the same", (t) => {
  const loss = objective(SPEC).build();
  const { metrics } = loss.evaluate(logitsBatch(BATCH));
  for (const plan of ["fused", "composed"] as const) {
    t.deepEqual(
      loss.evaluate(logitsBatch(BATCH), { gradients: false, plan }).metrics,
      metrics,
      plan,
    );
  }
});

test("what was not measured is absent, not 0", (t) => {
  const { logits, tokenIds, advantages } = logitsBatch(BATCH);
  const { metrics, terms } = objective().build().evaluate({ logits, tokenIds, advantages });
  for (const name of [
    "refKl",
    "perceptionKl",
    "perceptionKlVariance",
    "kl",
    "maskedEntropy",
    "maskedLogProbs",
    "approxKl",
    "ratioMean",
    "clipFraction",
    "gradShareRefKl",
    "gradSharePerceptionKl",
    "gradShareMaskedEntropy",
  ]) {
    t.false(name in metrics, name);
  }
  t.is(metrics.gradShareSurrogate, 1);
  t.like(terms, { refKl: 0, perceptionKl: 0, maskedEntropy: 0 });
});

test("terms with coefficient 0 are measured where their input is there", (t) => {
  const { metrics } = objective().build().evaluate(logitsBatch(BATCH));
  t.true((metrics.refKl as number) > 0);
  t.true((metrics.perceptionKl as number) > 0);
  t.is(metrics.gradShareRefKl, 0);
  t.is(metrics.gradSharePerceptionKl, 0);
});

test("a mean leaves out infinite values and says how many they are", (t) => {
  // Row 0: the sampled token has no mass. Row 1: the masked policy has none where the policy has.
  const minus = Number.NEGATIVE_INFINITY;
  const logits = Float32Array.of(minus, 1, 2, 0, 1, 2, 0, 1, 2);
  const maskedLogits = Float32Array.of(0, 1, 2, 0, 1, minus, 0, 1, 3);
  const { metrics, tokens, loss } = objective()
    .build()
    .evaluate(
      {
        logits: logitsTensor(logits, [3, 3]),
        maskedLogits: logitsTensor(maskedLogits, [3, 3]),
        tokenIds: [0, 0, 0],
        oldLogProbs: [-1, -2, -2],
        advantages: [1, 1, 1],
      },
      { perToken: true },
    );
  t.deepEqual([valuesOf(tokens?.logProbs)[0], valuesOf(tokens?.kl)[1]], [minus, -minus]);
  t.is(metrics.impossibleTokens, 1);
  t.is(metrics.infiniteKlTokens, 2);
  t.true(Number.isFinite(loss));
  for (const [name, value] of Object.entries(metrics)) t.true(Number.isFinite(value), name);
  const kl = valuesOf(tokens?.kl);
  assertClose(
    t,
    "kl",
    metrics.kl as number,
    ((kl[0] as number) + (kl[2] as number)) / 2,
    TOLERANCES.float64,
  );
});
