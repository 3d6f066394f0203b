/** The numbers of the reference: what is not said, both sides of every bound, and what is not a number. */
import test from "ava";
import { MOST_ROWS } from "../../lib/core/shape.js";
import { checkCount, checkNumbers, countedRows } from "../../lib/reference/checks.js";
import { type ObjectiveNumbers, objectiveNumbers } from "../../lib/reference/objective-numbers.js";

const read = (fields: Partial<ObjectiveNumbers>) => objectiveNumbers("f", fields);
const { MAX_VALUE: MOST, MIN_VALUE: LEAST } = Number;

test("what is not said is what the documentation says", (t) => {
  t.deepEqual(read({}), {
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
    perceptionKlMin: -Infinity,
    perceptionKlMax: Infinity,
    entropyLow: -Infinity,
    entropyHigh: Infinity,
    reduction: "token-mean",
    entropyReduction: "token-mean",
    emptySequences: "count",
    temperature: 1,
    denominatorEpsilon: 1e-8,
  });
});

const BOUNDS: readonly [keyof ObjectiveNumbers, fits: number[], not: number[], range: string][] = [
  ["clipLow", [0, 1], [-LEAST, 1 + 2 ** -52], "in 0…1"],
  ["clipHigh", [0, MOST], [-LEAST, Infinity], "finite and not negative"],
  [
    "clipDual",
    [0, 1.2 + 2 ** -52, MOST],
    [1.2, 1, -1, Infinity],
    "0 or finite and above 1 + clipHigh = 1.2",
  ],
  ["refKlCoef", [-1, 0], [Infinity], "finite"],
  ["perceptionKlCoef", [-1, 0], [-Infinity], "finite"],
  ["entropyCoef", [-1, 0], [Infinity], "finite"],
  ["maskedEntropyCoef", [-1, 0], [-Infinity], "finite"],
  ["logRatioLimit", [LEAST, Infinity], [0, -1], "above 0"],
  ["klLimit", [LEAST, Infinity], [0, -1], "above 0"],
  ["exactKlLimit", [LEAST, Infinity], [0, -1], "above 0"],
  ["perceptionKlMin", [-Infinity, MOST], [Infinity], "at most perceptionKlMax = Infinity"],
  ["perceptionKlMax", [-MOST, Infinity], [-Infinity], "a number or Infinity"],
  ["entropyLow", [-Infinity, MOST], [Infinity], "at most entropyHigh = Infinity"],
  ["entropyHigh", [-MOST, Infinity], [-Infinity], "a number or Infinity"],
  ["temperature", [LEAST, MOST], [0, -1, Infinity], "finite and above 0"],
  ["denominatorEpsilon", [0, MOST], [-LEAST, Infinity], "finite and not negative"],
];

for (const [name, fits, not, range] of BOUNDS) {
  test(`${name} is ${range}`, (t) => {
    for (const value of fits) t.is(read({ [name]: value })[name], value);
    for (const value of [...not, Number.NaN]) {
      const message = `[f] expected ${name} to be ${range}, received ${value}`;
      t.throws(() => read({ [name]: value }), { code: "ERR_RANGE", message });
    }
    const wrong = { [name]: "1" } as Partial<ObjectiveNumbers>;
    const message = `[f] expected ${name} to be ${range}, received "1"`;
    t.throws(() => read(wrong), { code: "ERR_RANGE", message });
  });
}

test("bounds of a term may be one number, and not the wrong way round", (t) => {
  for (const [low, high] of [
    ["perceptionKlMin", "perceptionKlMax"],
    ["entropyLow", "entropyHigh"],
  ] as const) {
    t.notThrows(() => read({ [low]: 0.5, [high]: 0.5 }));
    t.throws(() => read({ [low]: 0.5, [high]: 0.25 }), {
      code: "ERR_RANGE",
      message: `[f] expected ${low} to be at most ${high} = 0.25, received 0.5`,
    });
  }
});

test("a word is one of its list", (t) => {
  for (const name of [
    "refKlEstimator",
    "perceptionKlEstimator",
    "entropyEstimator",
    "maskedBranch",
    "reduction",
    "entropyReduction",
    "emptySequences",
  ]) {
    const fields = { [name]: "no" } as Partial<ObjectiveNumbers>;
    t.throws(() => read(fields), {
      code: "ERR_ARGUMENT",
      message: new RegExp(`^\\[f\\] expected ${name} to be one of .*, received "no"$`),
    });
  }
});

test("the first element and the last one of an array have to be numbers too", (t) => {
  const check = (values: unknown) => checkNumbers("f", "x", values as number[], 3);
  t.notThrows(() => check([1, Number.NaN, 3]));
  for (const [row, values] of [
    ["0", ["1", 2, 3]],
    ["2", [1, 2, undefined]],
  ] as const) {
    t.throws(() => check(values), {
      code: "ERR_ARGUMENT",
      message: new RegExp(`^\\[f\\] expected x\\[${row}\\] to be a number`),
    });
  }
  t.throws(() => check([1, 2]), { code: "ERR_SHAPE" });
  t.deepEqual(countedRows("f", undefined, 2), Uint8Array.of(1, 1));
  t.deepEqual(countedRows("f", [0, 1], 2), Uint8Array.of(0, 1));
  for (const bit of [2, -1, 0.5]) {
    t.throws(() => countedRows("f", [bit, 1], 2), {
      code: "ERR_RANGE",
      message: `[f] expected responseMask[0] to be 0 or 1, received ${bit}`,
    });
  }
});

test("a count is a whole number from 0 to the most rows there can be", (t) => {
  for (const count of [0, 1, MOST_ROWS]) t.notThrows(() => checkCount("f", "rows", count));
  for (const count of [-1, 0.5, MOST_ROWS + 1, Number.NaN]) {
    t.throws(() => checkCount("f", "rows", count), {
      code: "ERR_RANGE",
      message: `[f] expected rows to be an integer from 0 to ${MOST_ROWS}, received ${count}`,
    });
  }
});
