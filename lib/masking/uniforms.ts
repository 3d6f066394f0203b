/** Where a mask's uniform numbers come from: a seed and whose mask it is, or any source of the caller's. */
import { arrayLength, isRevoked } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { type DrawKey, keyedUniforms, type Purpose } from "./philox.js";

/** Numbers u with 0 ≤ u < 1: a function that gives the next one, or the draws themselves, in order. */
export type Uniforms = (() => number) | readonly number[] | Float64Array | Float32Array;

/** Either `seed`, `step` and `prompt`, or `uniforms`. */
export interface DrawOptions {
  /** Integer in 0 … 2^53 − 1: of the run. */
  readonly seed?: number | undefined;
  /** Integer in 0 … 2^32 − 1: of the training, so that a prompt that comes again gets another mask. */
  readonly step?: number | undefined;
  /** Draws of the caller's own in place of a seed, read in order: one per patch, then those of the noise. */
  readonly uniforms?: Uniforms | undefined;
}

/** A source for one or many images. */
export interface DrawSource {
  /** The uniforms of one purpose for one image. */
  readonly of: (purpose: Purpose, prompt: number, imageIndex: number) => () => number;
}

/** A non-negative integer below `bound`, or ERR_ARGUMENT or ERR_RANGE. */
export function integerBelow(where: string, name: string, value: unknown, bound: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < bound) {
    return value + 0;
  }
  const what = `${name} to be an integer in 0…2^${Math.log2(bound)} − 1`;
  const code = typeof value === "number" ? "ERR_RANGE" : "ERR_ARGUMENT";
  throw expected(code, where, what, describe(value));
}

/** The source that was asked for; undefined where none was. */
export function drawSourceOf(where: string, options: DrawOptions): DrawSource | undefined {
  const { seed, step, uniforms } = options;
  if (uniforms !== undefined) {
    if (seed !== undefined || step !== undefined) {
      throw expected("ERR_ARGUMENT", where, "either uniforms or a seed and a step", "both");
    }
    const next = ownUniforms(where, uniforms);
    return { of: () => next };
  }
  if (seed === undefined && step === undefined) return undefined;
  const checked = {
    seed: integerBelow(where, "seed", seed, 2 ** 53),
    step: integerBelow(where, "step", step, 2 ** 32),
  };
  return {
    of: (purpose, prompt, imageIndex) => keyedUniforms({ ...checked, prompt, imageIndex }, purpose),
  };
}

/** As `drawSourceOf`; throws ERR_ARGUMENT where none was asked for: an unseeded mask could not be repeated. */
export function neededSource(where: string, source: DrawSource | undefined): DrawSource {
  if (source !== undefined) return source;
  throw expected("ERR_ARGUMENT", where, "a seed and a step, or uniforms, to draw from", "none");
}

function ownUniforms(where: string, source: unknown): () => number {
  if (typeof source === "function" && !isRevoked(source))
    return () => checked(where, "uniforms()", source());
  if (arrayLength(source) === undefined) {
    const what = "uniforms to be a function or an array of numbers";
    throw expected("ERR_ARGUMENT", where, what, describe(source));
  }
  let drawn = 0;
  return () => {
    if (drawn >= (arrayLength(source) ?? 0)) {
      throw expected("ERR_SHAPE", where, `uniforms to hold more than ${drawn} numbers`, "no more");
    }
    const value: unknown = (source as ArrayLike<unknown>)[drawn];
    return checked(where, `uniforms[${drawn++}]`, value);
  };
}

function checked(where: string, name: string, value: unknown): number {
  if (typeof value === "number" && value >= 0 && value < 1) return value;
  const code = typeof value === "number" ? "ERR_RANGE" : "ERR_ARGUMENT";
  throw expected(code, where, `${name} to be a number in [0, 1)`, describe(value));
}

/** The uniforms that a seed gives an image: what the strategies read, for one's own use or for another program. */
export interface MaskUniformsOptions {
  /** Key of the generator, an integer in 0…2^53 − 1. */
  readonly seed: number;
  /** Training step, an integer in 0…2^32 − 1. */
  readonly step: number;
  /** Number of the prompt, an integer in 0…2^32 − 1. */
  readonly prompt: number;
  /** Number of the image in its prompt, an integer in 0…2^30 − 1; 0 if not said. */
  readonly imageIndex?: number | undefined;
}

/** A checked key. */
export function drawKeyOf(where: string, options: MaskUniformsOptions): DrawKey {
  return {
    seed: integerBelow(where, "seed", options.seed, 2 ** 53),
    step: integerBelow(where, "step", options.step, 2 ** 32),
    prompt: integerBelow(where, "prompt", options.prompt, 2 ** 32),
    imageIndex: integerBelow(where, "imageIndex", options.imageIndex ?? 0, 2 ** 30),
  };
}
