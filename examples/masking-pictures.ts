/** Draws docs/pictures/masking-*.png: every masking strategy on a synthetic image. `npx tsx examples/masking-pictures.ts` */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  applyPatchMask,
  drawPatchMask,
  type MaskImageOptions,
  maskImage,
  type RasterImage,
  resizePatchMask,
  writeImage,
} from "../lib/masking/index.js";

const FOLDER = fileURLToPath(new URL("../docs/pictures/", import.meta.url));
/** 11 × 8 patches of 14 pixels. */
const [WIDTH, HEIGHT, PATCH] = [154, 112, 14];
const KEY = { seed: 1, step: 0, prompt: 6 } as const;

type Colour = readonly [number, number, number];

/** A house under the sun, by place in the unit square; nothing of it is a photograph. */
function colourAt(x: number, y: number): Colour {
  const inside = (left: number, top: number, right: number, bottom: number) =>
    x > left && x < right && y > top && y < bottom;
  if (inside(0.56, 0.62, 0.64, 0.8)) return [94, 60, 40];
  if (inside(0.44, 0.56, 0.52, 0.66)) return [250, 226, 130];
  if (inside(0.38, 0.48, 0.7, 0.8)) return [205, 92, 72];
  if (y > 0.3 && y < 0.48 && Math.abs(x - 0.54) < (y - 0.3) * 1.15) return [120, 44, 48];
  if (Math.hypot((x - 0.84) * 1.375, y - 0.2) < 0.11) return [255, 214, 70];
  const hill = 0.7 + 0.09 * Math.sin(5 * x + 0.4) + 0.03 * Math.sin(13 * x);
  if (y > hill) return [70 + 60 * (1 - y), 140 + 50 * (y - hill), 70];
  return [120 + 90 * y, 170 + 60 * y, 235];
}

/** Nine samples a pixel. */
function scene(width: number, height: number): RasterImage<Uint8Array> {
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (let i = 0; i < 9; i++) {
        const colour = colourAt(
          (x + ((i % 3) + 0.5) / 3) / width,
          (y + (i / 3 + 0.5) / 3) / height,
        );
        sum += colour[c] ?? 0;
      }
      data[pixel * 3 + c] = Math.round(sum / 9);
    }
  }
  return { data, layout: "hwc", width, height, channels: 3 };
}

/** A saliency map of the pictures' own: how red each patch is. In earnest it is an encoder's attention. */
function redness({ data, width, height }: RasterImage<Uint8Array>): Float64Array {
  const columns = width / PATCH;
  const map = new Float64Array((columns * height) / PATCH);
  for (let i = 0; i < width * height; i++) {
    const patch = Math.floor(i / width / PATCH) * columns + Math.floor((i % width) / PATCH);
    const [red = 0, green = 0, blue = 0] = data.subarray(i * 3, i * 3 + 3);
    map[patch] = (map[patch] ?? 0) + red - (green + blue) / 2;
  }
  return map;
}

const image = scene(WIDTH, HEIGHT);
const masked = (options: MaskImageOptions) => ({ ...image, ...maskImage(image, options) });

/** Drawn on the raw image of 93 × 68 pixels, applied after its resize: patches of 14 pixels become 23 wide. */
const rawMask = drawPatchMask({ width: 93, height: 68 }, KEY);

const PICTURES: Readonly<Record<string, RasterImage<Uint8Array>>> = {
  original: image,
  bernoulli: masked(KEY),
  "exact-count": masked({ ...KEY, strategy: "exact-count" }),
  saliency: masked({ strategy: "saliency", saliency: redness(image), maskRatio: 0.3 }),
  shifted: masked({ ...KEY, offset: [6, 9] }),
  resized: { ...image, ...applyPatchMask(image, resizePatchMask(rawMask, image)) },
  "noise-added": masked({ ...KEY, maskRatio: 1, noise: { std: 60 } }),
  "noise-patches": masked({ ...KEY, noise: { std: 50, mean: 128 } }),
};

await mkdir(FOLDER, { recursive: true });
for (const [name, picture] of Object.entries(PICTURES)) {
  const { data, layout, width, height, channels } = picture;
  await writeImage(`${FOLDER}masking-${name}.png`, { data, layout, width, height, channels });
}
