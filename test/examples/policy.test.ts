/** The experiment's policy: its logits, gradients and responses against a plain forward pass in float64. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import test from "ava";
import { generate, Policy, type PolicyOptions, type Prompts } from "../../examples/policy/index.js";
import { RandomStream } from "../../examples/random.js";
import {
  drawProblem,
  END,
  IMAGE_SIZE,
  RESPONSE_LENGTH,
  VOCABULARY,
} from "../../examples/world/index.js";
import { selectiveLogSoftmax, tensor } from "../../lib/index.js";
import { referenceLogits } from "./policy-reference.js";

const WORDS = VOCABULARY.length;
const TINY = [
  { width: 8, layers: 1, heads: 2 },
  { width: 8, layers: 2, heads: 4 },
] as const;

test.before(async () => {
  await tf.setBackend("wasm");
});

/** A policy whose every weight, biases included, is far from zero, so that every part of it matters. */
function stirredPolicy(options: PolicyOptions, seed = 1): Policy {
  const policy = new Policy(seed, options);
  const random = new RandomStream(seed, 7);
  policy.setWeights(policy.weights().map((weight) => weight * 1.5 + (random.next() - 0.5) * 0.4));
  return policy;
}

function somePrompts(count: number, seed = 1): Prompts {
  const random = new RandomStream(seed, 8);
  const problems = Array.from({ length: count }, () => drawProblem(random, { heldOut: false }));
  return {
    images: problems.map(({ image }) => image),
    questions: problems.map(({ question }) => question),
  };
}

/** Random words, of random lengths. */
function someResponses(count: number, seed = 1): number[][] {
  const random = new RandomStream(seed, 9);
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + random.integer(RESPONSE_LENGTH) }, () => random.integer(WORDS)),
  );
}

function logitsOf(policy: Policy, prompts: Prompts, responses: number[][]): Float32Array {
  return tf.tidy(() => policy.logits(prompts, responses).dataSync() as Float32Array);
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);
}

const plainName = (variable: tf.Variable): string => variable.name.split("/").at(-1)!;

function weightsByName(policy: Policy): Map<string, number[]> {
  return new Map(policy.variables.map((each) => [plainName(each), [...each.dataSync()]]));
}

for (const options of TINY) {
  const { layers } = options;

  test(`logits are those of a plain forward pass, layers ${layers}`, (t) => {
    const policy = stirredPolicy(options);
    const [prompts, responses] = [somePrompts(2), someResponses(6)];
    const logits = logitsOf(policy, prompts, responses);
    const weights = weightsByName(policy);
    const expected = responses.flatMap((response, index) => {
      const prompt = Math.floor(index / 3);
      const [image, question] = [prompts.images[prompt]!, prompts.questions[prompt]!];
      return referenceLogits(weights, options, image, question, response).flat();
    });
    t.is(logits.length, 6 * RESPONSE_LENGTH * WORDS);
    t.true(Math.max(...expected) - Math.min(...expected) > 1);
    t.true(largestDifference(logits, expected) < 1e-4);
  });

  test(`gradients are the finite differences of that pass, layers ${layers}`, (t) => {
    const policy = stirredPolicy(options);
    const [prompts, responses] = [somePrompts(2), someResponses(4)];
    const random = new RandomStream(3);
    const slopes = Float32Array.from(
      { length: 4 * RESPONSE_LENGTH * WORDS },
      () => random.next() - 0.5,
    );
    const { value, grads } = tf.variableGrads(() => {
      return weightedSum(policy.logits(prompts, responses), slopes);
    });
    const weights = weightsByName(policy);
    const reference = (): number => {
      const logits = responses.flatMap((response, index) => {
        const prompt = Math.floor(index / 2);
        const [image, question] = [prompts.images[prompt]!, prompts.questions[prompt]!];
        return referenceLogits(weights, options, image, question, response).flat();
      });
      return logits.reduce((sum, logit, at) => sum + logit * slopes[at]!, 0);
    };
    t.true(Math.abs(value.dataSync()[0]! - reference()) < 1e-3);
    for (const variable of policy.variables) {
      const gradient = grads[variable.name]!.dataSync() as Float32Array;
      const values = weights.get(plainName(variable))!;
      const scale = gradient.reduce((most, slope) => Math.max(most, Math.abs(slope)), 0);
      t.true(scale > 1e-3, `${variable.name} has no gradient`);
      // The steepest, and some others.
      const steepest = gradient.findIndex((slope) => Math.abs(slope) === scale);
      const places = [steepest, ...Array.from({ length: 2 }, () => random.integer(variable.size))];
      for (const at of places) {
        const step = 1e-5;
        const original = values[at]!;
        values[at] = original + step;
        const above = reference();
        values[at] = original - step;
        const below = reference();
        values[at] = original;
        const slope = (above - below) / (2 * step);
        const error = Math.abs(gradient[at]! - slope);
        t.true(error < 1e-4 * scale + 1e-4, `${variable.name}[${at}]: ${gradient[at]}, ${slope}`);
      }
    }
  });
}

/** Σ x · weights on the tape. */
function weightedSum(x: tf.Tensor, weights: Float32Array): tf.Scalar {
  const shape = x.shape as [number, number, number];
  const sum = tf.customGrad((...[input]) => ({
    value: tf.sum(tf.mul(input as tf.Tensor, tf.tensor3d(weights, shape))) as tf.Scalar,
    gradFunc: (dy: tf.Scalar) => tf.mul(tf.tensor3d(weights, shape), dy),
  }));
  return sum(x);
}

test("a later token changes no earlier logits, and does change those after it", (t) => {
  const policy = stirredPolicy({ width: 16, heads: 2 });
  const prompts = somePrompts(1);
  const response = [2, 5, 6, 7, 3, 8, 9, 1];
  const before = logitsOf(policy, prompts, [response]);
  for (let changed = 0; changed < RESPONSE_LENGTH; changed++) {
    const other = response.with(changed, 11);
    const after = logitsOf(policy, prompts, [other]);
    const rest = (changed + 1) * WORDS;
    t.deepEqual(after.slice(0, rest), before.slice(0, rest));
    if (changed + 1 === RESPONSE_LENGTH) continue;
    const [next, nextBefore] = [after, before].map((all) => all.slice(rest, rest + WORDS));
    t.true(largestDifference(next!, nextBefore!) > 1e-3);
  }
});

test("image and question change the logits of their own responses only", (t) => {
  const policy = stirredPolicy({});
  const prompts = somePrompts(2);
  const responses = someResponses(4);
  const before = logitsOf(policy, prompts, responses);
  const half = before.length / 2;
  const black = new Float32Array(IMAGE_SIZE * IMAGE_SIZE * 3);
  const others: Prompts[] = [
    { ...prompts, images: [prompts.images[0]!, black] },
    { ...prompts, questions: [prompts.questions[0]!, prompts.questions[1]!.with(0, 20)] },
  ];
  for (const other of others) {
    const after = logitsOf(policy, other, responses);
    t.deepEqual(after.slice(0, half), before.slice(0, half));
    t.true(largestDifference(after.slice(half), before.slice(half)) > 1e-2);
  }
});

test("log-probs of what is said are those that papo computes from the logits", (t) => {
  const policy = stirredPolicy({});
  const prompts = somePrompts(3);
  const { responses, logProbs } = generate(policy, prompts, 4, new RandomStream(5));
  const shape = [responses.length, RESPONSE_LENGTH, WORDS] as const;
  const tokenIds = new Int32Array(responses.length * RESPONSE_LENGTH);
  const responseMask = new Int32Array(tokenIds.length);
  responses.forEach((response, index) => {
    tokenIds.set(response, index * RESPONSE_LENGTH);
    responseMask.fill(1, index * RESPONSE_LENGTH, index * RESPONSE_LENGTH + response.length);
  });
  const data = logitsOf(policy, prompts, responses as number[][]);
  const logits = tensor(data as Float32Array<ArrayBuffer>, { shape });
  const expected = selectiveLogSoftmax({ logits, tokenIds, responseMask });
  t.true(logProbs.some((logProb) => logProb < -1));
  t.true(largestDifference(logProbs, expected.data) < 1e-5);
});

test("responses end with the end token or are of full length, and nothing follows the end", (t) => {
  const policy = stirredPolicy({});
  const { responses, logProbs } = generate(policy, somePrompts(8), 16, new RandomStream(6));
  t.is(responses.length, 128);
  const lengths = new Set(responses.map(({ length }) => length));
  t.true(lengths.size > 2);
  responses.forEach((response, index) => {
    t.false(response.slice(0, -1).includes(END));
    t.true(response.at(-1) === END || response.length === RESPONSE_LENGTH);
    const row = logProbs.subarray(index * RESPONSE_LENGTH, (index + 1) * RESPONSE_LENGTH);
    t.true(row.subarray(0, response.length).every((logProb) => logProb < 0));
    t.true(row.subarray(response.length).every((logProb) => logProb === 0));
  });
});

test("the same stream says the same, another one something else; greedy needs none", (t) => {
  const policy = stirredPolicy({});
  const prompts = somePrompts(4);
  const sampled = (seed: number) => generate(policy, prompts, 2, new RandomStream(seed));
  t.deepEqual(sampled(1), sampled(1));
  t.notDeepEqual(sampled(1).responses, sampled(2).responses);
  const greedy = generate(policy, prompts, 2, undefined);
  t.deepEqual(greedy, generate(policy, prompts, 2, undefined));
  const logits = logitsOf(policy, prompts, greedy.responses as number[][]);
  greedy.responses.forEach((response, index) => {
    response.forEach((token, place) => {
      const at = (index * RESPONSE_LENGTH + place) * WORDS;
      const row = logits.subarray(at, at + WORDS);
      t.true(row[token]! > Math.max(...row) - 1e-5);
    });
  });
});

test("tokens are sampled as often as the softmax says", (t) => {
  const policy = stirredPolicy({ width: 8, layers: 1, heads: 1 });
  const prompts = somePrompts(1);
  const group = 4000;
  const { responses } = generate(policy, prompts, group, new RandomStream(4));
  const exps = logitsOf(policy, prompts, [[]]).slice(0, WORDS).map(Math.exp);
  const total = exps.reduce((sum, value) => sum + value, 0);
  exps.forEach((exp, token) => {
    const expected = exp / total;
    const observed = responses.filter(([first]) => first === token).length / group;
    // Four and a half standard deviations: one failure in thousands of streams.
    const bound = 4.5 * Math.sqrt((expected * (1 - expected)) / group) + 1 / group;
    t.true(Math.abs(observed - expected) < bound, `${token}: ${observed} of ${expected}`);
  });
});

test("weights go round, and a seed decides the first ones", (t) => {
  const [first, second, other] = [new Policy(1), new Policy(1), new Policy(2)];
  t.deepEqual(first.weights(), second.weights());
  t.notDeepEqual(first.weights(), other.weights());
  t.is(first.weights().length, first.size);
  other.setWeights(first.weights());
  const [prompts, responses] = [somePrompts(2), someResponses(2)];
  t.deepEqual(logitsOf(other, prompts, responses), logitsOf(first, prompts, responses));
  t.throws(() => other.setWeights(new Float32Array(3)), { message: /received 3/ });
});

test("nothing is left behind: logits, gradients, generation, weights, a policy that goes", (t) => {
  const prompts = somePrompts(2);
  const responses = someResponses(4);
  const work = (policy: Policy): void => {
    logitsOf(policy, prompts, responses);
    const { value, grads } = tf.variableGrads(() => {
      const logits = policy.logits(prompts, responses);
      return weightedSum(logits, new Float32Array(logits.size).fill(1));
    });
    tf.dispose(value);
    tf.dispose(grads);
    generate(policy, prompts, 2, new RandomStream(1));
    policy.setWeights(policy.weights());
  };
  const outside = tf.memory().numTensors;
  const policy = new Policy(1);
  const before = tf.memory().numTensors;
  t.is(before - outside, policy.variables.length);
  work(policy);
  work(policy);
  t.is(tf.memory().numTensors, before);
  policy.dispose();
  t.is(tf.memory().numTensors, outside);
});
