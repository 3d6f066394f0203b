/** The policy: a prefix transformer that looks at an image, reads a question, and says the response token by token. */
import * as tf from "@tensorflow/tfjs-core";
import { PAD, RESPONSE_LENGTH, START } from "../world/index.js";
import { attend, type KeysValues } from "./attention.js";
import { registerGradients } from "./gradients.js";
import {
  PIXELS,
  PREFIX_VALUES,
  type Prompts,
  prefixRows,
  RESPONSE_VALUES,
  responseRows,
  WORDS,
} from "./inputs.js";
import { linear, normalize } from "./layers.js";

export interface PolicyOptions {
  /** 64. */
  readonly width?: number;
  /** 2. */
  readonly layers?: number;
  /** 4. */
  readonly heads?: number;
}

/** Keys and values of one layer: those of the prefixes, and of the response tokens read so far. */
export interface LayerMemory {
  readonly prefix: KeysValues;
  readonly response?: KeysValues;
}

/**
 * Pre-LayerNorm blocks of attention and MLP. The prefix (patches and question) attends to itself in both directions and
 * is computed once for each prompt; response tokens attend to it and to those before them.
 */
export class Policy {
  static #count = 0;
  /** TensorFlow.js wants no two variables of one name. */
  readonly #name = `policy${++Policy.#count}`;
  readonly #variables = new Map<string, tf.Variable>();
  readonly #seed: number;
  readonly #width: number;
  readonly #layers: number;
  readonly #heads: number;

  constructor(seed: number, { width = 64, layers = 2, heads = 4 }: PolicyOptions = {}) {
    registerGradients();
    [this.#seed, this.#width, this.#layers, this.#heads] = [seed, width, layers, heads];
    this.#addPrefixTable();
    this.#add("response", [RESPONSE_VALUES, width], 0.5);
    // What is added to the residual stream starts small, the more so the more layers add to it.
    const residual = 1 / Math.sqrt(2 * layers);
    for (let layer = 0; layer < layers; layer++) {
      this.#add(`query${layer}`, [width, width], Math.sqrt(1 / width));
      this.#add(`queryBias${layer}`, [width], 0);
      this.#add(`key${layer}`, [width, width], Math.sqrt(1 / width));
      this.#add(`value${layer}`, [width, width], Math.sqrt(1 / width));
      this.#add(`mix${layer}`, [width, width], residual * Math.sqrt(1 / width));
      this.#add(`mixBias${layer}`, [width], 0);
      this.#add(`think${layer}`, [width, 4 * width], Math.sqrt(2 / width));
      this.#add(`thinkBias${layer}`, [4 * width], 0);
      this.#add(`tell${layer}`, [4 * width, width], residual * Math.sqrt(1 / (4 * width)));
      this.#add(`tellBias${layer}`, [width], 0);
    }
    this.#add("speak", [width, WORDS], 0.1 / Math.sqrt(width));
    this.#add("speakBias", [WORDS], 0);
  }

  /** The trained tensors, in a fixed order; named by the policy and what they are. */
  get variables(): readonly tf.Variable[] {
    return [...this.#variables.values()];
  }

  /** Number of trained values. */
  get size(): number {
    return this.variables.reduce((sum, variable) => sum + variable.size, 0);
  }

  /**
   * The logits of every response token given the image, the question and the tokens before it.
   *
   * @param prompts    the same number of responses belongs to each, in order
   * @param responses  token ids; places beyond a response's end give logits that mean nothing
   * @returns [responses, RESPONSE_LENGTH, vocabulary], on the tape
   */
  logits(prompts: Prompts, responses: readonly (readonly number[])[]): tf.Tensor3D {
    const memory = this.readPrompts(prompts);
    const rows = responseRows(responses.length, 0, RESPONSE_LENGTH, (sequence, place) =>
      place === 0 ? START : (responses[sequence]?.[place - 1] ?? PAD),
    );
    const { logits } = this.readTokens(memory, rows, prompts.images.length, responses.length);
    return tf.reshape(logits, [responses.length, RESPONSE_LENGTH, WORDS]);
  }

  /** The keys and values of every layer for the prefixes. */
  readPrompts(prompts: Prompts): LayerMemory[] {
    const count = prompts.images.length;
    const memory: LayerMemory[] = [];
    let stream: tf.Tensor = linear(prefixRows(prompts), this.#variable("prefix"));
    for (let layer = 0; layer < this.#layers; layer++) {
      const normal = normalize(stream);
      const prefix = this.#keysValues(normal, layer);
      memory.push({ prefix });
      // Nobody reads the last layer's output for the prefix.
      if (layer === this.#layers - 1) break;
      const arrangement = { heads: this.#heads, prompts: count, sequences: count };
      stream = this.#block(stream, normal, layer, { prefix }, arrangement);
    }
    return memory;
  }

  /**
   * The logits of the tokens after those read, and the memory with what was read.
   *
   * @param rows  [sequences · tokens, RESPONSE_VALUES]: the tokens that follow those in `memory`
   */
  readTokens(
    memory: readonly LayerMemory[],
    rows: tf.Tensor2D,
    prompts: number,
    sequences: number,
  ): { logits: tf.Tensor2D; memory: LayerMemory[] } {
    const arrangement = { heads: this.#heads, prompts, sequences };
    let stream: tf.Tensor = linear(rows, this.#variable("response"));
    const extended = memory.map(({ prefix, response: past }, layer) => {
      const normal = normalize(stream);
      const response = append(past, this.#keysValues(normal, layer), sequences);
      stream = this.#block(stream, normal, layer, { prefix, response }, arrangement);
      return { prefix, response };
    });
    const logits = linear(normalize(stream), this.#variable("speak"), this.#variable("speakBias"));
    return { logits, memory: extended };
  }

  #keysValues(normal: tf.Tensor, layer: number): KeysValues {
    return {
      keys: linear(normal, this.#variable(`key${layer}`)),
      values: linear(normal, this.#variable(`value${layer}`)),
    };
  }

  /** The residual stream after attention and MLP. */
  #block(
    stream: tf.Tensor,
    normal: tf.Tensor,
    layer: number,
    { prefix, response }: LayerMemory,
    arrangement: { heads: number; prompts: number; sequences: number },
  ): tf.Tensor {
    const queries = this.#linear(normal, "query", layer);
    const attended = attend(queries, prefix, response, arrangement);
    const informed = tf.add(stream, this.#linear(attended, "mix", layer));
    const thoughts = this.#linear(normalize(informed), "think", layer, "relu");
    return tf.add(informed, this.#linear(thoughts, "tell", layer));
  }

  #linear(x: tf.Tensor, name: string, layer: number, activation?: "relu"): tf.Tensor2D {
    const [weights, bias] = [`${name}${layer}`, `${name}Bias${layer}`];
    return linear(x, this.#variable(weights), this.#variable(bias), activation);
  }

  /** All trained values, variable after variable. */
  weights(): Float32Array {
    const weights = new Float32Array(this.size);
    let at = 0;
    for (const variable of this.variables) {
      weights.set(variable.dataSync(), at);
      at += variable.size;
    }
    return weights;
  }

  /** Takes over what `weights` gave. */
  setWeights(weights: Float32Array): void {
    if (weights.length !== this.size) {
      throw new Error(`expected ${this.size} weights, received ${weights.length}`);
    }
    let at = 0;
    for (const variable of this.variables) {
      const values = weights.slice(at, at + variable.size);
      tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
      at += variable.size;
    }
  }

  dispose(): void {
    for (const variable of this.variables) variable.dispose();
  }

  #variable(name: string): tf.Variable {
    return this.#variables.get(name) as tf.Variable;
  }

  /** Pixels are many in a row, words and places one each. */
  #addPrefixTable(): void {
    const shape = [PREFIX_VALUES, this.#width];
    tf.tidy(() => {
      const deviations = Float32Array.from({ length: PREFIX_VALUES }, (_, value) =>
        value < PIXELS ? Math.sqrt(2 / PIXELS) : 0.5,
      );
      const normal = tf.randomNormal(shape, 0, 1, "float32", this.#seed * 100);
      this.#keep("prefix", tf.mul(normal, tf.tensor(deviations, [PREFIX_VALUES, 1])));
    });
  }

  #add(name: string, shape: number[], deviation: number): void {
    const seed = this.#seed * 100 + this.#variables.size;
    tf.tidy(() => this.#keep(name, tf.randomNormal(shape, 0, deviation, "float32", seed)));
  }

  #keep(name: string, initial: tf.Tensor): void {
    this.#variables.set(name, tf.variable(initial, true, `${this.#name}/${name}`));
  }
}

/** Keys and values of [sequences · tokens], after those of tokens read earlier. */
function append(past: KeysValues | undefined, next: KeysValues, sequences: number): KeysValues {
  if (!past) return next;
  const joined = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => {
    const width = a.shape[1] as number;
    const [before, after] = [a, b].map((x) => tf.reshape(x, [sequences, -1, width]));
    return tf.reshape(tf.concat([before as tf.Tensor, after as tf.Tensor], 1), [-1, width]);
  };
  return { keys: joined(past.keys, next.keys), values: joined(past.values, next.values) };
}
