/** The committed bounds of `npm run bench:errors`, held on this process' instruction set: every kind of row, every dtype. */
import test from "ava";
import { info } from "../../lib/index.js";
import { beyond, committedBounds, errorsOf, groupOf, type RowBounds } from "../support/accuracy.js";
import { HARD_ROWS, type HardRow, hardRow } from "../support/hard-rows.js";

/** Some of the command's vocabularies; the larger ones take minutes. */
const VOCAB_SIZES = [32, 1000, 32_000];
const DTYPES = ["float32", "bfloat16", "float16"] as const;
/** With the seeds that the command gives them. */
const NEAR_ROWS = [
  [0, 1e-2],
  [4, 1e-6],
  [8, 1e-10],
] as const;

const { isa } = info();
const bounds = committedBounds();

function rowsOf(name: HardRow, vocabSize: number) {
  if (name === "near") return NEAR_ROWS.map(([seed, kl]) => hardRow(name, vocabSize, seed, kl));
  return [0, 1].map((seed) => hardRow(name, vocabSize, seed));
}

for (const dtype of DTYPES) {
  test(`errors on ${dtype} logits stay within what was measured`, (t) => {
    // An instruction set that nobody has measured yet is held to the one that adds in the most modest way.
    const own = bounds[groupOf(isa, dtype)] ?? bounds[groupOf("scalar", dtype)];
    for (const name of [...HARD_ROWS, "near"] as const) {
      const held = own?.[name] as RowBounds;
      t.true(Object.keys(held).length >= 7, name);
      for (const vocabSize of VOCAB_SIZES) {
        for (const row of rowsOf(name, vocabSize)) {
          t.deepEqual(beyond(held, name, errorsOf(row, dtype)), [], `V = ${vocabSize}`);
        }
      }
    }
  });
}
