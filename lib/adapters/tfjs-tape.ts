/** A loss computed outside TensorFlow.js as a scalar of its tape. */
import type * as tfjs from "@tensorflow/tfjs-core";
import { liesOnHost, type Tfjs } from "./tfjs-memory.js";

/** A loss, and its gradient in each input; an absent one is zero. */
export interface Outcome {
  readonly loss: number;
  readonly gradients: readonly (tfjs.Tensor | undefined)[];
}

/**
 * The loss as a scalar of the tape, whose gradients in the inputs are those of the outcome.
 *
 * @param compute  called once, at once: a tape cannot wait. It is told whether gradients are wanted, which is whether a
 *                 tape records; tensors that it makes live as long as the tape needs them.
 */
export function onTape(
  tf: Tfjs,
  inputs: readonly tfjs.Tensor[],
  compute: (gradients: boolean) => Outcome,
): tfjs.Scalar {
  if (inputs.length === 0) return tf.scalar(compute(false).loss);
  const recording = tf.engine().isTapeOn();
  const loss = tf.customGrad<tfjs.Scalar>((...args) => {
    const save = args[inputs.length] as unknown as tfjs.GradSaveFunc;
    const { loss, gradients } = compute(recording);
    const present = gradients.filter((gradient) => gradient !== undefined);
    // What is not saved ends with this function.
    save(present);
    const gradFunc = (gradLoss: tfjs.Scalar, saved: tfjs.Tensor[]): tfjs.Tensor[] => {
      const factor = liesOnHost(tf) ? gradLoss.dataSync()[0] : undefined;
      let next = 0;
      return inputs.map((input, at) => {
        if (gradients[at] === undefined) return tf.zeros(input.shape);
        const gradient = saved[next++] as tfjs.Tensor;
        // A clone shares the memory; the tape disposes of what it saved.
        return factor === 1 ? tf.clone(gradient) : tf.mul(gradient, gradLoss);
      });
    };
    return { value: tf.scalar(loss), gradFunc };
  });
  return loss(...inputs);
}
