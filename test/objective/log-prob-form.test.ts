/** A batch of log-probs: the same loss without a vocabulary, with gradients in the statistics. */
import test from "ava";
import {
  type Evaluation,
  type LogProbsBatch,
  type Objective,
  type ObjectiveSpecInput,
  objective,
} from "../../lib/index.js";
import { tokenStatsGrad } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { makeBatch } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import { gradientsOf, logitsBatch, rowsTensor, valuesOf } from "./batches.js";

const BATCH = makeBatch({ seed: 5, sequences: 3, tokens: 4, vocabSize: 11, distribution: "far" });
const SHAPE = [BATCH.sequences, BATCH.tokens];

const AUTHORS = objective("papo-g-7b").maskedBranch("differentiable").build();
const CORRECTED = objective("papo-g-7b", { form: "corrected" }).build();

/** The statistics that an evaluation of logits reports, given back as a batch. */
function statisticsOf(evaluation: Evaluation, names: readonly (keyof LogProbsBatch)[]) {
  const tokens = evaluation.tokens as unknown as Record<string, LogProbsBatch["logProbs"]>;
  return Object.fromEntries(names.map((name) => [name, tokens[name]]));
}

const REST = {
  oldLogProbs: BATCH.oldLogProbs,
  refLogProbs: BATCH.refLogProbs,
  advantages: BATCH.advantages,
  responseMask: BATCH.responseMask,
};

const SAMPLED = ["logProbs", "maskedLogProbs"] as const;
const EXACT = [...SAMPLED, "entropy", "maskedEntropy", "kl", "reverseKl"] as const;

function both(
  loss: Objective,
  names: readonly (keyof LogProbsBatch)[],
): { fromLogits: Evaluation; fromLogProbs: Evaluation } {
  const fromLogits = loss.evaluate(logitsBatch(BATCH), { perToken: true });
  const statistics = statisticsOf(fromLogits, names) as { logProbs: LogProbsBatch["logProbs"] };
  const fromLogProbs = loss.evaluate({ ...statistics, ...REST }, { perToken: true });
  return { fromLogits, fromLogProbs };
}

test("log-probs give the loss, terms and metrics of the logits they came from", (t) => {
  for (const [loss, names] of [
    [AUTHORS, SAMPLED],
    [CORRECTED, EXACT],
  ] as const) {
    const { fromLogits, fromLogProbs } = both(loss, names);
    t.is(fromLogProbs.loss, fromLogits.loss);
    t.deepEqual(fromLogProbs.terms, fromLogits.terms);
    for (const [name, value] of Object.entries(fromLogProbs.metrics)) {
      t.is(value, fromLogits.metrics[name as keyof typeof fromLogits.metrics], name);
    }
  }
});

test("their gradients, sent through the vocabulary, are those of the logits", (t) => {
  for (const [loss, names] of [
    [AUTHORS, SAMPLED],
    [CORRECTED, EXACT],
  ] as const) {
    const { fromLogits, fromLogProbs } = both(loss, names);
    const given = gradientsOf(fromLogProbs);
    const cotangents = Object.fromEntries(
      Object.entries(given).map(([name, values]) => [
        name.slice(4, 5).toLowerCase() + name.slice(5),
        values,
      ]),
    );
    const { temperature } = loss.spec;
    const expected = tokenStatsGrad({ ...BATCH, temperature, cotangents } as never);
    const tolerance = GRADIENT_TOLERANCES.float32;
    const { gradLogits, gradMaskedLogits } = fromLogits;
    assertClose(
      t,
      "gradLogits",
      valuesOf(gradLogits),
      expected.gradLogits as Float64Array,
      tolerance,
    );
    const masked = expected.gradMaskedLogits as Float64Array;
    assertClose(t, "gradMaskedLogits", valuesOf(gradMaskedLogits), masked, tolerance);
  }
});

test("there is one gradient for each statistic that was given", (t) => {
  const names = (evaluation: Evaluation) => Object.keys(gradientsOf(evaluation)).sort();
  t.deepEqual(names(both(AUTHORS, SAMPLED).fromLogProbs), ["gradLogProbs", "gradMaskedLogProbs"]);
  t.deepEqual(names(both(CORRECTED, EXACT).fromLogProbs), [
    "gradEntropy",
    "gradKl",
    "gradLogProbs",
    "gradMaskedEntropy",
    "gradMaskedLogProbs",
    "gradReverseKl",
  ]);
  const constant = objective("papo-g-7b").build();
  t.deepEqual(names(both(constant, SAMPLED).fromLogProbs), ["gradLogProbs"]);
});

test("gradients come in the shape of the log-probs, and scaled where asked", (t) => {
  const logProbs = rowsTensor(
    BATCH.oldLogProbs.map((x) => x - 0.1),
    SHAPE,
  );
  const loss = objective().build();
  const batch = { logProbs, ...REST };
  const plain = loss.evaluate(batch);
  t.deepEqual(plain.gradLogProbs?.shape, SHAPE);
  t.deepEqual(plain.gradMaskedLogProbs, undefined);
  const scaled = loss.evaluate(batch, { gradScale: 1024 });
  t.is(scaled.loss, plain.loss);
  t.deepEqual(
    valuesOf(scaled.gradLogProbs),
    valuesOf(plain.gradLogProbs).map((x) => 1024 * x),
  );
  t.is(loss.evaluate(batch, { gradients: false }).gradLogProbs, undefined);
});

test("plain arrays are one sequence, or packed ones by their offsets", (t) => {
  const loss = objective().reduce("seq-mean-token-sum").build();
  const { responseMask: _, ...rest } = REST;
  const logProbs = [...BATCH.oldLogProbs];
  const one = loss.evaluate({ ...rest, logProbs });
  t.is(one.metrics.sequences, 1);
  const cuSeqlens = [0, 4, 8, 12];
  const packed = loss.evaluate({ ...rest, logProbs, cuSeqlens });
  t.is(packed.metrics.sequences, 3);
  assertClose(t, "loss", packed.loss, one.loss / 3, TOLERANCES.float64);
});

test("the asynchronous form is the same", async (t) => {
  const { fromLogProbs } = both(CORRECTED, EXACT);
  const again = await CORRECTED.evaluateAsync({
    ...(statisticsOf(fromLogProbs, EXACT) as { logProbs: LogProbsBatch["logProbs"] }),
    ...REST,
  });
  t.is(again.loss, fromLogProbs.loss);
  t.deepEqual(gradientsOf(again), gradientsOf(fromLogProbs));
});

test("two printed sequences have the printed losses and gradient", (t) => {
  // Worked by hand from the authors' formulas; the last token of the second sequence is padding.
  const shape = [2, 3];
  const of = (...values: number[]) => rowsTensor(Float64Array.from(values), shape);
  const batch = {
    logProbs: of(-0.1, -1.2, -2.5, -0.7, -3, -0.05),
    oldLogProbs: of(-0.3, -1, -2.1, -0.7, -4.2, -0.05),
    refLogProbs: of(-0.2, -1.1, -2.5, -0.9, -2, -0.06),
    maskedLogProbs: of(-0.9, -1, -6.5, -0.7, -0.2, -0.05),
    advantages: [1, -1],
    responseMask: [1, 1, 1, 1, 1, 0],
  };
  const g = objective("papo-g-7b").reduce("token-mean", { epsilon: 0 });
  const token = g.build().evaluate(batch);
  assertClose(t, "G, token mean", token.loss, 0.3742471409, TOLERANCES.printed);
  assertClose(t, "surrogate", token.terms.surrogate, 0.2579092885, TOLERANCES.printed);
  assertClose(t, "refKl", token.terms.refKl, 0.1494041835, TOLERANCES.printed);
  assertClose(t, "perceptionKl", token.terms.perceptionKl, 2.6578094722, TOLERANCES.printed);
  assertClose(t, "entropy", token.terms.entropy, 1.5, TOLERANCES.printed);
  assertClose(t, "maskedEntropy", token.terms.maskedEntropy, 1.86, TOLERANCES.printed);
  assertClose(t, "approxKl", token.metrics.approxKl as number, -0.16, TOLERANCES.printed);
  t.is(token.metrics.clipFractionDual, 0.2);
  t.is(token.metrics.clipFraction, 0);
  const gradient = [-0.2562929, -0.1730709, -0.1479907, 0.1903625, -0.0134366, 0];
  const { printedShort } = TOLERANCES;
  assertClose(t, "gradient", valuesOf(token.gradLogProbs), gradient, printedShort);
  const sequence = g.reduce("seq-mean-token-mean").build().evaluate(batch);
  assertClose(t, "G, sequence mean", sequence.loss, 0.6571534613, TOLERANCES.printed);
  const d = objective("papo-d-7b").reduce("token-mean", { epsilon: 0 }).build().evaluate(batch);
  assertClose(t, "D", d.loss, 0.3321311938, TOLERANCES.printed);
});

const { oldLogProbs: logProbs } = BATCH;
const MISSING: [ObjectiveSpecInput, Partial<LogProbsBatch>, string][] = [
  [{ refKlCoef: 0.1 }, {}, "refLogProbs, since refKlCoef is 0.1, received none"],
  [
    { perceptionKlCoef: 0.1 },
    {},
    'maskedLogits or maskedLogProbs, since perceptionKlCoef is 0.1 and perceptionKlEstimator is "k3", received none',
  ],
  [
    { perceptionKlCoef: 0.1, perceptionKlEstimator: "exact" },
    { maskedLogProbs: logProbs },
    'maskedLogits (or kl with log-probs), since perceptionKlCoef is 0.1 and perceptionKlEstimator is "exact", received none',
  ],
  [
    { perceptionKlCoef: 0.1, perceptionKlEstimator: "exact-reverse" },
    { maskedLogProbs: logProbs, kl: logProbs },
    'maskedLogits (or reverseKl with log-probs), since perceptionKlCoef is 0.1 and perceptionKlEstimator is "exact-reverse", received none',
  ],
  [
    { entropyCoef: 0.1, entropyEstimator: "exact" },
    {},
    'logits (or entropy with log-probs), since entropyCoef is 0.1 and entropyEstimator is "exact", received none',
  ],
  [
    { maskedEntropyCoef: 0.1, entropyEstimator: "exact" },
    { maskedLogProbs: logProbs, entropy: logProbs },
    'maskedLogits (or maskedEntropy with log-probs), since maskedEntropyCoef is 0.1 and entropyEstimator is "exact", received none',
  ],
  [
    { maskedEntropyCoef: 0.1 },
    {},
    'maskedLogits or maskedLogProbs, since maskedEntropyCoef is 0.1 and entropyEstimator is "sampled", received none',
  ],
];

test("a term that is on and has no input is an error that names both", (t) => {
  const { advantages } = BATCH;
  for (const [spec, more, message] of MISSING) {
    t.throws(
      () =>
        objective(spec)
          .build()
          .evaluate({ logProbs, advantages, ...more }),
      {
        code: "ERR_ARGUMENT",
        message: `[Objective.evaluate] expected ${message}`,
      },
    );
  }
});

test("a term that is off and has no input is 0", (t) => {
  const { advantages } = BATCH;
  const exact = objective({ entropyEstimator: "exact" }).build();
  const { terms } = exact.evaluate({ logProbs, advantages });
  t.like(terms, { refKl: 0, perceptionKl: 0, entropy: 0, maskedEntropy: 0 });
});

test("memory for gradients of logits has no place here", (t) => {
  const batch = { logProbs, advantages: BATCH.advantages };
  t.throws(() => objective().build().evaluate(batch, { inPlace: true }), { code: "ERR_ARGUMENT" });
});

test("NaN in a counted row is an error that names argument and row, elsewhere it is not read", (t) => {
  const row = BATCH.responseMask.lastIndexOf(1);
  const broken = Float64Array.from(logProbs);
  broken[row] = Number.NaN;
  const { advantages, responseMask } = BATCH;
  const loss = objective().build();
  t.throws(() => loss.evaluate({ logProbs: broken, advantages, responseMask }), {
    code: "ERR_NOT_FINITE",
    message: new RegExp(`^\\[Objective.evaluate\\] expected logProbs\\[${row}\\] `),
  });
  const mask = responseMask.slice();
  mask[row] = 0;
  t.true(Number.isFinite(loss.evaluate({ logProbs: broken, advantages, responseMask: mask }).loss));
});
