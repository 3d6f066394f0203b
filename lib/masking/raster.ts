/** One way to address the pixels of every layout: an offset of x, one of y, one of the plane. */
import { checkObject, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { oneOf } from "../core/option-values.js";
import { typedArrayClass, typedArrayLength } from "../core/typed-array.js";
import { countOf, listOf } from "./grid.js";
import type { PixelArray } from "./image.js";

/** A description that nobody has checked yet. */
type Given = Record<string, unknown>;

/** Where the elements of a pixel are: data[across[x] + down[y] + plane.at] for each of its planes. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** [width] */
  readonly across: Float64Array;
  /** [height] */
  readonly down: Float64Array;
  /** By channel; several planes of one channel are frames. */
  readonly planes: readonly { readonly at: number; readonly channel: number }[];
  /** Elements from the first to behind the last. */
  readonly extent: number;
}

/** What describes an image of each layout, beside its data. */
const KEYS = {
  hwc: ["layout", "width", "height", "channels", "rowPitch"],
  chw: ["layout", "width", "height", "channels", "rowPitch", "planePitch"],
  "patch-rows": ["layout", "gridThw", "channels", "patchSize", "mergeSize", "temporalPatchSize"],
} as const;
type Layout = keyof typeof KEYS;
/** Channels of one image. */
export const MOST_CHANNELS: number = 2 ** 16;
const PIXEL_CLASSES = ["Uint8Array", "Uint8ClampedArray", "Float32Array", "Float64Array"];

/** An image's data and raster. Throws ERR_ARGUMENT, ERR_RANGE, and ERR_SHAPE where the data does not hold the image. */
export function readImageIn(
  where: string,
  name: string,
  image: unknown,
): { readonly data: PixelArray; readonly raster: Raster } {
  const { data: pixels, ...description } = readDescription(where, name, image);
  const data = pixelsOf(where, `${name}.data`, pixels);
  const raster = rasterOf(where, name, description);
  const exact = description.rowPitch === undefined && description.planePitch === undefined;
  checkHolds(where, `${name}.data`, data, raster.extent, exact);
  return { data, raster };
}

/** An image or a batch with its layout checked: what else it may hold depends on that, and so is read after it. */
export function readDescription(
  where: string,
  name: string,
  image: unknown,
  more: (layout: Layout) => readonly string[] = () => [],
): Given & { readonly layout: Layout } {
  checkObject(where, name, image);
  const layout = layoutOf(where, name, (image as Given).layout);
  const keys: readonly string[] = ["data", ...KEYS[layout], ...more(layout)];
  return { ...readOptions(where, image as Given, keys, name), layout };
}

function layoutOf(where: string, name: string, layout: unknown): Layout {
  const what = `${name}.layout`;
  return oneOf(where, what, layout, Object.keys(KEYS) as Layout[]);
}

/** Throws ERR_SHAPE unless data holds `extent` elements, and no more where nothing was said of pitches. */
export function checkHolds(
  where: string,
  name: string,
  data: PixelArray,
  extent: number,
  exact: boolean,
): void {
  const length = typedArrayLength(data);
  if (exact ? length === extent : length >= extent) return;
  const what = `${name} to hold ${exact ? "" : "at least "}${extent} elements`;
  throw expected("ERR_SHAPE", where, what, describe(data));
}

export function pixelsOf(where: string, name: string, data: unknown): PixelArray {
  const found = typedArrayClass(data);
  if (found !== undefined && PIXEL_CLASSES.includes(found)) return data as PixelArray;
  const what = `${name} to be a Uint8Array, Uint8ClampedArray, Float32Array or Float64Array`;
  throw expected(found === undefined ? "ERR_ARGUMENT" : "ERR_DTYPE", where, what, describe(data));
}

/** The raster of a description whose keys were checked. */
export function rasterOf(where: string, name: string, given: Given): Raster {
  if (given.layout === "patch-rows") return patchRows(where, name, given);
  return interleavedOrPlanar(where, name, given);
}

function interleavedOrPlanar(where: string, name: string, given: Given): Raster {
  const width = countOf(where, `${name}.width`, given.width);
  const height = countOf(where, `${name}.height`, given.height);
  const channels = countOf(where, `${name}.channels`, given.channels, MOST_CHANNELS);
  const planar = given.layout === "chw";
  const perPixel = planar ? 1 : channels;
  const rowPitch = pitchOf(where, `${name}.rowPitch`, given.rowPitch, width * perPixel);
  const rowsExtent = (height - 1) * rowPitch + width * perPixel;
  const least = planar ? rowsExtent : 1;
  const otherwise = planar ? height * rowPitch : 1;
  const planePitch = pitchOf(where, `${name}.planePitch`, given.planePitch, least, otherwise);
  return {
    width,
    height,
    channels,
    across: steps(width, perPixel),
    down: steps(height, rowPitch),
    planes: Array.from({ length: channels }, (_, channel) => ({
      at: channel * planePitch,
      channel,
    })),
    extent: rowsExtent + (planar ? (channels - 1) * planePitch : 0),
  };
}

function pitchOf(
  where: string,
  name: string,
  value: unknown,
  least: number,
  otherwise = least,
): number {
  if (value === undefined) return otherwise;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= 2 ** 40) {
    return value;
  }
  const code = typeof value === "number" ? "ERR_RANGE" : "ERR_ARGUMENT";
  throw expected(code, where, `${name} to be an integer from ${least} up`, describe(value));
}

function steps(length: number, step: number): Float64Array {
  return new Float64Array(length).map((_, i) => i * step);
}

function patchRows(where: string, name: string, given: Given): Raster {
  const grid = listOf(where, `${name}.gridThw`, given.gridThw, 3).map((size, i) =>
    countOf(where, `${name}.gridThw[${i}]`, size),
  );
  const [frames, rows, columns] = grid as [number, number, number];
  const channels = countOf(where, `${name}.channels`, given.channels ?? 3, MOST_CHANNELS);
  const side = countOf(where, `${name}.patchSize`, given.patchSize ?? 14, 2 ** 10);
  const merge = countOf(where, `${name}.mergeSize`, given.mergeSize ?? 2, 2 ** 10);
  const temporal = countOf(
    where,
    `${name}.temporalPatchSize`,
    given.temporalPatchSize ?? 2,
    2 ** 10,
  );
  if (rows % merge !== 0 || columns % merge !== 0) {
    const what = `rows and columns of ${name}.gridThw to be multiples of mergeSize ${merge}`;
    throw expected("ERR_SHAPE", where, what, `[${grid.join(", ")}]`);
  }
  const width = countOf(where, `the pixels of ${name} across`, columns * side);
  const height = countOf(where, `the pixels of ${name} down`, rows * side);
  const plane = side * side;
  const rowLength = channels * temporal * plane;
  const frameCount = countOf(where, `the planes of ${name}`, frames * channels * temporal, 2 ** 20);
  return {
    width,
    height,
    channels,
    // Where the patch stands among the rows, and where the pixel is in the patch, each the sum of a part of x and one of y.
    across: new Float64Array(width).map((_, x) => {
      const patch = Math.floor(x / side);
      const row = Math.floor(patch / merge) * merge * merge + (patch % merge);
      return row * rowLength + (x % side);
    }),
    down: new Float64Array(height).map((_, y) => {
      const patch = Math.floor(y / side);
      const row = Math.floor(patch / merge) * merge * columns + (patch % merge) * merge;
      return row * rowLength + (y % side) * side;
    }),
    planes: Array.from({ length: frameCount }, (_, i) => {
      const [channel, frame] = [Math.floor(i / (frames * temporal)), i % (frames * temporal)];
      const at = Math.floor(frame / temporal) * rows * columns * rowLength;
      return { at: at + (channel * temporal + (frame % temporal)) * plane, channel };
    }),
    extent: frames * rows * columns * rowLength,
  };
}
