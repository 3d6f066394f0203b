/** Images for the tests of masking, and the authors' rule written plainly. */
import { createHash } from "node:crypto";
import type { PixelArray, RasterImage } from "../../lib/masking/index.js";

/** Interleaved pixels in 1…251: none of them is black. */
export function picture(width: number, height: number, channels = 3): RasterImage<Uint8Array> {
  const data = new Uint8Array(width * height * channels);
  let next = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) data[next++] = ((x * 7 + y * 13 + c * 29) % 251) + 1;
  return { data, layout: "hwc", width, height, channels };
}

/** The same pixels, planar, as floating-point numbers after `of`. */
export function planar(
  { data, width, height, channels }: RasterImage<Uint8Array>,
  of = (value: number, _channel: number): number => value,
): RasterImage<Float32Array> {
  const planes = new Float32Array(data.length);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < channels; c++)
      planes[c * width * height + i] = of(data[i * channels + c] as number, c);
  return { data: planes, layout: "chw", width, height, channels };
}

/** PAPO authors, verl/trainer/papo_utils.py:17-30, on interleaved bytes: rows outer, one draw per patch, borders too. */
export function authorsMask(
  image: RasterImage<Uint8Array>,
  patch: number,
  ratio: number,
  random: () => number,
): Uint8Array {
  const { width, height, channels } = image;
  const out = image.data.slice();
  for (let y = 0; y < height; y += patch) {
    for (let x = 0; x < width; x += patch) {
      if (!(random() < ratio)) continue;
      for (let v = y; v < Math.min(y + patch, height); v++)
        for (let u = x; u < Math.min(x + patch, width); u++)
          for (let c = 0; c < channels; c++) out[(v * width + u) * channels + c] = 0;
    }
  }
  return out;
}

/** First half of the SHA-256 of an array's bytes. */
export function hash(data: PixelArray | Uint8Array): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** numpy.random.seed(0); numpy.random.rand(20) */
export const NUMPY_DRAWS: readonly number[] = [
  0.5488135039273248, 0.7151893663724195, 0.6027633760716439, 0.5448831829968969,
  0.4236547993389047, 0.6458941130666561, 0.4375872112626925, 0.8917730007820798,
  0.9636627605010293, 0.3834415188257777, 0.7917250380826646, 0.5288949197529045,
  0.5680445610939323, 0.925596638292661, 0.07103605819788694, 0.08712929970154071,
  0.02021839744032572, 0.832619845547938, 0.7781567509498505, 0.8700121482468192,
];
