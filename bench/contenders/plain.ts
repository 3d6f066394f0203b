/** The float64 reference: the same loss in plain TypeScript, and what every contender's error is measured against. */
import { papoLoss } from "../../lib/reference/index.js";
import { type Batch, OBJECTIVE } from "../cases.js";
import type { Evaluation, Gradients } from "./contender.js";

export interface Reference extends Gradients {
  readonly loss: number;
}

export function reference(batch: Batch): Reference {
  const { rows, vocab, logits, maskedLogits, tokenIds } = batch;
  const { oldLogProbs, refLogProbs, advantages } = batch;
  const { loss, gradLogits, gradMaskedLogits } = papoLoss({
    rows,
    vocabSize: vocab,
    logits,
    maskedLogits,
    tokenIds,
    oldLogProbs,
    refLogProbs,
    advantages,
    ...OBJECTIVE,
  });
  return { loss, gradLogits, gradMaskedLogits: gradMaskedLogits as Float64Array };
}

export function setUpPlain(batch: Batch): Evaluation {
  let last: Reference | undefined;
  return {
    run() {
      last = reference(batch);
      return last.loss;
    },
    gradients: () => last as Gradients,
    freshOutputBytes: 2 * 8 * batch.rows * batch.vocab,
  };
}
