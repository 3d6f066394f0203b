/** What an objective draws: a stream that is the same in every version, and the seeds that it can have. */
import test from "ava";
import { checkSeed, uniformFor } from "../../lib/objective/random.js";

const MASK = 2n ** 32n - 1n;

/** The same generator in integers without a sign. */
function splitmix32(seed: number, count: number): number[] {
  let state = BigInt(seed);
  return Array.from({ length: count }, () => {
    state = (state + 0x9e3779b9n) & MASK;
    let z = ((state ^ (state >> 16n)) * 0x21f0aaadn) & MASK;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & MASK;
    return Number(z ^ (z >> 15n)) / 2 ** 32;
  });
}

test("the numbers are those of splitmix32, for any seed", (t) => {
  for (const seed of [0, 1, 12_345, 2 ** 31, 2 ** 32 - 1]) {
    const uniform = uniformFor("evaluate", { kind: "clip-cov" } as never, seed);
    t.deepEqual(Array.from({ length: 50 }, uniform), splitmix32(seed, 50), String(seed));
  }
});

test("what draws nothing needs no seed", (t) => {
  const uniform = uniformFor("evaluate", { kind: "ppo-clip" } as never, undefined);
  t.deepEqual([uniform(), uniform()], splitmix32(0, 2));
  t.throws(() => uniformFor("evaluate", { kind: "clip-cov" } as never, undefined), {
    code: "ERR_ARGUMENT",
    message: /seed, since surrogate "clip-cov" draws tokens/,
  });
});

test("seeds are integers from 0 to 2^32 - 1, both of them too", (t) => {
  for (const seed of [0, 1, 2 ** 32 - 1]) t.notThrows(() => checkSeed("evaluate", seed));
  for (const seed of [-1, 2 ** 32, 0.5, NaN, "1", undefined]) {
    t.throws(() => checkSeed("evaluate", seed), { code: "ERR_RANGE" }, String(seed));
  }
});
