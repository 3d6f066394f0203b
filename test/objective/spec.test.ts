/** Objectives as data: defaults, round trip, and every way to be refused. */
import test from "ava";
import {
  type ObjectiveSpecInput,
  PapoError,
  PRESET_FORMS,
  PRESET_IDS,
  parseSpec,
  preset,
  SPEC_DEFAULTS,
  SPEC_KEYS,
  validateSpec,
} from "../../lib/index.js";

function refusal(input: unknown): PapoError {
  try {
    validateSpec(input);
  } catch (error) {
    if (error instanceof PapoError) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

test("an empty spec is PPO's clip with a token mean and every other term off", (t) => {
  t.deepEqual(validateSpec({}), {
    surrogate: { kind: "ppo-clip" },
    clipLow: 0.2,
    clipHigh: 0.2,
    clipDual: 0,
    refKlCoef: 0,
    refKlEstimator: "k3",
    perceptionKlCoef: 0,
    perceptionKlEstimator: "k3",
    entropyCoef: 0,
    maskedEntropyCoef: 0,
    entropyEstimator: "sampled",
    maskedBranch: "constant",
    logRatioLimit: 20,
    klLimit: 10,
    exactKlLimit: null,
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
    reduction: "token-mean",
    entropyReduction: "token-mean",
    temperature: 1,
    denominatorEpsilon: 1e-8,
  });
  t.deepEqual(validateSpec({}), SPEC_DEFAULTS);
  t.deepEqual([...SPEC_KEYS].sort(), Object.keys(validateSpec({})).sort());
});

test("a spec is frozen, complete and a copy", (t) => {
  const coef = { kind: "linear" as const, from: 0.02, to: 0, steps: 10 };
  const input = { perceptionKlCoef: coef };
  const spec = validateSpec(input);
  coef.from = 99;
  t.true(Object.isFrozen(spec));
  t.true(Object.isFrozen(spec.perceptionKlCoef));
  t.like(spec.perceptionKlCoef, { from: 0.02 });
});

test("a spec is the same after a journey through JSON", (t) => {
  for (const id of PRESET_IDS) {
    for (const form of PRESET_FORMS) {
      const spec = preset(id, { form });
      t.deepEqual(validateSpec(JSON.parse(JSON.stringify(spec))), spec);
      t.deepEqual(parseSpec(JSON.stringify(spec)), spec);
    }
  }
});

test("Infinity is no limit, which JSON writes as null", (t) => {
  const spec = validateSpec({ klLimit: Number.POSITIVE_INFINITY, exactKlLimit: null });
  t.is(spec.klLimit, null);
  t.is(spec.exactKlLimit, null);
});

test("undefined is absent", (t) => {
  t.deepEqual(validateSpec({ clipDual: undefined, reduction: undefined }), SPEC_DEFAULTS);
});

test("text that is not JSON is refused in a sentence", (t) => {
  t.throws(() => parseSpec("{clipLow: 0.2}"), {
    instanceOf: PapoError,
    code: "ERR_ARGUMENT",
    message: /^\[objective\] expected JSON text, received /,
  });
  t.throws(() => parseSpec("[]"), { code: "ERR_ARGUMENT" });
});

const KIND: [ObjectiveSpecInput | Record<string, unknown>, string][] = [
  [{ clipLow: "0.2" }, 'clipLow to be a number from 0 to 1, received "0.2"'],
  [{ clipHigh: null }, "clipHigh to be a number from 0 up, received null"],
  [{ clipDual: true }, "clipDual to be a number 0 (off) or above 1, received true"],
  [{ temperature: {} }, "temperature to be a number above 0, received an object"],
  [
    { refKlEstimator: "full" },
    'refKlEstimator to be one of "k1", "k2", "k3", "k3+", "abs", "unbiased", "jsd", "exact", "exact-reverse", "unbiased-sequence", received "full"',
  ],
  [
    { perceptionKlEstimator: "exactreverse" },
    'perceptionKlEstimator to be one of "k1", "k2", "k3", "k3+", "abs", "unbiased", "jsd", "exact", "exact-reverse", received "exactreverse" (did you mean "exact-reverse"?)',
  ],
  [{ entropyEstimator: 1 }, 'entropyEstimator to be one of "sampled", "exact", received 1'],
  [
    { maskedBranch: "differentable" },
    'maskedBranch to be one of "constant", "differentiable", received "differentable" (did you mean "differentiable"?)',
  ],
  [
    { reduction: "token_mean" },
    'reduction to be one of "token-mean", "seq-mean-token-mean", "seq-mean-token-sum", "seq-mean-token-sum-norm", "sum", received "token_mean" (did you mean "token-mean"?)',
  ],
  [
    { entropyReduction: "sum" },
    'entropyReduction to be one of "token-mean", "same", received "sum"',
  ],
];

test("values of the wrong kind are refused with what was expected and the nearest word", (t) => {
  for (const [input, message] of KIND) {
    const error = refusal(input);
    t.is(error.code, "ERR_ARGUMENT");
    t.is(error.message, `[objective] expected ${message}`);
  }
});

const RANGE: [ObjectiveSpecInput, string][] = [
  [{ clipLow: -0.1 }, "clipLow to be a number from 0 to 1, received -0.1"],
  [{ clipLow: 1.5 }, "clipLow to be a number from 0 to 1, received 1.5"],
  [{ clipHigh: Number.NaN }, "clipHigh to be a number from 0 up, received NaN"],
  [{ clipDual: 0.5 }, "clipDual to be a number 0 (off) or above 1, received 0.5"],
  [
    { clipDual: 1.25, clipHigh: 0.25 },
    "clipDual to be 0 (off) or above 1 + clipHigh = 1.25, received 1.25",
  ],
  [{ refKlCoef: Number.POSITIVE_INFINITY }, "refKlCoef to be a finite number, received Infinity"],
  [{ perceptionKlCoef: Number.NaN }, "perceptionKlCoef to be a finite number, received NaN"],
  [{ temperature: 0 }, "temperature to be a number above 0, received 0"],
  [{ logRatioLimit: 701 }, "logRatioLimit to be a number above 0 and at most 700, received 701"],
  [{ klLimit: 0 }, "klLimit to be a number above 0, or null (no limit), received 0"],
  [{ exactKlLimit: -1 }, "exactKlLimit to be a number above 0, or null (no limit), received -1"],
  [{ denominatorEpsilon: -1e-8 }, "denominatorEpsilon to be a number from 0 up, received -1e-8"],
];

test("numbers outside their range are refused with the range", (t) => {
  for (const [input, message] of RANGE) {
    const error = refusal(input);
    t.is(error.code, "ERR_RANGE");
    t.is(error.message, `[objective] expected ${message}`);
  }
});

test("unknown keys are answered with the nearest one, in our words or in others'", (t) => {
  const nearest: Record<string, string | undefined> = {
    cliplow: "clipLow",
    clip_high: "clipHigh",
    refKlCoeff: "refKlCoef",
    perceptionCoef: "perceptionKlCoef",
    beta: "refKlCoef",
    gamma: "perceptionKlCoef",
    clip_ratio_c: "clipDual",
    delta: "clipDual",
    loss_agg_mode: "reduction",
    kl_loss_coef: "refKlCoef",
    clip_ratio: "clipHigh",
    // A parameter of the surrogate "kl-cov", not the reference's KL.
    ppo_kl_coef: "surrogate",
    top_p_perception_tokens: "policyTokenMask",
    vllm_importance_sampling_cap: "rolloutCorrection",
    banana: undefined,
    ["x".repeat(10_000)]: undefined,
  };
  for (const [key, near] of Object.entries(nearest)) {
    const { code, message } = refusal({ [key]: 1 });
    t.is(code, "ERR_ARGUMENT");
    t.regex(message, /^\[objective\] expected an objective to have known keys only, received "/);
    t.is(message.match(/did you mean (\w+)\?/)?.[1], near);
    t.true(message.length < 200);
  }
});

test("what is no plain object is refused", (t) => {
  class Spec {
    clipLow = 0.1;
  }
  for (const input of [null, undefined, 3, "grpo", [], new Map(), new Spec(), () => ({})]) {
    t.is(refusal(input).code, "ERR_ARGUMENT");
  }
});

test("inherited properties count for nothing and getters are not run", (t) => {
  const prototype = Object.prototype as Record<string, unknown>;
  prototype.clipLow = 0.9;
  prototype.kind = "linear";
  try {
    t.is(validateSpec({}).clipLow, 0.2);
    t.is(validateSpec(Object.create(null)).clipLow, 0.2);
    t.throws(() => validateSpec({ refKlCoef: { from: 1 } as never }));
  } finally {
    delete prototype.clipLow;
    delete prototype.kind;
  }
  const trap = {
    get clipLow(): number {
      throw new Error("the getter was run");
    },
  };
  t.is(
    refusal(trap).message,
    "[objective] expected clipLow to be a plain value, received a getter or setter",
  );
});

test("keys that would reach a prototype are unknown keys", (t) => {
  const hostile = JSON.parse('{"__proto__": {"clipLow": 0.9}, "clipLow": 0.1}') as unknown;
  t.is(refusal(hostile).code, "ERR_ARGUMENT");
  t.is(refusal(JSON.parse('{"constructor": {"prototype": {}}}')).code, "ERR_ARGUMENT");
  t.is(refusal({ [Symbol("clipLow")]: 1 }).code, "ERR_ARGUMENT");
  t.is(({} as Record<string, unknown>).clipLow, undefined);
});

test("a proxy that refuses to be read is refused like anything else that is no plain object", (t) => {
  const revoked = (target: object) => {
    const { proxy, revoke } = Proxy.revocable(target, {});
    revoke();
    return proxy;
  };
  const silent = new Proxy(
    {},
    {
      getOwnPropertyDescriptor: () => {
        throw new RangeError("no");
      },
      ownKeys: () => ["kind"],
    },
  );
  t.is(refusal(revoked({})).code, "ERR_ARGUMENT");
  for (const key of ["surrogate", "sftCoef", "policyTokenMask", "rolloutCorrection"]) {
    for (const proxy of [revoked({}), revoked([]), silent]) {
      t.is(refusal({ [key]: proxy }).code, "ERR_ARGUMENT", key);
    }
  }
  t.is(refusal({ rolloutCorrection: { reject: revoked([]) } }).code, "ERR_ARGUMENT");
});

test("numbers may lie at the ends of their ranges, and no further", (t) => {
  const masks = (top: number) => ({
    policyTokenMask: { by: "entropy", top, level: "batch", denominator: "all" },
  });
  const ends: readonly (readonly [(value: number) => object, right: number[], wrong: number[]])[] =
    [
      [(clipLow) => ({ clipLow }), [0, 1], [-0.01, 1.01]],
      [(clipHigh) => ({ clipHigh }), [0, 5], [-0.01]],
      [(clipDual) => ({ clipDual }), [0, 3], [0.5, 1, -1]],
      [(logRatioLimit) => ({ logRatioLimit }), [0.01, 700], [0, 700.1]],
      [(exactKlLimit) => ({ exactKlLimit }), [0.01, 0.9], [0, -1]],
      [masks, [0.01, 1], [0, 1.01]],
      [(min) => ({ advantageShaping: { kind: "vppo", min } }), [0, 1], [-0.01, 1.01]],
      [(fraction) => ({ surrogate: { kind: "kl-cov", fraction } }), [0.01, 1], [0, 1.01]],
      [(max) => ({ perceptionKlMin: 0.5, perceptionKlMax: max }), [0.5, 1], [0.49]],
      [(high) => ({ entropyBounds: { low: 0.5, high } }), [0.5, 1], [0.49]],
      // The other end is open.
      [(perceptionKlMin) => ({ perceptionKlMin }), [0.5], []],
      [(low) => ({ entropyBounds: { low } }), [0.5], []],
    ];
  for (const [specOf, right, wrong] of ends) {
    for (const value of right) {
      t.notThrows(() => validateSpec(specOf(value)), JSON.stringify(specOf(value)));
    }
    for (const value of wrong) {
      const { code } = refusal(specOf(value));
      t.is(code, "ERR_RANGE", JSON.stringify(specOf(value)));
    }
  }
});
