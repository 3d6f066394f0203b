/** Gradients of the few TensorFlow.js kernels the policy uses: tfjs-core's build for Node registers none. */
import * as tf from "@tensorflow/tfjs-core";

/** Registers them; once per process. */
export function registerGradients(): void {
  // Copies instead of transpose flags: on WASM only a plain product of two matrices runs the fast kernel
  // (XNNPACK), and a flag makes the product several times slower.
  register("BatchMatMul", { save: ["a", "b"] }, (dy, [a, b]) => ({
    a: () => tf.matMul(dy, tf.transpose(b)),
    b: () => transposedProduct(a, dy),
  }));
  register("Add", { save: ["a", "b"] }, (dy, [a, b]) => ({
    a: () => sumTo(dy, a.shape),
    b: () => sumTo(dy, b.shape),
  }));
  register("Multiply", { save: ["a", "b"] }, (dy, [a, b]) => ({
    a: () => sumTo(tf.mul(dy, b), a.shape),
    b: () => sumTo(tf.mul(dy, a), b.shape),
  }));
  register("Relu", { save: ["x"] }, (dy, [x]) => ({ x: () => tf.mul(dy, tf.step(x)) }));
  register("Reshape", { save: ["x"] }, (dy, [x]) => ({ x: () => tf.reshape(dy, x.shape) }));
  register("Sum", { save: ["x"] }, (dy, [x], { axis }) => ({
    // A sum with zeros broadcasts; tf.broadcastTo would tile, which is slower on WASM.
    x: () => tf.add(tf.expandDims(dy, axis as number), tf.zeros(x.shape)),
  }));
}

type Gradient = (
  dy: tf.Tensor,
  saved: [tf.Tensor, tf.Tensor],
  attributes: tf.NamedAttrMap,
) => Record<string, () => tf.Tensor>;

function register(kernelName: string, { save }: { save: string[] }, gradient: Gradient): void {
  tf.registerGradient({
    kernelName,
    inputsToSave: save,
    gradFunc: (dy, saved, attributes) =>
      gradient(dy as tf.Tensor, saved as [tf.Tensor, tf.Tensor], attributes),
  });
}

/** aᵀ · b, by way of the transpose of the narrower operand: transposing is slow on WASM as well. */
function transposedProduct(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const [aColumns, bColumns] = [a.shape[1] as number, b.shape[1] as number];
  if (aColumns <= bColumns) return tf.matMul(tf.transpose(a), b);
  return tf.transpose(tf.matMul(tf.transpose(b), a));
}

/** Sums a gradient over the axes along which its operand was broadcast. */
function sumTo(dy: tf.Tensor, shape: number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes(shape, dy.shape);
  return axes.length > 0 ? tf.reshape(tf.sum(dy, axes), shape) : tf.clone(dy);
}
