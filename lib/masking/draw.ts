/** One mask drawn: the strategies behind one door. */
import { checkObject, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { numberWithin, oneOf } from "../core/option-values.js";
import { bernoulli, countFor, exactCount, largest } from "./choose.js";
import { countOf, GRID_OPTIONS, type GridOptions, listOf, patchGridOf } from "./grid.js";
import { type PatchMask, patchMaskOf, readPatches } from "./patch-mask.js";
import { keyedUniforms, type PhiloxBlock, philoxBlock } from "./philox.js";
import { readSaliency, type SaliencyNumbers } from "./saliency.js";
import {
  type DrawOptions,
  type DrawSource,
  drawKeyOf,
  drawSourceOf,
  integerBelow,
  type MaskUniformsOptions,
  neededSource,
} from "./uniforms.js";

/** Words of `MaskStrategy`. */
export const MASK_STRATEGIES = ["bernoulli", "exact-count", "saliency", "given"] as const;
/**
 * "bernoulli": every patch with probability `maskRatio`, as the authors do. "exact-count": ⌊maskRatio · patches⌋ at
 * random. "saliency": the ⌊maskRatio · patches⌋ most salient ones. "given": those of `patches`.
 */
export type MaskStrategy = (typeof MASK_STRATEGIES)[number];

/** Probability that a patch is masked. @see PAPO authors' configuration (black_prob); 0.6 to 0.8 best in table 3 */
export const MASK_RATIO: number = 0.6;

export interface PatchOptions extends GridOptions {
  /** "bernoulli" if not said. */
  readonly strategy?: MaskStrategy | undefined;
  /** 0 … 1, both included; 0.6. */
  readonly maskRatio?: number | undefined;
  /** [patches] row-major, for "saliency": the largest are masked, earlier ones first among equals. */
  readonly saliency?: SaliencyNumbers | undefined;
  /** [patches] row-major, for "given": 1 or true where masked. */
  readonly patches?: readonly (number | boolean)[] | Uint8Array | undefined;
}

export const PATCH_OPTIONS: readonly (keyof PatchOptions)[] = [
  "strategy",
  "maskRatio",
  "saliency",
  "patches",
  ...GRID_OPTIONS,
];

export interface PatchMaskOptions extends PatchOptions, DrawOptions {
  /** Number of the prompt in the data set, or in the batch: with a seed it says whose mask this is. */
  readonly prompt?: number | undefined;
  /** Which image of the prompt; 0. */
  readonly imageIndex?: number | undefined;
}

/** The mask of one image; reads the options that only `strategy` knows. */
export function drawPatches(
  where: string,
  width: number,
  height: number,
  options: PatchOptions,
  next: () => () => number,
): PatchMask {
  const strategy = oneOf(where, "strategy", options.strategy ?? "bernoulli", MASK_STRATEGIES);
  const ratio = ratioOf(where, strategy, options.maskRatio);
  checkBelongs(where, "saliency", options.saliency, strategy, "saliency");
  checkBelongs(where, "patches", options.patches, strategy, "given");
  const grid = patchGridOf(where, width, height, options);
  const count = (grid.columnEdges.length - 1) * (grid.rowEdges.length - 1);
  switch (strategy) {
    case "bernoulli":
      return patchMaskOf(grid, bernoulli(next(), count, ratio));
    case "exact-count":
      return patchMaskOf(grid, exactCount(next(), count, ratio));
    case "saliency": {
      const saliency = readSaliency(where, "saliency", options.saliency, count);
      return patchMaskOf(grid, largest(saliency, countFor(count, ratio)));
    }
    case "given":
      return patchMaskOf(grid, readPatches(where, "patches", options.patches, count));
  }
}

function ratioOf(where: string, strategy: MaskStrategy, value: unknown): number {
  if (strategy !== "given") return numberWithin(where, "maskRatio", value ?? MASK_RATIO, 0, 1);
  if (value === undefined) return 1;
  const what = 'no maskRatio where the strategy is "given"';
  throw expected("ERR_ARGUMENT", where, what, describe(value));
}

/** An option of another strategy would be silently without effect. */
function checkBelongs(
  where: string,
  name: string,
  value: unknown,
  strategy: MaskStrategy,
  owner: MaskStrategy,
): void {
  if ((value !== undefined) === (strategy === owner)) return;
  const what = value === undefined ? `${name} with` : `no ${name} without`;
  const received = value === undefined ? "none" : `strategy "${strategy}"`;
  throw expected("ERR_ARGUMENT", where, `${what} strategy "${owner}"`, received);
}

/** Whether a strategy draws. */
export function isRandom(strategy: MaskStrategy | undefined): boolean {
  return strategy !== "saliency" && strategy !== "given";
}

/** `of` for the patches of one image. */
export function patchUniforms(
  where: string,
  source: DrawSource | undefined,
  prompt: number,
  imageIndex: number,
): () => () => number {
  return () => neededSource(where, source).of("patches", prompt, imageIndex);
}

/**
 * Draws the mask of an image of this size, without an image.
 *
 * @param size     pixels; whatever else it holds (data, channels, …) is not read
 * @param options  strategy, grid, and either `seed`, `step` and `prompt` or `uniforms` where the strategy draws
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE, ERR_NOT_FINITE
 */
export function drawPatchMask(
  size: { readonly width: number; readonly height: number },
  options: PatchMaskOptions,
): PatchMask {
  const where = "drawPatchMask";
  checkObject(where, "size", size);
  const [wide, high] = [size.width, size.height];
  const known = [...PATCH_OPTIONS, "seed", "step", "prompt", "imageIndex", "uniforms"] as const;
  const given = readOptions(where, options, known);
  const width = countOf(where, "width", wide);
  const height = countOf(where, "height", high);
  const source = drawSourceOf(where, given);
  const { prompt, imageIndex } = whoseOf(where, given, isRandom(given.strategy));
  return drawPatches(where, width, height, given, patchUniforms(where, source, prompt, imageIndex));
}

/** Whose mask it is. With a seed the prompt must be said: all prompts would get one mask otherwise. */
export function whoseOf(
  where: string,
  options: PatchMaskOptions,
  draws: boolean,
): { readonly prompt: number; readonly imageIndex: number } {
  const needed = draws && options.seed !== undefined;
  const prompt = needed ? options.prompt : (options.prompt ?? 0);
  return {
    prompt: integerBelow(where, "prompt", prompt, 2 ** 32),
    imageIndex: integerBelow(where, "imageIndex", options.imageIndex ?? 0, 2 ** 30),
  };
}

/**
 * The uniform numbers that decide an image's patches under a seed, one after another: for a strategy of one's own.
 *
 * @returns a function that gives the next one, in [0, 1)
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE
 * @see `keyedUniforms` for the exact construction
 */
export function maskUniforms(options: MaskUniformsOptions): () => number {
  const where = "maskUniforms";
  const given = readOptions(where, options, ["seed", "step", "prompt", "imageIndex"]);
  return keyedUniforms(drawKeyOf(where, given), "patches");
}

/**
 * Philox4x32-10, the generator under every seed: the four words of a counter under a key, for checking another
 * program's draws.
 *
 * @param counter  four integers in 0 … 2^32 − 1
 * @param key      two
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE
 * @see `philoxBlock` for its source
 */
export function philox4x32(counter: PhiloxBlock, key: readonly [number, number]): PhiloxBlock {
  const words = (name: string, value: unknown, count: number) =>
    listOf("philox4x32", name, value, count).map((word, i) =>
      integerBelow("philox4x32", `${name}[${i}]`, word, 2 ** 32),
    );
  const [c0, c1, c2, c3] = words("counter", counter, 4) as [number, number, number, number];
  const [k0, k1] = words("key", key, 2) as [number, number];
  return philoxBlock([c0, c1, c2, c3], [k0, k1]);
}
