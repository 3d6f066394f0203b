/** One image masked: drawn and applied at once, or by a mask that was drawn before. */
import { flag, readOptions } from "../core/arguments.js";
import { expected, PapoError } from "../core/errors.js";
import { typedArrayClass } from "../core/typed-array.js";
import {
  drawPatches,
  isRandom,
  PATCH_OPTIONS,
  type PatchMaskOptions,
  patchUniforms,
  whoseOf,
} from "./draw.js";
import type { Image, PixelArray, Plain } from "./image.js";
import { type PatchMask, readPatchMask } from "./patch-mask.js";
import { checkHolds, type Raster, readImageIn } from "./raster.js";
import {
  drawNormals,
  type Replacement,
  type ReplacementOptions,
  replace,
  replacementOf,
} from "./replacement.js";
import { type DrawOptions, type DrawSource, drawSourceOf, neededSource } from "./uniforms.js";

/** An image with its mask. */
export interface MaskedImage<A extends PixelArray = PixelArray> {
  /** A fresh array of the image's class, length and layout; the image's own data with `inPlace`. */
  readonly data: Plain<A>;
  /** The mask that was drawn or given. */
  readonly mask: PatchMask;
}

export interface MaskImageOptions extends PatchMaskOptions, ReplacementOptions {
  /** Write into the image's own data instead of a copy; false. */
  readonly inPlace?: boolean | undefined;
}

const REPLACEMENT_OPTIONS = ["fill", "noise", "inPlace"] as const;
/** Those of one image and of many. */
export const MASK_OPTIONS: readonly Exclude<keyof MaskImageOptions, "prompt" | "imageIndex">[] = [
  ...PATCH_OPTIONS,
  ...REPLACEMENT_OPTIONS,
  "seed",
  "step",
  "uniforms",
];

/**
 * A copy of an image with some of its patches replaced, as the authors do it unless told otherwise: patches of 14 pixels,
 * each masked with probability 0.6, all channels 0.
 *
 * @param image    see `Image` for layouts; not written to unless `inPlace`
 * @param options  strategy, grid, replacement, and either `seed`, `step` and `prompt` or `uniforms`
 * @returns the masked data and the mask, which holds the realised ratio
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE, ERR_DTYPE, ERR_NOT_FINITE
 * @see PAPO (arXiv 2507.06448) and its authors' verl/trainer/papo_utils.py:17-30
 */
export function maskImage<A extends PixelArray>(
  image: Image<A>,
  options: MaskImageOptions,
): MaskedImage<A> {
  const where = "maskImage";
  const known = [...MASK_OPTIONS, "prompt", "imageIndex"] as const;
  const given = readOptions(where, options, known);
  const source = drawSourceOf(where, given);
  const draws = isRandom(given.strategy) || given.noise !== undefined;
  const { prompt, imageIndex } = whoseOf(where, given, draws);
  const { data, raster } = readImageIn(where, "image", image);
  const into = flag(where, "inPlace", given.inPlace, false);
  const replacement = replacementOf(where, given, data, raster.channels);
  const drawn = drawOne(where, raster, given, replacement, source, prompt, imageIndex);
  const out = target(where, "image.data", data, raster, into);
  replace(out, 0, raster, drawn.mask, replacement, drawn.normals);
  return { data: out as Plain<A>, mask: drawn.mask };
}

export interface Drawn {
  readonly mask: PatchMask;
  readonly normals: Float64Array | undefined;
}

/** Everything that is drawn for one image, so that no code of the caller runs while pixels are written. */
export function drawOne(
  where: string,
  { width, height, channels }: Raster,
  options: PatchMaskOptions,
  replacement: Replacement,
  source: DrawSource | undefined,
  prompt: number,
  imageIndex: number,
): Drawn {
  const next = patchUniforms(where, source, prompt, imageIndex);
  const mask = drawPatches(where, width, height, options, next);
  if (replacement.kind === "fill") return { mask, normals: undefined };
  const uniforms = neededSource(where, source).of("noise", prompt, imageIndex);
  return { mask, normals: drawNormals(mask, channels, uniforms) };
}

/** Where masked pixels are written: the data itself, or a copy. Its length is looked at again, after the draws. */
export function target(
  where: string,
  name: string,
  data: PixelArray,
  raster: { readonly extent: number },
  inPlace: boolean,
): PixelArray {
  checkHolds(where, name, data, raster.extent, false);
  return inPlace ? data : copyOf(where, data);
}

function copyOf(where: string, data: PixelArray): PixelArray {
  try {
    // The classes themselves: a subclass's own constructor or species is not called.
    switch (typedArrayClass(data)) {
      case "Float32Array":
        return new Float32Array(data);
      case "Float64Array":
        return new Float64Array(data);
      case "Uint8ClampedArray":
        return new Uint8ClampedArray(data);
      default:
        return new Uint8Array(data);
    }
  } catch (cause) {
    throw new PapoError("ERR_OUT_OF_MEMORY", `[${where}] no memory for a copy`, { cause });
  }
}

export interface ApplyPatchMaskOptions extends ReplacementOptions, DrawOptions {
  /** Number of the prompt, for noise from a seed. */
  readonly prompt?: number | undefined;
  /** Number of the image in its prompt, for noise from a seed; 0 if not said. */
  readonly imageIndex?: number | undefined;
  /** Whether the image itself is written to; false if not said. */
  readonly inPlace?: boolean | undefined;
}

/**
 * A copy of an image with the patches of a mask replaced: one that was drawn before, stored, or resized.
 *
 * @param mask     of an image of this size (`resizePatchMask` gives one)
 * @param options  `fill` or `noise`; noise needs a seed, step and prompt or uniforms
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_DTYPE, and ERR_SHAPE where mask and image differ in size
 */
export function applyPatchMask<A extends PixelArray>(
  image: Image<A>,
  mask: PatchMask,
  options: ApplyPatchMaskOptions = {},
): MaskedImage<A> {
  const where = "applyPatchMask";
  const known = [
    ...REPLACEMENT_OPTIONS,
    "seed",
    "step",
    "prompt",
    "imageIndex",
    "uniforms",
  ] as const;
  const given = readOptions(where, options, known);
  const source = drawSourceOf(where, given);
  const { prompt, imageIndex } = whoseOf(where, given, given.noise !== undefined);
  const { data, raster } = readImageIn(where, "image", image);
  const own = readPatchMask(where, mask);
  if (own.width !== raster.width || own.height !== raster.height) {
    const what = `a mask of ${raster.width} × ${raster.height} pixels (see resizePatchMask)`;
    throw expected("ERR_SHAPE", where, what, `one of ${own.width} × ${own.height}`);
  }
  const into = flag(where, "inPlace", given.inPlace, false);
  const replacement = replacementOf(where, given, data, raster.channels);
  let normals: Float64Array | undefined;
  if (replacement.kind === "noise") {
    const uniforms = neededSource(where, source).of("noise", prompt, imageIndex);
    normals = drawNormals(own, raster.channels, uniforms);
  }
  const out = target(where, "image.data", data, raster, into);
  replace(out, 0, raster, own, replacement, normals);
  return { data: out as Plain<A>, mask: own };
}
