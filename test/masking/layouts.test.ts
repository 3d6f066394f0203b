/** One mask on every layout: interleaved, planar, padded, batched, and as the patch rows of Qwen-VL. */
import test from "ava";
import fc from "fast-check";
import {
  drawPatchMask,
  maskBatch,
  maskImage,
  maskImages,
  type RasterImage,
} from "../../lib/masking/index.js";
import { hash, picture, planar } from "./pictures.js";

const KEY = { seed: 1, step: 2, prompt: 3 } as const;

/** The pixel_values of an interleaved image, written as Qwen2-VL's processor cuts it: nested loops over its nine axes. */
function patchRows(image: RasterImage<Uint8Array>, frames: number, side = 14, merge = 2) {
  const [temporal, { data, width, height, channels }] = [2, image];
  const [rows, columns] = [height / side, width / side];
  const values: number[] = [];
  for (let t = 0; t < frames; t++)
    for (let blockY = 0; blockY < rows / merge; blockY++)
      for (let blockX = 0; blockX < columns / merge; blockX++)
        for (let mergeY = 0; mergeY < merge; mergeY++)
          for (let mergeX = 0; mergeX < merge; mergeX++)
            for (let c = 0; c < channels; c++)
              for (let frame = 0; frame < temporal; frame++)
                for (let y = 0; y < side; y++)
                  for (let x = 0; x < side; x++) {
                    const pixelY = (blockY * merge + mergeY) * side + y;
                    const pixelX = (blockX * merge + mergeX) * side + x;
                    values.push(data[(pixelY * width + pixelX) * channels + c] as number);
                  }
  return { data: Float32Array.from(values), gridThw: [frames, rows, columns] as const };
}

test("planar and interleaved images get the same mask, one channel or many", (t) => {
  for (const channels of [1, 2, 3, 4, 7]) {
    const image = picture(31, 22, channels);
    const interleaved = maskImage(image, { ...KEY, patchSize: 5 });
    const planes = maskImage(planar(image), { ...KEY, patchSize: 5, fill: 0 });
    t.deepEqual(planes.mask, interleaved.mask);
    t.deepEqual(planes.data, planar({ ...image, data: interleaved.data }).data);
  }
});

test("padding between rows, planes and images is kept", (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 0, max: 7 }),
      fc.integer({ min: 0, max: 3 }),
      fc.boolean(),
      (rowPadding, planePadding, imagePadding, interleaved) => {
        const [width, height, channels, count] = [9, 6, 3, 2];
        const rowPitch = width * (interleaved ? channels : 1) + rowPadding;
        const planePitch = height * rowPitch + planePadding;
        const imagePitch = (interleaved ? height * rowPitch : channels * planePitch) + imagePadding;
        const data = new Uint8Array(count * imagePitch).map((_, i) => (i % 250) + 1);
        const shape = { width, height, channels, rowPitch, count, imagePitch } as const;
        const batch = interleaved
          ? ({ data, layout: "hwc", ...shape } as const)
          : ({ data, layout: "chw", planePitch, ...shape } as const);
        const options = { seed: 1, step: 1, patchSize: 4, maskRatio: 0.5 };
        const masked = maskBatch(batch, options);
        const expected = data.slice();
        for (let image = 0; image < count; image++)
          for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++)
              for (let c = 0; c < channels; c++) {
                const patch = Math.floor(y / 4) * 3 + Math.floor(x / 4);
                if (masked.masks[image]?.patches[patch] !== 1) continue;
                const at = interleaved
                  ? y * rowPitch + x * channels + c
                  : c * planePitch + y * rowPitch + x;
                expected[image * imagePitch + at] = 0;
              }
        t.deepEqual(masked.data, expected);
      },
    ),
    { numRuns: 60 },
  );
});

test("Qwen-VL's patch rows are the masked image cut into patches", (t) => {
  const image = picture(112, 84);
  for (const [frames, patchSize, plain, masked] of [
    [1, 14, "09d044672875d5e3", "c9febd7b108fd23e"],
    [2, 17, "33866b87f3a0d08f", "17c4470d94e8689d"],
  ] as const) {
    const { data, gridThw } = patchRows(image, frames);
    t.is(hash(data), plain, "of the processor's reshape and transpose in NumPy");
    const rows = { data, layout: "patch-rows", gridThw } as const;
    const result = maskImage(rows, { ...KEY, patchSize, fill: 0 });
    t.is(hash(result.data), masked, "of the authors' rule before that");
    t.deepEqual(result.mask, drawPatchMask(image, { ...KEY, patchSize }));
    const fill = [252, 253, 254];
    const before = maskImage(image, { ...KEY, patchSize, fill });
    const coloured = maskImage(rows, { ...KEY, patchSize, fill });
    t.deepEqual(coloured.data, patchRows({ ...image, data: before.data }, frames).data);
  }
});

test("patch rows may have other sizes, noise, and follow one another", (t) => {
  const images = [picture(32, 64, 1), picture(64, 32, 1), picture(96, 32, 1)];
  const rows = images.map((image) => patchRows(image, 1, 16, 1));
  const all = Float32Array.from(rows.flatMap(({ data }) => [...data]));
  const noise = { std: 0.5 };
  const options = { seed: 8, step: 1, prompts: [4, 9, 4000], patchSize: 8, noise };
  const { data, masks } = maskBatch(
    {
      data: all,
      layout: "patch-rows",
      gridThw: rows.map(({ gridThw }) => gridThw),
      channels: 1,
      patchSize: 16,
      mergeSize: 1,
    },
    options,
  );
  const single = maskImages(
    images.map((image) => planar(image)),
    options,
  );
  t.deepEqual(
    masks,
    single.map(({ mask }) => mask),
  );
  const cut = single.map((masked, i) => {
    const image = images[i] as RasterImage<Uint8Array>;
    return patchRows({ ...image, data: masked.data as unknown as Uint8Array }, 1, 16, 1).data;
  });
  t.deepEqual(
    [...data],
    cut.flatMap((part) => [...part]),
  );
});

test("patch rows that are said to be an image are refused", (t) => {
  const { data } = patchRows(picture(112, 84), 1);
  const options = { ...KEY, fill: 0 };
  const shape = { data, width: 112, height: 84, channels: 3 };
  const message =
    "[maskImage] expected image.data to hold 28224 elements, received Float32Array of 56448 elements";
  t.throws(() => maskImage({ layout: "chw", ...shape }, options), { code: "ERR_SHAPE", message });
  const wrong = { data, layout: "patch-rows", gridThw: [1, 6, 6] } as const;
  t.throws(() => maskImage(wrong, options), { code: "ERR_SHAPE" });
  const odd = { data, layout: "patch-rows", gridThw: [1, 3, 16] } as const;
  t.throws(() => maskImage(odd, options), {
    code: "ERR_SHAPE",
    message: /multiples of mergeSize 2/,
  });
});

test("a batch in one array is its images one by one, with their positions as prompts", (t) => {
  const images = [0, 1, 2].map(() => picture(30, 20));
  const data = Uint8Array.from(images.flatMap((image) => [...image.data]));
  const batch = { data, layout: "hwc", width: 30, height: 20, channels: 3, count: 3 } as const;
  const options = { seed: 3, step: 4, patchSize: 7 };
  const { data: masked, masks } = maskBatch(batch, options);
  images.forEach((image, prompt) => {
    const one = maskImage(image, { ...options, prompt });
    t.deepEqual(masks[prompt], one.mask);
    t.deepEqual(masked.slice(prompt * 1800, (prompt + 1) * 1800), one.data);
  });
  t.deepEqual(
    maskImages(images, options).map(({ mask }) => mask),
    masks,
  );
});

test("images of one prompt share its mask; another step has another", (t) => {
  const images = Array.from({ length: 6 }, () => picture(60, 60));
  const options = { seed: 3, step: 4, patchSize: 6, prompts: [7, 7, 7, 8, 8, 7] };
  const of = (more = {}) =>
    maskImages(images, { ...options, ...more }).map(({ data }) => hash(data));
  const [a, , , b] = of() as [string, string, string, string];
  t.deepEqual(of(), [a, a, a, b, b, a]);
  t.not(a, b);
  t.is(new Set([...of(), ...of({ step: 5 })]).size, 4);
  t.is(new Set(of({ imageIndices: [0, 1, 2, 0, 1, 0] })).size, 5);
  t.deepEqual(of({ noise: { std: 9 } })[1], of({ noise: { std: 9 } })[5]);
});

test("a plugged source draws once per prompt, image after image", (t) => {
  const images = Array.from({ length: 3 }, () => picture(20, 10, 1));
  let drawn = 0;
  const uniforms = () => (drawn++ % 10) / 10;
  const masks = maskImages(images, { uniforms, patchSize: 10, prompts: [0, 0, 1], maskRatio: 0.2 });
  t.is(drawn, 4);
  t.deepEqual(
    masks.map(({ mask }) => [...mask.patches]),
    [
      [1, 1],
      [1, 1],
      [0, 0],
    ],
  );
  const sizes = [picture(20, 10), picture(10, 20)];
  t.throws(() => maskImages(sizes, { seed: 1, step: 1, prompts: [5, 5] }), {
    code: "ERR_SHAPE",
    message:
      /images of one prompt to have one size, 20 × 10 \(prompt 5, image 0\), received 10 × 20/,
  });
});

test("images of one prompt may differ in channels, but not where they share noise", (t) => {
  const images = [picture(20, 10, 1), picture(20, 10, 3)];
  const options = { seed: 1, step: 1, prompts: [5, 5] };
  const [grey, coloured] = maskImages(images, options);
  t.deepEqual(grey?.mask, coloured?.mask);
  t.throws(() => maskImages(images, { ...options, noise: { std: 1 } }), {
    code: "ERR_SHAPE",
    message: /images of one prompt to have one size and as many channels/,
  });
});

test("every image of a list has its own saliency or its own patches", (t) => {
  const images = [picture(4, 2, 1), picture(4, 2, 1)];
  const grid = { grid: [2, 1], prompts: [0, 0] } as const;
  const masks = maskImages(images, {
    strategy: "saliency",
    ...grid,
    maskRatio: 0.5,
    saliency: [
      [1, 2],
      [2, 1],
    ],
  });
  const same = maskImages(images, {
    strategy: "given",
    ...grid,
    patches: [Uint8Array.of(0, 1), [true, false]],
  });
  for (const result of [masks, same]) {
    t.deepEqual(
      result.map(({ mask }) => [...mask.patches]),
      [
        [0, 1],
        [1, 0],
      ],
    );
  }
});

test("the input is left alone, and the copy has its class; in place is the same memory", (t) => {
  const image = picture(28, 28);
  const before = image.data.slice();
  const buffer = { ...image, data: Buffer.from(image.data) };
  const copy = maskImage(buffer, { ...KEY, maskRatio: 1 });
  t.deepEqual(image.data, before);
  t.deepEqual(new Uint8Array(buffer.data), before);
  t.is(Object.getPrototypeOf(copy.data), Uint8Array.prototype);
  for (const data of [new Uint8ClampedArray(before), new Float64Array(before)]) {
    const masked = maskImage({ ...image, data }, { ...KEY, fill: 0 });
    t.is(Object.getPrototypeOf(masked.data), Object.getPrototypeOf(data));
    t.deepEqual([...data], [...before]);
  }
  const inPlace = maskImage(buffer, { ...KEY, inPlace: true });
  t.is<unknown, unknown>(inPlace.data, buffer.data);
  t.deepEqual(new Uint8Array(buffer.data), maskImage(image, KEY).data);
});
