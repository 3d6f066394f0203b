/** The example's gradients: those it registers for TensorFlow.js' kernels, and papo's on their way back to the tape. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import test from "ava";
import { registerGradients } from "../../examples/gradients.js";
import { externalLoss } from "../../examples/tfjs-loss.js";
import { zeros } from "../../lib/index.js";

test.before(async () => {
  registerGradients();
  await tf.setBackend("wasm");
});

type Values = Parameters<typeof tf.tensor>[0];

/** The largest difference between the tape's gradients of Σ f(inputs) and central differences. */
function gradientError(f: (...inputs: tf.Tensor[]) => tf.Tensor, ...inputs: tf.Tensor[]): number {
  const sum = (...at: tf.Tensor[]): tf.Tensor => {
    const value = f(...at);
    return tf.sum(tf.reshape(value, [value.size]), 0);
  };
  const step = 2 ** -6;
  let largest = 0;
  tf.grads(sum)(inputs).forEach((gradient, which) => {
    const data = inputs[which]!.dataSync();
    gradient.dataSync().forEach((slope, at) => {
      const [above, below] = [step, -step].map((by) => {
        const moved = Float32Array.from(data, (value, i) => value + (i === at ? by : 0));
        const all = inputs.map((x, i) => (i === which ? tf.tensor(moved as Values, x.shape) : x));
        return sum(...all).dataSync()[0]!;
      });
      largest = Math.max(largest, Math.abs(slope - (above! - below!) / (2 * step)));
    });
  });
  return largest;
}

const random = (shape: number[], seed: number): tf.Tensor =>
  tf.randomUniform(shape, 0.2, 1, "float32", seed);

test("a matrix product, either operand the narrower", (t) => {
  const square = (x: tf.Tensor): tf.Tensor => tf.mul(x, x);
  const product = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => square(tf.matMul(a, b));
  t.true(gradientError(product as never, random([3, 2], 1), random([2, 4], 2)) < 2e-3);
  t.true(gradientError(product as never, random([3, 4], 1), random([4, 2], 2)) < 2e-3);
});

test("sums and products that broadcast", (t) => {
  const shapes = [
    [2, 1, 3],
    [1, 4, 3],
  ] as const;
  const [a, b] = shapes.map((shape, at) => random([...shape], at)) as [tf.Tensor, tf.Tensor];
  t.true(gradientError((x, y) => tf.mul(x!, y!), a, b) < 1e-3);
  t.true(gradientError((x, y) => tf.mul(tf.add(x!, y!), x!), a, b) < 1e-3);
});

test("relu, on either side of 0", (t) => {
  const x = tf.tensor1d([-1, -0.5, 0.5, 2]);
  t.true(gradientError((input) => tf.mul(tf.relu(input!), 3), x) < 1e-3);
});

test("an external loss gives its gradients to the tape, times what comes from above", (t) => {
  const logits = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  const f = (x: tf.Tensor, y: tf.Tensor): tf.Tensor =>
    tf.mul(
      externalLoss([x as tf.Tensor2D, y as tf.Tensor2D], 1, (seen, other) => {
        t.deepEqual(seen.shape, [1, 2, 3]);
        t.deepEqual([...other.data], [1, 2, 3, 4, 5, 6]);
        const gradient = zeros([1, 2, 3]);
        gradient.data.set([1, 0, 0, 0, 0, -2]);
        return { loss: 7, gradients: [gradient, undefined] };
      }),
      10,
    );
  const { value, grads } = tf.valueAndGrads(f as never)([logits, tf.clone(logits)]);
  t.is(value.dataSync()[0], 70);
  t.deepEqual([...grads[0]!.dataSync()], [10, 0, 0, 0, 0, -20]);
  t.deepEqual([...grads[1]!.dataSync()], [0, 0, 0, 0, 0, 0]);
});
