/** One meaning, two plans: fused, composed and the float64 reference agree. */
import test from "ava";
import type { LogitsDType } from "../../lib/core/dtype.js";
import {
  type Evaluation,
  fromBfloat16,
  fromFloat16,
  Objective,
  type ObjectiveSpecInput,
  toBfloat16,
  toFloat16,
} from "../../lib/index.js";
import { choosePlan } from "../../lib/objective/plan.js";
import { papoLoss } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { type Batch, DISTRIBUTIONS, makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, valuesOf } from "./batches.js";

const BASE = {
  clipHigh: 0.28,
  clipDual: 3,
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  entropyCoef: 0.03,
  maskedEntropyCoef: 0.05,
} as const;

const SPECS: Readonly<Record<string, ObjectiveSpecInput>> = {
  "the authors' form": BASE,
  "a differentiable masked branch": { ...BASE, maskedBranch: "differentiable" },
  "exact estimators": {
    ...BASE,
    perceptionKlEstimator: "exact",
    exactKlLimit: 3,
    entropyEstimator: "exact",
    maskedBranch: "differentiable",
    reduction: "seq-mean-token-mean",
    entropyReduction: "same",
  },
  "the reverse KL and a constant branch": {
    ...BASE,
    perceptionKlEstimator: "exact-reverse",
    entropyEstimator: "exact",
    refKlEstimator: "unbiased",
    temperature: 0.7,
  },
  "k3+ without limit": {
    ...BASE,
    perceptionKlEstimator: "k3+",
    refKlEstimator: "abs",
    klLimit: null,
    maskedBranch: "differentiable",
    reduction: "seq-mean-token-sum-norm",
  },
};

/** What the engine sees of a batch in that dtype. */
function rounded(batch: Batch, dtype: LogitsDType): Batch {
  const round = (data: Float32Array) =>
    dtype === "float16"
      ? fromFloat16(toFloat16(data))
      : dtype === "bfloat16"
        ? fromBfloat16(toBfloat16(data))
        : data;
  return { ...batch, logits: round(batch.logits), maskedLogits: round(batch.maskedLogits) };
}

for (const [title, spec] of Object.entries(SPECS)) {
  test(`fused, composed and the reference agree: ${title}`, (t) => {
    const objective = new Objective(spec);
    for (const [seed, distribution] of DISTRIBUTIONS.entries()) {
      const batch = makeBatch({ seed, distribution, vocabSize: 37, rowPitch: 40 });
      const fused = objective.evaluate(logitsBatch(batch), { plan: "fused", perToken: true });
      const composed = objective.evaluate(logitsBatch(batch), { plan: "composed", perToken: true });
      t.deepEqual(composed.metrics, fused.metrics);
      t.deepEqual(composed.terms, fused.terms);
      t.is(composed.loss, fused.loss);
      const gradients = gradientsOf(fused);
      for (const [name, values] of Object.entries(gradientsOf(composed))) {
        const expected = gradients[name] as Float64Array;
        assertClose(t, `${distribution} ${name}`, values, expected, GRADIENT_TOLERANCES.float32);
      }
      againstReference(t, spec, batch, fused, "float32");
    }
  });
}

for (const dtype of ["bfloat16", "float16"] as const) {
  test(`the reference holds for ${dtype} logits, and float32 gradients of them are exact`, (t) => {
    const spec = SPECS["exact estimators"] as ObjectiveSpecInput;
    const batch = makeBatch({ seed: 4, vocabSize: 33 });
    const objective = new Objective(spec);
    const own = objective.evaluate(logitsBatch(batch, dtype));
    t.is(own.gradLogits?.dtype, dtype);
    againstReference(t, spec, rounded(batch, dtype), own, dtype);
    const wide = objective.evaluate(logitsBatch(batch, dtype), { gradDType: "float32" });
    t.is(wide.gradLogits?.dtype, "float32");
    t.is(wide.gradMaskedLogits?.dtype, "float32");
    againstReference(t, spec, rounded(batch, dtype), wide, "float32");
  });
}

function againstReference(
  t: Parameters<typeof assertClose>[0],
  spec: ObjectiveSpecInput,
  batch: Batch,
  evaluation: Evaluation,
  dtype: LogitsDType,
): void {
  const klLimit = spec.klLimit === null ? Number.POSITIVE_INFINITY : (spec.klLimit ?? 10);
  const numbers = { ...spec, klLimit } as Parameters<typeof papoLoss>[0];
  const expected = papoLoss({ ...batch, ...numbers });
  assertClose(t, "loss", evaluation.loss, expected.loss, TOLERANCES.golden);
  for (const [name, value] of Object.entries(expected.terms)) {
    const actual = evaluation.terms[name as keyof typeof expected.terms];
    assertClose(t, name, actual, value, TOLERANCES.golden);
  }
  const tolerance = GRADIENT_TOLERANCES[dtype];
  assertClose(t, "gradLogits", valuesOf(evaluation.gradLogits), expected.gradLogits, tolerance);
  if (spec.maskedBranch !== "differentiable") return;
  const masked = expected.gradMaskedLogits as Float64Array;
  assertClose(t, "gradMaskedLogits", valuesOf(evaluation.gradMaskedLogits), masked, tolerance);
}

test("the plan is fused unless rows may be skipped", (t) => {
  t.is(choosePlan("test", "auto", false), "fused");
  t.is(choosePlan("test", "auto", true), "composed");
  t.is(choosePlan("test", "composed", false), "composed");
  t.throws(() => choosePlan("test", "fused", true), { code: "ERR_UNSUPPORTED" });
});
