/** The same loss written in TensorFlow.js, on its WebAssembly backend (SIMD; in Node it has one thread). */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { type Batch, OBJECTIVE } from "../cases.js";
import type { Evaluation } from "./contender.js";

const require = createRequire(import.meta.url);

export async function setUpTfjs(batch: Batch): Promise<Evaluation> {
  // tfjs-core's Node bundle registers no gradients; its own ones lie beside it, loadable only this way.
  require("@tensorflow/tfjs-core/dist/register_all_gradients");
  const backend = require.resolve("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(`${dirname(backend)}/`);
  await tf.setBackend("wasm");
  const shape: [number, number] = [batch.rows, batch.vocab];
  const logits = tf.tensor2d(batch.logits, shape);
  const maskedLogits = tf.tensor2d(batch.maskedLogits, shape);
  const tokenIds = tf.tensor1d(batch.tokenIds, "int32");
  const column = (values: Float64Array) => tf.tensor1d(Float32Array.from(values));
  const rows = {
    tokenIds,
    oldLogProbs: column(batch.oldLogProbs),
    refLogProbs: column(batch.refLogProbs),
    advantages: column(batch.advantages),
  };
  const valueAndGrads = tf.valueAndGrads((seeing, hidden) =>
    loss(seeing as tf.Tensor2D, hidden as tf.Tensor2D, rows),
  );
  let grads: tf.Tensor[] = [];
  return {
    run() {
      tf.dispose(grads);
      const result = tf.tidy(() => valueAndGrads([logits, maskedLogits]));
      grads = result.grads;
      const value = result.value.dataSync()[0] as number;
      result.value.dispose();
      return value;
    },
    gradients: () => ({
      gradLogits: (grads[0] as tf.Tensor).dataSync(),
      gradMaskedLogits: (grads[1] as tf.Tensor).dataSync(),
    }),
    freshOutputBytes: 2 * 4 * batch.rows * batch.vocab,
  };
}

interface Rows {
  readonly tokenIds: tf.Tensor1D;
  readonly oldLogProbs: tf.Tensor1D;
  readonly refLogProbs: tf.Tensor1D;
  readonly advantages: tf.Tensor1D;
}

function loss(logits: tf.Tensor2D, maskedLogits: tf.Tensor2D, rows: Rows): tf.Scalar {
  const logP = tf.logSoftmax(logits);
  const logQ = tf.logSoftmax(maskedLogits);
  const p = tf.exp(logP);
  const entropy = tf.neg(tf.sum(tf.mul(p, logP), 1));
  const maskedEntropy = tf.neg(tf.sum(tf.mul(tf.exp(logQ), logQ), 1));
  const kl = tf.sum(tf.mul(p, tf.sub(logP, logQ)), 1);
  // A one-hot product: the gradient of a gather takes minutes at this size. The cast stands apart because
  // the WebAssembly kernel writes integers whatever dtype oneHot is asked for.
  const chosen = tf.cast(tf.oneHot(rows.tokenIds, logits.shape[1]), "float32");
  const logProbs = tf.sum(tf.mul(logP, chosen), 1);

  const { advantages } = rows;
  const ratio = tf.exp(tf.sub(logProbs, rows.oldLogProbs));
  const clipped = tf.clipByValue(ratio, 1 - OBJECTIVE.clipLow, 1 + OBJECTIVE.clipHigh);
  const pessimistic = tf.maximum(
    tf.neg(tf.mul(advantages, ratio)),
    tf.neg(tf.mul(advantages, clipped)),
  );
  const bounded = tf.minimum(pessimistic, tf.mul(advantages, -OBJECTIVE.clipDual));
  const surrogate = tf.where(tf.less(advantages, 0), bounded, pessimistic);
  const difference = tf.sub(rows.refLogProbs, logProbs);
  const refKl = tf.sub(tf.sub(tf.exp(difference), 1), difference);

  const terms = [
    surrogate,
    tf.mul(refKl, OBJECTIVE.refKlCoef),
    tf.mul(kl, -OBJECTIVE.perceptionKlCoef),
    tf.mul(entropy, OBJECTIVE.entropyCoef),
    tf.mul(maskedEntropy, OBJECTIVE.maskedEntropyCoef),
  ];
  return tf.mean(tf.addN(terms)) as tf.Scalar;
}
