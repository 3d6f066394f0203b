/** Sampling answers from the policy, and what group-relative policy optimisation needs to know about them. */
import * as tf from "@tensorflow/tfjs-core";
import { selectiveLogSoftmax, tensor } from "../lib/index.js";
import type { Policy, Prompts } from "./policy.js";
import type { RandomStream } from "./random.js";
import { ANSWER_LENGTH, END, type Problem, reward, VOCABULARY } from "./world.js";

const WORDS: number = VOCABULARY.length;

/** Answers to a batch of problems, the same number for each, in order. */
export interface Rollouts {
  /** Token ids, the end token included. */
  readonly answers: readonly number[][];
  /** [answers · ANSWER_LENGTH]; 0 after the end. */
  readonly tokenIds: Int32Array;
  /** [answers · ANSWER_LENGTH]: 1 up to and including the end token. */
  readonly responseMask: Int32Array;
  /** [answers · ANSWER_LENGTH] log-probs under the policy that sampled, nats. */
  readonly oldLogProbs: Float64Array;
  /** [answers]. */
  readonly rewards: readonly number[];
  /** [answers]: rewards relative to those of the same problem. */
  readonly advantages: Float64Array;
}

/** Samples `group` answers to each problem at temperature 1. */
export function sampleRollouts(
  policy: Policy,
  problems: readonly Problem[],
  group: number,
  random: RandomStream,
): Rollouts {
  const { answers, logits } = speak(policy, promptsOf(problems), group, random);
  const { tokenIds, responseMask } = tokenRows(answers);
  const shape = [answers.length, ANSWER_LENGTH, WORDS] as const;
  const { data } = selectiveLogSoftmax({
    logits: tensor(logits, { shape }),
    tokenIds,
    responseMask,
  });
  const rewards = answers.map((answer, index) =>
    reward(problems[Math.floor(index / group)] as Problem, answer),
  );
  const advantages = groupAdvantages(rewards, group);
  return { answers, tokenIds, responseMask, oldLogProbs: data, rewards, advantages };
}

/** The most likely answer to each prompt. */
export function answerGreedily(policy: Policy, prompts: Prompts): number[][] {
  return speak(policy, prompts, 1).answers;
}

/**
 * (reward − mean) / (standard deviation + 1e-6) within each group, as GRPO has it; the deviation divides by n − 1.
 * A group whose rewards are all the same teaches nothing: its advantages are 0.
 */
export function groupAdvantages(rewards: readonly number[], group: number): Float64Array {
  const advantages = new Float64Array(rewards.length);
  for (let start = 0; start < rewards.length; start += group) {
    const own = rewards.slice(start, start + group);
    const mean = own.reduce((sum, value) => sum + value, 0) / group;
    const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const deviation = Math.sqrt(squares / (group - 1));
    own.forEach((value, at) => {
      advantages[start + at] = (value - mean) / (deviation + 1e-6);
    });
  }
  return advantages;
}

export function promptsOf(problems: readonly Problem[]): Prompts {
  return {
    images: problems.map(({ image }) => image),
    questions: problems.map(({ question }) => question),
  };
}

/** Answers as padded rows: [answers · ANSWER_LENGTH] ids and the mask of those that were said. */
export function tokenRows(answers: readonly (readonly number[])[]): {
  tokenIds: Int32Array;
  responseMask: Int32Array;
} {
  const tokenIds = new Int32Array(answers.length * ANSWER_LENGTH);
  const responseMask = new Int32Array(answers.length * ANSWER_LENGTH);
  answers.forEach((answer, index) => {
    tokenIds.set(answer, index * ANSWER_LENGTH);
    responseMask.fill(1, index * ANSWER_LENGTH, index * ANSWER_LENGTH + answer.length);
  });
  return { tokenIds, responseMask };
}

/** Token by token; with `random` sampled, otherwise the most likely token. Logits are [answers, tokens, vocab]. */
function speak(
  policy: Policy,
  prompts: Prompts,
  group: number,
  random?: RandomStream,
): { answers: number[][]; logits: Float32Array<ArrayBuffer> } {
  const answers = Array.from({ length: prompts.images.length * group }, (): number[] => []);
  const logits = new Float32Array(answers.length * ANSWER_LENGTH * WORDS);
  for (let position = 0; position < ANSWER_LENGTH; position++) {
    const scores = tf.tidy(() => policy.logits(prompts, answers, [position]).dataSync());
    answers.forEach((answer, index) => {
      if (answer.at(-1) === END) return;
      const row = scores.subarray(index * WORDS, (index + 1) * WORDS) as Float32Array;
      logits.set(row, (index * ANSWER_LENGTH + position) * WORDS);
      // The largest of logits plus Gumbel noise is a sample from their softmax.
      const noisy = random ? row.map((score) => score - Math.log(-Math.log(random.next()))) : row;
      answer.push(noisy.indexOf(Math.max(...noisy)));
    });
  }
  return { answers, logits };
}
