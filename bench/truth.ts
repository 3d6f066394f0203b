/** Float64 results of a few rows, and the distance of a contender's results from them. */
import { fromBfloat16, fromFloat16 } from "../lib/index.js";
import { type PapoLoss, papoLoss } from "../lib/reference/index.js";
import { type Batch, type InputDType, type LogitsArray, OBJECTIVE } from "./cases.js";
import type { Results } from "./contenders/contender.js";
import type { Errors } from "./result.js";

/** The reference's loss of a batch, whose logits it sees as their dtype keeps them. */
export function truthOf(batch: Batch<LogitsArray>, dtype: InputDType): PapoLoss {
  const { rows, vocab, tokenIds, oldLogProbs, refLogProbs, advantages, responseMask } = batch;
  return papoLoss({
    rows,
    vocabSize: vocab,
    logits: valuesOf(batch.logits, dtype),
    maskedLogits: valuesOf(batch.maskedLogits, dtype),
    tokenIds,
    oldLogProbs,
    refLogProbs,
    advantages,
    responseMask,
    ...OBJECTIVE,
  });
}

/** Numbers from what a dtype is stored as. */
export function valuesOf(data: LogitsArray, dtype: InputDType): Float32Array {
  if (dtype === "float16") return fromFloat16(data as Uint16Array);
  return dtype === "bfloat16" ? fromBfloat16(data as Uint16Array) : (data as Float32Array);
}

/** Only what the contender gives, and rows that count. */
export function errorsOf(results: Results, truth: PapoLoss, responseMask?: Int32Array): Errors {
  const { loss, logProbs, entropy, kl, gradLogits, gradMaskedLogits } = results;
  const worst = (got: ArrayLike<number>, want: ArrayLike<number>) => {
    let most = 0;
    for (let row = 0; row < want.length; row++) {
      if (responseMask?.[row] === 0) continue;
      most = Math.max(most, Math.abs((got[row] as number) - (want[row] as number)));
    }
    return most;
  };
  return {
    ...(loss !== undefined && { loss: Math.abs(loss - truth.loss) }),
    ...(logProbs && { logProb: worst(logProbs, truth.tokens.logProbs) }),
    ...(entropy && { entropy: worst(entropy, truth.tokens.entropy) }),
    ...(kl && { kl: worst(kl, truth.tokens.kl as Float64Array) }),
    ...(gradLogits &&
      gradMaskedLogits && {
        gradients: relative(
          [gradLogits, truth.gradLogits],
          [gradMaskedLogits, truth.gradMaskedLogits as Float64Array],
        ),
      }),
  };
}

/** ‖got − want‖ / ‖want‖ over all pairs together. */
function relative(...pairs: readonly (readonly [ArrayLike<number>, Float64Array])[]): number {
  let [difference, norm] = [0, 0];
  for (const [got, want] of pairs) {
    for (let i = 0; i < want.length; i++) {
      const right = want[i] as number;
      difference += ((got[i] as number) - right) ** 2;
      norm += right ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}
