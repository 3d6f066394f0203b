/** token_objective: every term and cotangent against the reference, and the decisions at the edges. */
import test from "ava";
import { OBJECTIVE_DEFAULTS } from "../../lib/functional/papo-loss-options.js";
import { COTANGENTS, line, newLines, STATISTICS, TERMS } from "../../lib/ops/lines.js";
import {
  lossOfTerms,
  type ObjectiveAttributes,
  type SampledKlEstimator,
  type TokenObjectiveArgs,
  tokenObjective,
} from "../../lib/ops/token-objective.js";
import {
  finiteDifference,
  KL_ESTIMATORS,
  tokenObjective as reference,
  SAMPLED_KL_ESTIMATORS,
} from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { Random } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";

const ROWS = 200;

/** Rows in which every clip and limit binds somewhere, with every term switched on. */
function argsOf(attributes: Partial<ObjectiveAttributes>, hasMasked = true): TokenObjectiveArgs {
  const random = new Random(7);
  const numbers = (of: () => number) => Float64Array.from({ length: ROWS }, of);
  const statistics = newLines(STATISTICS, ROWS);
  for (const name of STATISTICS) {
    const nats = name.includes("Probs") ? () => -6 * random.uniform() : () => 12 * random.uniform();
    if (hasMasked || !/masked|kl/i.test(name))
      line(statistics, STATISTICS, name).set(numbers(nats));
  }
  const near = (values: Float64Array) => values.map((value) => value + 3 * random.normal());
  const logProbs = line(statistics, STATISTICS, "logProbs");
  return {
    where: "tokenObjective",
    statistics,
    hasMasked,
    oldLogProbs: logProbs.map((value) => value + 0.5 * random.normal()),
    refLogProbs: near(logProbs),
    advantages: numbers(() => random.normal()),
    responseMask: Int32Array.from({ length: ROWS }, () => +(random.uniform() < 0.8)),
    weights: numbers(() => random.uniform()),
    entropyWeights: numbers(() => random.uniform()),
    attributes: {
      ...OBJECTIVE_DEFAULTS,
      clipDual: 3,
      refKlCoef: 0.3,
      perceptionKlCoef: 0.2,
      entropyCoef: 0.1,
      maskedEntropyCoef: 0.05,
      logRatioLimit: 4,
      klLimit: 6,
      exactKlLimit: 9,
      ...attributes,
    },
  };
}

function expectedOf(args: TokenObjectiveArgs) {
  const names = args.hasMasked ? COTANGENTS : (["logProbs", "entropy"] as const);
  const statistics = Object.fromEntries(
    names.map((name) => [name, line(args.statistics, STATISTICS, name)]),
  );
  return reference({ ...args, ...args.attributes, statistics });
}

function agrees(t: Parameters<typeof assertClose>[0], args: TokenObjectiveArgs): void {
  const { terms, cotangents } = tokenObjective(args);
  const expected = expectedOf(args);
  for (const name of TERMS) {
    assertClose(t, name, line(terms, TERMS, name), expected.terms[name], TOLERANCES.engineRows);
  }
  for (const name of COTANGENTS) {
    const values = line(cotangents as Float64Array, COTANGENTS, name);
    assertClose(t, `∂${name}`, values, expected.cotangents[name], TOLERANCES.engineRows);
  }
}

for (const maskedBranch of ["constant", "differentiable"] as const) {
  for (const estimator of KL_ESTIMATORS) {
    test(`the ${estimator} perception KL with a ${maskedBranch} masked branch agrees with the reference`, (t) => {
      agrees(t, argsOf({ perceptionKlEstimator: estimator, maskedBranch }));
    });
  }
  for (const entropyEstimator of ["sampled", "exact"] as const) {
    test(`${entropyEstimator} entropies with a ${maskedBranch} masked branch agree with the reference`, (t) => {
      agrees(t, argsOf({ entropyEstimator, maskedBranch }));
    });
  }
}

for (const estimator of SAMPLED_KL_ESTIMATORS) {
  test(`the ${estimator} KL to the reference policy agrees with the reference`, (t) => {
    agrees(t, argsOf({ refKlEstimator: estimator as SampledKlEstimator }));
  });
}

for (const estimator of KL_ESTIMATORS) {
  test(`bounds of the ${estimator} perception term agree with the reference`, (t) => {
    const differentiable = { perceptionKlEstimator: estimator, maskedBranch: "differentiable" };
    for (const bounds of [
      { perceptionKlMin: 0.1, perceptionKlMax: 0.5 },
      { perceptionKlMin: -0.5, perceptionKlMax: 2 },
      { perceptionKlMax: 0.2 },
      { perceptionKlMin: 0.3 },
    ]) {
      const args = argsOf({ ...differentiable, ...bounds } as Partial<ObjectiveAttributes>);
      agrees(t, args);
      const values = line(tokenObjective(args).terms, TERMS, "perceptionKl");
      const { perceptionKlMin: least = -Infinity, perceptionKlMax: most = Infinity } = bounds;
      const masked = (row: number) => args.responseMask?.[row] === 0;
      t.true(values.every((value, row) => masked(row) || (value >= least && value <= most)));
      t.true(values.some((value, row) => !masked(row) && (value === least || value === most)));
    }
  });
}

for (const maskedBranch of ["constant", "differentiable"] as const) {
  for (const entropyEstimator of ["sampled", "exact"] as const) {
    test(`bounds of ${entropyEstimator} entropies with a ${maskedBranch} masked branch agree with the reference`, (t) => {
      for (const bounds of [
        { entropyLow: 2, entropyHigh: 4 },
        { entropyLow: 3, entropyHigh: 3 },
        { entropyLow: 2 },
        { entropyHigh: 4 },
      ]) {
        agrees(t, argsOf({ entropyEstimator, maskedBranch, ...bounds }));
      }
    });
  }
}

test("bounds that are infinite, on either side, change no bit", (t) => {
  const none = {
    perceptionKlMin: Number.NEGATIVE_INFINITY,
    perceptionKlMax: Number.POSITIVE_INFINITY,
    entropyLow: Number.NEGATIVE_INFINITY,
    entropyHigh: Number.POSITIVE_INFINITY,
  };
  t.deepEqual(tokenObjective(argsOf(none)), tokenObjective(argsOf({})));
  // Bounds that hold nothing are no bounds either.
  const wide = { perceptionKlMin: -1e9, perceptionKlMax: 1e9 };
  t.deepEqual(tokenObjective(argsOf(wide)), tokenObjective(argsOf({})));
});

test("the perception term has its own weights where they are given, and agrees with the reference", (t) => {
  const perceptionWeights = Float64Array.from({ length: ROWS }, (_, row) => (row % 5) / 5);
  for (const estimator of KL_ESTIMATORS) {
    const args = argsOf({ perceptionKlEstimator: estimator, maskedBranch: "differentiable" });
    agrees(t, { ...args, perceptionWeights });
    const own = tokenObjective({ ...args, perceptionWeights: args.weights });
    t.deepEqual(own, tokenObjective(args));
  }
});

test("a weight of 0 takes an infinite exact KL out, though the others' weight is not 0", (t) => {
  const args = argsOf({ perceptionKlEstimator: "exact", exactKlLimit: Number.POSITIVE_INFINITY });
  const row = args.responseMask?.indexOf(1) as number;
  line(args.statistics, STATISTICS, "kl")[row] = Number.POSITIVE_INFINITY;
  t.throws(() => tokenObjective(args), { code: "ERR_NOT_FINITE" });
  const perceptionWeights = args.weights.slice();
  perceptionWeights[row] = 0;
  const { terms } = tokenObjective({ ...args, perceptionWeights });
  t.true(Number.isFinite(lossOfTerms(terms, { ...args, perceptionWeights })));
});

test("perceptionKlMax holds an infinite exact KL as exactKlLimit does", (t) => {
  const exact = {
    perceptionKlCoef: 1,
    perceptionKlEstimator: "exact",
    perceptionKlMax: 2,
  } as const;
  const held = token({ kl: Number.POSITIVE_INFINITY }, exact);
  t.is(held.term("perceptionKl"), 2);
  t.is(held.slope("kl"), 0);
  t.is(token({ kl: 2 }, exact).slope("kl"), -1);
  // exactKlLimit acts first.
  t.is(
    token({ kl: 9 }, { ...exact, exactKlLimit: 1, perceptionKlMin: 1.5 }).term("perceptionKl"),
    1.5,
  );
});

test("weights of the perception term that are negative or not finite are named, where the row counts", (t) => {
  const args = argsOf({});
  const masked = args.responseMask?.indexOf(0) as number;
  const counted = args.responseMask?.indexOf(1, 20) as number;
  const at = (row: number, value: number) => {
    const perceptionWeights = args.weights.slice();
    perceptionWeights[row] = value;
    return { ...args, perceptionWeights };
  };
  for (const [value, code] of [
    [-0.5, "ERR_RANGE"],
    [Number.NaN, "ERR_NOT_FINITE"],
    [Number.POSITIVE_INFINITY, "ERR_NOT_FINITE"],
  ] as const) {
    t.notThrows(() => tokenObjective(at(masked, value)));
    const error = t.throws(() => tokenObjective(at(counted, value)), { code });
    t.is((error as unknown as { row: number }).row, counted);
    t.true(error?.message.includes(`perceptionWeights[${counted}]`), error?.message);
  }
  t.throws(() => tokenObjective({ ...args, perceptionWeights: new Float64Array(3) }), {
    code: "ERR_SHAPE",
    message: /perceptionWeights/,
  });
});

test("clips on either side, off, and without a dual one agree with the reference", (t) => {
  agrees(t, argsOf({ clipLow: 0, clipHigh: 0 }));
  agrees(t, argsOf({ clipLow: 1, clipHigh: 5, clipDual: 0 }));
  agrees(t, argsOf({ logRatioLimit: 0.1 }));
  agrees(t, argsOf({ klLimit: Number.POSITIVE_INFINITY, exactKlLimit: Number.POSITIVE_INFINITY }));
});

test("without a masked policy, and without old log-probs, reference or advantages, terms are absent", (t) => {
  agrees(t, argsOf({}, false));
  agrees(t, { ...argsOf({}), oldLogProbs: undefined });
  agrees(t, { ...argsOf({}), refLogProbs: undefined, advantages: undefined });
});

test("the cotangents are the slopes of the loss that the terms add up to", (t) => {
  const args = argsOf({ maskedBranch: "differentiable" });
  const few = 6;
  const cut = (values: Float64Array | undefined) => values?.slice(0, few);
  const statistics = newLines(STATISTICS, few);
  for (const name of STATISTICS) {
    line(statistics, STATISTICS, name).set(
      line(args.statistics, STATISTICS, name).subarray(0, few),
    );
  }
  const small = {
    ...args,
    statistics,
    oldLogProbs: cut(args.oldLogProbs),
    refLogProbs: cut(args.refLogProbs),
    advantages: cut(args.advantages),
    responseMask: undefined,
    weights: args.weights.slice(0, few),
    entropyWeights: args.entropyWeights.slice(0, few),
  };
  const { cotangents } = tokenObjective(small);
  const loss = (x: Float64Array) => {
    const shifted = statistics.slice();
    shifted.set(x);
    return lossOfTerms(tokenObjective({ ...small, statistics: shifted }).terms, small);
  };
  const slopes = finiteDifference(loss, statistics.subarray(0, few * COTANGENTS.length));
  assertClose(t, "cotangents", cotangents as Float64Array, slopes, TOLERANCES.finiteDifference);
});

/** One token with log-prob 0 and everything else as given. */
function token(
  given: Partial<Record<"logProb" | "old" | "ref" | "masked" | "kl" | "advantage", number>>,
  attributes: Partial<ObjectiveAttributes> = {},
) {
  const statistics = newLines(STATISTICS, 1);
  line(statistics, STATISTICS, "logProbs")[0] = given.logProb ?? 0;
  line(statistics, STATISTICS, "maskedLogProbs")[0] = given.masked ?? 0;
  line(statistics, STATISTICS, "kl")[0] = given.kl ?? 0;
  const one = (value: number | undefined) =>
    value === undefined ? undefined : Float64Array.of(value);
  const { terms, cotangents } = tokenObjective({
    where: "tokenObjective",
    statistics,
    hasMasked: given.masked !== undefined || given.kl !== undefined,
    oldLogProbs: one(given.old),
    refLogProbs: one(given.ref),
    advantages: one(given.advantage),
    weights: Float64Array.of(1),
    entropyWeights: Float64Array.of(1),
    attributes: { ...OBJECTIVE_DEFAULTS, ...attributes },
  });
  return {
    term: (name: (typeof TERMS)[number]) => line(terms, TERMS, name)[0] as number,
    slope: (name: (typeof COTANGENTS)[number]) =>
      line(cotangents as Float64Array, COTANGENTS, name)[0] as number,
  };
}

test("a ratio exactly on a bound is not clipped", (t) => {
  for (const [ratio, advantage] of [
    [1.25, 1],
    [0.75, -1],
  ] as const) {
    const { term, slope } = token(
      { logProb: Math.log(ratio), old: 0, advantage },
      { clipLow: 0.25, clipHigh: 0.25 },
    );
    t.is(term("clip"), 0);
    assertClose(t, "slope", slope("logProbs"), -ratio * advantage, TOLERANCES.engineRows);
  }
});

test("a KL exactly on a bound or limit is free, and one just beyond it is held without a slope", (t) => {
  const perception = (bounds: Partial<ObjectiveAttributes>, given: object = { masked: -0.5 }) => {
    const on = { perceptionKlCoef: 1, perceptionKlEstimator: "k3", maskedBranch: "differentiable" };
    const { term, slope } = token(given, { ...on, ...bounds } as Partial<ObjectiveAttributes>);
    return { value: term("perceptionKl"), slope: slope("logProbs"), kl: slope("kl") };
  };
  const free = perception({});
  t.not(free.slope, 0);
  const above = free.value * (1 + 2 ** -52);
  const below = free.value * (1 - 2 ** -52);
  for (const at of ["perceptionKlMin", "perceptionKlMax", "klLimit"]) {
    t.deepEqual(perception({ [at]: free.value }), free, at);
  }
  t.is(perception({ perceptionKlMin: above }).slope, 0);
  t.is(perception({ perceptionKlMax: below }).slope, 0);
  t.is(perception({ klLimit: below }).slope, 0);
  const exact = { perceptionKlEstimator: "exact" } as const;
  t.deepEqual(
    [2, 1.75].map((exactKlLimit) => perception({ ...exact, exactKlLimit }, { kl: 2 }).kl),
    [-1, 0],
  );
});

test("an entropy exactly on a bound has no slope, like one between them", (t) => {
  const slope = (logProb: number) =>
    token({ logProb }, { entropyCoef: 1, entropyLow: 1, entropyHigh: 2 }).slope("logProbs");
  t.deepEqual([slope(-0.5), slope(-1), slope(-1.5), slope(-2), slope(-3)], [1, 0, 0, 0, -1]);
});

test("which clip fires: 1 low, 2 high, 3 dual", (t) => {
  const clip = (logRatio: number, advantage: number) => {
    const { term, slope } = token({ logProb: logRatio, old: 0, advantage }, { clipDual: 3 });
    if (term("clip") !== 0) t.is(slope("logProbs"), 0);
    return [term("clip"), term("surrogate")];
  };
  t.deepEqual(clip(1, 1), [2, -1.2]);
  t.deepEqual(clip(-1, -1), [1, 0.8]);
  t.deepEqual(clip(2, -1), [3, 3]);
  t.is(clip(-1, 1)[0], 0);
  t.is(clip(1, -1)[0], 0);
});

test("advantage 0 gives no surrogate and no gradient", (t) => {
  const { term, slope } = token({ logProb: 5, old: 0, advantage: 0 });
  t.is(term("surrogate"), 0);
  t.is(slope("logProbs"), 0);
});

test("without old log-probs the ratio is 1 and the gradient is that of the policy gradient", (t) => {
  const { term, slope } = token({ logProb: -3, advantage: 2 });
  t.is(term("ratio"), 1);
  t.is(slope("logProbs"), -2);
});

test("two impossible tokens have ratio 1, and one of them binds the limit", (t) => {
  const impossible = Number.NEGATIVE_INFINITY;
  t.is(token({ logProb: impossible, old: impossible, advantage: 1 }).term("ratio"), 1);
  const bound = token({ logProb: impossible, old: -1, advantage: 1 });
  t.is(bound.term("ratio"), Math.exp(-20));
  t.is(bound.slope("logProbs"), 0);
  const away = token({ logProb: -1, ref: impossible }, { refKlCoef: 1, refKlEstimator: "k2" });
  t.is(away.term("refKl"), 200);
  t.is(away.slope("logProbs"), 0);
});

test("the sampled entropy of an impossible token is 0, with gradient 0", (t) => {
  const { term, slope } = token({ logProb: Number.NEGATIVE_INFINITY }, { entropyCoef: 1 });
  t.is(term("entropy"), 0);
  t.is(slope("logProbs"), 0);
});

test("k3 stops at its limit with gradient 0, k1 and k2 know no such limit", (t) => {
  const far = { logProb: -5, ref: -1 } as const;
  const k3 = token(far, { refKlCoef: 1 });
  t.is(k3.term("refKl"), 10);
  t.is(k3.slope("logProbs"), 0);
  t.is(token({ logProb: -9, ref: 3 }, { refKlCoef: 1, refKlEstimator: "k2" }).term("refKl"), 72);
  t.is(token({ logProb: -9, ref: 3 }, { refKlCoef: 1, refKlEstimator: "k1" }).term("refKl"), -12);
});

test("an exact KL above its limit is the limit, with gradient 0", (t) => {
  const attributes = {
    perceptionKlCoef: 1,
    perceptionKlEstimator: "exact",
    exactKlLimit: 10,
  } as const;
  const limited = token({ kl: Number.POSITIVE_INFINITY }, attributes);
  t.is(limited.term("perceptionKl"), 10);
  t.is(limited.slope("kl"), 0);
  t.is(token({ kl: 10 }, attributes).slope("kl"), -1);
});

test("an infinite exact KL without a limit is an error that names the row, unless its coefficient is 0", (t) => {
  const attributes = { perceptionKlEstimator: "exact" } as const;
  const act = (coefficient: number) =>
    token({ kl: Number.POSITIVE_INFINITY }, { ...attributes, perceptionKlCoef: coefficient });
  const error = t.throws(() => act(1), { code: "ERR_NOT_FINITE" });
  t.is((error as unknown as { row: number }).row, 0);
  t.is(act(0).term("perceptionKl"), Number.POSITIVE_INFINITY);
});

test("a weight of 0 takes even an infinite term out of the loss", (t) => {
  const statistics = newLines(STATISTICS, 2);
  line(statistics, STATISTICS, "kl").set([Number.POSITIVE_INFINITY, 3]);
  const weights = Float64Array.of(0, 1);
  const exact = { perceptionKlCoef: 0.5, perceptionKlEstimator: "exact" } as const;
  const attributes = { ...OBJECTIVE_DEFAULTS, ...exact };
  const args = {
    where: "f",
    statistics,
    hasMasked: true,
    weights,
    entropyWeights: weights,
    attributes,
  };
  const { terms, cotangents } = tokenObjective(args);
  t.is(lossOfTerms(terms, args), -1.5);
  t.deepEqual(line(cotangents as Float64Array, COTANGENTS, "kl"), Float64Array.of(0, -0.5));
});

test("numbers that are not finite are named, where the row counts", (t) => {
  for (const name of ["oldLogProbs", "refLogProbs", "advantages", "weights"] as const) {
    const args = argsOf({});
    const values = args[name] as Float64Array;
    const masked = args.responseMask?.indexOf(0) as number;
    const counted = args.responseMask?.indexOf(1, 20) as number;
    values[masked] = Number.NaN;
    t.notThrows(() => tokenObjective(args), name);
    values[counted] = Number.NaN;
    const error = t.throws(() => tokenObjective(args), { code: "ERR_NOT_FINITE" });
    t.is((error as unknown as { row: number }).row, counted);
    t.true(error?.message.includes(`${name}[${counted}]`), error?.message);
    values[counted] = Number.POSITIVE_INFINITY;
    const allowed = name === "oldLogProbs" || name === "refLogProbs";
    if (allowed) t.notThrows(() => tokenObjective(args), name);
    else t.throws(() => tokenObjective(args), { code: "ERR_NOT_FINITE" }, name);
  }
});

test("both bounds of a term may be one number, and the dual clip not 1 + clipHigh itself", (t) => {
  for (const attributes of [
    { perceptionKlMin: 0.25, perceptionKlMax: 0.25 },
    { entropyLow: 2, entropyHigh: 2 },
    { clipHigh: 0.25, clipDual: 1.25 + 2 ** -52 },
  ]) {
    t.notThrows(() => tokenObjective(argsOf(attributes)));
  }
  t.throws(() => tokenObjective(argsOf({ clipHigh: 0.25, clipDual: 1.25 })), {
    code: "ERR_RANGE",
    message: /clipDual to be 0 \(off\) or above 1 \+ clipHigh, received 1\.25$/,
  });
});

test("numbers outside their range are refused by name", (t) => {
  const refused = (attributes: Partial<ObjectiveAttributes>, message: RegExp) =>
    t.throws(() => tokenObjective(argsOf(attributes)), { message });
  refused({ clipLow: -0.1 }, /^\[tokenObjective\] expected clipLow .*received -0\.1/);
  refused({ clipLow: 1.5 }, /clipLow/);
  refused({ clipHigh: Number.NaN }, /clipHigh/);
  refused({ clipDual: 1.1 }, /clipDual to be 0 \(off\) or above 1 \+ clipHigh/);
  refused({ logRatioLimit: 0 }, /logRatioLimit/);
  refused({ klLimit: -1 }, /klLimit/);
  refused(
    { perceptionKlMin: 0.3, perceptionKlMax: 0.2 },
    /perceptionKlMin to be at most perceptionKlMax, received 0\.3 above 0\.2$/,
  );
  refused({ perceptionKlMin: Number.NaN }, /perceptionKlMin from -Infinity/);
  refused({ perceptionKlMin: Number.POSITIVE_INFINITY }, /perceptionKlMin/);
  refused({ perceptionKlMax: Number.NEGATIVE_INFINITY }, /perceptionKlMax/);
  refused(
    { entropyLow: 2, entropyHigh: 1 },
    /entropyLow to be at most entropyHigh, received 2 above 1$/,
  );
  refused({ entropyLow: Number.NaN }, /entropyLow/);
  refused({ entropyHigh: Number.NaN }, /entropyHigh/);
  refused({ refKlEstimator: "k9" as "k3" }, /refKlEstimator/);
  refused({ refKlEstimator: "exact" as "k3" }, /refKlEstimator/);
  refused({ maskedBranch: "frozen" as "constant" }, /maskedBranch/);
});
