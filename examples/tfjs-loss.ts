/** The policy's logits on their way to papo: rows of answers and tokens, by the adapter for TensorFlow.js. */
import * as tf from "@tensorflow/tfjs-core";
import { tfjsLoss } from "../lib/adapters/tfjs.js";
import type { Tensor } from "../lib/index.js";

/** A scalar and its gradients, one for each set of logits; an absent one is zero. */
export interface LossAndGradients {
  readonly loss: number;
  readonly gradients: readonly (Tensor | undefined)[];
}

/**
 * A loss computed by papo as a scalar of TensorFlow.js' tape, so that any tf.Optimizer can minimise it.
 *
 * @param logits     each [rows, vocab] float32, on the tape
 * @param sequences  rows are [sequences · tokens]; papo gets them as [sequences, tokens, vocab]
 * @param evaluate   called once, at once (a tape cannot wait), with the logits where they lie: read only, until it returns
 */
export function externalLoss(
  logits: readonly tf.Tensor2D[],
  sequences: number,
  evaluate: (...logits: Tensor<"float32", 3>[]) => LossAndGradients,
): tf.Scalar {
  const shaped = logits.map((each) => {
    const [rows, vocab] = each.shape;
    return tf.reshape(each, [sequences, rows / sequences, vocab]);
  });
  return tfjsLoss(tf, shaped, (...seen) => evaluate(...(seen as Tensor<"float32", 3>[])));
}
