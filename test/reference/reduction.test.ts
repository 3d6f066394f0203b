/** The weights of rows: every reduction, layout and denominator by hand. */
import test from "ava";
import { type RowWeightsOptions, rowWeights } from "../../lib/reference/index.js";
import { sequenceOffsets } from "../../lib/reference/reduction.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";

/** Three sequences of three tokens: two count, none counts, all count. */
const PADDED = {
  rows: 9,
  sequences: 3,
  responseMask: [1, 1, 0, 0, 0, 0, 1, 1, 1],
  denominatorEpsilon: 0,
};

function assertWeights(
  t: Parameters<typeof assertClose>[0],
  options: RowWeightsOptions,
  expected: readonly number[],
): void {
  assertClose(t, options.reduction, rowWeights(options), expected, TOLERANCES.float64);
}

for (const [reduction, first, third] of [
  ["token-mean", 1 / 5, 1 / 5],
  ["seq-mean-token-mean", 1 / 6, 1 / 9],
  ["seq-mean-token-sum", 1 / 3, 1 / 3],
  ["seq-mean-token-sum-norm", 1 / 9, 1 / 9],
  ["sum", 1, 1],
] as const) {
  test(`${reduction} weighs the tokens of padded sequences`, (t) => {
    const expected = [first, first, 0, 0, 0, 0, third, third, third];
    assertWeights(t, { ...PADDED, reduction }, expected);
  });
}

test("packed sequences are those between their offsets", (t) => {
  const packed = { rows: 5, cuSeqlens: [0, 2, 2, 5], denominatorEpsilon: 0 };
  const mean = [1 / 6, 1 / 6, 1 / 9, 1 / 9, 1 / 9];
  assertWeights(t, { ...packed, reduction: "seq-mean-token-mean" }, mean);
  const norm = Array(5).fill(1 / 9);
  assertWeights(t, { ...packed, reduction: "seq-mean-token-sum-norm" }, norm);
});

test("rows without a layout are one sequence", (t) => {
  t.deepEqual([...sequenceOffsets("test", { rows: 4 })], [0, 4]);
  assertWeights(
    t,
    { rows: 4, reduction: "seq-mean-token-mean", denominatorEpsilon: 0 },
    Array(4).fill(1 / 4),
  );
});

test("epsilon is added to counts of tokens and to nothing else", (t) => {
  const one = { rows: 1, denominatorEpsilon: 1 } as const;
  for (const [reduction, weight] of [
    ["token-mean", 1 / 2],
    ["seq-mean-token-mean", 1 / 2],
    ["seq-mean-token-sum", 1],
    ["seq-mean-token-sum-norm", 1],
    ["sum", 1],
  ] as const) {
    assertWeights(t, { ...one, reduction }, [weight]);
  }
});

for (const [reduction, denominators, first, third] of [
  ["token-mean", { tokens: 50 }, 1 / 50, 1 / 50],
  ["seq-mean-token-mean", { sequences: 6 }, 1 / 12, 1 / 18],
  ["seq-mean-token-mean", { sequenceTokens: [4, 1, 10] }, 1 / 12, 1 / 30],
  ["seq-mean-token-sum", { sequences: 6 }, 1 / 6, 1 / 6],
  ["seq-mean-token-sum-norm", { maxLength: 8 }, 1 / 24, 1 / 24],
  ["token-mean", { worldSize: 4 }, 4 / 5, 4 / 5],
] as const) {
  test(`${reduction} takes ${Object.keys(denominators)} from a larger batch`, (t) => {
    const expected = [first, first, 0, 0, 0, 0, third, third, third];
    assertWeights(t, { ...PADDED, reduction, denominators }, expected);
  });
}

test("a batch may have any number of sequences", (t) => {
  const rows = 300_000;
  const reduction = "seq-mean-token-sum-norm";
  const weights = rowWeights({ rows, sequences: rows, reduction });
  t.is(weights[rows - 1], 1 / rows);
});

test("a batch of no sequences has no weights", (t) => {
  t.deepEqual([...rowWeights({ rows: 0, sequences: 0, reduction: "token-mean" })], []);
});

test("where empty sequences are skipped, means are over those with a token at least", (t) => {
  const skip = {
    rows: 9,
    sequences: 3,
    responseMask: [1, 0, 0, 0, 0, 0, 1, 1, 1],
    denominatorEpsilon: 0,
    emptySequences: "skip",
  } as const;
  for (const [reduction, first, third] of [
    ["token-mean", 1 / 4, 1 / 4],
    ["seq-mean-token-mean", 1 / 2, 1 / 6],
    ["seq-mean-token-sum", 1 / 2, 1 / 2],
    ["seq-mean-token-sum-norm", 1 / 6, 1 / 6],
  ] as const) {
    assertWeights(t, { ...skip, reduction }, [first, 0, 0, 0, 0, 0, third, third, third]);
  }
});
