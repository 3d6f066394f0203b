/** Patches by chance: the authors' rule bit for bit, exact counts, grids, and masks that never change. */
import test from "ava";
import fc from "fast-check";
import { drawPatchMask, maskImage, maskUniforms } from "../../lib/masking/index.js";
import { authorsMask, hash, NUMPY_DRAWS, picture } from "./pictures.js";

const SIZE = fc.integer({ min: 1, max: 40 });
const RATIO = fc.oneof(
  fc.constantFrom(0, 0.4, 0.6, 0.8, 1),
  fc.double({ min: 0, max: 1, noNaN: true }),
);

test("NumPy's draws give the authors' image, byte for byte", (t) => {
  // 66 × 52 pixels: five columns and four rows of patches of 14, the last ones partial.
  const image = picture(66, 52);
  const { data, mask } = maskImage(image, { uniforms: NUMPY_DRAWS });
  t.is(hash(data), "2f6f75b1343c0ec4", "of the rule run with NumPy");
  t.deepEqual([mask.columns, mask.rows], [5, 4]);
  t.deepEqual(
    [...mask.patches],
    NUMPY_DRAWS.map((u) => (u < 0.6 ? 1 : 0)),
  );
  t.is(mask.ratio, 10 / 20);
});

test("any draws give the authors' image for any size, patch, ratio and number of channels", (t) => {
  fc.assert(
    fc.property(
      fc.record({ width: SIZE, height: SIZE, channels: fc.integer({ min: 1, max: 5 }) }),
      fc.integer({ min: 1, max: 45 }),
      RATIO,
      fc.infiniteStream(fc.double({ min: 0, max: 1 - 2 ** -53, noNaN: true })),
      ({ width, height, channels }, patchSize, maskRatio, stream) => {
        const patches = Math.ceil(width / patchSize) * Math.ceil(height / patchSize);
        const draws = Array.from({ length: patches }, () => stream.next().value);
        let [ours, theirs] = [0, 0];
        const image = picture(width, height, channels);
        const plain = authorsMask(image, patchSize, maskRatio, () => draws[theirs++] as number);
        const { data, mask } = maskImage(image, {
          patchSize,
          maskRatio,
          uniforms: () => draws[ours++] as number,
        });
        t.deepEqual(data, plain);
        t.deepEqual([ours, theirs], [patches, patches]);
        const black = plain.filter((value) => value === 0).length / plain.length;
        t.true(Math.abs(mask.pixelRatio - black) < 1e-12);
      },
    ),
    { numRuns: 60 },
  );
});

test("draws may be an array, a typed array or a function", (t) => {
  const image = picture(66, 52);
  const masked = [
    NUMPY_DRAWS,
    Float64Array.from(NUMPY_DRAWS),
    (
      (i) => () =>
        NUMPY_DRAWS[i++] as number
    )(0),
  ].map((uniforms) => hash(maskImage(image, { uniforms }).data));
  t.is(new Set(masked).size, 1);
});

test("a seed's mask is pinned: another program found the same bytes", (t) => {
  const key = { seed: 2 ** 40 + 7, step: 3, prompt: 5, imageIndex: 1 };
  const { data, mask } = maskImage(picture(421, 300), key);
  t.is(hash(data), "5c10a5600e982387");
  t.true(Math.abs(mask.pixelRatio - 0.6017260490894695) < 1e-15);
  const counted = drawPatchMask(
    { width: 31 * 14, height: 22 * 14 },
    { seed: 7, step: 1, prompt: 2, strategy: "exact-count", maskRatio: 0.3 },
  );
  t.is(hash(counted.patches), "396688d851af63e0");
  t.is(counted.masked, 204);
});

test("a seed's mask is what its own uniforms give, on any image of that size", (t) => {
  const key = { seed: 4, step: 9, prompt: 1 };
  const size = { width: 100, height: 75 };
  const mask = drawPatchMask(size, { ...key, patchSize: 9 });
  t.deepEqual(drawPatchMask(size, { patchSize: 9, uniforms: maskUniforms(key) }), mask);
  const { data } = maskImage(picture(100, 75), { ...key, patchSize: 9 });
  t.deepEqual(data, authorsMask(picture(100, 75), 9, 0.6, maskUniforms(key)));
});

test("ratio 0 masks nothing and ratio 1 everything, by either rule", (t) => {
  const image = picture(30, 20);
  for (const strategy of ["bernoulli", "exact-count"] as const) {
    const key = { seed: 1, step: 0, prompt: 0, patchSize: 7, strategy };
    const none = maskImage(image, { ...key, maskRatio: 0 });
    t.deepEqual(none.data, image.data);
    t.is(none.mask.ratio, 0);
    const all = maskImage(image, { ...key, maskRatio: 1 });
    t.true(all.data.every((value) => value === 0));
    t.deepEqual([all.mask.ratio, all.mask.pixelRatio], [1, 1]);
  }
});

test("Bernoulli's realised ratio has the mean and the spread of its rule", (t) => {
  const [patches, images] = [576, 500];
  const ratios = Array.from(
    { length: images },
    (_, prompt) => drawPatchMask({ width: 336, height: 336 }, { seed: 11, step: 0, prompt }).ratio,
  );
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / images;
  const variance = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0) / (images - 1);
  const expected = (0.6 * 0.4) / patches;
  t.true(Math.abs(mean - 0.6) < 5 * Math.sqrt(expected / images));
  t.true(Math.abs(variance / expected - 1) < 5 * Math.sqrt(2 / images));
});

test("every patch is as likely as any other, the last and partial one too", (t) => {
  for (const strategy of ["bernoulli", "exact-count"] as const) {
    const hits = new Float64Array(20);
    const images = 3000;
    for (let prompt = 0; prompt < images; prompt++) {
      const size = { width: 66, height: 52 };
      const { patches } = drawPatchMask(size, { seed: 5, step: 1, prompt, strategy });
      for (let i = 0; i < 20; i++) hits[i] = (hits[i] as number) + (patches[i] as number) / images;
    }
    const limit = 5 * Math.sqrt((0.6 * 0.4) / images);
    t.deepEqual(
      [...hits].filter((share) => Math.abs(share - 0.6) > limit),
      [],
      strategy,
    );
  }
});

test("an exact count is ⌊ratio · patches⌋ of the smallest draws, earlier ones first among equals", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 0.1, 0.25, 0.5, 0.75, 0.99), { minLength: 1, maxLength: 30 }),
      RATIO,
      (draws, maskRatio) => {
        const size = { width: draws.length, height: 1 };
        const options = { strategy: "exact-count", patchSize: 1, maskRatio } as const;
        const { patches, masked } = drawPatchMask(size, { ...options, uniforms: draws });
        const order = draws.map((u, i) => ({ u, i })).sort((a, b) => a.u - b.u || a.i - b.i);
        const chosen = order.slice(0, Math.floor(maskRatio * draws.length)).map(({ i }) => i);
        t.is(masked, chosen.length);
        t.deepEqual(
          [...patches],
          draws.map((_, i) => (chosen.includes(i) ? 1 : 0)),
        );
      },
    ),
  );
});

test("under one key a smaller ratio masks a part of what a larger one masks", (t) => {
  for (const strategy of ["bernoulli", "exact-count"] as const) {
    const masks = [0.2, 0.4, 0.6, 0.8].map(
      (maskRatio) =>
        drawPatchMask(
          { width: 200, height: 200 },
          { seed: 1, step: 2, prompt: 3, strategy, maskRatio },
        ).patches,
    );
    masks.slice(1).forEach((larger, i) => {
      t.true((masks[i] as Uint8Array).every((bit, patch) => bit <= (larger[patch] as number)));
    });
  }
});

test("an excluded border is never masked and draws nothing", (t) => {
  const draws = { left: 6 };
  const { data, mask } = maskImage(picture(33, 25), {
    patchSize: 10,
    border: "exclude",
    maskRatio: 1,
    uniforms: () => {
      draws.left--;
      return 0;
    },
  });
  t.is(draws.left, 0);
  t.deepEqual([mask.columns, mask.rows, mask.ratio], [3, 2, 1]);
  t.is(mask.pixelRatio, (30 * 20) / (33 * 25));
  const image = picture(33, 25);
  image.data.forEach((value, i) => {
    const [x, y] = [Math.floor(i / 3) % 33, Math.floor(i / 99)];
    t.is(data[i], x < 30 && y < 20 ? 0 : value);
  });
});

test("a shifted grid has its lines at the offset", (t) => {
  const options = { patchSize: [10, 8], offset: [3, 5], seed: 1, step: 1, prompt: 1 } as const;
  const size = { width: 33, height: 25 };
  const included = drawPatchMask(size, options);
  t.deepEqual([...included.columnEdges], [0, 3, 13, 23, 33]);
  t.deepEqual([...included.rowEdges], [0, 5, 13, 21, 25]);
  const excluded = drawPatchMask(size, { ...options, border: "exclude" });
  t.deepEqual([...excluded.columnEdges], [3, 13, 23, 33]);
  t.deepEqual([...excluded.rowEdges], [5, 13, 21]);
});

test("alignment to the encoder's grid is checked", (t) => {
  const key = { seed: 1, step: 1, prompt: 1, alignedTo: 14 };
  t.is(drawPatchMask({ width: 84, height: 56 }, { ...key, patchSize: 28 }).columns, 3);
  const off = [
    [{ width: 84, height: 56 }, { patchSize: 20 }],
    [{ width: 84, height: 56 }, { offset: [7, 0] }],
    [{ width: 85, height: 56 }, {}],
    [{ width: 85, height: 56 }, { border: "exclude" }],
    [{ width: 84, height: 56 }, { grid: [5, 4] }],
  ] as const;
  for (const [size, grid] of off) {
    t.throws(() => drawPatchMask(size, { ...key, ...grid }), { code: "ERR_SHAPE" });
  }
});
