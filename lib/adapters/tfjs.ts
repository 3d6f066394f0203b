/**
 * `papo/tfjs`: objectives as scalars of TensorFlow.js' tape, with their gradients.
 *
 * @module papo/tfjs
 */

import type * as tfjs from "@tensorflow/tfjs-core";
import { checkFunction, checkObject, checkSignal, readOptions } from "../core/arguments.js";
import { isArray } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import type { Objective } from "../objective/objective.js";
import {
  checkObjective,
  type DifferentiableName,
  differentiable,
  type Evaluated,
  FRAMEWORK_OPTIONS,
  type FrameworkBatch,
  type FrameworkOptions,
  type Rest,
  readFields,
  withOutputs,
  withoutGradients,
} from "./framework-batch.js";
import {
  clones,
  evaluateAsync,
  replay,
  type TfjsGradients,
  type TfjsOutputs,
} from "./tfjs-async.js";
import { gradientOf, viewsOfBatch } from "./tfjs-batch.js";
import { checkTfjs, TFJS, type Tfjs } from "./tfjs-memory.js";
import { onTape } from "./tfjs-tape.js";

export { tfjsLoss } from "./tfjs-loss.js";
export type { DifferentiableName, Evaluated, Tfjs, TfjsGradients, TfjsOutputs };
/** A batch whose logits (or log-probs) are a tf.Tensor; every other field may be one. */
export type TfjsBatch = FrameworkBatch<tfjs.Tensor>;
/** The fields of a batch that a forward pass does not give; each may be a tf.Tensor. */
export type TfjsRest = Rest<tfjs.Tensor>;
/** Options of an evaluation; a gradient's scale and memory are TensorFlow.js' affair. */
export type TfjsOptions = FrameworkOptions;

/** Options of `TfjsObjective.evaluateAsync`. */
export interface TfjsAsyncOptions extends TfjsOptions {
  /** An abort stops at the next block of rows and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `TfjsObjective.variableGrads`. */
export interface TfjsVariableOptions extends TfjsAsyncOptions {
  /** Whose gradients are wanted; all trainable ones if absent. */
  readonly variables?: readonly tfjs.Variable[] | undefined;
}

/** Made by `tfjsObjective`. */
export interface TfjsObjective {
  /**
   * The loss as a scalar of the tape, for `optimizer.minimize(() => papo.evaluate(batch).loss)`.
   *
   * Gradients flow into logits and, where `maskedBranch` is "differentiable", masked logits (of a batch of log-probs:
   * into its log-probs and exact statistics). They are computed with the loss, once, and only where a tape records.
   * Second derivatives take them for constants.
   *
   * @throws PapoError ERR_DTYPE for anything but float32, ERR_SHAPE for logits that are not [rows, vocab] or [sequences,
   *         tokens, vocab], ERR_DISPOSED, ERR_OUT_OF_MEMORY where WASM's 4 GiB are full, and as `Objective.evaluate`
   */
  evaluate(
    batch: TfjsBatch,
    options?: TfjsOptions,
  ): {
    /** The loss, on the tape. */
    readonly loss: tfjs.Scalar;
    /** Loss, terms and metrics. */
    readonly evaluation: Evaluated;
  };
  /** The same off the event loop and off the tape: gradients as tensors. What is read was read when the promise settles. */
  evaluateAsync(
    batch: TfjsBatch,
    options?: TfjsAsyncOptions,
  ): Promise<{
    /** Loss, terms and metrics. */
    readonly evaluation: Evaluated;
    /** d loss / d tensor of the batch. */
    readonly gradients: TfjsGradients;
  }>;
  /**
   * Gradients in the variables, without blocking the event loop while papo computes: forward, `evaluateAsync`, forward once
   * more on a tape (a tape cannot wait) and back. For `optimizer.applyGradients(grads)`; then `tf.dispose(grads)`.
   *
   * @param forward  called twice, and must give the same both times: no fresh dropout. Only outputs that the loss has
   *                 gradients in belong here
   * @param batch    the other fields
   */
  variableGrads(
    forward: () => TfjsOutputs,
    batch: TfjsRest,
    options?: TfjsVariableOptions,
  ): Promise<{
    /** Loss, terms and metrics. */
    readonly evaluation: Evaluated;
    /** d loss / d variable, by its name. */
    readonly grads: tfjs.NamedTensorMap;
  }>;
}

/**
 * An objective for TensorFlow.js.
 *
 * @param tf  the library as the program imported it, with whatever backend is set: nothing is imported here, so bundlers
 *            and programs with two copies of it get the one they mean
 * @throws PapoError ERR_ARGUMENT
 */
export function tfjsObjective(tf: Tfjs, objective: Objective): TfjsObjective {
  checkTfjs("tfjsObjective", tf);
  checkObjective("tfjsObjective", objective);
  return Object.freeze({
    evaluate(batch: TfjsBatch, options: TfjsOptions = {}) {
      const where = "TfjsObjective.evaluate";
      const said = readOptions(where, options, FRAMEWORK_OPTIONS);
      const fields = readFields(where, batch, TFJS);
      // Without gradients the loss is a constant of the tape, which complains where it is differentiated.
      const inputs = said.gradients === false ? [] : differentiable(fields, objective.spec, TFJS);
      const tensors = inputs.map(([, each]) => each);
      let evaluated: Evaluated | undefined;
      const loss = onTape(tf, tensors, (gradients) => {
        const { batch, memory, made } = viewsOfBatch(tf, where, fields, gradients ? inputs : []);
        const result = objective.evaluate(batch, { ...said, ...memory, gradients });
        evaluated = withoutGradients(result);
        const all = inputs.map(([name]) => made[name] ?? gradientOf(tf, result, name));
        return { loss: result.loss, gradients: all };
      });
      return { loss, evaluation: evaluated as unknown as Evaluated };
    },
    async evaluateAsync(batch: TfjsBatch, options: TfjsAsyncOptions = {}) {
      const where = "TfjsObjective.evaluateAsync";
      const said = readOptions(where, options, [...FRAMEWORK_OPTIONS, "signal"]);
      checkSignal(where, said.signal);
      const fields = readFields(where, batch, TFJS);
      return evaluateAsync(tf, objective, fields, said);
    },
    async variableGrads(
      forward: () => TfjsOutputs,
      batch: TfjsRest,
      options: TfjsVariableOptions = {},
    ) {
      const where = "TfjsObjective.variableGrads";
      checkFunction(where, "forward", forward);
      const known = [...FRAMEWORK_OPTIONS, "signal", "variables"] as const;
      const { variables, ...said } = readOptions(where, options, known);
      checkSignal(where, said.signal);
      checkVariables(where, variables);
      checkObject(where, "the batch", batch);
      const seen = tf.tidy(() => clones(tf, where, forward()) as tfjs.NamedTensorMap);
      const evaluated = async () => {
        const fields = readFields(where, withOutputs(batch, seen), TFJS);
        return evaluateAsync(tf, objective, fields, said);
      };
      const { evaluation, gradients } = await evaluated().finally(() => tf.dispose(seen));
      try {
        const { value, grads } = tf.variableGrads(
          () => replay(tf, where, forward(), gradients, evaluation.loss),
          variables && [...variables],
        );
        value.dispose();
        return { evaluation, grads };
      } finally {
        tf.dispose(gradients as tfjs.NamedTensorMap);
      }
    },
  });
}

function checkVariables(where: string, variables: unknown): void {
  if (variables === undefined || isArray(variables)) return;
  throw expected("ERR_ARGUMENT", where, "variables to be an array", describe(variables));
}
