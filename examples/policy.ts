/** The policy: a small vision-language model that answers a question about an image, token by token. */
import * as tf from "@tensorflow/tfjs-core";
import { ANSWER_LENGTH, IMAGE_SIZE, QUESTION_LENGTH, VOCABULARY } from "./world.js";

/** Pixels. */
export const PATCH_SIZE = 6;
const PATCHES_PER_SIDE: number = IMAGE_SIZE / PATCH_SIZE;
const PATCH_VALUES: number = PATCH_SIZE * PATCH_SIZE * 3;
/** Two by two patches become one visual token, as in the merger of Qwen2.5-VL. */
const VISUAL_TOKENS: number = (PATCHES_PER_SIDE / 2) ** 2;
const WORDS: number = VOCABULARY.length;
/** One-hot words: the question's, and those of the answer so far. */
const TEXT_VALUES: number = (QUESTION_LENGTH + ANSWER_LENGTH - 1) * WORDS;
const PATCH_WIDTH = 32;
const WIDTH = 256;
const JUDGED_WIDTH = 32;

/** What the policy is asked about: parallel lists, one entry per prompt. */
export interface Prompts {
  /** Each [IMAGE_SIZE · IMAGE_SIZE · 3] in 0…1. */
  readonly images: readonly Float32Array[];
  /** Each [QUESTION_LENGTH] token ids. */
  readonly questions: readonly (readonly number[])[];
}

const EVERY_POSITION: readonly number[] = [...Array(ANSWER_LENGTH).keys()];

/**
 * Every visual token is looked at in the light of the text (a product, channel by channel) and judged by a small
 * network; a second one turns the four judgements into the logits of the next token.
 */
export class Policy {
  readonly #variables = new Map<string, tf.Variable>();
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#addLayer("patch", PATCH_VALUES, PATCH_WIDTH);
    this.#addLayer("merge", 4 * PATCH_WIDTH, WIDTH);
    this.#add("place", [VISUAL_TOKENS, WIDTH], 0.5);
    this.#addLayer("look", WIDTH, WIDTH, 1);
    // A text row holds few ones, so its fan-in is not the number of its columns.
    this.#addLayer("text", TEXT_VALUES, WIDTH, TEXT_VALUES / 4);
    this.#addLayer("judge", WIDTH, JUDGED_WIDTH);
    this.#addLayer("think", VISUAL_TOKENS * JUDGED_WIDTH, WIDTH);
    this.#addLayer("speak", WIDTH, WORDS, 0.1);
  }

  /** Number of trained values. */
  get size(): number {
    return [...this.#variables.values()].reduce((sum, variable) => sum + variable.size, 0);
  }

  /**
   * The logits of answer tokens given the image, the question and the tokens before it.
   *
   * @param prompts    the same number of answers belongs to each, in order
   * @param answers    token ids; positions beyond an answer's end give logits that mean nothing
   * @param positions  which answer positions to score; all by default
   * @returns [answers · positions, vocabulary]
   */
  logits(
    prompts: Prompts,
    answers: readonly (readonly number[])[],
    positions: readonly number[] = EVERY_POSITION,
  ): tf.Tensor2D {
    const count = prompts.images.length;
    const rows = answers.length * positions.length;
    const visual = this.#see(prompts.images);
    const text = this.#linear(textRows(prompts.questions, answers, positions), "text");
    const looked = tf.mul(
      tf.reshape(this.#linear(visual, "look"), [count, 1, VISUAL_TOKENS, WIDTH]),
      tf.reshape(text, [count, rows / count, 1, WIDTH]),
    );
    const judged = this.#dense(tf.reshape(looked, [rows * VISUAL_TOKENS, WIDTH]), "judge");
    const gathered = tf.reshape(judged, [rows, VISUAL_TOKENS * JUDGED_WIDTH]);
    return this.#linear(this.#dense(gathered, "think"), "speak") as tf.Tensor2D;
  }

  /** The vision tower: [images · VISUAL_TOKENS, WIDTH]. */
  #see(images: readonly Float32Array[]): tf.Tensor {
    const tokens = images.length * VISUAL_TOKENS;
    const patches = this.#dense(patchRows(images), "patch");
    const merged = this.#dense(tf.reshape(patches, [tokens, 4 * PATCH_WIDTH]), "merge");
    const placed = tf.add(
      tf.reshape(merged, [images.length, VISUAL_TOKENS, WIDTH]),
      this.#variable("place"),
    );
    return tf.reshape(placed, [tokens, WIDTH]);
  }

  #dense(x: tf.Tensor, layer: string): tf.Tensor {
    return tf.relu(this.#linear(x, layer));
  }

  #linear(x: tf.Tensor, layer: string): tf.Tensor {
    return tf.add(tf.matMul(x, this.#variable(layer)), this.#variable(`${layer}Bias`));
  }

  #variable(name: string): tf.Tensor {
    return this.#variables.get(name) as tf.Variable;
  }

  #addLayer(name: string, fanIn: number, fanOut: number, gain = 2): void {
    this.#add(name, [fanIn, fanOut], Math.sqrt(gain / fanIn));
    this.#add(`${name}Bias`, [fanOut], 0);
  }

  #add(name: string, shape: number[], deviation: number): void {
    const seed = this.#seed * 100 + this.#variables.size;
    const initial = tf.randomNormal(shape, 0, deviation, "float32", seed);
    this.#variables.set(name, tf.variable(initial));
  }
}

/** [images · patches, PATCH_VALUES]; the four patches of a visual token lie next to each other. */
function patchRows(images: readonly Float32Array[]): tf.Tensor2D {
  const values = new Float32Array(images.length * IMAGE_SIZE * IMAGE_SIZE * 3);
  let at = 0;
  for (const image of images) {
    for (let patch = 0; patch < PATCHES_PER_SIDE ** 2; patch++) {
      const token = patch >> 2;
      const column = 2 * (token % (PATCHES_PER_SIDE / 2)) + (patch & 1);
      const row = 2 * Math.floor(token / (PATCHES_PER_SIDE / 2)) + ((patch >> 1) & 1);
      for (let y = 0; y < PATCH_SIZE; y++) {
        const from = ((row * PATCH_SIZE + y) * IMAGE_SIZE + column * PATCH_SIZE) * 3;
        for (let value = from; value < from + PATCH_SIZE * 3; value++) {
          // About zero mean and unit variance, as every image processor makes it.
          values[at++] = ((image[value] as number) - 0.4) * 4;
        }
      }
    }
  }
  return tf.tensor2d(values, [at / PATCH_VALUES, PATCH_VALUES]);
}

/** [answers · positions, TEXT_VALUES]: a row shows the question and the answer's tokens before its position. */
function textRows(
  questions: Prompts["questions"],
  answers: readonly (readonly number[])[],
  positions: readonly number[],
): tf.Tensor2D {
  const rows = answers.length * positions.length;
  const values = new Float32Array(rows * TEXT_VALUES);
  const perPrompt = answers.length / questions.length;
  answers.forEach((answer, index) => {
    const question = questions[Math.floor(index / perPrompt)] as readonly number[];
    positions.forEach((position, at) => {
      const row = (index * positions.length + at) * TEXT_VALUES;
      [...question, ...answer.slice(0, position)].forEach((word, slot) => {
        values[row + slot * WORDS + word] = 1;
      });
    });
  });
  return tf.tensor2d(values, [rows, TEXT_VALUES]);
}
