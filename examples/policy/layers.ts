/** Layers of a transformer with gradients of their own, arranged for the products that are fast on WASM. */
import * as tf from "@tensorflow/tfjs-core";
import { transposed } from "./kernels.js";

/** Makes a differentiable operation of a forward pass and the gradients in its inputs. */
export function differentiable(
  inputs: readonly tf.Tensor[],
  forward: (save: (...tensors: tf.Tensor[]) => void) => tf.Tensor,
  backward: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor[],
): tf.Tensor2D {
  const operation = tf.customGrad((...given) => ({
    value: forward((...tensors) => {
      (given.at(-1) as unknown as tf.GradSaveFunc)(tensors);
    }),
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => backward(dy, saved),
  }));
  return operation(...inputs) as tf.Tensor2D;
}

/**
 * x · weights + bias, with `relu` no less than 0: [rows, in] → [rows, out].
 *
 * Only a plain product of two matrices runs the fast kernel (XNNPACK), so the gradients transpose by copies instead of
 * flags, and the column sums are a product as well.
 */
export function linear(
  x: tf.Tensor,
  weights: tf.Tensor,
  bias?: tf.Tensor,
  activation: "linear" | "relu" = "linear",
): tf.Tensor2D {
  const inputs = bias ? [x, weights, bias] : [x, weights];
  return differentiable(
    inputs,
    (save) => {
      const y = product(x, weights, bias, activation);
      if (activation === "relu") save(x, weights, y);
      else save(x, weights);
      return y;
    },
    (dy, [x, weights, y]) => {
      const slope = y ? tf.mul(dy, tf.step(y)) : dy;
      const [input, matrix] = [x as tf.Tensor, weights as tf.Tensor];
      const gradients = [
        tf.matMul(slope, tf.transpose(matrix)),
        tf.matMul(transposed(input), slope),
      ];
      if (bias) gradients.push(columnSums(slope));
      return gradients;
    },
  );
}

function product(
  x: tf.Tensor,
  weights: tf.Tensor,
  bias: tf.Tensor | undefined,
  activation: "linear" | "relu",
): tf.Tensor {
  const [a, b] = [x as tf.Tensor2D, weights as tf.Tensor2D];
  return bias ? tf.fused.matMul({ a, b, bias, activation }) : tf.matMul(a, b);
}

function columnSums(x: tf.Tensor): tf.Tensor {
  const [rows, columns] = x.shape as [number, number];
  return tf.reshape(tf.matMul(tf.ones([1, rows]), x), [columns]);
}

const EPSILON = 1e-5;

/** LayerNorm of each row, without gain and bias: the product after it has its own. */
export function normalize(x: tf.Tensor): tf.Tensor2D {
  return differentiable(
    [x],
    (save) => {
      const centred = tf.sub(x, tf.mean(x, 1, true));
      const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), EPSILON));
      const y = tf.mul(centred, inverse);
      save(y, inverse);
      return y;
    },
    (dy, [y, inverse]) => {
      const along = tf.mean(tf.mul(dy, y as tf.Tensor), 1, true);
      const across = tf.sub(tf.sub(dy, tf.mean(dy, 1, true)), tf.mul(y as tf.Tensor, along));
      return [tf.mul(across, inverse as tf.Tensor)];
    },
  );
}
