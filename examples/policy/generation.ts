/** Saying responses token by token, each layer's keys and values kept. */
import * as tf from "@tensorflow/tfjs-core";
import type { RandomStream } from "../random.js";
import { END, PAD, RESPONSE_LENGTH, START } from "../world/index.js";
import { type Prompts, responseRows, WORDS } from "./inputs.js";
import type { LayerMemory, Policy } from "./policy.js";

/** Responses to a batch of prompts, the same number for each, in order. */
export interface Generated {
  /** Token ids, up to and including the end token, or RESPONSE_LENGTH of them. */
  readonly responses: readonly (readonly number[])[];
  /** [responses · RESPONSE_LENGTH]: log-probs of the tokens under the policy, nats; 0 after the end. */
  readonly logProbs: Float64Array;
}

/**
 * Says `group` responses to each prompt.
 *
 * @param random  samples at temperature 1; undefined: the most likely token each time
 */
export function generate(
  policy: Policy,
  prompts: Prompts,
  group: number,
  random: RandomStream | undefined,
): Generated {
  const count = prompts.images.length;
  const responses = Array.from({ length: count * group }, (): number[] => []);
  const logProbs = new Float64Array(responses.length * RESPONSE_LENGTH);
  tf.tidy(() => {
    let memory: readonly LayerMemory[] = policy.readPrompts(prompts);
    for (let place = 0; place < RESPONSE_LENGTH; place++) {
      if (responses.every(isOver)) break;
      const rows = responseRows(responses.length, place, 1, (sequence) =>
        place === 0 ? START : (responses[sequence]?.[place - 1] ?? PAD),
      );
      const read = policy.readTokens(memory, rows, count, responses.length);
      memory = read.memory;
      const logits = read.logits.dataSync() as Float32Array;
      responses.forEach((response, index) => {
        if (isOver(response)) return;
        const { token, logProb } = choose(
          logits.subarray(index * WORDS, (index + 1) * WORDS),
          random,
        );
        response.push(token);
        logProbs[index * RESPONSE_LENGTH + place] = logProb;
      });
    }
  });
  return { responses, logProbs };
}

function isOver(response: readonly number[]): boolean {
  return response.at(-1) === END;
}

/** The most likely token, or with `random` one from the softmax of the logits, by the inverse of its distribution. */
function choose(
  logits: Float32Array,
  random: RandomStream | undefined,
): { token: number; logProb: number } {
  const top = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
  let token = logits.indexOf(top);
  if (random) {
    let left = random.next() * total;
    token = logits.findIndex((logit) => {
      left -= Math.exp(logit - top);
      return left < 0;
    });
    // What rounding leaves over belongs to the last token.
    if (token < 0) token = logits.length - 1;
  }
  return { token, logProb: (logits[token] as number) - top - Math.log(total) };
}
