/** A short supervised start, so that the policy speaks the language of the responses: PAPO too starts from a tuned model. */
import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { tfjsLoss } from "../../lib/adapters/tfjs.js";
import {
  neg,
  reduceTokens,
  selectiveLogSoftmax,
  type Tensor,
  valueAndGrad,
} from "../../lib/index.js";
import type { Policy } from "../policy/index.js";
import { RandomStream } from "../random.js";
import { drawProblem, type Problem } from "../world/index.js";
import { readTensors, writeTensors } from "./checkpoint.js";
import { learningRateAt, type RunConfig } from "./config.js";
import { Optimizer } from "./optimizer.js";
import { promptsOf, tokenRows } from "./rollouts.js";
import { STREAM } from "./streams.js";

export interface ColdStartHooks {
  /** Called after each step, with the cross-entropy in nats per token. */
  readonly onColdStart?: ((step: number, nats: number) => void) | undefined;
  /** Folder that keeps the weights: all runs with the same seed and the same start share them. */
  readonly coldStartCache?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Trains a fresh policy on demonstrations, or gives it the weights that an earlier run left in the cache.
 *
 * @returns whether it was done; false where the signal ended it
 */
export async function coldStart(
  policy: Policy,
  config: RunConfig,
  hooks: ColdStartHooks = {},
): Promise<boolean> {
  const { steps, learningRate } = config.coldStart;
  const path = hooks.coldStartCache && join(hooks.coldStartCache, nameOf(policy, config));
  if (path && (await stat(path).catch(() => undefined))) {
    const { weights } = await readTensors(path);
    if (weights?.length === policy.size) {
      policy.setWeights(weights);
      return true;
    }
  }
  const optimizer = new Optimizer(policy);
  for (let step = 0; step < steps; step++) {
    const rate = learningRateAt(learningRate, step + 1, steps);
    const nats = imitate(policy, optimizer, demonstrations(config, step), rate);
    hooks.onColdStart?.(step + 1, nats);
    await new Promise(setImmediate);
    if (hooks.signal?.aborted) return false;
  }
  if (path) {
    await mkdir(hooks.coldStartCache ?? "", { recursive: true });
    await writeTensors(path, { weights: policy.weights() }, {});
  }
  return true;
}

function demonstrations({ seed, coldStart }: RunConfig, step: number): Problem[] {
  const random = new RandomStream(seed, STREAM.demonstrations, step);
  return Array.from({ length: coldStart.examples }, () => drawProblem(random, { heldOut: false }));
}

/** One step on demonstrations; gives the cross-entropy of their tokens, nats per token. */
function imitate(
  policy: Policy,
  optimizer: Optimizer,
  problems: readonly Problem[],
  learningRate: number,
): number {
  const responses = problems.map(({ response }) => response);
  const rows = tokenRows(responses);
  const crossEntropy = valueAndGrad((logits: Tensor<"float32", 3>) => {
    const logProbs = selectiveLogSoftmax({ logits, ...rows });
    return neg(
      reduceTokens(logProbs, { reduction: "token-mean", responseMask: rows.responseMask }),
    );
  });
  const { loss } = optimizer.minimize(
    () =>
      tfjsLoss(tf, [policy.logits(promptsOf(problems), responses)], (logits) => {
        const [value, gradients] = crossEntropy(logits as Tensor<"float32", 3>);
        return { loss: value.data[0] as number, gradients };
      }),
    learningRate,
    1,
  );
  return loss;
}

/** A name that changes with everything the weights depend on, the program's draws included. */
function nameOf(policy: Policy, config: RunConfig): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([config.seed, config.policy, config.coldStart]));
  hash.update(policy.weights());
  for (const { image, question, response } of demonstrations(config, 0)) {
    hash.update(image);
    hash.update(JSON.stringify([question, response]));
  }
  return `cold-start-${config.seed}-${hash.digest("hex").slice(0, 16)}.safetensors`;
}
