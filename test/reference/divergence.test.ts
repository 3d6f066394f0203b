/** Divergences of the reference to their last digits: where two forms of one function meet, at limits, at infinity. */
import test from "ava";
import { jensenShannon, k3, sampledKl } from "../../lib/reference/divergence.js";
import { tokenObjective } from "../../lib/reference/index.js";
import { hasMass, MASS_FLOOR } from "../../lib/reference/log-softmax.js";
import { assertClose } from "../support/close.js";

const FREE = { value: 0, free: true };

// Of the functions' definitions, with 60 digits.
for (const [name, f, values, rtol] of [
  [
    "k3",
    k3,
    [
      [0.0199, 0.00019932499358980542],
      [-0.0199, 0.00019669807524271484],
    ],
    // The series leaves out x^6 / 20160 of it, 3e-15 here.
    1e-14,
  ],
  [
    "k3",
    k3,
    [
      [0.0201, 0.00020336526193522368],
      [-0.0201, 0.00020065834025463086],
      [0.039, 0.0007704836501578308],
      [-0.039, 0.0007507091463667229],
    ],
    3e-14,
  ],
  [
    "jsd",
    (x: number) => jensenShannon(x).value,
    [
      [0.0999, 0.0013113965486822121],
      [-0.0999, 0.0011867193331307957],
    ],
    1e-14,
  ],
  [
    "jsd",
    (x: number) => jensenShannon(x).value,
    [
      [0.1001, 0.00131678431456851],
      [0.19, 0.004962216187191943],
      [-0.19, 0.004103550000599983],
    ],
    1e-13,
  ],
] as const) {
  test(`${name} keeps its digits at ${values.map(([x]) => x).join(", ")}`, (t) => {
    for (const [x, value] of values) assertClose(t, String(x), f(x), value, { rtol, atol: 0 });
  });
}

test("jsd of an infinite difference has its limit, and the slope there", (t) => {
  t.deepEqual(jensenShannon(Infinity), { value: Infinity, slope: Infinity });
  t.deepEqual(jensenShannon(-Infinity), { value: Math.LN2 / 2, slope: 0 });
});

test("at klLimit itself an estimate is free", (t) => {
  const x = { value: 4, free: true };
  for (const estimator of ["k3", "k3+", "unbiased"] as const) {
    t.true(sampledKl(estimator, x, FREE, k3(4)).otherSlope > 0, estimator);
  }
  t.true(sampledKl("jsd", x, FREE, jensenShannon(4).value).otherSlope > 0);
});

test("a token exactly at the floor of mass has mass, one below it has none", (t) => {
  t.is(MASS_FLOOR, -87);
  const row = { logProbs: Float64Array.of(-0.5, -87.5, -87.75), probs: new Float64Array(3) };
  const found = [0, 1, 2].map((v) => hasMass({ ...row, logSumExp: 0, largest: -0.5 }, v));
  t.deepEqual(found, [true, true, false]);
});

test("an entropy with one bound is measured from that one", (t) => {
  const entropies = (bounds: { entropyLow?: number; entropyHigh?: number }) => {
    const statistics = { logProbs: [-0.5, -2.5] };
    const { terms, cotangents } = tokenObjective({
      statistics,
      weights: [1, 1],
      entropyCoef: 1,
      ...bounds,
    });
    return [...terms.entropy, ...cotangents.logProbs];
  };
  t.deepEqual(entropies({ entropyLow: 1 }), [0.5, 0, 1, 0]);
  t.deepEqual(entropies({ entropyHigh: 2 }), [0, 0.5, 0, -1]);
});
