/** The tokens that Clip-Cov draws: seeded, uniform, and never nobody. */
import test from "ava";
import { evaluate, tokensOf, uniform } from "./batches.js";

/** Six candidates of covariance 4 among twelve tokens. */
const many = {
  logProbs: [-1, -1, -1, -3, -3, -3, -5, -5, -5, -3, -3, -3],
  advantages: [2, 2, 2, 0, 0, 0, -2, -2, -2, 0, 0, 0],
};

function droppedWith(seed: number, fraction: number): number[] {
  const tokens = tokensOf({ ...many, random: uniform(seed) });
  const { clips } = evaluate("clip-cov", tokens, { fraction });
  return [...clips.keys()].filter((row) => clips[row] === 4);
}

test("clip-cov: the same seed drops the same tokens, other seeds drop others", (t) => {
  t.deepEqual(droppedWith(1, 0.2), droppedWith(1, 0.2));
  t.true(new Set(Array.from({ length: 20 }, (_, seed) => String(droppedWith(seed, 0.2)))).size > 5);
});

test("clip-cov: every candidate is drawn equally often, and nobody else", (t) => {
  const times = new Array<number>(12).fill(0);
  for (let seed = 0; seed < 3000; seed++) {
    const rows = droppedWith(seed, 0.2); // ⌊0.2 · 12⌋ = 2
    t.is(rows.length, 2);
    for (const row of rows) times[row] = (times[row] as number) + 1;
  }
  const candidates = [0, 1, 2, 6, 7, 8];
  times.forEach((count, row) => {
    // 1000 each, with a standard deviation of 26.
    if (candidates.includes(row)) t.true(Math.abs(count - 1000) < 130, `row ${row}: ${count}`);
    else t.is(count, 0);
  });
});

test("clip-cov: at least one token goes where there is a candidate, and a seed is always asked for", (t) => {
  t.is(droppedWith(0, 0).length, 1);
  const tokens = tokensOf({
    logProbs: [-1],
    advantages: [1],
    random: () => {
      throw new Error("no seed");
    },
  });
  t.throws(() => evaluate("clip-cov", tokens), { message: "no seed" });
});
