/** Many images masked: a list of them, or a batch in one array; one mask per prompt and step. */

import { readOptions } from "../core/arguments.js";
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import type { Image, PatchRowsImage, PixelArray, Plain, RasterImage } from "./image.js";
import { MASK_OPTIONS, type MaskedImage, type MaskImageOptions, target } from "./mask-image.js";
import type { PatchMask } from "./patch-mask.js";
import { planOf } from "./plan.js";
import {
  checkHolds,
  pixelsOf,
  type Raster,
  rasterOf,
  readDescription,
  readImageIn,
} from "./raster.js";
import { type Replacement, replace, replacementOf } from "./replacement.js";
import type { SaliencyNumbers } from "./saliency.js";
import { integerBelow } from "./uniforms.js";

type Single = "prompt" | "imageIndex" | "saliency" | "patches";

/** Options of `maskImages` and `maskBatch`. */
export interface MaskImagesOptions extends Omit<MaskImageOptions, Single> {
  /**
   * Prompt of each image, integers in 0 … 2^32 − 1; the position if not said. Images of the same prompt (its rollouts)
   * get the same mask. Numbers of the data set keep masks apart between micro-batches and processes.
   */
  readonly prompts?: readonly number[] | Int32Array | Uint32Array | undefined;
  /** Which image of its prompt each is, where prompts have several; 0. */
  readonly imageIndices?: readonly number[] | Int32Array | Uint32Array | undefined;
  /** A map for each image, for "saliency". */
  readonly saliency?: readonly SaliencyNumbers[] | undefined;
  /** Patches of each image, for "given". */
  readonly patches?: readonly (readonly (number | boolean)[] | Uint8Array)[] | undefined;
}

const OPTIONS = [...MASK_OPTIONS, "prompts", "imageIndices"] as const;

/**
 * `maskImage` for every image of a list; sizes, layouts and classes may differ. With `uniforms` the draws of one image
 * follow those of the one before, and an image whose prompt came before draws nothing.
 *
 * @throws PapoError as `maskImage`; with `inPlace` the images before a faulty one are then masked already
 */
export function maskImages<A extends PixelArray>(
  images: readonly Image<A>[],
  options: MaskImagesOptions,
): MaskedImage<A>[] {
  const where = "maskImages";
  const given = readOptions(where, options, OPTIONS);
  const count = listLength(images);
  if (count === undefined) {
    throw expected("ERR_ARGUMENT", where, "images to be an array of images", describe(images));
  }
  const places: { data: PixelArray; raster: Raster; replacement: Replacement }[] = [];
  // One by one, so that the first hole of an endless array ends it.
  for (let i = 0; i < count; i++) {
    const { data, raster } = readImageIn(where, `images[${i}]`, images[i]);
    const replacement = replacementOf(where, given, data, raster.channels);
    places.push({ data, raster, replacement });
  }
  const plan = planOf(where, given, places.length);
  return places.map(({ data, raster, replacement }, i) => {
    const { mask, normals } = plan.draw(i, raster, replacement);
    const out = target(where, `images[${i}].data`, data, raster, plan.inPlace);
    replace(out, 0, raster, mask, replacement, normals);
    return { data: out as Plain<A>, mask };
  });
}

/** Images of one size, one after another in one array: [count, height, width, channels] or [count, channels, height, width]. */
export interface RasterBatch<A extends PixelArray = PixelArray> extends RasterImage<A> {
  /** Images there are. */
  readonly count: number;
  /** Elements from one image to the next; what one image takes if not said. */
  readonly imagePitch?: number | undefined;
}

/** Images whose patch rows follow one another, as `pixel_values` with `image_grid_thw`. */
export interface PatchRowsBatch<A extends PixelArray = PixelArray>
  extends Omit<PatchRowsImage<A>, "gridThw"> {
  /** [images][3] */
  readonly gridThw: readonly (readonly [frames: number, rows: number, columns: number])[];
}

/** What `maskBatch` gives. */
export interface MaskedBatch<A extends PixelArray = PixelArray> {
  /** A fresh array like the batch's; the batch's own with `inPlace`. */
  readonly data: Plain<A>;
  /** Of each image. */
  readonly masks: readonly PatchMask[];
}

/**
 * `maskImages` for a batch that lies in one array.
 *
 * @throws PapoError as `maskImage`
 */
export function maskBatch<A extends PixelArray>(
  batch: RasterBatch<A> | PatchRowsBatch<A>,
  options: MaskImagesOptions,
): MaskedBatch<A> {
  const where = "maskBatch";
  const given = readOptions(where, options, OPTIONS);
  const { data, places, extent } = readBatch(where, batch);
  const plan = planOf(where, given, places.length);
  const replacements = places.map(({ raster }) =>
    replacementOf(where, given, data, raster.channels),
  );
  const out = target(where, "batch.data", data, { extent }, plan.inPlace);
  const masks = places.map(({ raster, begin }, i) => {
    const replacement = replacements[i] as Replacement;
    const { mask, normals } = plan.draw(i, raster, replacement);
    checkHolds(where, "batch.data", out, extent, false);
    replace(out, begin, raster, mask, replacement, normals);
    return mask;
  });
  return { data: out as Plain<A>, masks };
}

interface Place {
  readonly raster: Raster;
  readonly begin: number;
}

interface BatchPlaces {
  readonly data: PixelArray;
  readonly places: readonly Place[];
  readonly extent: number;
}

function readBatch(where: string, batch: unknown): BatchPlaces {
  const {
    data: pixels,
    count,
    imagePitch,
    gridThw,
    ...one
  } = readDescription(where, "batch", batch, (layout) =>
    layout === "patch-rows" ? ["data"] : ["data", "count", "imagePitch"],
  );
  const data = pixelsOf(where, "batch.data", pixels);
  if (one.layout !== "patch-rows") {
    const raster = rasterOf(where, "batch", one);
    const { places, extent, exact } = evenPlaces(where, raster, one, count, imagePitch);
    checkHolds(where, "batch.data", data, extent, exact);
    return { data, places, extent };
  }
  const images = listLength(gridThw) ?? 0;
  if (images === 0) {
    const what = "batch.gridThw to be an array of [frames, rows, columns]";
    throw expected("ERR_ARGUMENT", where, what, describe(gridThw));
  }
  const places: Place[] = [];
  let extent = 0;
  for (let i = 0; i < images; i++) {
    const raster = rasterOf(where, `batch (image ${i})`, {
      ...one,
      gridThw: (gridThw as readonly unknown[])[i],
    });
    places.push({ raster, begin: extent });
    extent += raster.extent;
  }
  checkHolds(where, "batch.data", data, extent, true);
  return { data, places, extent };
}

/** Rooms of the images of a batch; nothing is made for them before the data was found to be long enough. */
function evenPlaces(
  where: string,
  raster: Raster,
  one: Record<string, unknown>,
  count: unknown,
  imagePitch: unknown,
): { readonly places: readonly Place[]; readonly extent: number; readonly exact: boolean } {
  const images = integerBelow(where, "batch.count", count, 2 ** 20);
  const pitch =
    imagePitch === undefined
      ? raster.extent
      : integerBelow(where, "batch.imagePitch", imagePitch, 2 ** 40);
  if (images === 0 || pitch < raster.extent) {
    const what =
      images === 0 ? "batch.count to be 1 or more" : `imagePitch from ${raster.extent} up`;
    throw expected("ERR_RANGE", where, what, images === 0 ? "0" : `${pitch}`);
  }
  const said = [imagePitch, one.rowPitch, one.planePitch];
  return {
    places: Array.from({ length: images }, (_, i) => ({ raster, begin: i * pitch })),
    extent: (images - 1) * pitch + raster.extent,
    exact: said.every((value) => value === undefined),
  };
}
