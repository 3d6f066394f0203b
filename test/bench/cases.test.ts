/** Batches of the benchmark: reproducible, extensible, and of the kind that they are called. */
import test from "ava";
import { DISTRIBUTIONS, makeBatch, makeHalfBatch, paddingMask, slice } from "../../bench/cases.js";
import { valuesOf } from "../../bench/truth.js";

const VOCAB = 5000;

test("the first rows of a larger batch are those of a smaller one", (t) => {
  for (const distribution of DISTRIBUTIONS) {
    const small = makeBatch(20, VOCAB, distribution);
    t.deepEqual(slice(makeBatch(40, VOCAB, distribution), 0, 20), small, distribution);
  }
});

test("no two rows are equal, and sampled tokens lie on the peak", (t) => {
  const { logits, tokenIds, rows, vocab } = makeBatch(40, VOCAB);
  const seen = new Set<string>();
  for (let row = 0; row < rows; row++) {
    const own = logits.subarray(row * vocab, (row + 1) * vocab);
    seen.add(own.subarray(0, 50).join());
    t.is(own.indexOf(Math.max(...own)), tokenIds[row] as number);
  }
  t.is(seen.size, rows);
});

test("16-bit batches are the rounded ones", (t) => {
  const { logits } = makeBatch(3, VOCAB);
  for (const [dtype, epsilon] of [
    ["float16", 2 ** -11],
    ["bfloat16", 2 ** -8],
  ] as const) {
    const half = valuesOf(makeHalfBatch(3, VOCAB, dtype).logits, dtype);
    t.true(half.every((value, i) => Math.abs(value - (logits[i] as number)) <= 16 * epsilon));
  }
});

test("the mask leaves out the share that it is asked to", (t) => {
  const counted = (padding: number) =>
    paddingMask(500, padding)?.reduce((sum, counts) => sum + counts, 0);
  t.is(counted(0), undefined);
  t.is(counted(0.3), 350);
  t.is(counted(0.7), 150);
});
