/**
 * The door of `papo/masking`: images whose patches are masked for the second look of the policy.
 *
 * @module papo/masking
 */
export {
  drawPatchMask,
  MASK_RATIO,
  MASK_STRATEGIES,
  type MaskStrategy,
  maskUniforms,
  type PatchMaskOptions,
  type PatchOptions,
  philox4x32,
} from "./draw.js";
export { type Border, type GridOptions, PATCH_SIZE } from "./grid.js";
export type { Image, PatchRowsImage, PixelArray, Plain, RasterImage } from "./image.js";
export {
  type ReadImageOptions,
  readImage,
  type WriteImageOptions,
  writeImage,
} from "./image-file.js";
export {
  type ApplyPatchMaskOptions,
  applyPatchMask,
  type MaskedImage,
  type MaskImageOptions,
  maskImage,
} from "./mask-image.js";
export {
  type MaskedBatch,
  type MaskImagesOptions,
  maskBatch,
  maskImages,
  type PatchRowsBatch,
  type RasterBatch,
} from "./mask-images.js";
export { type PatchMask, resizePatchMask } from "./patch-mask.js";
export type { PhiloxBlock } from "./philox.js";
export {
  type NoiseOptions,
  type NormalizedFillOptions,
  normalizedFill,
  type PerChannel,
  type ReplacementOptions,
} from "./replacement.js";
export {
  type AttentionSaliencyOptions,
  attentionSaliency,
  type SaliencyNumbers,
} from "./saliency.js";
export type { DrawOptions, MaskUniformsOptions, Uniforms } from "./uniforms.js";
