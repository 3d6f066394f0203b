/** What is drawn for each of many images: once per image of a prompt, however often it comes. */
import { flag } from "../core/arguments.js";
import { arrayLength, isArray, listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { isRandom } from "./draw.js";
import { type Drawn, drawOne } from "./mask-image.js";
import type { MaskImagesOptions } from "./mask-images.js";
import type { Raster } from "./raster.js";
import type { Replacement } from "./replacement.js";
import { drawSourceOf, integerBelow } from "./uniforms.js";

/** The draws of a call. */
export interface Plan {
  readonly inPlace: boolean;
  /** Mask and noise of image i, drawn once per image of a prompt. */
  readonly draw: (i: number, raster: Raster, replacement: Replacement) => Drawn;
}

/** The plan for `count` images; throws ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE. */
export function planOf(where: string, options: MaskImagesOptions, count: number): Plan {
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
    const fits = normals === undefined || drawn.channels === channels;
    if (mask.width !== width || mask.height !== height || !fits) {
      const show = (sizes: readonly number[]) => sizes.slice(0, fits ? 2 : 3).join(" × ");
      const also = fits ? "" : " and as many channels";
      const first = show([mask.width, mask.height, drawn.channels]);
      const what = `images of one prompt to have one size${also}, ${first} (${name})`;
      const received = show([width, height, channels]);
      throw expected("ERR_SHAPE", this.#where, what, received);
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
  if (listLength(value) === count) return value as readonly unknown[];
  const code = isArray(value) ? "ERR_SHAPE" : "ERR_ARGUMENT";
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
