/** What the policy reads, as rows that a table of embeddings is multiplied with. */
import * as tf from "@tensorflow/tfjs-core";
import {
  IMAGE_SIZE,
  PATCH_SIZE,
  QUESTION_LENGTH,
  RESPONSE_LENGTH,
  VOCABULARY,
} from "../world/index.js";

/** What the policy is asked about: parallel lists, one entry per prompt. */
export interface Prompts {
  /** Each [IMAGE_SIZE · IMAGE_SIZE · 3] in 0…1. */
  readonly images: readonly Float32Array[];
  /** Each [QUESTION_LENGTH] token ids. */
  readonly questions: readonly (readonly number[])[];
}

const PATCHES_PER_SIDE: number = IMAGE_SIZE / PATCH_SIZE;
const PATCHES: number = PATCHES_PER_SIDE ** 2;
export const WORDS: number = VOCABULARY.length;
/** Values of a patch. */
export const PIXELS: number = PATCH_SIZE * PATCH_SIZE * 3;
/** Tokens before the response: the patches of the image, and the question. */
export const PREFIX_LENGTH: number = PATCHES + QUESTION_LENGTH;
/** A prefix row: a patch's pixels or a one-hot word, and a one-hot place. */
export const PREFIX_VALUES: number = PIXELS + WORDS + PREFIX_LENGTH;
/** A response row: a one-hot word and a one-hot place. */
export const RESPONSE_VALUES: number = WORDS + RESPONSE_LENGTH;

/** [prompts · PREFIX_LENGTH, PREFIX_VALUES]. */
export function prefixRows({ images, questions }: Prompts): tf.Tensor2D {
  const rows = images.length * PREFIX_LENGTH;
  const values = new Float32Array(rows * PREFIX_VALUES);
  for (let row = 0; row < rows; row++) {
    const prompt = Math.floor(row / PREFIX_LENGTH);
    const place = row % PREFIX_LENGTH;
    const at = row * PREFIX_VALUES;
    if (place < PATCHES) writePatch(values, at, images[prompt] as Float32Array, place);
    else values[at + PIXELS + (questions[prompt]?.[place - PATCHES] as number)] = 1;
    values[at + PIXELS + WORDS + place] = 1;
  }
  return tf.tensor2d(values, [rows, PREFIX_VALUES]);
}

/** Pixels about zero and of about unit variance, as every image processor makes them. */
function writePatch(values: Float32Array, at: number, image: Float32Array, patch: number): void {
  const [row, column] = [Math.floor(patch / PATCHES_PER_SIDE), patch % PATCHES_PER_SIDE];
  for (let y = 0; y < PATCH_SIZE; y++) {
    const from = ((row * PATCH_SIZE + y) * IMAGE_SIZE + column * PATCH_SIZE) * 3;
    const to = at + y * PATCH_SIZE * 3;
    for (let i = 0; i < PATCH_SIZE * 3; i++) {
      values[to + i] = ((image[from + i] as number) - 0.4) * 4;
    }
  }
}

/**
 * The tokens that are read before those at `first` and after it: [sequences · count, RESPONSE_VALUES].
 *
 * @param tokens  of each sequence, the token read at each place; PAD where it has none
 */
export function responseRows(
  sequences: number,
  first: number,
  count: number,
  tokenAt: (sequence: number, place: number) => number,
): tf.Tensor2D {
  const values = new Float32Array(sequences * count * RESPONSE_VALUES);
  for (let row = 0; row < sequences * count; row++) {
    const place = first + (row % count);
    const at = row * RESPONSE_VALUES;
    values[at + tokenAt(Math.floor(row / count), place)] = 1;
    values[at + WORDS + place] = 1;
  }
  return tf.tensor2d(values, [sequences * count, RESPONSE_VALUES]);
}
