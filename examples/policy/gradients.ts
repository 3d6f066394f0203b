/** Gradients of the TensorFlow.js kernels between the layers: tfjs-core's build for Node registers none. */
import * as tf from "@tensorflow/tfjs-core";

/** Registers those that are not there yet. */
export function registerGradients(): void {
  // Reshapes instead of clones: on WASM a clone is a copy.
  register("Add", ["a", "b"], (dy, [a, b]) => {
    if (!sameShape(a, b)) throw new Error("the gradient of a sum that broadcasts is not here");
    return { a: () => tf.reshape(dy, dy.shape), b: () => tf.reshape(dy, dy.shape) };
  });
  register("Reshape", ["x"], (dy, [x]) => ({ x: () => tf.reshape(dy, x.shape) }));
}

type Gradient = (
  dy: tf.Tensor,
  saved: readonly [tf.Tensor, tf.Tensor],
) => Record<string, () => tf.Tensor>;

function register(kernelName: string, inputsToSave: string[], gradient: Gradient): void {
  if (tf.getGradient(kernelName)) return;
  tf.registerGradient({
    kernelName,
    inputsToSave,
    gradFunc: (dy, saved) => gradient(dy as tf.Tensor, saved as [tf.Tensor, tf.Tensor]),
  });
}

function sameShape(a: tf.Tensor, b: tf.Tensor): boolean {
  return a.shape.length === b.shape.length && a.shape.every((length, at) => length === b.shape[at]);
}
