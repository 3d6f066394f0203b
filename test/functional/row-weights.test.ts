/** Every reduction: weights against the reference, parts of a batch against the whole, and counts that make no sense. */
import test from "ava";
import { type Layout, layoutOf } from "../../lib/functional/layout.js";
import {
  countsOf,
  type Denominators,
  REDUCTIONS,
  type Reduction,
  rowWeights,
} from "../../lib/functional/row-weights.js";
import { rowWeights as reference } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";

const MASK = Int32Array.of(1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1);
const PADDED = layoutOf("f", [3, 4]);
const PACKED = layoutOf("f", [12], [0, 3, 3, 10, 12]);
const DENOMINATORS: Denominators = { tokens: 40, sequences: 9, maxLength: 20, worldSize: 2 };

for (const reduction of REDUCTIONS) {
  for (const [name, denominators] of Object.entries({ own: {}, global: DENOMINATORS })) {
    test(`${reduction} with ${name} counts agrees with the reference`, (t) => {
      const layouts: [Layout, object][] = [
        [PADDED, { sequences: 3 }],
        [PACKED, { cuSeqlens: [0, 3, 3, 10, 12] }],
        [layoutOf("f", [12]), {}],
      ];
      for (const [layout, same] of layouts) {
        for (const responseMask of [MASK, undefined]) {
          const actual = rowWeights("f", layout, responseMask, reduction, denominators);
          const expected = reference({ rows: 12, ...same, responseMask, reduction, denominators });
          assertClose(t, reduction, actual, expected, TOLERANCES.float64);
        }
      }
    });
  }

  test(`${reduction}: parts of a batch with the whole's counts weigh what the whole weighs`, (t) => {
    const whole = rowWeights("f", PADDED, MASK, reduction);
    const counts = countsOf(PADDED, MASK);
    const tokens = counts.reduce((sum, count) => sum + count, 0);
    const denominators = { tokens, sequences: 3, maxLength: 4 };
    const parts = [0, 1, 2].map((s) =>
      rowWeights(
        "f",
        layoutOf("f", [1, 4]),
        MASK.subarray(4 * s, 4 * s + 4),
        reduction,
        denominators,
      ),
    );
    t.deepEqual(
      parts.flatMap((part) => Array.from(part)),
      Array.from(whole),
    );
  });
}

test("a sequence cut in two weighs what it weighs in one piece", (t) => {
  const whole = rowWeights("f", PADDED, MASK, "seq-mean-token-mean");
  const sequenceTokens = [3];
  const cut = (from: number, to: number) =>
    rowWeights("f", layoutOf("f", [to - from]), MASK.subarray(from, to), "seq-mean-token-mean", {
      sequences: 3,
      sequenceTokens,
    });
  t.deepEqual([...cut(0, 2), ...cut(2, 4)], Array.from(whole.subarray(0, 4)));
});

test("workers whose gradients are averaged scale up by their number", (t) => {
  const one = rowWeights("f", PADDED, MASK, "token-mean");
  const four = rowWeights("f", PADDED, MASK, "token-mean", { worldSize: 4 });
  t.deepEqual(
    four,
    one.map((weight) => 4 * weight),
  );
});

test("where no token counts all weights are 0, even by global counts of 0", (t) => {
  const mask = new Int32Array(12);
  for (const reduction of REDUCTIONS) {
    const zero = { tokens: 0, sequences: 0, sequenceTokens: [0, 0, 0] };
    for (const denominators of [{}, zero]) {
      const weights = rowWeights("f", PADDED, mask, reduction, denominators);
      t.true(weights.every((weight) => weight === 0));
    }
  }
});

test("an empty sequence adds nothing and still counts as one", (t) => {
  const weights = rowWeights("f", PADDED, MASK, "seq-mean-token-sum");
  t.deepEqual(
    weights,
    Float64Array.from(MASK, (bit) => bit / 3),
  );
});

test("empty sequences that are skipped are none of those that a mean divides by", (t) => {
  for (const reduction of REDUCTIONS) {
    for (const layout of [PADDED, PACKED]) {
      const actual = rowWeights("f", layout, MASK, reduction, {}, 1e-8, "skip");
      const same = layout === PADDED ? { sequences: 3 } : { cuSeqlens: [0, 3, 3, 10, 12] };
      const options = { rows: 12, ...same, responseMask: MASK, reduction };
      const expected = reference({ ...options, emptySequences: "skip" });
      assertClose(t, reduction, actual, expected, TOLERANCES.float64);
    }
  }
  // Two of the three sequences have tokens.
  const weights = rowWeights("f", PADDED, MASK, "seq-mean-token-sum", {}, 0, "skip");
  t.deepEqual(
    weights,
    Float64Array.from(MASK, (bit) => bit / 2),
  );
  const given = rowWeights("f", PADDED, MASK, "seq-mean-token-sum", { sequences: 5 }, 0, "skip");
  t.is(given[0], 1 / 5, "a count that is given is the count");
});

test("counts of sequences are read once, and what was checked is what is used", (t) => {
  let reads = 0;
  const sequenceTokens = new Proxy([2, 2, 2], {
    get: (of, key) => {
      if (key === "1") reads++;
      return key === "1" && reads > 1 ? Number.NaN : Reflect.get(of, key);
    },
  });
  const weights = rowWeights("f", layoutOf("f", [3, 1]), undefined, "seq-mean-token-mean", {
    sequenceTokens,
  });
  t.is(reads, 1);
  assertClose(t, "weights", weights, [1 / 6, 1 / 6, 1 / 6], { rtol: 1e-7, atol: 0 });
});

test("a count of 0 is refused where one token counts, and a count of kept tokens may be 0", (t) => {
  const layout = layoutOf("f", [3, 1]);
  const weigh = (denominators: Denominators, reduction: Reduction = "token-mean") =>
    rowWeights("f", layout, Int32Array.of(1, 0, 1), reduction, denominators);
  for (const denominators of [
    { tokens: 0 },
    { sequences: 0 },
    { tokens: Infinity },
    { tokens: Number.NaN },
    { sequenceTokens: [0, 0, 1] },
    { sequenceTokens: [-1, 0, 1] },
  ]) {
    t.throws(() => weigh(denominators, "seq-mean-token-mean"), { code: "ERR_RANGE" });
  }
  t.deepEqual([...weigh({ sequenceTokens: [1, 0, 1] }, "sum")], [1, 0, 1]);
  for (const name of ["policyTokens", "perceptionTokens", "correctTokens"]) {
    t.notThrows(() => weigh({ [name]: 0 }));
    t.throws(() => weigh({ [name]: -1 }), { code: "ERR_RANGE" });
  }
});

test("counts and names that make no sense are refused", (t) => {
  const refused = (denominators: unknown, code: string, message: string) =>
    t.throws(() => rowWeights("f", PADDED, MASK, "token-mean", denominators as Denominators), {
      code,
      message: `[f] expected ${message}`,
    });
  refused({ tokens: 0 }, "ERR_RANGE", "denominators.tokens to be a positive number, received 0");
  refused(
    { tokens: "6" },
    "ERR_RANGE",
    'denominators.tokens to be a positive number, received "6"',
  );
  refused(
    { sequences: -1 },
    "ERR_RANGE",
    "denominators.sequences to be a positive number, received -1",
  );
  refused(
    { maxLength: Number.NaN },
    "ERR_RANGE",
    "denominators.maxLength to be a positive number, received NaN",
  );
  refused(
    { worldSize: 0 },
    "ERR_RANGE",
    "denominators.worldSize to be a positive number, received 0",
  );
  refused({ sequenceTokens: [3] }, "ERR_SHAPE", "denominators.sequenceTokens [3], received [1]");
  refused(
    { sequenceTokens: [3, 0, 0] },
    "ERR_RANGE",
    "denominators.sequenceTokens[2] to be a positive number, received 0",
  );
  refused(
    { token: 6 },
    "ERR_ARGUMENT",
    'denominators to hold only tokens, sequences, maxLength, sequenceTokens, worldSize, policyTokens, perceptionTokens, correctTokens, received "token"',
  );
  refused(null, "ERR_ARGUMENT", "denominators to be an object, received null");
  t.throws(() => rowWeights("f", PADDED, MASK, "mean" as Reduction), {
    code: "ERR_ARGUMENT",
    message: `[f] expected reduction to be one of ${REDUCTIONS.join(", ")}, received "mean"`,
  });
});
