/** Every key of the objective family: logits, log-probs, blocks, sync and async agree, and gradients are slopes. */
import test, { type ExecutionContext } from "ava";
import {
  type EvaluateOptions,
  type Evaluation,
  type LogitsBatch,
  Objective,
  type ObjectiveSpecInput,
  tensor,
} from "../../lib/index.js";
import { finiteDifference, tokenStatsGrad } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 41, sequences: 6, tokens: 5, vocabSize: 9 });
const SHAPE = [BATCH.sequences, BATCH.tokens];
const EXTRA = {
  rolloutLogProbs: BATCH.oldLogProbs.map((x, row) => x + 0.5 * Math.sin(2 * row)),
  accuracies: [1, 0, 0.05, 0.9, 0, 1],
};

const PERCEPTION: ObjectiveSpecInput = {
  perceptionKlCoef: 0.05,
  refKlCoef: 0.03,
  clipHigh: 0.28,
  entropyCoef: 0.02,
  maskedEntropyCoef: 0.03,
  maskedBranch: "differentiable",
};
const EXACT: ObjectiveSpecInput = {
  ...PERCEPTION,
  perceptionKlEstimator: "exact",
  exactKlLimit: 10,
  entropyEstimator: "exact",
};

interface Case {
  readonly spec: ObjectiveSpecInput;
  readonly options?: EvaluateOptions;
  /** Whether one op computes it. */
  readonly fused?: boolean;
  /** Whether rows may come in blocks with gradients. */
  readonly blocks?: boolean;
  /** A value that the loss depends on is constant for the gradient, which then is no slope of the loss. */
  readonly constants?: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  "perception of correct sequences only": {
    spec: { ...PERCEPTION, perceptionWeighting: "correct-only" },
    fused: true,
  },
  "perception of incorrect sequences with less weight": {
    spec: { ...EXACT, perceptionWeighting: "accuracy-weighted", incorrectWeight: 0.25 },
    fused: true,
  },
  "a bounded perception term": {
    spec: { ...EXACT, perceptionKlMin: 0.05, perceptionKlMax: 0.4 },
    fused: true,
  },
  "jsd for both": {
    spec: { ...PERCEPTION, perceptionKlEstimator: "jsd", refKlEstimator: "jsd" },
    fused: true,
  },
  "entropies bounded token by token": {
    spec: { ...EXACT, entropyBounds: { low: 0.9, high: 1.4 } },
    fused: true,
  },
  "mean entropies bounded from above": {
    spec: { ...EXACT, entropyBounds: { low: 0.1, high: 0.7, level: "batch" } },
  },
  "mean sampled entropies bounded from below": {
    spec: { ...PERCEPTION, entropyBounds: { low: 3, high: null, level: "batch" } },
  },
  "perception on the top tokens of each sequence": {
    spec: { ...PERCEPTION, perceptionTokenMask: { top: 0.4 } },
  },
  "perception on the kept top tokens of the batch, bounded": {
    spec: {
      ...EXACT,
      perceptionTokenMask: { top: 0.3, level: "batch", denominator: "kept" },
      perceptionKlMax: 0.5,
      perceptionWeighting: "accuracy-weighted",
      reduction: "seq-mean-token-mean",
    },
  },
  "policy gradient on the tokens of top entropy": {
    spec: { ...EXACT, policyTokenMask: { by: "entropy", top: 0.4 } },
  },
  "policy gradient on the tokens of top perception, VPPO's way": {
    spec: {
      ...EXACT,
      policyTokenMask: { by: "perception", top: 0.4, level: "sequence", choice: "count" },
      advantageShaping: { kind: "vppo" },
    },
    constants: true,
  },
  "advantages shaped by perception": {
    spec: { ...EXACT, advantageShaping: { kind: "vppo", min: 0.5 } },
    constants: true,
  },
  "policy gradient on kept tokens": {
    spec: {
      ...PERCEPTION,
      policyTokenMask: { by: "perception", top: 0.5, denominator: "kept" },
      surrogate: "sapo",
    },
  },
  "an off-policy sequence mask": { spec: { ...PERCEPTION, offPolicyMask: { threshold: 0.05 } } },
  "truncated importance weights": { spec: { ...PERCEPTION, rolloutCorrection: {} }, blocks: true },
  "masked sequence weights, normalised, with rejection": {
    spec: {
      ...PERCEPTION,
      surrogate: "gspo",
      rolloutCorrection: {
        level: "sequence",
        mode: "mask",
        max: 3,
        batchNormalize: true,
        reject: { by: "k3", level: "sequence-max", max: 0.12 },
      },
    },
  },
  "SFT on correct sequences": { spec: { ...PERCEPTION, sftCoef: 0.1 }, blocks: true },
  "a coefficient of SFT given for one evaluation": {
    spec: PERCEPTION,
    options: { coefficients: { sft: 0.2, refKl: 0, entropy: -0.01 } },
    blocks: true,
  },
  "empty sequences skipped": {
    spec: { ...EXACT, reduction: "seq-mean-token-mean", emptySequences: "skip" },
    fused: true,
  },
  everything: {
    spec: {
      ...EXACT,
      surrogate: "gspo-token",
      policyTokenMask: { by: "entropy", top: 0.8 },
      perceptionTokenMask: { top: 0.5, choice: "count" },
      advantageShaping: { kind: "vppo", min: 0.5 },
      offPolicyMask: { threshold: 0.05 },
      rolloutCorrection: { mode: "mask", min: 0.5 },
      perceptionWeighting: "accuracy-weighted",
      perceptionKlMax: 0.6,
      entropyBounds: { low: 0.5, high: 0.8, level: "batch" },
      sftCoef: 0.05,
      emptySequences: "skip",
    },
    constants: true,
  },
};

function batchOf(): LogitsBatch {
  return { ...logitsBatch(BATCH), ...EXTRA };
}

/** Equal to the bit. */
function same(t: ExecutionContext, title: string, actual: Evaluation, expected: Evaluation): void {
  t.is(actual.loss, expected.loss, title);
  t.deepEqual(actual.terms, expected.terms, title);
  t.deepEqual(actual.metrics, expected.metrics, title);
  t.deepEqual(gradientsOf(actual), gradientsOf(expected), title);
}

const STATISTICS = ["logProbs", "maskedLogProbs", "entropy", "maskedEntropy", "kl"] as const;

/** The statistics of the logits as a batch, with the constants as given. */
function asLogProbs(evaluation: Evaluation): Record<(typeof STATISTICS)[number], Float64Array> {
  return Object.fromEntries(
    STATISTICS.map((name) => [name, valuesOf(evaluation.tokens?.[name])]),
  ) as never;
}

function evaluateStatistics(
  objective: Objective,
  statistics: Partial<Record<string, Float64Array>>,
  options: EvaluateOptions,
): Evaluation {
  const { oldLogProbs, refLogProbs, advantages, responseMask } = BATCH;
  const shaped = Object.fromEntries(
    Object.entries(statistics).map(([name, values]) => [
      name,
      tensor((values as Float64Array).slice(), { shape: SHAPE }),
    ]),
  );
  const rest = { oldLogProbs, refLogProbs, advantages, responseMask, ...EXTRA };
  return objective.evaluate({ ...rest, ...shaped } as never, options);
}

for (const [title, { spec, options: more, fused, blocks, constants }] of Object.entries(CASES)) {
  const objective = new Objective(spec);
  const options = { perToken: true, ...more };

  test(`${title}: sync, async, in place, one block`, async (t) => {
    const evaluation = objective.evaluate(batchOf(), options);
    same(t, "async", await objective.evaluateAsync(batchOf(), options), evaluation);
    same(t, "in place", objective.evaluate(batchOf(), { ...options, inPlace: true }), evaluation);
    const { logits, maskedLogits, ...rows } = batchOf();
    const begun = objective.begin({ ...rows, shape: SHAPE, vocabSize: BATCH.vocabSize }, options);
    const gradients = begun.add({ rowStart: 0, logits, maskedLogits });
    same(t, "one block", { ...begun.finish(), ...gradients }, evaluation);
  });

  test(`${title}: ${fused ? "fused is composed" : "composed only"}`, (t) => {
    if (!fused) {
      t.throws(() => objective.evaluate(batchOf(), { ...options, plan: "fused" }), {
        code: "ERR_UNSUPPORTED",
        message: /^\[Objective\.evaluate\] expected plan "composed" with .*, received "fused"$/,
      });
      return;
    }
    const one = objective.evaluate(batchOf(), { ...options, plan: "fused" });
    const three = objective.evaluate(batchOf(), { ...options, plan: "composed" });
    t.is(three.loss, one.loss);
    t.deepEqual(three.terms, one.terms);
    t.deepEqual(three.metrics, one.metrics);
    const gradients = gradientsOf(one);
    for (const [name, values] of Object.entries(gradientsOf(three))) {
      const expected = gradients[name] as Float64Array;
      assertClose(t, name, values, expected, GRADIENT_TOLERANCES.float32);
    }
  });

  test(`${title}: log-probs are logits, and their gradients lead through the vocabulary`, (t) => {
    const fromLogits = objective.evaluate(batchOf(), options);
    const fromLogProbs = evaluateStatistics(objective, asLogProbs(fromLogits), options);
    t.is(fromLogProbs.loss, fromLogits.loss);
    t.deepEqual(fromLogProbs.terms, fromLogits.terms);
    const cotangents = Object.fromEntries(
      Object.entries(gradientsOf(fromLogProbs)).map(([name, values]) => [
        name.charAt(4).toLowerCase() + name.slice(5),
        values,
      ]),
    );
    const through = tokenStatsGrad({ ...BATCH, cotangents } as never);
    for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
      const expected = through[name] as Float64Array;
      assertClose(t, name, valuesOf(fromLogits[name]), expected, GRADIENT_TOLERANCES.float32);
    }
  });

  if (constants !== true) {
    test(`${title}: gradients are the slopes of the loss in every statistic`, (t) => {
      const at = asLogProbs(objective.evaluate(batchOf(), options));
      const gradients = gradientsOf(evaluateStatistics(objective, at, options));
      for (const name of STATISTICS) {
        const slope = finiteDifference(
          (x) => evaluateStatistics(objective, { ...at, [name]: x }, options).loss,
          at[name],
          { step: 1e-4 },
        );
        const gradient = gradients[`grad${name.charAt(0).toUpperCase()}${name.slice(1)}`];
        assertClose(t, name, gradient ?? [], slope, TOLERANCES.finiteDifference);
      }
    });
  }

  test(`${title}: blocks of rows`, (t) => {
    const evaluation = objective.evaluate(batchOf(), options);
    const { logits, maskedLogits, ...rows } = batchOf();
    const batch = { ...rows, shape: SHAPE, vocabSize: BATCH.vocabSize };
    const halves = [
      [0, 13],
      [13, BATCH.rows],
    ] as const;
    const block = ([start, end]: readonly [number, number]) => ({
      rowStart: start,
      logits: logits.sliceRows(start, end) as never,
      maskedLogits: maskedLogits?.sliceRows(start, end) as never,
    });
    const forward = objective.begin(batch, { ...options, gradients: false });
    for (const half of halves) forward.add(block(half));
    const finished = forward.finish();
    t.is(finished.loss, evaluation.loss);
    t.deepEqual(finished.metrics, evaluation.metrics);
    const backward = objective.begin(batch, options);
    if (fused || blocks) {
      const gradients = halves.flatMap((half) => [
        ...valuesOf(backward.add(block(half)).gradLogits),
      ]);
      t.deepEqual(Float64Array.from(gradients), valuesOf(evaluation.gradLogits));
      t.is(backward.finish().loss, evaluation.loss);
    } else {
      t.throws(() => backward.add(block(halves[0])), { code: "ERR_UNSUPPORTED" });
    }
  });

  test(`${title}: unusable rows are skipped as if their mask were 0`, (t) => {
    const row = BATCH.responseMask.lastIndexOf(1);
    const broken = batchOf();
    (broken.logits.data as Float32Array)[row * BATCH.rowPitch] = Number.NaN;
    const responseMask = BATCH.responseMask.with(row, 0);
    const skipped = objective.evaluate(broken, { ...options, onInvalid: "skip" });
    const masked = objective.evaluate(
      { ...batchOf(), responseMask },
      { ...options, plan: "composed" },
    );
    t.deepEqual(skipped.skippedRows, [row]);
    t.is(skipped.loss, masked.loss);
    t.deepEqual(gradientsOf(skipped), gradientsOf(masked));
  });

  test(`${title}: a batch without a counted token is 0`, (t) => {
    const responseMask = new Int32Array(BATCH.rows);
    const evaluation = objective.evaluate({ ...batchOf(), responseMask }, options);
    t.is(evaluation.loss, 0);
    t.true(valuesOf(evaluation.gradLogits).every((x) => x === 0));
    t.true(Object.values(evaluation.metrics).every((x) => Number.isFinite(x)));
  });
}
