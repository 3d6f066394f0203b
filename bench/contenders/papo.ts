/** papo itself: the fused op behind an objective, and the same loss composed from public functions. */
import {
  add,
  clippedSurrogate,
  fromBfloat16,
  type Logits,
  mul,
  objective,
  reduceTokens,
  type Scalar,
  sub,
  type Tensor,
  tensor,
  toBfloat16,
  tokenKl,
  tokenStats,
  valueAndGrad,
} from "../../lib/index.js";
import { type Batch, OBJECTIVE } from "../cases.js";
import type { Evaluation, Gradients, Variant } from "./contender.js";

/** One evaluation through an objective: statistics, loss and both gradients in one call of the engine. */
export function setUpFused(batch: Batch, variant: Variant): Evaluation {
  const { tokenIds, oldLogProbs, refLogProbs, advantages } = batch;
  const { logits, maskedLogits, gradLogits, gradMaskedLogits } = memory(batch, variant);
  const papo = objective(OBJECTIVE).build();
  const memoryOptions = variant.inPlace ? { inPlace: true } : { gradLogits, gradMaskedLogits };
  return {
    ...(variant.inPlace ? { prepare: restore(batch, logits, maskedLogits) } : {}),
    run: () =>
      papo.evaluate(
        { logits, maskedLogits, tokenIds, oldLogProbs, refLogProbs, advantages },
        memoryOptions,
      ).loss,
    gradients: () =>
      variant.inPlace ? read(logits, maskedLogits) : read(gradLogits, gradMaskedLogits),
    freshOutputBytes: 0,
  };
}

/** The same loss as a user would write another one: two walks over the vocabulary, autograd between them. */
export function setUpComposed(batch: Batch, variant: Variant): Evaluation {
  const { logits, maskedLogits, gradLogits, gradMaskedLogits } = memory(batch, variant);
  const out = [gradLogits, gradMaskedLogits];
  const evaluate = valueAndGrad((seeing: Logits, hidden: Logits) => loss(seeing, hidden, batch), {
    out,
  });
  return {
    run: () => evaluate(logits, maskedLogits)[0].data[0] as number,
    gradients: () => read(gradLogits, gradMaskedLogits),
    freshOutputBytes: 0,
  };
}

function loss(logits: Logits, maskedLogits: Logits, batch: Batch): Scalar {
  const { tokenIds, oldLogProbs, refLogProbs, advantages } = batch;
  const { clipLow, clipHigh, clipDual, reduction, denominatorEpsilon } = OBJECTIVE;
  const stats = tokenStats({ logits, maskedLogits, tokenIds });
  const { logProbs } = stats;
  const surrogate = clippedSurrogate({
    logProbs,
    oldLogProbs,
    advantages,
    clipLow,
    clipHigh,
    clipDual,
  });
  const refKl = tokenKl({
    logProbs,
    otherLogProbs: refLogProbs,
    estimator: OBJECTIVE.refKlEstimator,
  });
  const policyTerms = add(surrogate, mul(refKl, OBJECTIVE.refKlCoef));
  const seeingTerms = sub(policyTerms, mul(stats.kl, OBJECTIVE.perceptionKlCoef));
  const entropies = add(
    mul(stats.entropy, OBJECTIVE.entropyCoef),
    mul(stats.maskedEntropy, OBJECTIVE.maskedEntropyCoef),
  );
  return reduceTokens(add(seeingTerms, entropies), { reduction, denominatorEpsilon });
}

interface Memory {
  readonly logits: Logits;
  readonly maskedLogits: Logits;
  readonly gradLogits: Logits;
  readonly gradMaskedLogits: Logits;
}

/** Inputs in the variant's dtype, and outputs whose pages have been touched once, as a trainer's pool would have. */
function memory({ rows, vocab, logits, maskedLogits }: Batch, { dtype }: Variant): Memory {
  const shape = [rows, vocab] as const;
  const wrap = (values: Float32Array): Logits =>
    dtype === "float32"
      ? tensor(values, { shape })
      : tensor(toBfloat16(values), { shape, dtype: "bfloat16" });
  const output = (): Logits => wrap(new Float32Array(rows * vocab).fill(1));
  return {
    logits: wrap(logits),
    maskedLogits: wrap(maskedLogits),
    gradLogits: output(),
    gradMaskedLogits: output(),
  };
}

/** Puts the logits back where the last run left gradients. */
function restore(batch: Batch, logits: Logits, maskedLogits: Logits): () => void {
  const [seeing, hidden] = [batch.logits.slice(), batch.maskedLogits.slice()];
  return () => {
    (logits.data as Float32Array).set(seeing);
    (maskedLogits.data as Float32Array).set(hidden);
  };
}

function read(gradLogits: Tensor, gradMaskedLogits: Tensor): Gradients {
  const values = ({ dtype, data }: Tensor) =>
    dtype === "bfloat16" ? fromBfloat16(data as Uint16Array) : (data as Float32Array);
  return { gradLogits: values(gradLogits), gradMaskedLogits: values(gradMaskedLogits) };
}
