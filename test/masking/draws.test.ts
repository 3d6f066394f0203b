/** Counter-based draws: known answers, the documented construction, and normal numbers. */
import test from "ava";
import fc from "fast-check";
import { maskUniforms, type PhiloxBlock, philox4x32 } from "../../lib/masking/index.js";
import { normalOf } from "../../lib/masking/normal.js";

/** Philox4x32-10 in integers of any length. */
function plainPhilox(counter: readonly number[], key: readonly number[]): number[] {
  const low = 0xffffffffn;
  let c = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const [a, b] = [0xd2511f53n * (c[0] as bigint), 0xcd9e8d57n * (c[2] as bigint)];
    c = [(b >> 32n) ^ (c[1] as bigint) ^ k0, b & low, (a >> 32n) ^ (c[3] as bigint) ^ k1, a & low];
    [k0, k1] = [(k0 + 0x9e3779b9n) & low, (k1 + 0xbb67ae85n) & low];
  }
  return c.map(Number);
}

const WORD = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const ONES = 0xffffffff;

const KNOWN: readonly (readonly [PhiloxBlock, readonly [number, number], string])[] = [
  [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  [[ONES, ONES, ONES, ONES], [ONES, ONES], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    "d16cfe09 94fdcceb 5001e420 24126ea1",
  ],
];

test("Philox4x32-10 gives Random123's known answers", (t) => {
  for (const [counter, key, words] of KNOWN) {
    t.is(
      philox4x32(counter, key)
        .map((word) => word.toString(16))
        .join(" "),
      words,
    );
  }
});

test("Philox4x32-10 agrees with long integers", (t) => {
  fc.assert(
    fc.property(fc.tuple(WORD, WORD, WORD, WORD), fc.tuple(WORD, WORD), (counter, key) => {
      t.deepEqual([...philox4x32(counter, key)], plainPhilox(counter, key));
    }),
  );
});

test("uniform i of a key is what is documented", (t) => {
  const [seed, step, prompt, imageIndex] = [2 ** 40 + 7, 3, 5, 1];
  const next = maskUniforms({ seed, step, prompt, imageIndex });
  for (let i = 0; i < 9; i++) {
    const block = plainPhilox([Math.floor(i / 2), 4 * imageIndex, prompt, step], [7, 2 ** 8]);
    const [a, b] = block.slice(2 * (i % 2)).map(BigInt) as [bigint, bigint];
    t.is(next(), Number((a >> 5n) * 2n ** 26n + (b >> 6n)) / 2 ** 53);
  }
});

test("draws are pinned: another program found the same", (t) => {
  const next = maskUniforms({ seed: 2 ** 40 + 7, step: 3, prompt: 5, imageIndex: 1 });
  const drawn = [next(), next(), next(), next()];
  t.deepEqual(
    drawn,
    [0.6600642160237602, 0.8037607582653284, 0.7945206468228179, 0.7281372066178962],
  );
});

test("every part of the key matters", (t) => {
  const key = { seed: 1, step: 1, prompt: 1, imageIndex: 1 };
  const firsts = [
    key,
    { ...key, seed: 2 },
    { ...key, seed: 1 + 2 ** 32 },
    { ...key, step: 2 },
    { ...key, prompt: 2 },
    { ...key, imageIndex: 0 },
  ].map((of) => maskUniforms(of)());
  t.is(new Set(firsts).size, firsts.length);
  t.is(maskUniforms(key)(), firsts[0] as number);
});

test("uniforms of neighbouring prompts and steps are uniform and uncorrelated", (t) => {
  const count = 40_000;
  const uniforms = (step: number) =>
    Array.from({ length: count }, (_, prompt) => maskUniforms({ seed: 3, step, prompt })() - 0.5);
  const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / count;
  const [here, there] = [uniforms(0), uniforms(1)];
  const correlation = (other: readonly number[], lag: number) =>
    12 * mean(here.map((value, i) => value * (other[(i + lag) % count] ?? 0)));
  // Five standard deviations each.
  t.true(Math.abs(mean(here)) < 5 / Math.sqrt(12 * count));
  t.true(Math.abs(correlation(here, 0) - 1) < 5 / Math.sqrt(count));
  t.true(Math.abs(correlation(here, 1)) < 5 / Math.sqrt(count));
  t.true(Math.abs(correlation(there, 0)) < 5 / Math.sqrt(count));
});

test("normal numbers are those of CPython's statistics.NormalDist().inv_cdf(u + 2**-54)", (t) => {
  const known: readonly (readonly [number, number])[] = [
    [0, -8.292361075813595],
    [1e-12, -7.034476084884922],
    [1e-6, -4.753424308811681],
    [0.01, -2.326347874040839],
    [0.07, -1.4757910281791697],
    [0.3, -0.5244005127080407],
    [0.7, 0.5244005127080407],
  ];
  for (const [u, z] of known) t.true(Math.abs(normalOf(u) - z) <= 4e-16 * Math.abs(z), `${u}`);
  t.is(normalOf(1 - 2 ** -53), -normalOf(0));
});

test("normal numbers rise with their uniforms, without a step where the formulas meet", (t) => {
  const around = [0.075, 0.925, Math.exp(-25), 0.5].flatMap((u) =>
    [-3, -2, -1, 0, 1, 2, 3].map((i) => u * (1 + i * 2 ** -30)),
  );
  for (const u of around) {
    const [low, high] = [normalOf(u), normalOf(u * (1 + 2 ** -30))];
    t.true(high > low && high - low < 1e-7, `${u}`);
  }
});
