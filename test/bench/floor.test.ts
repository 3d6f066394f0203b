/** The least that an evaluation can cost, by hand. */
import test from "ava";
import { floorOf, type Limits, workOf } from "../../bench/floor.js";

const LIMITS: Limits = {
  read: 10,
  copy: 12,
  streamingCopy: 16,
  twoByTwo: 20,
  update: 25,
  write: 9,
  exponentials: { avx2: 1000, scalar: 1 },
};
const plain = { rows: 10, vocab: 100, padding: 0 } as const;

test("forward reads both sets of logits once", (t) => {
  const work = workOf({ ...plain, operation: "forward", outputs: "none", dtype: "float32" });
  t.deepEqual(work, { rows: 10, countedRows: 10, bytes: 8000, exponentials: 2000 });
  t.is(floorOf(work, { operation: "forward", outputs: "none" }, LIMITS, "avx2"), 800);
});

test("gradients are written once, at the speed of the best copy, or of the best update where they lie", (t) => {
  const work = workOf({ ...plain, operation: "gradients", outputs: "given", dtype: "bfloat16" });
  t.is(work.bytes, 8000);
  t.is(floorOf(work, { operation: "gradients", outputs: "given" }, LIMITS, "avx2"), 400);
  t.is(floorOf(work, { operation: "gradients", outputs: "in place" }, LIMITS, "avx2"), 320);
});

test("where exponentials take longer than memory, they are the floor", (t) => {
  const work = workOf({ ...plain, operation: "forward", outputs: "none", dtype: "float32" });
  t.is(floorOf(work, { operation: "forward", outputs: "none" }, LIMITS, "scalar"), 2000);
  t.throws(() => floorOf(work, { operation: "forward", outputs: "none" }, LIMITS, "neon"));
});

test("rows that do not count cost their zero writes, and nothing where they are zero already", (t) => {
  const padded = { ...plain, operation: "gradients", dtype: "float32", padding: 0.7 } as const;
  t.is(workOf({ ...padded, outputs: "given" }).bytes, (3 + 10) * 800);
  t.is(workOf({ ...padded, outputs: "given, zeroed" }).bytes, (3 + 3) * 800);
  t.is(workOf({ ...padded, outputs: "given" }).exponentials, 600);
});
