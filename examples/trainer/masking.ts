/** The second look: images whose patches are blackened by the library, at random or where there is most to see. */
import { type MaskedImage, maskImages } from "../../lib/masking/index.js";
import { IMAGE_SIZE, PATCH_SIZE, type Problem } from "../world/index.js";
import type { RunConfig } from "./config.js";

const PER_SIDE: number = IMAGE_SIZE / PATCH_SIZE;

/** Whose masks: one for each problem of a step. */
export interface MaskKey {
  readonly seed: number;
  readonly step: number;
}

/** Copies of the problems' images, masked; each [IMAGE_SIZE · IMAGE_SIZE · 3]. */
export function maskedImages(
  problems: readonly Problem[],
  { strategy, ratio }: RunConfig["mask"],
  { seed, step }: MaskKey,
): Float32Array[] {
  const images = problems.map(
    ({ image }) =>
      ({
        data: image,
        layout: "hwc",
        width: IMAGE_SIZE,
        height: IMAGE_SIZE,
        channels: 3,
      }) as const,
  );
  const options = { maskRatio: ratio, patchSize: PATCH_SIZE, fill: 0 } as const;
  const masked: MaskedImage<Float32Array>[] =
    strategy === "random"
      ? maskImages(images, { ...options, seed, step })
      : maskImages(images, {
          ...options,
          strategy,
          saliency: problems.map(({ image }) => contrast(image)),
        });
  return masked.map(({ data }) => data);
}

/**
 * [patches] how far the pixels of each patch are from the image's mean colour: the mean squared distance. It stands for the
 * attention of an encoder, which the paper takes; here nothing but what is drawn stands out from the ground.
 */
export function contrast(image: Float32Array): Float64Array {
  const mean = [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let at = channel; at < image.length; at += 3) sum += image[at] as number;
    return (3 * sum) / image.length;
  });
  const found = new Float64Array(PER_SIDE ** 2);
  image.forEach((value, at) => {
    const pixel = Math.floor(at / 3);
    const row = Math.floor(pixel / IMAGE_SIZE / PATCH_SIZE);
    const patch = row * PER_SIDE + Math.floor((pixel % IMAGE_SIZE) / PATCH_SIZE);
    found[patch] = (found[patch] as number) + (value - (mean[at % 3] as number)) ** 2;
  });
  return found.map((sum) => sum / PATCH_SIZE ** 2);
}
