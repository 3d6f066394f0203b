/** Patches by saliency: what a patch receives, which are the top ones, and where they lie on the image. */
import test from "ava";
import fc from "fast-check";
import { attentionSaliency, drawPatchMask, maskImage } from "../../lib/masking/index.js";
import { picture } from "./pictures.js";

/** Attention of softmax rows, [heads][tokens][tokens], reproducible. */
function attention(heads: number, tokens: number, seed: number): number[][][] {
  return Array.from({ length: heads }, (_, h) =>
    Array.from({ length: tokens }, (_, j) => {
      const row = Array.from({ length: tokens }, (_, i) =>
        Math.exp(2 * Math.sin(seed + h * 3.1 + j * 1.7 + i * 2.3 + i * j)),
      );
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map((value) => value / sum);
    }),
  );
}

test("a patch's saliency is the attention it receives from patches, over heads and layers", (t) => {
  const [heads, tokens] = [3, 7];
  const layers = [6, 7, 8, 9].map((layer) => attention(heads, tokens, layer));
  for (const prefixTokens of [1, 3]) {
    const saliency = attentionSaliency({
      layers: layers.map((layer) => Float64Array.from(layer.flat(2))),
      tokens,
      prefixTokens,
    });
    t.is(saliency.length, tokens - prefixTokens);
    saliency.forEach((value, i) => {
      // Layers averaged, heads averaged, then the sum over the rows of patches.
      let sum = 0;
      for (let j = prefixTokens; j < tokens; j++)
        for (const layer of layers)
          for (const head of layer)
            sum += (head[j]?.[i + prefixTokens] as number) / heads / layers.length;
      t.true(Math.abs(value - sum) < 1e-14);
    });
  }
});

test("the CLS row does not count, and CLS is the default prefix", (t) => {
  const tokens = 4;
  const layer = new Float32Array(16).fill(0.25);
  const plain = attentionSaliency({ layers: [layer], tokens });
  t.deepEqual([...plain], [0.75, 0.75, 0.75]);
  layer.set([0, 0, 0, 1], 0);
  t.deepEqual(attentionSaliency({ layers: [layer], tokens }), plain);
  layer[1 * 4 + 2] = 0.5;
  t.deepEqual([...attentionSaliency({ layers: [layer], tokens })], [0.75, 1, 0.75]);
});

test("the top k = ⌊ratio · patches⌋ are masked, earlier ones first among equals", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(-1, -0, 0, 0.5, 1, 7, Number.POSITIVE_INFINITY), {
        minLength: 1,
        maxLength: 24,
      }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (saliency, maskRatio) => {
        const k = Math.floor(maskRatio * saliency.length);
        const chosen = saliency
          .map((value, i) => ({ value, i }))
          .sort((a, b) => (a.value === b.value ? a.i - b.i : a.value > b.value ? -1 : 1))
          .slice(0, k)
          .map(({ i }) => i);
        const size = { width: saliency.length * 2, height: 2 };
        const mask = drawPatchMask(size, {
          strategy: "saliency",
          grid: [saliency.length, 1],
          saliency,
          maskRatio,
        });
        t.deepEqual(
          [...mask.patches.keys()].filter((i) => mask.patches[i] === 1),
          chosen.sort((a, b) => a - b),
        );
      },
    ),
  );
});

test("a permutation of distinct saliencies permutes the mask", (t) => {
  const values = Array.from({ length: 30 }, (_, i) => (i * 37) % 101);
  const options = { strategy: "saliency", patchSize: 5, maskRatio: 0.4 } as const;
  const size = { width: 30, height: 25 };
  const { patches } = drawPatchMask(size, { ...options, saliency: values });
  fc.assert(
    fc.property(fc.shuffledSubarray([...values.keys()], { minLength: 30 }), (order) => {
      const saliency = order.map((i) => values[i] as number);
      const permuted = drawPatchMask(size, { ...options, saliency });
      t.deepEqual(
        [...permuted.patches],
        order.map((i) => patches[i] as number),
      );
    }),
    { numRuns: 30 },
  );
});

test("an encoder's grid covers an image of any size: each pixel has the patch under its centre", (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      (width, height, columns, rows) => {
        const patches = Array.from({ length: columns * rows }, (_, i) => (i * 5) % 3 === 0);
        const { data } = maskImage(picture(width, height, 1), {
          strategy: "given",
          grid: [columns, rows],
          patches,
        });
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const column = Math.floor(((2 * x + 1) * columns) / (2 * width));
            const row = Math.floor(((2 * y + 1) * rows) / (2 * height));
            t.is(data[y * width + x] === 0, patches[row * columns + column] as boolean);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("saliency needs no seed", (t) => {
  const { data, mask } = maskImage(picture(28, 14), {
    strategy: "saliency",
    saliency: [0.2, 0.7],
    maskRatio: 0.5,
  });
  t.deepEqual([...mask.patches], [0, 1]);
  t.is(data.filter((value) => value === 0).length, 14 * 14 * 3);
});
