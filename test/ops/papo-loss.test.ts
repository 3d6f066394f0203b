/** papo_loss: the fused op against the reference and against the three ops it stands for. */
import test from "ava";
import { OBJECTIVE_DEFAULTS } from "../../lib/functional/papo-loss-options.js";
import { line, STATISTICS, TERMS } from "../../lib/ops/lines.js";
import { type PapoLossArgs, papoLoss, papoLossAsync } from "../../lib/ops/papo-loss.js";
import {
  lossOfTerms,
  type ObjectiveAttributes,
  tokenObjective,
} from "../../lib/ops/token-objective.js";
import { tokenStats } from "../../lib/ops/token-stats.js";
import { tokenStatsGrad } from "../../lib/ops/token-stats-grad.js";
import { papoLoss as reference } from "../../lib/reference/index.js";
import { gradientTensor } from "../../lib/tensor/gradient.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import { assertClose } from "../support/close.js";
import { DISTRIBUTIONS } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import {
  bitsOf,
  type EngineBatch,
  elementsOf,
  engineBatch,
  LOGITS_DTYPES,
} from "./engine-batch.js";

const ATTRIBUTES: ObjectiveAttributes = {
  ...OBJECTIVE_DEFAULTS,
  clipHigh: 0.28,
  clipDual: 3,
  refKlCoef: 0.01,
  perceptionKlCoef: 0.02,
  entropyCoef: 0.05,
  maskedEntropyCoef: 0.03,
  exactKlLimit: 10,
};

const VARIANTS: Readonly<Record<string, Partial<ObjectiveAttributes>>> = {
  "authors' objective": {},
  "differentiable authors' objective": { maskedBranch: "differentiable" },
  "exact objective": {
    maskedBranch: "differentiable",
    perceptionKlEstimator: "exact",
    entropyEstimator: "exact",
  },
  "reversed exact objective with a constant branch": { perceptionKlEstimator: "exact-reverse" },
  "unbiased objective": { perceptionKlEstimator: "unbiased", refKlEstimator: "unbiased" },
  "Jensen-Shannon objective": {
    maskedBranch: "differentiable",
    perceptionKlEstimator: "jsd",
    refKlEstimator: "jsd",
  },
  "bounded objective": {
    maskedBranch: "differentiable",
    perceptionKlMin: 0.05,
    perceptionKlMax: 0.2,
    entropyLow: 1,
    entropyHigh: 2,
  },
  "bounded exact objective": {
    maskedBranch: "differentiable",
    perceptionKlEstimator: "exact",
    perceptionKlMax: 0.2,
    entropyEstimator: "exact",
    entropyHigh: 2,
  },
};

function argsOf(batch: EngineBatch, attributes: Partial<ObjectiveAttributes> = {}): PapoLossArgs {
  const { logits, maskedLogits, tokenIds, responseMask, reference: rows } = batch;
  const { oldLogProbs, refLogProbs, advantages } = rows;
  const counted = responseMask.reduce((sum, bit) => sum + bit, 0);
  const weights = Float64Array.from(responseMask, (bit) => bit / (counted + 1e-8));
  return {
    ...{ where: "papoLoss", logits, maskedLogits, tokenIds, responseMask },
    ...{ oldLogProbs, refLogProbs, advantages, weights, entropyWeights: weights },
    ...{ temperature: 1, gradScale: 1, attributes: { ...ATTRIBUTES, ...attributes } },
  };
}

function withGradients(args: PapoLossArgs): PapoLossArgs & {
  readonly gradLogits: Tensor;
  readonly gradMaskedLogits: Tensor;
} {
  const fresh = () => gradientTensor("test", "g", args.logits);
  return { ...args, gradLogits: fresh(), gradMaskedLogits: fresh() };
}

for (const [name, attributes] of Object.entries(VARIANTS)) {
  for (const dtype of LOGITS_DTYPES) {
    test(`the ${name} on ${dtype} logits agrees with the reference`, (t) => {
      for (const distribution of DISTRIBUTIONS) {
        const batch = engineBatch({ distribution, vocabSize: 45 }, dtype);
        const args = withGradients(argsOf(batch, attributes));
        const { statistics, terms } = papoLoss(args);
        const expected = reference({ ...batch.reference, ...args.attributes });
        const named = (what: string) => `${what} of ${distribution}`;
        for (const key of STATISTICS) {
          const values = line(statistics, STATISTICS, key);
          assertClose(t, named(key), values, expected.tokens[key], TOLERANCES.engineStatistics);
        }
        assertClose(t, named("loss"), lossOfTerms(terms, args), expected.loss, TOLERANCES.golden);
        const tolerance = GRADIENT_TOLERANCES[dtype];
        assertClose(
          t,
          named("gradLogits"),
          elementsOf(args.gradLogits),
          expected.gradLogits,
          tolerance,
        );
        if (args.attributes.maskedBranch === "constant") continue;
        const masked = expected.gradMaskedLogits as Float64Array;
        assertClose(
          t,
          named("gradMaskedLogits"),
          elementsOf(args.gradMaskedLogits),
          masked,
          tolerance,
        );
      }
    });
  }

  test(`the fused ${name} is the three ops it stands for`, (t) => {
    const args = withGradients(argsOf(engineBatch({ vocabSize: 131 }), attributes));
    const fused = papoLoss(args);
    const { statistics } = tokenStats({ ...args, onInvalid: "error" });
    const { terms, cotangents } = tokenObjective({ ...args, statistics, hasMasked: true });
    const composed = withGradients(args);
    const from = { statistics, cotangents: cotangents as Float64Array, accumulate: false };
    tokenStatsGrad({ ...composed, ...from });
    t.deepEqual(fused.statistics, statistics);
    t.deepEqual(fused.terms, terms);
    for (const name of ["gradLogits", "gradMaskedLogits"] as const) {
      if (name === "gradMaskedLogits" && args.attributes.maskedBranch === "constant") continue;
      const [actual, expected] = [args[name], composed[name]].map(elementsOf);
      assertClose(
        t,
        name,
        actual as Float32Array,
        expected as Float32Array,
        GRADIENT_TOLERANCES.float32,
      );
    }
  });
}

test("the perception term's own weights are in its gradient, its term and the loss", (t) => {
  const batch = engineBatch({ vocabSize: 45 });
  const perceptionWeights = Float64Array.from(batch.responseMask, (_, row) => 0.1 * (row % 4));
  for (const [name, attributes] of Object.entries(VARIANTS)) {
    const args = withGradients({ ...argsOf(batch, attributes), perceptionWeights });
    const { terms } = papoLoss(args);
    const expected = reference({ ...batch.reference, ...args.attributes, perceptionWeights });
    const { gradPerceptionKl } = expected.tokenTerms;
    const share = line(terms, TERMS, "gradPerceptionKl");
    assertClose(t, `${name}: share`, share, gradPerceptionKl, TOLERANCES.engineStatistics);
    assertClose(t, `${name}: loss`, lossOfTerms(terms, args), expected.loss, TOLERANCES.golden);
    const tolerance = GRADIENT_TOLERANCES.float32;
    const grad = elementsOf(args.gradLogits);
    assertClose(t, `${name}: gradLogits`, grad, expected.gradLogits, tolerance);
    if (args.attributes.maskedBranch === "constant") continue;
    const masked = expected.gradMaskedLogits as Float64Array;
    assertClose(t, `${name}: masked`, elementsOf(args.gradMaskedLogits), masked, tolerance);
  }
});

test("own weights of the perception term that are the others' change no bit", (t) => {
  for (const attributes of Object.values(VARIANTS)) {
    const args = withGradients(argsOf(engineBatch({ vocabSize: 45 }), attributes));
    const same = withGradients({ ...args, perceptionWeights: args.weights });
    t.deepEqual(papoLoss(args), papoLoss(same));
    t.deepEqual(bitsOf(same.gradLogits), bitsOf(args.gradLogits));
    t.deepEqual(bitsOf(same.gradMaskedLogits), bitsOf(args.gradMaskedLogits));
  }
});

test("masked log-probs as constants do what constant masked logits do", (t) => {
  const args = withGradients(argsOf(engineBatch({ vocabSize: 45 })));
  const { terms, statistics } = papoLoss(args);
  const maskedLogProbs = line(statistics, STATISTICS, "maskedLogProbs").slice();
  const constant = withGradients({ ...args, maskedLogits: undefined, maskedLogProbs });
  const given = papoLoss({ ...constant, gradMaskedLogits: undefined });
  t.deepEqual(line(given.statistics, STATISTICS, "maskedLogProbs"), maskedLogProbs);
  for (const name of TERMS) {
    const [actual, expected] = [given.terms, terms].map((m) => line(m, TERMS, name));
    assertClose(
      t,
      name,
      actual as Float64Array,
      expected as Float64Array,
      TOLERANCES.engineStatistics,
    );
  }
  assertClose(
    t,
    "g",
    elementsOf(constant.gradLogits),
    elementsOf(args.gradLogits),
    GRADIENT_TOLERANCES.float32,
  );
});

test("values are the same whether or not gradients are asked for", (t) => {
  for (const dtype of LOGITS_DTYPES) {
    const args = argsOf(engineBatch({ vocabSize: 77 }, dtype), VARIANTS["exact objective"]);
    t.deepEqual(papoLoss(args), papoLoss(withGradients(args)));
  }
});

test("gradients in place are the same to the last bit", (t) => {
  for (const dtype of LOGITS_DTYPES) {
    const batch = engineBatch({ vocabSize: 45, rowPitch: 48 }, dtype);
    const args = withGradients(argsOf(batch, VARIANTS["exact objective"]));
    papoLoss(args);
    const inPlace = { gradLogits: args.logits, gradMaskedLogits: args.maskedLogits };
    papoLoss({ ...args, ...inPlace });
    t.deepEqual(elementsOf(args.logits), elementsOf(args.gradLogits));
    t.deepEqual(elementsOf(args.maskedLogits as Tensor), elementsOf(args.gradMaskedLogits));
  }
});

test("a failed call leaves no half-made gradients in memory of their own", (t) => {
  const batch = engineBatch({ vocabSize: 300, full: true });
  (batch.logits.data as Float32Array)[11 * 300 + 5] = Number.NaN;
  const args = withGradients(argsOf(batch));
  args.gradLogits.data.fill(1);
  const error = t.throws(() => papoLoss(args), { code: "ERR_NOT_FINITE" });
  t.is((error as unknown as { row: number }).row, 11);
  t.true(elementsOf(args.gradLogits).every((value) => value === 0));
});

test("an infinite exact KL without a limit is an error that names its row", (t) => {
  const batch = engineBatch({ vocabSize: 9, full: true });
  (batch.maskedLogits.data as Float32Array)[4 * 9 + 2] = -Infinity;
  const exact = { ...VARIANTS["exact objective"], exactKlLimit: Number.POSITIVE_INFINITY };
  const error = t.throws(() => papoLoss(argsOf(batch, exact)), { code: "ERR_NOT_FINITE" });
  t.is((error as unknown as { row: number }).row, 4);
  t.notThrows(() => papoLoss(argsOf(batch, { ...exact, exactKlLimit: 10 })));
});

test("no counted token gives terms and gradients of 0", (t) => {
  const batch = engineBatch({ vocabSize: 9 });
  batch.responseMask.fill(0);
  const args = withGradients(argsOf(batch));
  args.gradLogits.data.fill(Number.NaN);
  const { terms } = papoLoss(args);
  t.is(lossOfTerms(terms, args), 0);
  t.true(terms.every((value) => value === 0));
  t.true(elementsOf(args.gradLogits).every((value) => value === 0));
});

test("off the event loop the numbers are the same to the last bit", async (t) => {
  for (const dtype of LOGITS_DTYPES) {
    const batch = engineBatch({ sequences: 9, tokens: 8, vocabSize: 300 }, dtype);
    const args = withGradients(argsOf(batch, VARIANTS["exact objective"]));
    const later = withGradients(args);
    t.deepEqual(await papoLossAsync(later), papoLoss(args));
    t.deepEqual(bitsOf(later.gradLogits), bitsOf(args.gradLogits));
    t.deepEqual(bitsOf(later.gradMaskedLogits), bitsOf(args.gradMaskedLogits));
  }
});

/** A signal that is aborted at the moment an op begins to listen: whatever the threads do, before its first row. */
function abortedAtStart(reason: Error): AbortSignal {
  let aborted = false;
  const signal = {
    throwIfAborted: () => {
      if (aborted) throw reason;
    },
    addEventListener: (_: string, listener: () => void) => {
      aborted = true;
      listener();
    },
    removeEventListener: () => {},
  };
  return signal as unknown as AbortSignal;
}

test("an abort stops the op itself, and leaves no half-made gradients", async (t) => {
  const args = withGradients(argsOf(engineBatch({ full: true })));
  args.gradLogits.data.fill(7);
  const reason = new Error("stop");
  t.is(await t.throwsAsync(papoLossAsync(args, abortedAtStart(reason))), reason);
  t.true(elementsOf(args.gradLogits).every((value) => value === 0));
});
