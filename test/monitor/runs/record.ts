/**
 * Records what a monitor would have seen of a run of the example's small world, healthy or driven into a collapse.
 *
 * The loop is that of `examples/train.ts`; the coefficients, the bound on the perception KL and the learning rate are
 * options. Every run that is kept beside this file has the command that made it in it; a run takes about half a minute.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import { registerGradients } from "../../../examples/gradients.js";
import { maskImage } from "../../../examples/masking.js";
import { PATCH_SIZE, Policy } from "../../../examples/policy.js";
import { RandomStream } from "../../../examples/random.js";
import { promptsOf, sampleRollouts } from "../../../examples/rollouts.js";
import { externalLoss } from "../../../examples/tfjs-loss.js";
import { warmUpStep } from "../../../examples/warm-up.js";
import { ANSWER_LENGTH, drawProblem } from "../../../examples/world.js";
import { type Metrics, objective } from "../../../lib/index.js";
import { mergeMetrics } from "../../../lib/monitor/measurements.js";

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    seed: { type: "string", default: "1" },
    form: { type: "string", default: "corrected" },
    /** Bound on the exact perception KL, nats. */
    limit: { type: "string", default: "1" },
    gamma: { type: "string", default: "0.01" },
    /** What γ becomes at step `change`. */
    into: { type: "string" },
    change: { type: "string", default: "0" },
    eta: { type: "string", default: "0.03" },
    rate: { type: "string", default: "6e-4" },
    steps: { type: "string", default: "300" },
  },
});
const [PROMPTS, GROUP, MINIBATCHES, WARM_UP_STEPS] = [32, 8, 2, 140];
const KEYS = [
  "tokens",
  "perceptionKl",
  "perceptionKlVariance",
  "clipFraction",
  "entropy",
  "maskedEntropy",
] as const;
const seed = Number(values.seed);
const form = values.form === "authors" ? "authors" : "corrected";
const eta = Number(values.eta);
const built = objective("papo-g-3b-no-ref", { form }).entropy({ coef: eta, maskedCoef: eta });
const papo = (
  form === "corrected" ? built.perceptionKl({ exactLimit: Number(values.limit) }) : built
).build();

registerGradients();
await tf.setBackend("wasm");
const policy = new Policy(seed);
const training = new RandomStream(seed, 1);
const sampling = new RandomStream(seed, 2);
const draw = (count: number) => Array.from({ length: count }, () => drawProblem(training, false));
const teacher = tf.train.adam(3e-3, 0.9, 0.99);
for (let step = 0; step < WARM_UP_STEPS; step++) warmUpStep(policy, teacher, draw(64));
const optimizer = tf.train.adam(Number(values.rate), 0.9, 0.99);
const steps: number[][] = [];
for (let step = 0; step < Number(values.steps); step++) {
  const changed = values.into !== undefined && step >= Number(values.change);
  const gamma = Number(changed ? values.into : values.gamma);
  const problems = draw(PROMPTS);
  const rollouts = sampleRollouts(policy, problems, GROUP, sampling);
  const reward = rollouts.rewards.reduce((sum, value) => sum + value, 0) / rollouts.rewards.length;
  const parts: Metrics[] = [];
  for (let part = 0; part < MINIBATCHES; part++) {
    const size = PROMPTS / MINIBATCHES;
    const [first, last] = [part * size, (part + 1) * size];
    const [a0, a1] = [first * GROUP, last * GROUP];
    const [r0, r1] = [a0 * ANSWER_LENGTH, a1 * ANSWER_LENGTH];
    const prompts = promptsOf(problems.slice(first, last));
    const images = prompts.images.map((image, at) =>
      maskImage(image as Float32Array, PATCH_SIZE, 0.6, [seed, 4, step, first + at]),
    );
    const answers = rollouts.answers.slice(a0, a1);
    optimizer
      .minimize(() => {
        const both = [
          policy.logits(prompts, answers),
          policy.logits({ ...prompts, images }, answers),
        ];
        return externalLoss(both, answers.length, (logits, maskedLogits) => {
          const evaluation = papo.evaluate(
            {
              logits,
              maskedLogits,
              tokenIds: rollouts.tokenIds.subarray(r0, r1),
              responseMask: rollouts.responseMask.subarray(r0, r1),
              oldLogProbs: rollouts.oldLogProbs.subarray(r0, r1),
              advantages: rollouts.advantages.subarray(a0, a1),
            },
            { coefficients: { perceptionKl: gamma } },
          );
          parts.push(evaluation.metrics);
          return {
            loss: evaluation.loss,
            gradients: [evaluation.gradLogits, evaluation.gradMaskedLogits],
          };
        });
      }, true)
      ?.dispose();
  }
  const merged = mergeMetrics("record", parts);
  const row = [reward, ...KEYS.map((key) => merged[key] ?? 0)].map((n) => Number(n.toPrecision(3)));
  steps.push(row);
  if (step % 20 === 19) console.log(step, row.join(" "));
}
if (values.out !== undefined) {
  const command = `npx tsx test/monitor/runs/record.ts ${process.argv.slice(2).join(" ")}`;
  const rows = steps.map((row) => JSON.stringify(row)).join(",\n");
  const head = `"command":${JSON.stringify(command)},\n"keys":${JSON.stringify(["reward", ...KEYS])}`;
  writeFileSync(values.out, `{${head},\n"steps":[\n${rows}\n]}\n`);
}
