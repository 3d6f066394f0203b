/** The optimiser steps on a batch of rollouts: forward passes, papo, backward, for each minibatch. */
import * as tf from "@tensorflow/tfjs-core";
import { tfjsObjective } from "../../lib/adapters/tfjs.js";
import type { Coefficients, CoefficientsInput, Metrics, Objective } from "../../lib/index.js";
import type { PerceptionBackoff } from "../../lib/monitor/index.js";
import type { Policy } from "../policy/index.js";
import { learningRateAt, type RunConfig } from "./config.js";
import { maskedImages } from "./masking.js";
import type { Optimizer } from "./optimizer.js";
import { advantagesOf, part, promptsOf, type Rollouts, tokenRows } from "./rollouts.js";

/** What one optimiser step gave. */
export interface Update {
  readonly loss: number;
  /** Before it was bounded. */
  readonly gradNorm: number;
  readonly metrics: Metrics;
  readonly coefficients: Coefficients;
  /** Inside papo. */
  readonly milliseconds: number;
}

/** What an update works with. */
export interface Learner {
  readonly config: RunConfig;
  readonly objective: Objective;
  readonly policy: Policy;
  /** The policy of the cold start, frozen; only where the objective has a reference KL. */
  readonly reference: Policy | undefined;
  readonly optimizer: Optimizer;
  /** Only where the config has it. */
  readonly backoff?: PerceptionBackoff | undefined;
}

/** One optimiser step on each minibatch of a batch. */
export function updateOn(learner: Learner, rollouts: Rollouts, batch: number): Update[] {
  const { config, objective, policy, reference, optimizer } = learner;
  const { maxGradNorm } = config;
  const learningRate = learningRateAt(config.learningRate, batch, config.batches);
  const { spec } = objective;
  const papo = tfjsObjective(tf, objective);
  const coefficients = coefficientsAt(learner, batch);
  const masked = usesMasked(objective, config)
    ? maskedImages(rollouts.problems, config.mask, { seed: config.seed, step: batch })
    : undefined;
  const parts = minibatches(rollouts, masked, config.minibatches);
  // What is constant is scored by the policy that sampled, before its first step, as in the authors' code.
  const constants = parts.map(({ prompts, maskedPrompts, responses }) => ({
    refLogits: reference && tf.tidy(() => reference.logits(prompts, responses)),
    maskedLogits:
      maskedPrompts && spec.maskedBranch === "constant"
        ? tf.tidy(() => policy.logits(maskedPrompts, responses))
        : undefined,
  }));
  const updates = parts.map(({ prompts, maskedPrompts, responses, rows }, at): Update => {
    let said: Omit<Update, "loss" | "gradNorm"> | undefined;
    const step = optimizer.moments.updates;
    const { refLogits, maskedLogits: constant } = constants[at] ?? {};
    const minimized = optimizer.minimize(
      () => {
        const logits = policy.logits(prompts, responses);
        const maskedLogits = constant ?? (maskedPrompts && policy.logits(maskedPrompts, responses));
        const asked = performance.now();
        const { loss, evaluation } = papo.evaluate(
          { logits, maskedLogits, refLogits, ...rows },
          { step, seed: step, coefficients },
        );
        const milliseconds = performance.now() - asked;
        const { metrics, coefficients: inForce } = evaluation;
        said = { metrics, coefficients: inForce, milliseconds };
        return loss;
      },
      learningRate,
      maxGradNorm,
    );
    if (said === undefined) throw new Error("the loss was not computed");
    return { ...minimized, ...said };
  });
  tf.dispose(constants as unknown as tf.TensorContainer);
  return updates;
}

/** Coefficients that hold in place of the spec's at a batch. */
function coefficientsAt(
  { config, backoff }: Learner,
  batch: number,
): CoefficientsInput | undefined {
  const { later } = config.objective;
  if (later && batch < later.batch) return undefined;
  return later || backoff ? { ...later?.coefficients, ...backoff?.coefficients } : undefined;
}

/** Whether the loss looks at the masked policy: a run of GRPO or DAPO is spared its forward passes. */
export function usesMasked({ spec }: Objective, { objective }: RunConfig): boolean {
  const later = objective.later?.coefficients;
  return (
    spec.perceptionKlCoef !== 0 ||
    spec.maskedEntropyCoef !== 0 ||
    (later?.perceptionKl ?? 0) !== 0 ||
    (later?.maskedEntropy ?? 0) !== 0 ||
    spec.policyTokenMask?.by === "perception" ||
    spec.advantageShaping !== null
  );
}

/** The groups of a batch in parts of about the same size, at most as many as there are groups. */
function minibatches(
  rollouts: Rollouts,
  masked: readonly Float32Array[] | undefined,
  wanted: number,
) {
  const groups = rollouts.problems.length;
  const count = Math.min(wanted, groups);
  return Array.from({ length: count }, (_, at) => {
    const [first, last] = [at, at + 1].map((edge) => Math.round((edge * groups) / count)) as [
      number,
      number,
    ];
    const own = part(rollouts, first, last);
    const images = masked?.slice(first, last);
    const { responses, oldLogProbs, judgements } = own;
    return {
      prompts: promptsOf(own.problems),
      maskedPrompts: images && promptsOf(own.problems, images),
      responses,
      rows: {
        ...tokenRows(responses),
        oldLogProbs,
        advantages: advantagesOf(own),
        accuracies: judgements.map(({ accuracy }) => accuracy),
      },
    };
  });
}
