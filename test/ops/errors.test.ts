/** The committed bounds of `npm run bench:errors`, held on this process' instruction set: every kind of row, every dtype. */
import test from "ava";
import { info } from "../../lib/index.js";
import {
  committedBounds,
  type Excess,
  errorsOf,
  excesses,
  groupOf,
  type RowBounds,
} from "../support/accuracy.js";
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

/** The worst of each quantity of one kind of row over all vocabularies, where it is beyond its bound. */
function worstOf(name: HardRow, dtype: (typeof DTYPES)[number], held: RowBounds): Excess[] {
  const worst = new Map<string, Excess>();
  for (const vocabSize of VOCAB_SIZES) {
    for (const row of rowsOf(name, vocabSize)) {
      for (const excess of excesses(held, name, errorsOf(row, dtype))) {
        const { quantity, times, text } = excess;
        if (times <= (worst.get(quantity)?.times ?? 0)) continue;
        worst.set(quantity, { ...excess, text: `V = ${vocabSize}: ${text}` });
      }
    }
  }
  return [...worst.values()];
}

for (const dtype of DTYPES) {
  test(`errors on ${dtype} logits stay within what was measured`, (t) => {
    const own = bounds[groupOf(isa, dtype)];
    if (own === undefined) return t.fail(`nobody has measured ${isa}: npm run bench:errors`);
    const all = [...HARD_ROWS, "near" as const].flatMap((name) => {
      const held = own[name] as RowBounds;
      t.true(Object.keys(held).length >= 7, name);
      return worstOf(name, dtype, held);
    });
    all.sort((a, b) => b.times - a.times);
    t.deepEqual(
      all.map(({ text }) => text),
      [],
    );
  });
}
