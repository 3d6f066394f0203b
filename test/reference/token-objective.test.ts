/** The terms of a token in the reference: every estimator, clip and limit, and slopes against differences. */
import test from "ava";
import { jensenShannon, k3, limitedDifference, sampledKl } from "../../lib/reference/divergence.js";
import {
  COTANGENTS,
  type CotangentName,
  finiteDifference,
  KL_ESTIMATORS,
  SAMPLED_KL_ESTIMATORS,
  type TokenObjectiveOptions,
  tokenObjective,
} from "../../lib/reference/index.js";
import { objectiveNumbers } from "../../lib/reference/objective-numbers.js";
import { CLIP, clippedSurrogate } from "../../lib/reference/surrogate.js";
import { lossOfToken } from "../../lib/reference/token-objective.js";
import { assertClose } from "../support/close.js";
import { Random } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";

const NONE = -Infinity;

/** Terms and cotangents of one token, as numbers. */
function token(options: {
  logProb?: number;
  old?: number;
  ref?: number;
  masked?: number;
  kl?: number;
  advantage?: number;
  spec?: Partial<TokenObjectiveOptions>;
}) {
  const { logProb = -1, old, ref, masked, kl, advantage, spec } = options;
  const line = (value: number | undefined) => (value === undefined ? undefined : [value]);
  const { terms, cotangents } = tokenObjective({
    statistics: { logProbs: [logProb], maskedLogProbs: line(masked), kl: line(kl) },
    oldLogProbs: line(old),
    refLogProbs: line(ref),
    advantages: line(advantage),
    weights: [1],
    ...spec,
  });
  const firsts = <Name extends string>(lines: Readonly<Record<Name, Float64Array>>) =>
    Object.fromEntries(
      Object.entries<Float64Array>(lines).map(([name, [x]]) => [name, x]),
    ) as Record<Name, number>;
  return { terms: firsts(terms), cotangents: firsts(cotangents) };
}

// The clipped surrogate.

const BOUNDS = { clipLow: 0.2, clipHigh: 0.3, clipDual: 3 };
for (const [what, ratio, advantage, value, slope, clip] of [
  ["inside the bounds nothing clips", 1.1, 2, -2.2, -2.2, CLIP.none],
  ["a good token is clipped above", 1.4, 2, -2.6, 0, CLIP.high],
  ["a good token is not clipped below", 0.5, 2, -1, -1, CLIP.none],
  ["a bad token is clipped below", 0.5, -2, 1.6, 0, CLIP.low],
  ["a bad token is not clipped above", 1.4, -2, 2.8, 2.8, CLIP.none],
  ["a bad token is clipped by the dual bound", 3.1, -2, 6, 0, CLIP.dual],
  ["without advantage there is no loss and no clip", 9, 0, 0, 0, CLIP.none],
] as const) {
  test(`surrogate: ${what}`, (t) => {
    const logRatio = { value: Math.log(ratio), free: true };
    const surrogate = clippedSurrogate(logRatio, advantage, BOUNDS);
    assertClose(t, "value", surrogate.value, value, TOLERANCES.float64);
    assertClose(t, "slope", surrogate.slope, slope, TOLERANCES.float64);
    t.is(surrogate.clip, clip);
  });
}

test("surrogate: at equality the unclipped branch is the active one", (t) => {
  const logRatio = { value: 0.25, free: true };
  const ratio = Math.exp(0.25);
  const atHigh = clippedSurrogate(logRatio, 1, { clipLow: 0, clipHigh: ratio - 1, clipDual: 0 });
  t.deepEqual(atHigh, { value: -ratio, slope: -ratio, clip: CLIP.none });
  const atDual = clippedSurrogate(logRatio, -1, { clipLow: 0, clipHigh: 0.1, clipDual: ratio });
  t.deepEqual(atDual, { value: ratio, slope: ratio, clip: CLIP.none });
  const still = { value: 0, free: true };
  const atLow = clippedSurrogate(still, -1, { clipLow: 0, clipHigh: 0, clipDual: 0 });
  t.deepEqual(atLow, { value: 1, slope: 1, clip: CLIP.none });
});

test("surrogate: where the limit of the log-ratio binds the value stays and the slope is 0", (t) => {
  const { terms, cotangents } = token({ logProb: -1, old: -31, advantage: -1 });
  assertClose(t, "ratio", terms.ratio, Math.exp(20), TOLERANCES.float64);
  assertClose(t, "surrogate", terms.surrogate, Math.exp(20), TOLERANCES.float64);
  t.is(cotangents.logProbs, 0);
});

test("without old log-probs the ratio is 1 and the gradient −A", (t) => {
  const { terms, cotangents } = token({ advantage: 0.7 });
  t.is(terms.ratio, 1);
  assertClose(t, "surrogate", terms.surrogate, -0.7, TOLERANCES.exact);
  assertClose(t, "slope", cotangents.logProbs, -0.7, TOLERANCES.exact);
});

// Differences and estimators.

test("equal log-probs differ by 0, also where both are −Infinity, which no step moves", (t) => {
  t.deepEqual(limitedDifference(NONE, NONE, 20), { value: 0, free: false });
  t.deepEqual(limitedDifference(-3, -3, 20), { value: 0, free: true });
  t.deepEqual(limitedDifference(-3, NONE, 20), { value: 20, free: false });
  t.deepEqual(limitedDifference(NONE, -3, 20), { value: -20, free: false });
  t.deepEqual(limitedDifference(0, -20, 20), { value: 20, free: true });
  t.deepEqual(limitedDifference(0, -50, Infinity), { value: 50, free: true });
});

const at = (x: number, free = true) => ({ value: x, free });
const ONE = at(0);

for (const [estimator, value, slope] of [
  ["k1", -0.5, -1],
  ["k2", 0.125, 0.5],
  ["abs", 0.5, 1],
  ["k3", Math.expm1(0.5) - 0.5, Math.expm1(0.5)],
  ["k3+", Math.expm1(0.5) - 0.5, 0.5],
  ["unbiased", Math.expm1(0.5) - 0.5, Math.expm1(0.5)],
  // (u log u - (1 + u) log((1 + u) / 2)) / 2 and u log(2u / (1 + u)) / 2, from 40 digits.
  ["jsd", 0.0401279444638664, 0.1805928462739471],
] as const) {
  test(`${estimator} has its value and its slope in the other log-prob`, (t) => {
    const kl = sampledKl(estimator, at(0.5), ONE, 10);
    assertClose(t, "value", kl.value, value, TOLERANCES.float64);
    assertClose(t, "otherSlope", kl.otherSlope, slope, TOLERANCES.float64);
  });
}

test("jsd over a policy's tokens is the Jensen-Shannon divergence, with its gradient in the other policy", (t) => {
  const policy = [0.6, 0.25, 0.1, 0.05];
  const divergence = (other: readonly number[]) =>
    policy.reduce((sum, p, v) => {
      const q = other[v] as number;
      const middle = (p + q) / 2;
      return sum + (p * Math.log(p / middle) + q * Math.log(q / middle)) / 2;
    }, 0);
  const other = [0.05, 0.3, 0.1, 0.55];
  const tokens = policy.map((p, v) => jensenShannon(Math.log((other[v] as number) / p)));
  const mean = (of: (v: number) => number) => policy.reduce((sum, p, v) => sum + p * of(v), 0);
  const value = mean((v) => tokens[v]?.value ?? Number.NaN);
  assertClose(t, "value", value, divergence(other), TOLERANCES.float64);
  for (const [v, p] of policy.entries()) {
    const q = other[v] as number;
    const slope = (p * (tokens[v]?.slope ?? Number.NaN)) / q;
    const expected = Math.log((2 * q) / (p + q)) / 2;
    assertClose(t, `∂/∂other[${v}]`, slope, expected, TOLERANCES.float64);
  }
});

test("jsd is bounded by ½ log 2 where the other policy loses, grows with e^x where it wins, and is never negative", (t) => {
  for (let x = -30; x <= 30; x += 0.01) t.true(jensenShannon(x).value >= 0);
  for (const x of [-40, -800, -Infinity]) {
    assertClose(t, "value", jensenShannon(x).value, Math.LN2 / 2, TOLERANCES.float64);
    t.true(Math.abs(jensenShannon(x).slope) < 1e-15);
  }
  const far = jensenShannon(30);
  assertClose(t, "value", far.value / Math.exp(30), Math.LN2 / 2, { rtol: 1e-11, atol: 0 });
  t.is(jensenShannon(Infinity).value, Infinity);
  // The series and the closed form meet.
  for (const x of [-0.1, 0.1]) {
    const [inside, outside] = [x * (1 - 1e-12), x * (1 + 1e-12)].map(
      (at) => jensenShannon(at).value,
    );
    assertClose(t, "at the edge", inside as number, outside as number, { rtol: 1e-11, atol: 0 });
  }
  for (const x of [1e-8, -1e-5, 1e-3]) {
    const expected = ((x * x) / 8) * (1 + x / 2 + (x * x) / 8 + x ** 3 / 48);
    assertClose(t, `near ${x}`, jensenShannon(x).value, expected, { rtol: 1e-13, atol: 0 });
  }
});

test("the gradient of ratio·k3 on the policy is −ratio·x where no limit binds", (t) => {
  for (const x of [-3, -0.1, 0, 0.4, 2]) {
    const { policySlope } = sampledKl("unbiased", at(x), at(0.3), 10);
    assertClose(t, `x = ${x}`, policySlope, -Math.exp(0.3) * x, { rtol: 1e-13, atol: 1e-14 });
  }
});

for (const estimator of SAMPLED_KL_ESTIMATORS) {
  test(`${estimator} of equal policies is 0`, (t) => {
    t.is(sampledKl(estimator, at(0), at(0.2), 10).value, 0);
  });

  test(`${estimator} has no slope in x where the limit of the log-ratio binds`, (t) => {
    const kl = sampledKl(estimator, at(-20, false), at(0.2), 1e9);
    t.is(kl.otherSlope, 0);
    const throughRatio = estimator === "unbiased" ? Math.exp(0.2) * k3(-20) : 0;
    assertClose(t, "policySlope", kl.policySlope, throughRatio, TOLERANCES.float64);
  });
}

for (const estimator of ["k3", "k3+", "unbiased", "jsd"] as const) {
  test(`${estimator} stops at klLimit, and its k3 has no slope beyond it`, (t) => {
    const kl = sampledKl(estimator, at(4), at(0.2), 10);
    const ratio = estimator === "unbiased" ? Math.exp(0.2) : 1;
    assertClose(t, "value", kl.value, 10 * ratio, TOLERANCES.float64);
    t.is(kl.otherSlope, 0);
    const throughRatio = estimator === "unbiased" ? 10 * ratio : 0;
    assertClose(t, "policySlope", kl.policySlope, throughRatio, TOLERANCES.float64);
  });
}

for (const [estimator, value] of [
  ["k1", -4],
  ["k2", 8],
  ["abs", 4],
] as const) {
  test(`klLimit does not touch ${estimator}`, (t) => {
    const kl = sampledKl(estimator, at(4), ONE, 1);
    t.is(kl.value, value);
    t.not(kl.otherSlope, 0);
  });
}

test("unbiased keeps k3's slope where the limit binds on its ratio", (t) => {
  const { policySlope, otherSlope } = sampledKl("unbiased", at(0.5), at(20, false), 10);
  assertClose(t, "otherSlope", otherSlope, Math.exp(20) * Math.expm1(0.5), TOLERANCES.float64);
  assertClose(t, "policySlope", policySlope, -otherSlope, TOLERANCES.exact);
});

// Slopes of the whole against differences of the value.

/** Tokens whose differences of log-probs run from nothing to beyond every limit. */
function randomTokens(rows: number) {
  const random = new Random(7);
  const line = (of: () => number) => Float64Array.from({ length: rows }, of);
  const logProbs = line(() => -0.5 - 3 * random.uniform());
  const near = () => logProbs.map((x) => x + random.normal() * (random.uniform() < 0.3 ? 15 : 0.4));
  return {
    statistics: {
      logProbs,
      maskedLogProbs: near(),
      entropy: line(() => 2 * random.uniform()),
      maskedEntropy: line(() => 2 * random.uniform()),
      kl: line(() => 4 * random.uniform()),
      reverseKl: line(() => 4 * random.uniform()),
    },
    oldLogProbs: near(),
    refLogProbs: near(),
    advantages: line(() => random.normal()),
    weights: line(() => 0.1 + random.uniform()),
    entropyWeights: line(() => 0.1 + random.uniform()),
  };
}

const COEFFICIENTS = {
  clipHigh: 0.3,
  clipDual: 3,
  refKlCoef: 0.7,
  perceptionKlCoef: 0.4,
  entropyCoef: 0.3,
  maskedEntropyCoef: 0.2,
};

// The gradient of k3+ is another function's on purpose; it has its own tests above.
for (const estimator of KL_ESTIMATORS.filter((name) => name !== "k3+")) {
  for (const maskedBranch of ["constant", "differentiable"] as const) {
    test(`the cotangents with ${estimator} and a ${maskedBranch} masked branch are those of differences`, (t) => {
      const isExact = estimator.startsWith("exact");
      const tokens = randomTokens(40);
      const spec = {
        ...COEFFICIENTS,
        refKlEstimator: isExact ? "k3" : estimator,
        perceptionKlEstimator: estimator,
        entropyEstimator: isExact ? "exact" : "sampled",
        maskedBranch,
        exactKlLimit: 2,
      } as Partial<TokenObjectiveOptions>;
      const numbers = objectiveNumbers("test", spec);
      const loss = (statistics: Partial<Record<CotangentName, Float64Array>>): number => {
        const { terms } = tokenObjective({ ...tokens, ...spec, statistics });
        return tokens.weights.reduce(
          (sum, weight, row) =>
            sum + lossOfToken(terms, row, weight, tokens.entropyWeights[row]!, numbers),
          0,
        );
      };
      const { cotangents } = tokenObjective({ ...tokens, ...spec });
      for (const name of COTANGENTS) {
        if (maskedBranch === "constant" && name.startsWith("masked")) {
          t.true(
            cotangents[name].every((x) => x === 0),
            name,
          );
          continue;
        }
        const f = (line: Float64Array) => loss({ ...tokens.statistics, [name]: line });
        const expected = finiteDifference(f, tokens.statistics[name]);
        assertClose(t, name, cotangents[name], expected, TOLERANCES.finiteDifference);
      }
    });
  }
}

for (const entropyEstimator of ["sampled", "exact"] as const) {
  test(`cotangents of bounded terms with ${entropyEstimator} entropies are those of differences`, (t) => {
    const tokens = randomTokens(40);
    const perceptionWeights = tokens.weights.map((weight) => 2 * weight);
    const spec = {
      ...COEFFICIENTS,
      entropyEstimator,
      maskedBranch: "differentiable",
      perceptionKlEstimator: entropyEstimator === "exact" ? "exact" : "jsd",
      // No token is so near a bound that the differences would step over it.
      perceptionKlMin: 0.17,
      perceptionKlMax: 1.7,
      entropyLow: 0.89,
      entropyHigh: 1.45,
      perceptionWeights,
    } as const;
    const numbers = objectiveNumbers("test", spec);
    const loss = (statistics: Partial<Record<CotangentName, Float64Array>>): number => {
      const { terms } = tokenObjective({ ...tokens, ...spec, statistics });
      return tokens.weights.reduce((sum, weight, row) => {
        const own = perceptionWeights[row];
        return sum + lossOfToken(terms, row, weight, tokens.entropyWeights[row]!, numbers, own);
      }, 0);
    };
    const { terms, cotangents } = tokenObjective({ ...tokens, ...spec });
    for (const bound of [0.17, 1.7]) t.true(terms.perceptionKl.includes(bound));
    for (const name of ["entropy", "maskedEntropy"] as const) {
      t.true(terms[name].some((value) => value === 0) && terms[name].some((value) => value > 0));
    }
    for (const name of COTANGENTS) {
      const f = (line: Float64Array) => loss({ ...tokens.statistics, [name]: line });
      const expected = finiteDifference(f, tokens.statistics[name]);
      assertClose(t, name, cotangents[name], expected, TOLERANCES.finiteDifference);
    }
  });
}

test("at its bounds a term is free, and an entropy costs nothing and has no slope", (t) => {
  const bounded = (kl: number) =>
    token({
      kl,
      spec: {
        perceptionKlEstimator: "exact",
        perceptionKlCoef: 0.5,
        perceptionKlMin: 1,
        perceptionKlMax: 2,
      },
    });
  t.deepEqual(
    [1, 2].map((kl) => bounded(kl).cotangents.kl),
    [-0.5, -0.5],
  );
  t.deepEqual(
    [0.9, 2.1].map((kl) => bounded(kl).cotangents.kl),
    [0, 0],
  );
  t.deepEqual(
    [0.9, 2.1, Infinity].map((kl) => bounded(kl).terms.perceptionKl),
    [1, 2, 2],
  );
  const hinge = (logProb: number) => {
    const spec = { entropyCoef: 0.5, entropyLow: 1, entropyHigh: 2 };
    const { terms, cotangents } = token({ logProb, spec });
    return [terms.entropy, cotangents.logProbs];
  };
  t.deepEqual([-0.5, -1, -1.5, -2, -2.5].map(hinge), [
    [0.5, 0.5],
    [0, 0],
    [0, 0],
    [0, 0],
    [0.5, -0.5],
  ]);
  t.deepEqual(hinge(NONE), [0, 0]);
});

test("the share of each term is the magnitude of its cotangents", (t) => {
  const { terms, cotangents } = token({
    logProb: -1,
    old: -1.2,
    masked: -3,
    advantage: 1,
    spec: {
      clipHigh: 0.5,
      perceptionKlCoef: 0.5,
      maskedEntropyCoef: 0.1,
      maskedBranch: "differentiable",
      weights: [2],
      entropyWeights: [3],
    },
  });
  assertClose(t, "gradSurrogate", terms.gradSurrogate, 2 * Math.exp(0.2), TOLERANCES.float64);
  const perception = 2 * 0.5 * -Math.expm1(-2);
  assertClose(t, "gradPerceptionKl", terms.gradPerceptionKl, 2 * perception, TOLERANCES.float64);
  assertClose(t, "gradMaskedEntropy", terms.gradMaskedEntropy, 0.3, TOLERANCES.float64);
  t.is(terms.gradRefKl, 0);
  const total = -2 * Math.exp(0.2) - perception;
  assertClose(t, "logProbs", cotangents.logProbs, total, TOLERANCES.float64);
});

// Edges.

test("a token that the policy rules out has sampled entropy 0 without slope, and finite terms", (t) => {
  const { terms, cotangents } = token({
    logProb: NONE,
    old: -1,
    ref: -2,
    masked: NONE,
    advantage: -1,
    spec: { ...COEFFICIENTS, maskedBranch: "differentiable" },
  });
  t.is(terms.entropy, 0);
  t.is(terms.maskedEntropy, 0);
  t.is(terms.perceptionKl, 0);
  t.true(Object.values(terms).every(Number.isFinite));
  t.is(cotangents.logProbs, 0);
  t.is(cotangents.maskedLogProbs, 0);
});

test("infinite old and reference log-probs are held by the limits", (t) => {
  const { terms, cotangents } = token({ old: NONE, ref: NONE, advantage: 1, spec: COEFFICIENTS });
  assertClose(t, "ratio", terms.ratio, Math.exp(20), TOLERANCES.float64);
  t.is(terms.refKl, 10);
  assertClose(t, "logProbs", cotangents.logProbs, -0.3, TOLERANCES.float64);
});

test("an exact KL stops at exactKlLimit, without slope beyond it, also where it is Infinity", (t) => {
  const spec = { perceptionKlEstimator: "exact", perceptionKlCoef: 0.5 } as const;
  const within = token({ kl: 2, spec: { ...spec, exactKlLimit: 2 } });
  t.is(within.terms.perceptionKl, 2);
  t.is(within.cotangents.kl, -0.5);
  for (const kl of [2.5, Infinity]) {
    const beyond = token({ kl, spec: { ...spec, exactKlLimit: 2 } });
    t.is(beyond.terms.perceptionKl, 2);
    t.is(beyond.cotangents.kl, 0);
  }
});

test("an infinite exact KL without a limit is an error where it has a coefficient, and only there", (t) => {
  const spec = { perceptionKlEstimator: "exact" } as const;
  const error = t.throws(() => token({ kl: Infinity, spec: { ...spec, perceptionKlCoef: 0.1 } }));
  t.like(error, { code: "ERR_NOT_FINITE", row: 0 });
  t.is(token({ kl: Infinity, spec }).terms.perceptionKl, Infinity);
  t.is(token({ kl: Infinity, spec }).cotangents.kl, 0);
});

for (const name of ["oldLogProbs", "refLogProbs", "advantages"] as const) {
  test(`NaN in ${name} is refused by its row where the row counts`, (t) => {
    const options = {
      statistics: { logProbs: [-1, -1, -1] },
      weights: [1, 1, 1],
      [name]: [0, Number.NaN, 0],
    };
    const error = t.throws(() => tokenObjective(options));
    t.like(error, { code: "ERR_NOT_FINITE", row: 1 });
    t.regex(error?.message ?? "", new RegExp(`${name}\\[1\\]`));
    const { cotangents } = tokenObjective({ ...options, responseMask: [1, 0, 1] });
    t.is(cotangents.logProbs[1], 0);
  });
}

test("an infinite advantage is refused", (t) => {
  t.throws(() => token({ advantage: Infinity }), { code: "ERR_NOT_FINITE" });
});

for (const [what, wrong, code] of [
  ["clipDual not above 1 + clipHigh", { clipDual: 1.2 }, "ERR_RANGE"],
  ["a negative clipHigh", { clipHigh: -0.1 }, "ERR_RANGE"],
  ["a clipLow above 1", { clipLow: 1.1 }, "ERR_RANGE"],
  ["an infinite coefficient", { refKlCoef: Infinity }, "ERR_RANGE"],
  ["a limit of 0", { logRatioLimit: 0 }, "ERR_RANGE"],
  [
    "a perceptionKlMin above perceptionKlMax",
    { perceptionKlMin: 1, perceptionKlMax: 0 },
    "ERR_RANGE",
  ],
  ["an entropyLow above entropyHigh", { entropyLow: 1, entropyHigh: 0 }, "ERR_RANGE"],
  ["a bound that is NaN", { entropyLow: Number.NaN }, "ERR_RANGE"],
  ["a negative weight of the perception term", { perceptionWeights: [-1] }, "ERR_RANGE"],
  ["an unknown estimator", { perceptionKlEstimator: "k4" }, "ERR_ARGUMENT"],
  ["an exact reference KL", { refKlEstimator: "exact" }, "ERR_ARGUMENT"],
  ["weights of another length", { weights: [1, 2] }, "ERR_SHAPE"],
] as const) {
  test(`${what} is refused`, (t) => {
    t.throws(() => token({ spec: wrong as Partial<TokenObjectiveOptions> }), { code });
  });
}
