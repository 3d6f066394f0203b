/** Image files, PNG and JPEG, through the optional peer package `sharp`; nothing of it is loaded before the first call. */
import { extname } from "node:path";
import { checkText, readOptions } from "../core/arguments.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { writeNewFile } from "../core/new-file.js";
import { typedArrayClass } from "../core/typed-array.js";
import { countOf } from "./grid.js";
import type { RasterImage } from "./image.js";
import { readImageIn } from "./raster.js";
import { isUint8 } from "./replacement.js";

/** What is used of sharp. */
interface Pipeline {
  toColourspace(name: string): Pipeline;
  removeAlpha(): Pipeline;
  autoOrient(): Pipeline;
  raw(options?: { depth: "uchar" }): Pipeline;
  png(): Pipeline;
  jpeg(options: { quality: number }): Pipeline;
  toBuffer(): Promise<Uint8Array>;
  toBuffer(options: { resolveWithObject: true }): Promise<{
    data: Uint8Array;
    info: { width: number; height: number; channels: number };
  }>;
}
type Sharp = (input: string | Uint8Array, options: object) => Pipeline;

/** In a variable: the types of a package that may be missing are not needed to build this one. */
const PACKAGE = "sharp";

async function sharpFor(where: string): Promise<Sharp> {
  try {
    const found = (await import(PACKAGE)) as { readonly default: Sharp };
    return found.default;
  } catch (cause) {
    const what = "the optional package sharp for image files (npm install sharp)";
    const error = expected("ERR_UNSUPPORTED", where, what, "none that can be loaded");
    throw new PapoError(error.code, error.message, { cause });
  }
}

/** Options of `readImage`. */
export interface ReadImageOptions {
  /** Turn the image as its EXIF orientation says; false, as PIL and the authors' pipeline. */
  readonly orient?: boolean | undefined;
  /** More pixels than this are refused before they are decoded; 2^28. */
  readonly maxPixels?: number | undefined;
}

/**
 * Reads an image file (or its bytes) as interleaved RGB of 8 bits, whatever it holds: palettes become colours, grey
 * three equal channels, CMYK is converted, 16 bits are reduced to 8, alpha is dropped. So a black patch is black in every
 * image. Embedded colour profiles are ignored, as by PIL.
 *
 * @throws PapoError ERR_FILE for what is no readable image, ERR_UNSUPPORTED without the package sharp
 */
export async function readImage(
  source: string | Uint8Array,
  options: ReadImageOptions = {},
): Promise<RasterImage<Uint8Array>> {
  const where = "readImage";
  const given = readOptions(where, options, ["orient", "maxPixels"]);
  const limitInputPixels = countOf(where, "maxPixels", given.maxPixels ?? 2 ** 28, 2 ** 40);
  const orient: unknown = given.orient ?? false;
  if (typeof orient !== "boolean") {
    throw expected("ERR_ARGUMENT", where, "orient to be a boolean", describe(orient));
  }
  if (typeof source !== "string" && typedArrayClass(source) !== "Uint8Array") {
    throw expected("ERR_ARGUMENT", where, "a path or a Uint8Array of bytes", describe(source));
  }
  const sharp = await sharpFor(where);
  try {
    const opened = sharp(source, { limitInputPixels, ignoreIcc: true });
    const turned = orient ? opened.autoOrient() : opened;
    const { data, info } = await turned
      .toColourspace("srgb")
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels after conversion to RGB`);
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) as Uint8Array,
      layout: "hwc",
      width: info.width,
      height: info.height,
      channels: 3,
    };
  } catch (cause) {
    throw fileError(where, source, "cannot be read as an image", cause);
  }
}

/** Options of `writeImage`. */
export interface WriteImageOptions {
  /** Of a JPEG, 1 … 100; 90. */
  readonly quality?: number | undefined;
}

/**
 * Writes an 8-bit image of 1, 3 or 4 channels as .png or .jpg. JPEG blurs the edges of patches; PNG keeps every pixel.
 * The file is there as a whole or not at all, as with `SafetensorsWriter`.
 *
 * @throws PapoError ERR_FILE where it cannot be written, ERR_UNSUPPORTED without the package sharp or for another ending
 */
export async function writeImage(
  path: string,
  image: RasterImage<Uint8Array | Uint8ClampedArray>,
  options: WriteImageOptions = {},
): Promise<void> {
  const where = "writeImage";
  checkText(where, "path", path);
  const ending = extname(path).toLowerCase();
  if (![".png", ".jpg", ".jpeg"].includes(ending)) {
    throw expected(
      "ERR_UNSUPPORTED",
      where,
      "a path that ends in .png, .jpg or .jpeg",
      describe(path),
    );
  }
  const quality = countOf(
    where,
    "quality",
    readOptions(where, options, ["quality"]).quality ?? 90,
    100,
  );
  const { data, width, height, channels } = interleaved(where, image);
  const sharp = await sharpFor(where);
  try {
    const opened = sharp(data, { raw: { width, height, channels } });
    const encoded = ending === ".png" ? opened.png() : opened.jpeg({ quality });
    await writeNewFile(path, await encoded.toBuffer());
  } catch (cause) {
    throw fileError(where, path, "cannot be written", cause);
  }
}

/** A dense interleaved copy. */
function interleaved(where: string, image: unknown) {
  const { data, raster } = readImageIn(where, "image", image);
  const { width, height, channels, across, down, planes } = raster;
  if (!isUint8(data)) {
    throw expected("ERR_DTYPE", where, "image.data to hold integers of 8 bits", describe(data));
  }
  if (![1, 3, 4].includes(channels) || planes.length !== channels) {
    throw expected("ERR_UNSUPPORTED", where, "an image of 1, 3 or 4 channels", `${planes.length}`);
  }
  const pixels = new Uint8Array(width * height * channels);
  let next = 0;
  for (const y of down)
    for (const x of across)
      for (const { at } of planes) pixels[next++] = data[y + x + at] as number;
  return { data: pixels, width, height, channels };
}

function fileError(
  where: string,
  source: string | Uint8Array,
  what: string,
  cause: unknown,
): PapoError {
  const name = typeof source === "string" ? source : "the given bytes";
  const reason = cause instanceof Error ? cause.message : describe(cause);
  return new PapoError("ERR_FILE", `[${where}] ${name} ${what}: ${reason}`, { cause });
}
