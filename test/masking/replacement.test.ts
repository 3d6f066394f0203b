/** What stands in masked patches: black in the image's own scale, any colour, or noise. */
import test from "ava";
import {
  applyPatchMask,
  drawPatchMask,
  maskImage,
  normalizedFill,
  resizePatchMask,
} from "../../lib/masking/index.js";
import { hash, picture, planar } from "./pictures.js";

const KEY = { seed: 7, step: 1, prompt: 2 } as const;
/** Of CLIP, as Qwen-VL normalises. */
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const STD = [0.26862954, 0.26130258, 0.27577711];

test("black after normalisation is black before it", (t) => {
  const image = picture(42, 28);
  const normalised = (value: number, channel: number) =>
    (value / 255 - (MEAN[channel] as number)) / (STD[channel] as number);
  const fill = normalizedFill({ mean: MEAN, std: STD });
  const after = maskImage(planar(image, normalised), { ...KEY, fill });
  const before = maskImage(image, KEY);
  t.deepEqual(after.data, planar({ ...image, data: before.data }, normalised).data);
  t.true(after.mask.masked > 0);
});

test("a colour is normalised as the image is", (t) => {
  t.deepEqual([...normalizedFill({ mean: [0.5, 0.25], std: [0.5, 0.25] })], [-1, -1]);
  t.deepEqual([...normalizedFill({ mean: [0.5, 0.25], std: [0.5, 0.25], value: 1 })], [1, 3]);
  t.deepEqual([...normalizedFill({ mean: [100], std: Float32Array.of(50), value: [200] })], [2]);
});

test("a floating-point image has no default colour", (t) => {
  const image = planar(picture(28, 28));
  t.throws(() => maskImage(image, KEY), {
    code: "ERR_ARGUMENT",
    message:
      /\[maskImage\] expected fill for a floating-point image, .*normalizedFill.* received none/,
  });
});

test("a colour of one's own goes into every channel, alpha included", (t) => {
  const { data, mask } = maskImage(picture(30, 30, 4), { ...KEY, fill: [10, 20, 30, 255] });
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    if ([10, 20, 30, 255].every((value, c) => data[at + c] === value)) found++;
  }
  t.is(found, Math.round(mask.pixelRatio * 900));
});

test("added noise is pinned: another program found the same bytes", (t) => {
  const image = picture(60, 45);
  const masked = maskImage(image, { ...KEY, noise: { std: 40 } });
  t.is(hash(masked.data), "eb6713d004d7cd0c");
  t.deepEqual(masked.mask, maskImage(image, KEY).mask, "the patches do not depend on the noise");
});

test("noise does not depend on the layout, and replaces where it has a mean", (t) => {
  const image = picture(60, 45);
  const noise = { std: [40, 30, 20], mean: [100, 120, 140] };
  const interleaved = maskImage(image, { ...KEY, noise });
  const planes = maskImage(planar(image), { ...KEY, noise });
  const rounded = planes.data.map((value) => Math.min(255, Math.max(0, Math.round(value))));
  t.deepEqual(rounded, planar({ ...image, data: interleaved.data }).data);
  const dark = { ...image, data: image.data.slice().fill(0) };
  const all = { ...KEY, noise, maskRatio: 1 };
  t.deepEqual(maskImage(dark, all).data, maskImage(image, all).data);
});

test("noise has the mean and the deviation that were asked for", (t) => {
  const data = new Float64Array(40_000).fill(5);
  const image = { data, layout: "chw", width: 200, height: 200, channels: 1 } as const;
  const masked = maskImage(image, { ...KEY, noise: { std: 2 }, maskRatio: 1 }).data;
  const mean = masked.reduce((sum, value) => sum + value, 0) / masked.length;
  const variance = masked.reduce((sum, value) => sum + (value - mean) ** 2, 0) / masked.length;
  t.true(Math.abs(mean - 5) < (5 * 2) / 200);
  t.true(Math.abs(variance / 4 - 1) < 5 * Math.sqrt(2 / masked.length));
});

test("noise of deviation 0 or of ratio 0 changes nothing", (t) => {
  const image = picture(30, 30);
  t.deepEqual(maskImage(image, { ...KEY, noise: { std: 0 } }).data, image.data);
  t.deepEqual(maskImage(image, { ...KEY, noise: { std: 9 }, maskRatio: 0 }).data, image.data);
});

test("a mask that was drawn before is applied, also after it was stored", (t) => {
  const image = picture(42, 35);
  const drawn = maskImage(image, KEY);
  t.deepEqual(applyPatchMask(image, drawn.mask), { ...drawn });
  const stored = structuredClone(drawn.mask);
  t.deepEqual(applyPatchMask(image, stored).data, drawn.data);
  const noisy = { ...KEY, noise: { std: 30 } };
  t.deepEqual(applyPatchMask(image, stored, noisy).data, maskImage(image, noisy).data);
  t.throws(() => applyPatchMask(picture(42, 36), drawn.mask), {
    code: "ERR_SHAPE",
    message: /expected a mask of 42 × 36 pixels \(see resizePatchMask\), received one of 42 × 35/,
  });
});

test("a resized mask masks the pixels whose centres lie on masked patches", (t) => {
  const from = { width: 50, height: 37 };
  const mask = drawPatchMask(from, { ...KEY, patchSize: 7 });
  for (const [width, height] of [
    [112, 84],
    [50, 37],
    [25, 90],
    [3, 2],
    [1, 1],
  ] as const) {
    const resized = resizePatchMask(mask, { width, height });
    t.deepEqual(resized.patches, mask.patches);
    const { data } = applyPatchMask(picture(width, height, 1), resized);
    let black = 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const column = Math.floor(Math.floor(((2 * x + 1) * 50) / (2 * width)) / 7);
        const row = Math.floor(Math.floor(((2 * y + 1) * 37) / (2 * height)) / 7);
        const isBlack = mask.patches[row * mask.columns + column] === 1;
        t.is(data[y * width + x] === 0, isBlack, `${x}, ${y} of ${width} × ${height}`);
        black += isBlack ? 1 : 0;
      }
    }
    t.true(Math.abs(resized.pixelRatio - black / (width * height)) < 1e-12);
  }
  t.deepEqual(resizePatchMask(mask, from), mask);
});
