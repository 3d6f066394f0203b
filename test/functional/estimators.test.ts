/**
 * What every estimator of a divergence or an entropy estimates, and where its gradient leads: by enumeration of a small
 * vocabulary, against the tables in native/math/README.md, cell by cell.
 */
import { readFileSync } from "node:fs";
import test from "ava";
import { backward } from "../../lib/autograd/grad.js";
import { papoLoss } from "../../lib/functional/papo-loss.js";
import type { PapoLossOptions } from "../../lib/functional/papo-loss-options.js";
import { SAMPLED_KL_ESTIMATORS } from "../../lib/ops/token-objective.js";
import { finiteDifference } from "../../lib/reference/index.js";
import { tensor } from "../../lib/tensor/create.js";
import { assertClose, compare } from "../support/close.js";

/** Logits of the policy, the other policy and the one that sampled; all exact in float32. */
const LOGITS = [2, 1, 0, -1, 0.5];
const OTHER = [0.25, 1.5, 0.75, -0.5, -1];
const SAMPLER = [-0.5, 1.5, 1, 0.75, -0.25];
const TOKENS = [...LOGITS.keys()];

/** float32 exponentials on the way through the logits. */
const CLOSE = { rtol: 0, atol: 1e-6 };
/** What counts as a bias here; every one that the tables name is larger. */
const BIAS = 1e-2;

function softmax(z: ArrayLike<number>): number[] {
  const powers = Array.from(z, Math.exp);
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

// Expectations of one-token estimates.

interface Estimate {
  readonly value: number;
  readonly logits: Float64Array;
  readonly otherLogits: Float64Array;
}

/** The estimate from one token, as the term that `options` switch on, and its gradients in both logits. */
function estimateOf(tokenId: number, options: Partial<PapoLossOptions>): Estimate {
  const leaf = (z: readonly number[]) =>
    tensor(Float32Array.from(z), { shape: [1, z.length], requiresGrad: true });
  const [logits, maskedLogits] = [leaf(LOGITS), leaf(OTHER)];
  const loss = papoLoss({
    ...{ logits, maskedLogits, tokenIds: [tokenId], advantages: [0], reduction: "sum" },
    maskedBranch: "differentiable",
    ...options,
  });
  backward(loss);
  const gradient = (z: typeof logits) => Float64Array.from(z.grad?.data ?? TOKENS.map(() => 0));
  return { value: loss.item(), logits: gradient(logits), otherLogits: gradient(maskedLogits) };
}

/** Σ over all tokens of their probability under `sampler` times the estimate; `sign` turns what a loss subtracts. */
function expectation(
  sampler: readonly number[],
  options: Partial<PapoLossOptions>,
  sign: 1 | -1,
): Estimate {
  const [logits, otherLogits] = [new Float64Array(TOKENS.length), new Float64Array(TOKENS.length)];
  let value = 0;
  const probabilities = softmax(sampler);
  for (const tokenId of TOKENS) {
    const probability = sign * (probabilities[tokenId] as number);
    const oldLogProbs = [Math.log(Math.abs(probability))];
    const estimate = estimateOf(tokenId, { ...options, oldLogProbs });
    value += probability * estimate.value;
    for (const v of TOKENS) {
      logits[v] = (logits[v] as number) + probability * (estimate.logits[v] as number);
      otherLogits[v] =
        (otherLogits[v] as number) + probability * (estimate.otherLogits[v] as number);
    }
  }
  return { value, logits, otherLogits };
}

// What the tables' cells say, written out over the whole vocabulary.

type Distributions = readonly [
  p: readonly number[],
  q: readonly number[],
  sampler: readonly number[],
];
type Quantity = (...distributions: Distributions) => number;

const sum = (f: (v: number) => number): number => TOKENS.reduce((total, v) => total + f(v), 0);
const at = (x: readonly number[], v: number): number => x[v] as number;
const kl: Quantity = (p, q) => sum((v) => at(p, v) * Math.log(at(p, v) / at(q, v)));
const logRatio = (p: readonly number[], q: readonly number[], v: number): number =>
  Math.log(at(p, v) / at(q, v));
const middle = (p: readonly number[], q: readonly number[]): number[] =>
  p.map((x, v) => (x + at(q, v)) / 2);
const crossEntropy: Quantity = (p, q) => -sum((v) => at(p, v) * Math.log(at(q, v)));

const QUANTITIES: Readonly<Record<string, Quantity>> = {
  "KL(π ‖ other)": kl,
  "KL(other ‖ π)": (p, q) => kl(q, p, q),
  "JSD(π, other)": (p, q) => (kl(p, middle(p, q), p) + kl(q, middle(p, q), q)) / 2,
  "Σ π abs x": (p, q) => sum((v) => at(p, v) * Math.abs(logRatio(p, q, v))),
  "½ Σ π x²": (p, q) => sum((v) => at(p, v) * logRatio(p, q, v) ** 2) / 2,
  "Σ abs(π − other)": (p, q) => sum((v) => Math.abs(at(p, v) - at(q, v))),
  "KL(μ ‖ other) − KL(μ ‖ π)": (p, q, sampler) => kl(sampler, q, q) - kl(sampler, p, p),
  "KL(μ ‖ π)": (p, _, sampler) => kl(sampler, p, p),
  "H(π)": (p) => crossEntropy(p, p, p),
  "H(other)": (_, q) => crossEntropy(q, q, q),
  "H(π, other)": crossEntropy,
  "H(μ, π)": (p, _, sampler) => crossEntropy(sampler, p, p),
  "H(μ, other)": (_, q, sampler) => crossEntropy(sampler, q, q),
};

/** Expected slopes that are no gradient of a quantity above: weight of ∇ log π(v), summed over the vocabulary. */
const WEIGHTS: Readonly<
  Record<string, (p: readonly number[], q: readonly number[], v: number) => number>
> = {
  "−½ Σ other log(2 other/(π + other)) ∇ log π": (p, q, v) =>
    (-at(q, v) * Math.log(at(q, v) / at(middle(p, q), v))) / 2,
};

type Branch = "logits" | "otherLogits";

/** The gradient that a cell names: of a quantity whose sampler stays where it is, or a weighted sum of scores. */
function gradientOf(cell: string, sampler: readonly number[], branch: Branch): Float64Array {
  if (cell === "0") return new Float64Array(TOKENS.length);
  const [p, q] = [softmax(LOGITS), softmax(OTHER)];
  const weight = WEIGHTS[cell];
  if (weight !== undefined) {
    const weights = TOKENS.map((v) => weight(p, q, v));
    const total = sum((v) => at(weights, v));
    return Float64Array.from(TOKENS, (v) => at(weights, v) - at(p, v) * total);
  }
  const [, sign, name = ""] = /^(−?)∇ (.*)$/.exec(cell) ?? [];
  const quantity = QUANTITIES[name];
  if (quantity === undefined) throw new Error(`no gradient "${cell}"`);
  const mu = softmax(sampler);
  const gradient =
    branch === "logits"
      ? finiteDifference((z) => quantity(softmax(z), q, mu), LOGITS)
      : finiteDifference((z) => quantity(p, softmax(z), mu), OTHER);
  return sign === "−" ? gradient.map((x) => -x) : gradient;
}

function valueOfCell(cell: string, sampler: readonly number[]): number {
  const quantity = QUANTITIES[cell];
  if (quantity === undefined) throw new Error(`no quantity "${cell}"`);
  return quantity(softmax(LOGITS), softmax(OTHER), softmax(sampler));
}

// The tables.

const readme = readFileSync(new URL("../../native/math/README.md", import.meta.url), "utf8");

/** Rows of the table between two markers, cells without their back quotes, by the first cell. */
function tableOf(name: string): Map<string, string[]> {
  const [, rest = ""] = readme.split(`<!-- ${name}:begin -->`);
  const [table = ""] = rest.split(`<!-- ${name}:end -->`);
  const lines = table.trim().split("\n").slice(2);
  return new Map(
    lines.map((line) => {
      const [first = "", ...cells] = line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [first.replaceAll("`", ""), cells];
    }),
  );
}

const KL_TABLE = tableOf("kl-expectations");
const ENTROPY_TABLE = tableOf("entropy-expectations");

test("every sampled estimator has a row, and every row is an estimator", (t) => {
  const known = new Set<string>(SAMPLED_KL_ESTIMATORS);
  t.deepEqual(
    [...SAMPLED_KL_ESTIMATORS].filter((name) => !KL_TABLE.has(name)),
    [],
  );
  t.deepEqual(
    [...KL_TABLE.keys()].filter((name) => !known.has(name)),
    [],
  );
  t.true(KL_TABLE.size >= 6);
});

const farFrom = (actual: number | Float64Array, other: number | Float64Array): boolean => {
  const list = (x: number | Float64Array) => (typeof x === "number" ? [x] : x);
  return !compare("", list(actual), list(other), { rtol: 0, atol: BIAS }).ok;
};

const exactKl = valueOfCell("KL(π ‖ other)", LOGITS);
const exactGradient = gradientOf("∇ KL(π ‖ other)", LOGITS, "logits");

for (const [estimator, cells] of KL_TABLE) {
  const [value = "", gradient = "", otherGradient = "", offValue = "", offGradient = ""] = cells;
  const options: Partial<PapoLossOptions> = {
    perceptionKlCoef: 1,
    perceptionKlEstimator: estimator as (typeof SAMPLED_KL_ESTIMATORS)[number],
  };

  test(`${estimator} on policy: expected value ${value}, gradient ${gradient}`, (t) => {
    // A loss subtracts its perception KL.
    const expected = expectation(LOGITS, options, -1);
    assertClose(t, "value", expected.value, valueOfCell(value, LOGITS), CLOSE);
    assertClose(t, "gradient", expected.logits, gradientOf(gradient, LOGITS, "logits"), CLOSE);
    const other = gradientOf(otherGradient, LOGITS, "otherLogits");
    assertClose(t, "other's gradient", expected.otherLogits, other, CLOSE);
    // What is not named after the KL is not the KL.
    t.is(farFrom(expected.value, exactKl), value !== "KL(π ‖ other)");
    t.is(farFrom(expected.logits, exactGradient), gradient !== "∇ KL(π ‖ other)");
  });

  test(`${estimator} off policy: expected value ${offValue}, gradient ${offGradient}`, (t) => {
    const expected = expectation(SAMPLER, options, -1);
    const wantedValue = valueOfCell(value, LOGITS);
    const wantedGradient = gradientOf(gradient, LOGITS, "logits");
    // Biased: not even what it is on policy.
    if (offValue === "biased") t.true(farFrom(expected.value, wantedValue));
    else assertClose(t, "value", expected.value, valueOfCell(offValue, SAMPLER), CLOSE);
    if (offGradient === "biased") t.true(farFrom(expected.logits, wantedGradient));
    else {
      const off = gradientOf(offGradient, SAMPLER, "logits");
      assertClose(t, "gradient", expected.logits, off, CLOSE);
    }
    t.is(farFrom(expected.value, exactKl), offValue !== "KL(π ‖ other)");
    t.is(farFrom(expected.logits, exactGradient), offGradient !== "∇ KL(π ‖ other)");
  });
}

const ENTROPIES: Readonly<Record<string, readonly [Partial<PapoLossOptions>, Branch]>> = {
  "sampled, π": [{ entropyCoef: 1, entropyEstimator: "sampled" }, "logits"],
  "exact, π": [{ entropyCoef: 1, entropyEstimator: "exact" }, "logits"],
  "sampled, masked": [{ maskedEntropyCoef: 1, entropyEstimator: "sampled" }, "otherLogits"],
  "exact, masked": [{ maskedEntropyCoef: 1, entropyEstimator: "exact" }, "otherLogits"],
};

test("every entropy has a row", (t) => {
  t.deepEqual([...ENTROPY_TABLE.keys()].sort(), Object.keys(ENTROPIES).sort());
});

for (const [name, [value = "", gradient = "", offValue = "", offGradient = ""]] of ENTROPY_TABLE) {
  const [options, branch] = ENTROPIES[name] as (typeof ENTROPIES)[string];
  const constant: Branch = branch === "logits" ? "otherLogits" : "logits";
  for (const [policy, sampler, wantedValue, wantedGradient] of [
    ["on", LOGITS, value, gradient],
    ["off", SAMPLER, offValue, offGradient],
  ] as const) {
    test(`entropy ${name}, ${policy} policy: ${wantedValue}, gradient ${wantedGradient}`, (t) => {
      const expected = expectation(sampler, options, 1);
      assertClose(t, "value", expected.value, valueOfCell(wantedValue, sampler), CLOSE);
      const wanted = gradientOf(wantedGradient, sampler, branch);
      assertClose(t, "gradient", expected[branch], wanted, CLOSE);
      t.deepEqual(expected[constant], new Float64Array(TOKENS.length));
      // A bias is a bias: sampled is not exact, but for the value of π's own on policy.
      const exact = valueOfCell(branch === "logits" ? "H(π)" : "H(other)", LOGITS);
      const isExact = name.startsWith("exact");
      t.is(farFrom(expected.value, exact), !isExact && !(branch === "logits" && policy === "on"));
      const entropy = branch === "logits" ? "∇ H(π)" : "∇ H(other)";
      t.is(farFrom(expected[branch], gradientOf(entropy, LOGITS, branch)), !isExact);
    });
  }
}

test("a limit that binds is a bias of the value, and takes its tokens out of the gradient", (t) => {
  const k3 = { perceptionKlCoef: 1, perceptionKlEstimator: "k3" } as const;
  const [p, q] = [softmax(LOGITS), softmax(OTHER)];
  const k3At = (v: number): number => {
    const x = -logRatio(p, q, v);
    return Math.expm1(x) - x;
  };
  const limit = 0.5;
  const bound = TOKENS.filter((v) => k3At(v) > limit);
  t.true(bound.length > 0 && bound.length < TOKENS.length);
  const limited = expectation(LOGITS, { ...k3, klLimit: limit }, -1);
  assertClose(
    t,
    "value",
    limited.value,
    sum((v) => at(p, v) * Math.min(k3At(v), limit)),
    CLOSE,
  );
  // Free tokens keep (π − other) ∇ log π.
  const weights = TOKENS.map((v) => (bound.includes(v) ? 0 : at(p, v) - at(q, v)));
  const total = sum((v) => at(weights, v));
  const wanted = TOKENS.map((v) => at(weights, v) - at(p, v) * total);
  assertClose(t, "gradient", limited.logits, wanted, CLOSE);
});

test("exact and exact-reverse are their divergence from every token, with its gradient in both logits", (t) => {
  for (const [estimator, cell] of [
    ["exact", "KL(π ‖ other)"],
    ["exact-reverse", "KL(other ‖ π)"],
  ] as const) {
    const options = { perceptionKlCoef: 1, perceptionKlEstimator: estimator };
    for (const tokenId of TOKENS) {
      const { value, logits, otherLogits } = estimateOf(tokenId, options);
      assertClose(t, "value", -value, valueOfCell(cell, LOGITS), CLOSE);
      const gradient = (branch: Branch) => gradientOf(`∇ ${cell}`, LOGITS, branch).map((x) => -x);
      assertClose(t, "gradient", logits, gradient("logits"), CLOSE);
      assertClose(t, "other's", otherLogits, gradient("otherLogits"), CLOSE);
    }
  }
});
