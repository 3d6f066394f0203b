/** What each key of the family makes of a small batch, against its formula written out here in plain float64. */
import test from "ava";
import { type EvaluateOptions, Objective, type ObjectiveSpecInput } from "../../lib/index.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";
import { valuesOf } from "./batches.js";
import {
  advantage,
  at,
  BATCH,
  COUNTED,
  close,
  EXACT,
  evaluate,
  MASK,
  OFFSETS,
  perception,
  quantile,
  rowsOf,
  sequenceOf,
  sum,
  surrogate,
  TOKENS,
} from "./family-batch.js";

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
  const slopes = without.reduce((total, slope) => total + Math.abs(slope), 0);
  close(t, "share", metrics.gradShareSft as number, 0.5 / (slopes + 0.5));
  const { metrics: negative } = evaluate({ sftCoef: -0.5 });
  close(t, "negative", negative.gradShareSft as number, 0.5 / (slopes + 0.5));
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
  [{ surrogate: { kind: "kl-cov", fraction: 1.01 } }, {}, {}, "ERR_RANGE", /surrogate.fraction/],
  [{ surrogate: { kind: "clip-cov", fraction: 1.01 } }, {}, {}, "ERR_RANGE", /surrogate.fraction/],
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
