/** One row of logits as a distribution over the vocabulary. */

/** A categorical distribution in both forms; nats and fractions in 0…1. */
export interface Distribution {
  /** [vocabSize] log-probabilities, −Infinity where the logit is. */
  readonly logProbs: Float64Array;
  /** [vocabSize] probabilities. */
  readonly probs: Float64Array;
  /** log Σ exp(logit / temperature). */
  readonly logSumExp: number;
  /** The largest log-probability. */
  readonly largest: number;
}

/**
 * log-softmax of the `vocabSize` logits from `offset` on, divided by `temperature` first.
 *
 * Gives undefined for a row that is no distribution: NaN or +Infinity in it, or every logit −Infinity.
 *
 * The largest term is left out of the sum and comes back through log1p, so the log-probability of a token
 * that has nearly all the mass keeps its digits: −1e-20 does not become 0.
 */
export function logSoftmax(
  logits: ArrayLike<number>,
  offset: number,
  vocabSize: number,
  temperature: number,
): Distribution | undefined {
  let best = -1;
  for (let v = 0; v < vocabSize; v++) {
    const logit = logits[offset + v] as number;
    if (Number.isNaN(logit) || logit === Infinity) return undefined;
    if (logit > (best < 0 ? -Infinity : (logits[offset + best] as number))) best = v;
  }
  if (best < 0) return undefined;

  const max = logits[offset + best] as number;
  let others = 0;
  for (let v = 0; v < vocabSize; v++) {
    if (v !== best) others += Math.exp(((logits[offset + v] as number) - max) / temperature);
  }
  const logTotal = Math.log1p(others);

  const logProbs = new Float64Array(vocabSize);
  for (let v = 0; v < vocabSize; v++) {
    logProbs[v] = ((logits[offset + v] as number) - max) / temperature - logTotal;
  }
  return {
    logProbs,
    probs: logProbs.map(Math.exp),
    logSumExp: max / temperature + logTotal,
    largest: -logTotal,
  };
}

/**
 * Nats below the row's largest log-probability beyond which a token has no mass.
 *
 * Only the question "does the other distribution rule out something that this one can say" asks it:
 * e^−87 is where float32 runs out of normal numbers, and an engine in float32 cannot see further.
 */
export const MASS_FLOOR = -87;

/** Whether token `v` has mass: a finite logit not further than `MASS_FLOOR` below the largest. */
export function hasMass(distribution: Distribution, v: number): boolean {
  return (distribution.logProbs[v] as number) - distribution.largest >= MASS_FLOOR;
}
