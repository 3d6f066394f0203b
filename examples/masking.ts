/** Random patch blackening by the library, on the example's images and from the example's own draws. */
import { maskImage as maskPatches } from "../lib/masking/index.js";
import { uniformAt } from "./random.js";
import { IMAGE_SIZE } from "./world.js";

/**
 * A copy of an image with some of its patches black (0 in RGB, before any normalisation).
 *
 * @param image      [IMAGE_SIZE · IMAGE_SIZE · 3] row-major RGB
 * @param patchSize  pixels
 * @param maskRatio  probability that a patch is blackened, 0…1; the realised share varies around it
 * @param key        integers that decide the draw: the same key gives the same mask
 */
export function maskImage(
  image: Float32Array,
  patchSize: number,
  maskRatio: number,
  key: readonly number[],
): Float32Array {
  let patch = 0;
  const { data } = maskPatches(
    { data: image, layout: "hwc", width: IMAGE_SIZE, height: IMAGE_SIZE, channels: 3 },
    { patchSize, maskRatio, fill: 0, uniforms: () => uniformAt(...key, patch++) },
  );
  return data;
}
