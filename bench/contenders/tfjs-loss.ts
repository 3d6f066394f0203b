/** The loss in the ops of TensorFlow.js, with its own gradients. */
import type * as tf from "@tensorflow/tfjs-core";
import { type Batch, OBJECTIVE } from "../cases.js";
import type { Evaluation, Setting } from "./contender.js";

/** The library, which is loaded only where it takes part. */
export type Tfjs = typeof tf;

/** The batch in the memory of the backend that is set, and the loss of it there. */
export function setUpLoss(tf: Tfjs, batch: Batch, { operation }: Setting): Evaluation {
  const shape: [number, number] = [batch.rows, batch.vocab];
  const column = (values: Float64Array) => tf.tensor1d(Float32Array.from(values));
  const logits = [
    tf.tensor2d(batch.logits, shape),
    tf.tensor2d(batch.maskedLogits, shape),
  ] as const;
  const rows: Rows = {
    chosen: tf.tensor2d([...batch.tokenIds.entries()], [batch.rows, 2], "int32"),
    oldLogProbs: column(batch.oldLogProbs),
    refLogProbs: column(batch.refLogProbs),
    advantages: column(batch.advantages),
  };
  let last: tf.TensorContainerObject = {};
  const valueAndGrads = tf.valueAndGrads((seeing, hidden) => {
    const { loss, ...statistics } = lossOf(tf, seeing as tf.Tensor2D, hidden as tf.Tensor2D, rows);
    for (const statistic of Object.values(statistics)) tf.keep(statistic);
    last = statistics;
    return loss;
  });
  const evaluate = (): tf.TensorContainerObject => {
    if (operation === "forward") return { ...lossOf(tf, ...logits, rows) };
    const { value, grads } = valueAndGrads([...logits]);
    return { ...last, loss: value, gradLogits: grads[0], gradMaskedLogits: grads[1] };
  };
  const read = (name: string) => (last[name] as tf.Tensor | undefined)?.dataSync();
  return {
    run() {
      tf.dispose(last);
      last = tf.tidy(evaluate);
      // Its backends in Node compute at once; reading the loss is what a caller does anyway.
      read("loss");
    },
    results: () => ({
      loss: read("loss")?.[0] as number,
      logProbs: read("logProbs") as Float32Array,
      entropy: read("entropy") as Float32Array,
      kl: read("kl") as Float32Array,
      ...(operation === "gradients" && {
        gradLogits: read("gradLogits") as Float32Array,
        gradMaskedLogits: read("gradMaskedLogits") as Float32Array,
      }),
    }),
    freshOutputBytes: operation === "gradients" ? 2 * 4 * batch.rows * batch.vocab : 0,
  };
}

interface Rows {
  /** [rows, 2], row and token. */
  readonly chosen: tf.Tensor2D;
  readonly oldLogProbs: tf.Tensor1D;
  readonly refLogProbs: tf.Tensor1D;
  readonly advantages: tf.Tensor1D;
}

function lossOf(tf: Tfjs, logits: tf.Tensor2D, maskedLogits: tf.Tensor2D, rows: Rows) {
  const logP = tf.logSoftmax(logits);
  const logQ = tf.logSoftmax(maskedLogits);
  const p = tf.exp(logP);
  const entropy = tf.neg(tf.sum(tf.mul(p, logP), 1));
  const maskedEntropy = tf.neg(tf.sum(tf.mul(tf.exp(logQ), logQ), 1));
  const kl = tf.sum(tf.mul(p, tf.sub(logP, logQ)), 1);
  const logProbs = pick(tf, logP, rows.chosen);

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
  return { loss: tf.mean(tf.addN(terms)) as tf.Scalar, logProbs, entropy, kl };
}

/** One element of each row. gatherND has no gradient, and those of its other gathers take minutes at this size. */
function pick(tf: Tfjs, values: tf.Tensor2D, at: tf.Tensor2D): tf.Tensor1D {
  const gather = tf.customGrad((x) => ({
    value: tf.gatherND(x as tf.Tensor, at),
    gradFunc: (dy: tf.Tensor) => tf.scatterND(at, dy, values.shape),
  }));
  return gather(values) as tf.Tensor1D;
}
