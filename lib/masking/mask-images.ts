/** Many images masked: a list of them, or a batch in one array; one mask per prompt and step. */
import { arrayLength, flag, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { isRandom } from "./draw.js";
import type { Image, PatchRowsImage, PixelArray, Plain, RasterImage } from "./image.js";
import {
  type Drawn,
  drawOne,
  MASK_OPTIONS,
  type MaskedImage,
  type MaskImageOptions,
  target,
} from "./mask-image.js";
import type { PatchMask } from "./patch-mask.js";
import { checkHolds, pixelsOf, type Raster, rasterOf, readImageIn } from "./raster.js";
import { type Replacement, replace, replacementOf } from "./replacement.js";
import type { SaliencyNumbers } from "./saliency.js";
import { drawSourceOf, integerBelow } from "./uniforms.js";

type Single = "prompt" | "imageIndex" | "saliency" | "patches";

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
  if (!Array.isArray(images)) {
    throw expected("ERR_ARGUMENT", where, "images to be an array of images", describe(images));
  }
  const plan = planOf(where, given, images.length);
  const places = Array.from({ length: images.length }, (_, i) => {
    const { data, raster } = readImageIn(where, `images[${i}]`, images[i]);
    return { data, raster, replacement: replacementOf(where, given, data, raster.channels) };
  });
  return places.map(({ data, raster, replacement }, i) => {
    const { mask, normals } = plan.draw(i, raster, replacement);
    const out = target(where, `images[${i}].data`, data, raster, plan.inPlace);
    replace(out, 0, raster, mask, replacement, normals);
    return { data: out as Plain<A>, mask };
  });
}

/** Images of one size, one after another in one array: [count, height, width, channels] or [count, channels, height, width]. */
export interface RasterBatch<A extends PixelArray = PixelArray> extends RasterImage<A> {
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

export interface MaskedBatch<A extends PixelArray = PixelArray> {
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

const BATCH_KEYS = [
  "data",
  "layout",
  "width",
  "height",
  "channels",
  "rowPitch",
  "planePitch",
  "count",
  "imagePitch",
  "gridThw",
  "patchSize",
  "mergeSize",
  "temporalPatchSize",
] as const;

function readBatch(where: string, batch: unknown): BatchPlaces {
  const given = readOptions(where, batch as Record<string, unknown>, BATCH_KEYS, "batch");
  const { data: pixels, count, imagePitch, gridThw, ...one } = given;
  const data = pixelsOf(where, "batch.data", pixels);
  if (given.layout !== "patch-rows") {
    const raster = rasterOf(where, "batch", {
      ...one,
      ...(gridThw === undefined ? {} : { gridThw }),
    });
    const { places, extent, exact } = evenPlaces(where, raster, one, count, imagePitch);
    checkHolds(where, "batch.data", data, extent, exact);
    return { data, places, extent };
  }
  if (count !== undefined || imagePitch !== undefined) {
    const what = "no count and no imagePitch beside gridThw";
    throw expected("ERR_ARGUMENT", where, what, describe(count ?? imagePitch));
  }
  if (!Array.isArray(gridThw) || gridThw.length === 0) {
    const what = "batch.gridThw to be an array of [frames, rows, columns]";
    throw expected("ERR_ARGUMENT", where, what, describe(gridThw));
  }
  const places: Place[] = [];
  let extent = 0;
  for (let i = 0; i < gridThw.length; i++) {
    const raster = rasterOf(where, `batch (image ${i})`, { ...one, gridThw: gridThw[i] });
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

interface Plan {
  readonly inPlace: boolean;
  /** Mask and noise of image i, drawn once per image of a prompt. */
  readonly draw: (i: number, raster: Raster, replacement: Replacement) => Drawn;
}

function planOf(where: string, options: MaskImagesOptions, count: number): Plan {
  const source = drawSourceOf(where, options);
  const prompts = numbersFor(where, "prompts", options.prompts, count, 2 ** 32, (i) => i);
  const indices = numbersFor(where, "imageIndices", options.imageIndices, count, 2 ** 30, () => 0);
  const saliency = listFor(where, "saliency", options.saliency, count);
  const patches = listFor(where, "patches", options.patches, count);
  const { saliency: _, patches: __, ...rest } = options;
  const random = isRandom(options.strategy);
  const reuse = new OncePerPrompt(where, prompts, indices);
  return {
    inPlace: flag(where, "inPlace", options.inPlace, false),
    draw: (i, raster, replacement) => {
      const [prompt, imageIndex] = [prompts[i] as number, indices[i] as number];
      const own = { ...rest, ...entry("saliency", saliency, i), ...entry("patches", patches, i) };
      const drawn = () => drawOne(where, raster, own, replacement, source, prompt, imageIndex);
      return random ? reuse.of(i, raster, drawn) : drawn();
    },
  };
}

/** What was drawn for an image of a prompt, kept as long as the same one comes again. */
class OncePerPrompt {
  readonly #where: string;
  readonly #names: readonly string[];
  readonly #coming = new Map<string, number>();
  readonly #drawn = new Map<string, Drawn & { readonly channels: number }>();

  constructor(where: string, prompts: readonly number[], indices: readonly number[]) {
    this.#where = where;
    this.#names = prompts.map((prompt, i) => `prompt ${prompt}, image ${indices[i]}`);
    for (const name of this.#names) this.#coming.set(name, (this.#coming.get(name) ?? 0) + 1);
  }

  of(i: number, { width, height, channels }: Raster, draw: () => Drawn): Drawn {
    const name = this.#names[i] as string;
    const left = (this.#coming.get(name) as number) - 1;
    this.#coming.set(name, left);
    const before = this.#drawn.get(name);
    const drawn = before ?? { ...draw(), channels };
    const { mask, normals } = drawn;
    const same = mask.width === width && mask.height === height;
    if (!same || (normals !== undefined && drawn.channels !== channels)) {
      const what = `images of one prompt to have one size, ${mask.width} × ${mask.height} (${name})`;
      throw expected("ERR_SHAPE", this.#where, what, `${width} × ${height}`);
    }
    if (left > 0) this.#drawn.set(name, drawn);
    else this.#drawn.delete(name);
    return { mask, normals };
  }
}

function entry(name: string, list: readonly unknown[] | undefined, i: number): object {
  return list === undefined ? {} : { [name]: list[i] };
}

function listFor(
  where: string,
  name: string,
  value: unknown,
  count: number,
): readonly unknown[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length === count) return value;
  const code = Array.isArray(value) ? "ERR_SHAPE" : "ERR_ARGUMENT";
  const what = `${name} to be an array of ${count}, one for each image`;
  throw expected(code, where, what, describe(value));
}

function numbersFor(
  where: string,
  name: string,
  value: unknown,
  count: number,
  bound: number,
  otherwise: (i: number) => number,
): readonly number[] {
  if (value === undefined) return Array.from({ length: count }, (_, i) => otherwise(i));
  const length = arrayLength(value);
  if (length !== count) {
    const code = length === undefined ? "ERR_ARGUMENT" : "ERR_SHAPE";
    const what = `${name} to be an array of ${count} integers, one for each image`;
    throw expected(code, where, what, describe(value));
  }
  return Array.from({ length: count }, (_, i) =>
    integerBelow(where, `${name}[${i}]`, (value as ArrayLike<unknown>)[i], bound),
  );
}
