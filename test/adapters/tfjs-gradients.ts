/** Gradients of the TensorFlow.js kernels that the adapter's tests use: tfjs-core's build for Node registers none. */
import * as tf from "@tensorflow/tfjs-core";

type Gradient = (
  dy: tf.Tensor,
  saved: [tf.Tensor, tf.Tensor],
  attributes: tf.NamedAttrMap,
) => Record<string, () => tf.Tensor>;

/** Once per process. */
export function registerGradients(): void {
  register("BatchMatMul", ["a", "b"], (dy, [a, b]) => ({
    a: () => tf.matMul(dy, b, false, true),
    b: () => tf.matMul(a, dy, true, false),
  }));
  register("Add", ["a", "b"], (dy, [a, b]) => ({
    a: () => sumTo(dy, a.shape),
    b: () => sumTo(dy, b.shape),
  }));
  register("Multiply", ["a", "b"], (dy, [a, b]) => ({
    a: () => sumTo(tf.mul(dy, b), a.shape),
    b: () => sumTo(tf.mul(dy, a), b.shape),
  }));
  register("Reshape", ["x"], (dy, [x]) => ({ x: () => tf.reshape(dy, x.shape) }));
  register("Sum", ["x"], (dy, [x], { axis }) => ({
    x: () => tf.add(tf.expandDims(dy, axis as number), tf.zeros(x.shape)),
  }));
}

function register(kernelName: string, inputsToSave: string[], gradient: Gradient): void {
  tf.registerGradient({
    kernelName,
    inputsToSave,
    gradFunc: (dy, saved, attributes) =>
      gradient(dy as tf.Tensor, saved as [tf.Tensor, tf.Tensor], attributes),
  });
}

/** Sums a gradient over the axes along which its operand was broadcast. */
function sumTo(dy: tf.Tensor, shape: number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, dy.shape);
  return axes.length > 0 ? tf.reshape(tf.sum(dy, axes), shape) : tf.clone(dy);
}
