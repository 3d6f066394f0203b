/** Random patch blackening, as the authors do it: every patch is blackened with the same probability. */
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
  const masked = image.slice();
  for (let top = 0, patch = 0; top < IMAGE_SIZE; top += patchSize) {
    for (let left = 0; left < IMAGE_SIZE; left += patchSize, patch++) {
      if (uniformAt(...key, patch) >= maskRatio) continue;
      for (let y = top; y < Math.min(top + patchSize, IMAGE_SIZE); y++) {
        const right = Math.min(left + patchSize, IMAGE_SIZE);
        masked.fill(0, (y * IMAGE_SIZE + left) * 3, (y * IMAGE_SIZE + right) * 3);
      }
    }
  }
  return masked;
}
