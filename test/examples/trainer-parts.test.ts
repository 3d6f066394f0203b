/** The trainer's parts: the bounded gradient, dynamic sampling, minibatches, masks, evaluations. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import test from "ava";
import { generate, Policy } from "../../examples/policy/index.js";
import { RandomStream } from "../../examples/random.js";
import { coldStart } from "../../examples/trainer/cold-start.js";
import { learningRateAt, objectiveOf } from "../../examples/trainer/config.js";
import { evaluate, heldOutProblems } from "../../examples/trainer/evaluation.js";
import { configWith } from "../../examples/trainer/index.js";
import { contrast, maskedImages } from "../../examples/trainer/masking.js";
import { clipNorm, Optimizer } from "../../examples/trainer/optimizer.js";
import {
  advantagesOf,
  MOST_DRAWS,
  mixedGroups,
  part,
  promptsOf,
  type Rollouts,
  sampleBatch,
  tokenRows,
} from "../../examples/trainer/rollouts.js";
import { updateOn } from "../../examples/trainer/update.js";
import {
  drawProblem,
  END,
  IMAGE_SIZE,
  judge,
  PATCH_SIZE,
  RESPONSE_LENGTH,
} from "../../examples/world/index.js";
import { tfjsLoss } from "../../lib/adapters/tfjs.js";
import { tensor } from "../../lib/index.js";

const TINY = configWith({
  policy: { width: 16, layers: 1, heads: 2 },
  prompts: 6,
  group: 4,
  coldStart: { steps: 120, examples: 32, learningRate: { peak: 0.01, warmUp: 0, final: 1 } },
});
const policies: Policy[] = [];
const fresh = (): Policy => {
  const policy = new Policy(1, TINY.policy);
  policies.push(policy);
  return policy;
};
let trained: Policy;
test.before(async () => {
  await tf.setBackend("wasm");
  trained = fresh();
  await coldStart(trained, TINY);
});
test.after(() => {
  for (const policy of policies) policy.dispose();
});

const normOf = (values: Float32Array) => Math.hypot(...values);

test("a gradient longer than the bound is scaled to it, a shorter one is left alone", (t) => {
  const long = Float32Array.of(3, 0, -4);
  t.is(clipNorm(long, 1), 5);
  t.deepEqual(long, Float32Array.of(0.6, 0, -0.8));
  const short = Float32Array.of(0.3, 0.4);
  t.true(Math.abs(clipNorm(short, 1) - 0.5) < 1e-7);
  t.deepEqual(short, Float32Array.of(0.3, 0.4));
});

/** The gradient of the sum of a response's logits, which is long, as a loss. */
function sumOfLogits(policy: Policy): tf.Scalar {
  const problem = drawProblem(new RandomStream(1), { heldOut: false });
  const logits = policy.logits(promptsOf([problem]), [problem.response]);
  return tfjsLoss(tf, [logits], () => {
    const ones = new Float32Array(logits.size).fill(1);
    return { loss: 0, gradients: [tensor(ones, { shape: logits.shape })] };
  });
}

test("the norm that is written down is that before the bound, and what is applied has the bound's", (t) => {
  const policy = fresh();
  const optimizer = new Optimizer(policy);
  const { gradNorm } = optimizer.minimize(() => sumOfLogits(policy), 1e-3, 1);
  t.true(gradNorm > 1);
  // The first moment is a tenth of the gradient after the first step.
  t.true(Math.abs(normOf(optimizer.moments.first) / 0.1 - 1) < 1e-5);
});

test("Adam's first step moves every weight that has a gradient by the learning rate, against it", (t) => {
  const policy = fresh();
  const before = policy.weights();
  const optimizer = new Optimizer(policy);
  optimizer.minimize(() => sumOfLogits(policy), 1e-3, 1e9);
  const { first } = optimizer.moments;
  let moved = 0;
  policy.weights().forEach((weight, i) => {
    const slope = first[i] as number;
    if (Math.abs(slope) < 1e-5) return;
    moved++;
    const change = weight - (before[i] as number);
    t.true(Math.abs(change + 1e-3 * Math.sign(slope)) < 2e-6, `${change} at ${i}`);
  });
  t.true(moved > 100);
});

/** Responses to problems of which the given share is right, with marks to tell them apart. */
function rollouts(accuracies: readonly (readonly (0 | 1)[])[]): Rollouts {
  const random = new RandomStream(3);
  const problems = accuracies.map(() => drawProblem(random, { heldOut: false }));
  const group = accuracies[0]?.length ?? 0;
  const responses = problems.flatMap(({ response }, at) =>
    (accuracies[at] as readonly number[]).map((right) => (right === 1 ? response : [END])),
  );
  const judgements = responses.map((response, at) => {
    const problem = problems[Math.floor(at / group)];
    if (problem === undefined) throw new Error("no problem");
    return judge(problem, response);
  });
  const oldLogProbs = Float64Array.from(
    { length: responses.length * RESPONSE_LENGTH },
    (_, row) => -row,
  );
  return { problems, group, responses, oldLogProbs, judgements };
}

test("dynamic sampling keeps the groups that are neither all right nor all wrong, whole", (t) => {
  const all = rollouts([
    [1, 1, 1],
    [1, 0, 1],
    [0, 0, 0],
    [0, 0, 1],
  ]);
  const kept = mixedGroups(all);
  t.deepEqual(kept.problems, [all.problems[1], all.problems[3]]);
  t.deepEqual(kept.responses, [...all.responses.slice(3, 6), ...all.responses.slice(9, 12)]);
  t.deepEqual(kept.judgements, [...all.judgements.slice(3, 6), ...all.judgements.slice(9, 12)]);
  const rows = [...all.oldLogProbs];
  t.deepEqual([...kept.oldLogProbs], [...rows.slice(24, 48), ...rows.slice(72, 96)]);
});

test("advantages are those of the group, and 0 where all rewards are the same", (t) => {
  const advantages = advantagesOf(
    rollouts([
      [1, 1],
      [1, 0],
    ]),
  );
  // Rewards 1 and 0: mean ½, deviation √½.
  const far = 0.5 / (Math.SQRT1_2 + 1e-6);
  t.deepEqual([...advantages], [0, 0, far, -far]);
});

test("a batch with dynamic sampling has mixed groups only, and takes the draws that it needs", (t) => {
  const config = { ...TINY, dynamicSampling: true };
  const { rollouts: chosen, first, draws } = sampleBatch(trained, config, 1);
  const plain = sampleBatch(trained, TINY, 1);
  t.deepEqual(first, plain.rollouts);
  t.is(plain.draws, 1);
  t.true(draws > 1 && draws <= MOST_DRAWS);
  t.true(chosen.problems.length > mixedGroups(first).problems.length);
  t.true(chosen.problems.length <= TINY.prompts);
  t.deepEqual(mixedGroups(chosen), chosen);
  t.deepEqual(part(chosen, 0, mixedGroups(first).problems.length), mixedGroups(first));
  // What was kept still belongs together.
  chosen.responses.forEach((response, at) => {
    const problem = chosen.problems[Math.floor(at / chosen.group)];
    t.deepEqual(problem && judge(problem, response), chosen.judgements[at]);
    const rows = chosen.oldLogProbs.subarray(at * RESPONSE_LENGTH, (at + 1) * RESPONSE_LENGTH);
    t.is(rows.findLastIndex((value) => value !== 0) + 1, response.length);
  });
});

test("where no draw has a mixed group, the batch is the last draw, whole", (t) => {
  // A fresh policy says nothing that is well-formed.
  const {
    rollouts: chosen,
    draws,
    first,
  } = sampleBatch(fresh(), { ...TINY, dynamicSampling: true }, 1);
  t.is(draws, MOST_DRAWS);
  t.is(chosen.problems.length, TINY.prompts);
  t.notDeepEqual(chosen.problems, first.problems);
  t.deepEqual(advantagesOf(chosen), new Float64Array(TINY.prompts * TINY.group));
});

test("rows of tokens count up to and including the end", (t) => {
  const { tokenIds, responseMask } = tokenRows([[5, 6, END], [END]]);
  t.deepEqual([...tokenIds.subarray(0, 4)], [5, 6, END, 0]);
  t.deepEqual([...responseMask.subarray(0, 4)], [1, 1, 1, 0]);
  t.deepEqual([...responseMask.subarray(RESPONSE_LENGTH, RESPONSE_LENGTH + 2)], [1, 0]);
});

test("every batch has masks of its own, and a batch that is cut has the groups of the whole", (t) => {
  const { rollouts: sampled } = sampleBatch(trained, TINY, 1);
  // Steps so small that the policy stays as it is.
  const updates = (batch: number, parts: number, preset: "papo-g-7b" | "grpo") => {
    const config = configWith(
      { learningRate: { peak: 1e-30 }, minibatches: parts, objective: { preset } },
      TINY,
    );
    const optimizer = new Optimizer(trained);
    const objective = objectiveOf(config);
    const learner = { config, objective, policy: trained, reference: trained, optimizer };
    return updateOn(learner, sampled, batch).map(({ metrics }) => metrics);
  };
  const kl = (batch: number) => updates(batch, 1, "papo-g-7b").map((metrics) => metrics.kl);
  t.deepEqual(kl(1), kl(1));
  t.notDeepEqual(kl(1), kl(2));
  const whole = updates(1, 1, "papo-g-7b")[0];
  const cut = updates(1, 4, "papo-g-7b");
  t.is(cut.length, 4);
  if (whole === undefined) return t.fail();
  for (const key of ["kl", "entropy", "maskedEntropy", "advantagePositive", "approxKl3"] as const) {
    const sum = cut.reduce((sum, metrics) => sum + (metrics[key] ?? 0) * metrics.tokens, 0);
    const difference = Math.abs(sum / whole.tokens - (whole[key] ?? Number.NaN));
    t.true(difference < 1e-6, `${key}: ${difference}`);
  }
  // The policy is the one that sampled and the reference.
  t.true((whole.approxKl3 ?? 1) < 1e-8 && (whole.refKl ?? 1) < 1e-8);
  const responses = sampled.responses.reduce((sum, { length }) => sum + length, 0);
  t.is(whole.tokens, responses);
  t.is(updates(1, 2, "grpo")[0]?.kl, undefined);
});

const patchesOf = (image: Float32Array) =>
  Array.from({ length: (IMAGE_SIZE / PATCH_SIZE) ** 2 }, (_, patch) => {
    const perSide = IMAGE_SIZE / PATCH_SIZE;
    const [row, column] = [Math.floor(patch / perSide), patch % perSide];
    return Array.from({ length: PATCH_SIZE ** 2 * 3 }, (_, at) => {
      const pixel = Math.floor(at / 3);
      const y = row * PATCH_SIZE + Math.floor(pixel / PATCH_SIZE);
      const x = column * PATCH_SIZE + (pixel % PATCH_SIZE);
      return image[(y * IMAGE_SIZE + x) * 3 + (at % 3)] as number;
    });
  });

test("a mask blackens whole patches, is that of its step, and leaves the image as it was", (t) => {
  const problems = rollouts([[1], [1], [1], [1]]).problems;
  const before = problems.map(({ image }) => image.slice());
  const random = { strategy: "random", ratio: 0.6 } as const;
  const masked = maskedImages(problems, random, { seed: 1, step: 1 });
  t.deepEqual(
    problems.map(({ image }) => image),
    before,
  );
  let black = 0;
  masked.forEach((image, at) => {
    const originals = patchesOf(before[at] as Float32Array);
    patchesOf(image).forEach((patch, which) => {
      if (patch.every((value) => value === 0)) black++;
      else t.deepEqual(patch, originals[which]);
    });
  });
  t.true(black > 0.4 * 64 && black < 0.8 * 64, String(black));
  t.deepEqual(maskedImages(problems, random, { seed: 1, step: 1 }), masked);
  t.notDeepEqual(maskedImages(problems, random, { seed: 1, step: 2 }), masked);
  const all = maskedImages(problems, { ...random, ratio: 1 }, { seed: 1, step: 1 });
  t.true(all.every((image) => image.every((value) => value === 0)));
});

test("a saliency mask takes the patches that stand out", (t) => {
  const [problem] = rollouts([[1]]).problems;
  if (problem === undefined) return t.fail();
  const image = new Float32Array(IMAGE_SIZE * IMAGE_SIZE * 3).fill(0.4);
  // A red square within the patch in row 1, column 2.
  for (let y = 9; y < 14; y++) {
    for (let x = 17; x < 22; x++) image.set([0.9, 0.1, 0.1], (y * IMAGE_SIZE + x) * 3);
  }
  t.is(contrast(image).indexOf(Math.max(...contrast(image))), 4 + 2);
  const saliency = { strategy: "saliency", ratio: 1 / 16 } as const;
  const [masked] = maskedImages([{ ...problem, image }], saliency, { seed: 1, step: 1 });
  const black = patchesOf(masked as Float32Array).map((patch) => patch.every((v) => v === 0));
  t.deepEqual(
    black.flatMap((is, patch) => (is ? [patch] : [])),
    [6],
  );
});

test("held-out problems are balanced and the same every time", (t) => {
  const problems = heldOutProblems(48);
  t.deepEqual(heldOutProblems(48), problems);
  const counts = new Map<string, number>();
  for (const { task, form } of problems) {
    counts.set(`${task} ${form}`, (counts.get(`${task} ${form}`) ?? 0) + 1);
  }
  t.deepEqual([...counts.values()], Array(8).fill(6));
});

test("an evaluation counts what a count by hand counts", (t) => {
  const problems = heldOutProblems(16);
  const config = configWith({ evaluation: { problems: 16, samples: 4 } }, TINY);
  const evaluation = evaluate(trained, problems, config, 7);
  t.deepEqual(evaluate(trained, problems, config, 7), evaluation);
  // The stream that evaluations draw from: seed, 4, batch.
  const random = new RandomStream(TINY.seed, 4, 7);
  const { responses } = generate(trained, promptsOf(problems), 4, random);
  const judged = problems.flatMap((problem, at) =>
    responses
      .slice(4 * at, 4 * at + 4)
      .map((response) => ({ problem, ...judge(problem, response) })),
  );
  const among = (some: typeof judged) =>
    some.reduce((sum, { accuracy }) => sum + accuracy, 0) / some.length;
  t.is(evaluation.accuracy, among(judged));
  for (const form of ["text-aided", "vision-dependent"] as const) {
    t.is(evaluation.byForm[form], among(judged.filter(({ problem }) => problem.form === form)));
  }
  t.is(
    evaluation.byTask.counting,
    among(judged.filter(({ problem }) => problem.task === "counting")),
  );
  t.is(evaluation.byNoise.clean, among(judged.filter(({ problem }) => problem.noise < 0.5)));
  const wrong = judged.filter(({ accuracy }) => accuracy === 0);
  const perception = wrong.filter(({ error }) => error === "perception").length / wrong.length;
  t.is(evaluation.errors.perception, perception);
  t.true(evaluation.kl > 0 && evaluation.entropy > 0);
});

test("the learning rate rises over the warm-up, then falls to its final share", (t) => {
  const rate = { peak: 0.5, warmUp: 4, final: 0.1 };
  const at = (step: number) => learningRateAt(rate, step, 12);
  t.deepEqual([1, 2, 4].map(at), [0.125, 0.25, 0.5]);
  t.true(Math.abs(at(8) - 0.275) < 1e-15);
  t.true(Math.abs(at(12) - 0.05) < 1e-15);
  t.is(learningRateAt({ peak: 1, warmUp: 0, final: 1 }, 7, 9), 1);
});
