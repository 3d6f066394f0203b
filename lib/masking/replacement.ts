/** What stands where a patch is masked: a colour, or Gaussian noise. */
import { checkObject, readOptions } from "../core/arguments.js";
import { arrayLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { typedArrayClass } from "../core/typed-array.js";
import type { PixelArray } from "./image.js";
import { normalOf } from "./normal.js";
import type { PatchMask } from "./patch-mask.js";
import { MOST_CHANNELS, type Raster } from "./raster.js";

/** One number for all channels, or one for each. */
export type PerChannel = number | readonly number[] | Float64Array | Float32Array;

/** Gaussian noise, per channel. */
export interface NoiseOptions {
  /** Standard deviation in the image's own scale, 0 or more. */
  readonly std: PerChannel;
  /** With a mean the masked pixels are replaced by N(mean, std); without one the noise is added to them. */
  readonly mean?: PerChannel | undefined;
}

/** What a masked pixel becomes. */
export interface ReplacementOptions {
  /**
   * Colour of masked patches in the image's own scale. 0 for uint8; floating-point images have no default, since 0 is
   * black before normalisation and the mean colour after it (`normalizedFill` gives what black has become).
   */
  readonly fill?: PerChannel | undefined;
  /** Gaussian noise in place of a colour. */
  readonly noise?: NoiseOptions | undefined;
}

/** Checked, one number per channel. */
export type Replacement =
  | { readonly kind: "fill"; readonly colour: Float64Array }
  | { readonly kind: "noise"; readonly std: Float64Array; readonly mean: Float64Array | undefined };

/** Pixels that hold integers of 8 bits. */
export function isUint8(data: PixelArray): boolean {
  return typedArrayClass(data)?.startsWith("Uint8") === true;
}

/** Finite numbers, one per channel. Throws ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE. */
export function perChannel(
  where: string,
  name: string,
  value: unknown,
  channels: number,
  accepts: (number: number) => boolean = Number.isFinite,
  kind = "a finite number",
): Float64Array {
  if (typeof value === "number") {
    checkEntry(where, name, value, accepts, kind);
    return new Float64Array(channels).fill(value);
  }
  const length = arrayLength(value);
  if (length !== channels) {
    const code = length === undefined ? "ERR_ARGUMENT" : "ERR_SHAPE";
    const what = `${name} to be a number or an array of ${channels} numbers, one per channel`;
    throw expected(code, where, what, describe(value));
  }
  const entries = value as ArrayLike<unknown>;
  return Float64Array.from({ length: channels }, (_, i) => {
    const entry = entries[i];
    checkEntry(where, `${name}[${i}]`, entry, accepts, kind);
    return entry as number;
  });
}

function checkEntry(
  where: string,
  name: string,
  value: unknown,
  accepts: (number: number) => boolean,
  kind: string,
): void {
  if (typeof value === "number" && accepts(value)) return;
  const code = typeof value === "number" ? "ERR_RANGE" : "ERR_ARGUMENT";
  throw expected(code, where, `${name} to be ${kind}`, describe(value));
}

/** What was asked for, for an image of these channels. */
export function replacementOf(
  where: string,
  options: ReplacementOptions,
  data: PixelArray,
  channels: number,
): Replacement {
  const { fill, noise } = options;
  if (noise !== undefined) {
    if (fill !== undefined) throw expected("ERR_ARGUMENT", where, "either fill or noise", "both");
    return noiseOf(where, noise, channels);
  }
  if (isUint8(data)) {
    const isByte = (value: number) => Number.isInteger(value) && value >= 0 && value <= 255;
    const kind = "an integer in 0…255";
    return { kind: "fill", colour: perChannel(where, "fill", fill ?? 0, channels, isByte, kind) };
  }
  if (fill === undefined) {
    const what =
      "fill for a floating-point image, since 0 is black before normalisation only (see normalizedFill)";
    throw expected("ERR_ARGUMENT", where, what, "none");
  }
  const holds = (value: number) =>
    Number.isFinite(typedArrayClass(data) === "Float32Array" ? Math.fround(value) : value);
  return { kind: "fill", colour: perChannel(where, "fill", fill, channels, holds) };
}

function noiseOf(where: string, noise: NoiseOptions, channels: number): Replacement {
  checkObject(where, "noise", noise);
  const given = readOptions(where, noise, ["std", "mean"], "noise");
  const { mean } = given;
  const notNegative = (value: number) => Number.isFinite(value) && value >= 0;
  const kind = "a finite number from 0 up";
  return {
    kind: "noise",
    std: perChannel(where, "noise.std", given.std, channels, notNegative, kind),
    mean: mean === undefined ? undefined : perChannel(where, "noise.mean", mean, channels),
  };
}

/**
 * Standard normal numbers for every channel of every masked pixel: rows outer, columns inner, channels innermost,
 * whatever the image's layout. Frames of a pixel share theirs.
 */
export function drawNormals(mask: PatchMask, channels: number, next: () => number): Float64Array {
  let pixels = 0;
  eachMaskedRun(mask, (_, begin, end) => {
    pixels += end - begin;
  });
  return new Float64Array(pixels * channels).map(() => normalOf(next()));
}

/** Runs of masked pixels, row by row, from left to right. */
export function eachMaskedRun(
  mask: PatchMask,
  visit: (y: number, begin: number, end: number) => void,
): void {
  const { columnEdges, rowEdges, patches, columns, rows } = mask;
  for (let row = 0; row < rows; row++) {
    const bottom = rowEdges[row + 1] as number;
    for (let y = rowEdges[row] as number; y < bottom; y++) {
      for (let column = 0; column < columns; column++) {
        if (patches[row * columns + column] === 0) continue;
        visit(y, columnEdges[column] as number, columnEdges[column + 1] as number);
      }
    }
  }
}

/** Writes the replacement into the masked pixels of `data`; nothing is checked. */
export function replace(
  data: PixelArray,
  begin: number,
  raster: Raster,
  mask: PatchMask,
  replacement: Replacement,
  normals: Float64Array | undefined,
): void {
  const { across, down, planes, channels } = raster;
  const rounds = isUint8(data);
  let pixel = 0;
  eachMaskedRun(mask, (y, left, right) => {
    for (const { at, channel } of planes) {
      const start = begin + at + (down[y] as number);
      if (replacement.kind === "fill") {
        const colour = replacement.colour[channel] as number;
        for (let x = left; x < right; x++) data[start + (across[x] as number)] = colour;
        continue;
      }
      const std = replacement.std[channel] as number;
      const mean = replacement.mean?.[channel];
      for (let x = left; x < right; x++) {
        const index = start + (across[x] as number);
        const normal = normals?.[(pixel + x - left) * channels + channel] ?? 0;
        const value = (mean ?? (data[index] as number)) + std * normal;
        data[index] = rounds ? Math.min(255, Math.max(0, Math.round(value))) : value;
      }
    }
    pixel += right - left;
  });
}

/** Options of `normalizedFill`. */
export interface NormalizedFillOptions {
  /** Mean that was subtracted, one number per channel. */
  readonly mean: readonly number[] | Float64Array | Float32Array;
  /** Standard deviation that was divided by, one number per channel. */
  readonly std: readonly number[] | Float64Array | Float32Array;
  /** The colour before normalisation, in the scale of mean and std; 0 is black. */
  readonly value?: PerChannel | undefined;
}

/**
 * What a colour has become in a normalised image: (value − mean) / std per channel, so −mean / std for black.
 *
 * @returns one number per channel, for `fill`
 * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE
 */
export function normalizedFill(options: NormalizedFillOptions): Float64Array {
  const where = "normalizedFill";
  const given = readOptions(where, options, ["mean", "std", "value"]);
  const { mean: means } = given;
  const length = arrayLength(means) ?? 0;
  if (length === 0 || length > MOST_CHANNELS) {
    throw expected("ERR_ARGUMENT", where, "mean to be one number per channel", describe(means));
  }
  const mean = perChannel(where, "mean", means, length);
  const positive = (value: number) => Number.isFinite(value) && value > 0;
  const std = perChannel(where, "std", given.std, length, positive, "a positive number");
  const value = perChannel(where, "value", given.value ?? 0, length);
  return value.map((number, i) => (number - (mean[i] as number)) / (std[i] as number));
}
