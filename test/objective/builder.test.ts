/** The fluent way to an objective. */
import test from "ava";
import { Objective, objective, preset, SPEC_DEFAULTS } from "../../lib/index.js";

test("every step sets what it names and nothing else", (t) => {
  const spec = objective()
    .clip({ low: 0.1, high: 0.3, dual: 4 })
    .refKl({ coef: 0.01, estimator: "k2" })
    .perceptionKl({ coef: 0.02, estimator: "exact", exactLimit: 5 })
    .entropy({ coef: 0.03, maskedCoef: 0.04, estimator: "exact" })
    .maskedBranch("differentiable")
    .reduce("seq-mean-token-sum", { entropy: "same", epsilon: 0 })
    .temperature(0.7)
    .limits({ logRatio: 15, kl: null })
    .spec();
  t.deepEqual(spec, {
    surrogate: { kind: "ppo-clip" },
    clipLow: 0.1,
    clipHigh: 0.3,
    clipDual: 4,
    refKlCoef: 0.01,
    refKlEstimator: "k2",
    perceptionKlCoef: 0.02,
    perceptionKlEstimator: "exact",
    exactKlLimit: 5,
    entropyCoef: 0.03,
    maskedEntropyCoef: 0.04,
    entropyEstimator: "exact",
    maskedBranch: "differentiable",
    reduction: "seq-mean-token-sum",
    entropyReduction: "same",
    denominatorEpsilon: 0,
    temperature: 0.7,
    logRatioLimit: 15,
    klLimit: null,
    policyTokenMask: null,
    advantageShaping: null,
    offPolicyMask: null,
    rolloutCorrection: null,
    perceptionKlMin: null,
    perceptionKlMax: null,
    perceptionWeighting: "all",
    correctThreshold: 0.1,
    incorrectWeight: 0.1,
    perceptionTokenMask: null,
    entropyBounds: null,
    entropyAnnealing: "own",
    sftCoef: 0,
    emptySequences: "count",
  });
  t.deepEqual(objective().spec(), SPEC_DEFAULTS);
});

test("the steps of the family set their keys, parts complete", (t) => {
  const spec = objective()
    .surrogate({ kind: "sapo", temperatureNegative: 1.1 })
    .policy({
      tokenMask: { by: "perception", top: 0.4, level: "sequence" },
      advantageShaping: { kind: "vppo" },
      offPolicyMask: { threshold: 0.1 },
      rolloutCorrection: { level: "sequence", mode: "mask", max: 3 },
    })
    .perceptionKl({
      min: 0,
      max: 0.2,
      weighting: "accuracy-weighted",
      incorrectWeight: 0.3,
      correctThreshold: 0.5,
      tokenMask: { top: 0.2 },
    })
    .entropy({ bounds: { high: 1 } })
    .sft({ coef: 1e-3 })
    .reduce("seq-mean-token-mean", { emptySequences: "skip" })
    .spec();
  const all = { choice: "quantile", denominator: "all", level: "sequence" } as const;
  t.deepEqual(spec, {
    ...SPEC_DEFAULTS,
    surrogate: { kind: "sapo", temperaturePositive: 1, temperatureNegative: 1.1 },
    policyTokenMask: { by: "perception", top: 0.4, ...all },
    advantageShaping: { kind: "vppo", min: 0.9 },
    offPolicyMask: { threshold: 0.1 },
    rolloutCorrection: {
      level: "sequence",
      mode: "mask",
      max: 3,
      min: 0,
      batchNormalize: false,
      reject: null,
    },
    perceptionKlMin: 0,
    perceptionKlMax: 0.2,
    perceptionWeighting: "accuracy-weighted",
    incorrectWeight: 0.3,
    correctThreshold: 0.5,
    perceptionTokenMask: { top: 0.2, ...all },
    entropyBounds: { low: 0.1, high: 1, level: "token" },
    sftCoef: 1e-3,
    reduction: "seq-mean-token-mean",
    emptySequences: "skip",
  });
  t.deepEqual(objective(JSON.parse(JSON.stringify(spec))).spec(), spec);
  t.true(Object.isFrozen(spec.policyTokenMask) && Object.isFrozen(spec.rolloutCorrection));
  const schedule = { kind: "linear", from: 0.02, to: 0, steps: 10 } as const;
  const annealed = objective().perceptionKl({ coef: schedule }).entropy({
    annealing: "with-perception",
  });
  t.is(annealed.spec().entropyAnnealing, "with-perception");
});

test("a step returns a new builder and leaves the old one as it was", (t) => {
  const base = objective("grpo");
  const before = base.spec();
  const changed = base.clip({ dual: 0 }).temperature(2);
  t.not<unknown, unknown>(changed, base);
  t.deepEqual(base.spec(), before);
  t.is(changed.spec().clipDual, 0);
  t.true(Object.isFrozen(base));
  t.throws(() => Object.assign(base, { temperature: 1 }), { instanceOf: TypeError });
});

test("what a step does not name stays", (t) => {
  const spec = objective("papo-g-7b").clip({ high: 0.4 }).clip({}).entropy({ coef: 0.01 }).spec();
  t.deepEqual(spec, { ...preset("papo-g-7b"), clipHigh: 0.4, entropyCoef: 0.01 });
});

test("a builder starts from a preset, one of its forms, a spec or a part of one", (t) => {
  t.deepEqual(objective("dapo").spec(), preset("dapo"));
  const corrected = { form: "corrected" } as const;
  t.deepEqual(objective("papo-d-7b", corrected).spec(), preset("papo-d-7b", corrected));
  t.deepEqual(objective(preset("grpo")).spec(), preset("grpo"));
  t.deepEqual(objective({ clipLow: 0.1 }).spec(), { ...SPEC_DEFAULTS, clipLow: 0.1 });
});

test("it does not keep what it was given", (t) => {
  const coef = { kind: "linear" as const, from: 1, to: 0, steps: 5 };
  const builder = objective({ clipLow: 0.1 }).refKl({ coef });
  coef.from = 7;
  t.like(builder.spec().refKlCoef, { from: 1 });
});

test("it builds an objective with the spec it shows", (t) => {
  const builder = objective("papo-g-3b").temperature(0.5);
  const built = builder.build();
  t.true(built instanceof Objective);
  t.deepEqual(built.spec, builder.spec());
  t.true(Object.isFrozen(built));
});

test("a wrong value is refused by the step that was given it", (t) => {
  const message = (f: () => unknown) => t.throws(f)?.message;
  t.is(
    message(() => objective().clip({ low: 2 })),
    "[objective] expected clipLow to be a number from 0 to 1, received 2",
  );
  t.is(
    message(() => objective().clip({ hihg: 0.2 } as never)),
    '[objective] expected the clip options to have known keys only, received "hihg" (did you mean high?)',
  );
  t.is(
    message(() => objective().refKl({ coeff: 0.2 } as never)),
    '[objective] expected the refKl options to have known keys only, received "coeff" (did you mean coef?)',
  );
  t.throws(() => objective().maskedBranch(undefined as never), { code: "ERR_ARGUMENT" });
  t.throws(() => objective().reduce("mean" as never), { code: "ERR_ARGUMENT" });
  t.throws(() => objective().temperature(Number.NaN), { code: "ERR_RANGE" });
  t.throws(() => objective().entropy(null as never), { code: "ERR_ARGUMENT" });
  t.throws(() => objective("gpro" as never), { code: "ERR_ARGUMENT" });
  t.throws(() => objective(null as never), { code: "ERR_ARGUMENT" });
  t.throws(() => objective({}, { form: "corrected" }), { code: "ERR_ARGUMENT" });
});

test("the dual clip is held against the upper clip when the objective is complete", (t) => {
  const builder = objective().clip({ dual: 3 }).clip({ high: 4 });
  t.throws(() => builder.build(), { code: "ERR_RANGE", message: /above 1 \+ clipHigh = 5/ });
  t.is(builder.clip({ high: 1 }).spec().clipDual, 3);
});
