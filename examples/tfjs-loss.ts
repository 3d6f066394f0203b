/** The bridge to TensorFlow.js: logits leave its tape for papo, and papo's gradients come back to it. */
import * as tf from "@tensorflow/tfjs-core";
import { type Tensor, tensor } from "../lib/index.js";

/** A scalar and its gradients, one for each set of logits; an absent one is zero. */
export interface LossAndGradients {
  readonly loss: number;
  readonly gradients: readonly (Tensor | undefined)[];
}

/**
 * A loss computed outside TensorFlow.js as a scalar of its tape, so that any tf.Optimizer can minimise it.
 *
 * @param logits     each [rows, vocab] float32, on the tape
 * @param sequences  rows are [sequences · tokens]; papo gets them as [sequences, tokens, vocab]
 * @param evaluate   called once, at once (a tape cannot wait), with a copy of the logits that it may overwrite
 */
export function externalLoss(
  logits: readonly tf.Tensor2D[],
  sequences: number,
  evaluate: (...logits: Tensor<"float32", 3>[]) => LossAndGradients,
): tf.Scalar {
  const loss = tf.customGrad<tf.Scalar>((...args) => {
    const inputs = args.slice(0, logits.length) as tf.Tensor2D[];
    const result = evaluate(
      ...inputs.map((input) => {
        const [rows, vocab] = input.shape;
        // A copy, always: WASM memory may move whenever it grows.
        const data = input.dataSync<"float32">();
        return tensor(data, { shape: [sequences, rows / sequences, vocab] });
      }),
    );
    const gradFunc = (gradLoss: tf.Scalar): tf.Tensor[] =>
      inputs.map(({ shape }, at) => {
        const gradient = result.gradients[at];
        if (gradient === undefined) return tf.zeros(shape);
        return tf.mul(tf.tensor2d(gradient.data as Float32Array, shape), gradLoss);
      });
    return { value: tf.scalar(result.loss), gradFunc };
  });
  return loss(...logits);
}
