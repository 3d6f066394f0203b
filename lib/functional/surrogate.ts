/** The clipped policy-gradient loss of each token. */
import { readOptions } from "../core/arguments.js";
import type { Rows } from "../tensor/tensor.js";
import type { MaskInput, NumbersInput } from "./inputs.js";
import { tokenTerm } from "./token-terms.js";

/** Options of `clippedSurrogate`. */
export interface ClippedSurrogateOptions {
  /** [rows] under the policy, nats; receives gradient. */
  readonly logProbs: NumbersInput;
  /** [rows] under the policy that sampled the tokens, nats; constant. The policy itself (ratio 1) if not said. */
  readonly oldLogProbs?: NumbersInput | undefined;
  /** [rows] any sign, already normalised; constant. */
  readonly advantages: NumbersInput;
  /** The ratio is clipped below at 1 − clipLow; 0 to 1. Default 0.2. */
  readonly clipLow?: number;
  /** The ratio is clipped above at 1 + clipHigh; 0 or more. Default 0.2. */
  readonly clipHigh?: number;
  /** For negative advantages the loss is at most clipDual · |advantage|; above 1 + clipHigh, or 0 = off (default). */
  readonly clipDual?: number;
  /** Bound on the log ratio, nats; gradient 0 where it binds. Default 20. */
  readonly logRatioLimit?: number;
  /** [rows] 0 or 1; rows with 0 give 0. */
  readonly responseMask?: MaskInput | undefined;
}

const OPTIONS: readonly (keyof ClippedSurrogateOptions)[] = [
  "logProbs",
  "oldLogProbs",
  "advantages",
  "clipLow",
  "clipHigh",
  "clipDual",
  "logRatioLimit",
  "responseMask",
];

/**
 * −min(r·A, clip(r, 1 − clipLow, 1 + clipHigh)·A) of each token, r = exp(log-prob − old log-prob); for A < 0 at most clipDual·|A|.
 * At r exactly on a bound the unclipped branch counts. The gradient is −r·A where no clip fires and 0 where one does.
 *
 * @returns [rows]
 * @throws PapoError ERR_SHAPE, ERR_ARGUMENT, ERR_RANGE (clips, mask), ERR_NOT_FINITE for numbers of a row that counts
 * @see PPO (arXiv 1707.06347) eq. 7; separate bounds, DAPO (2503.14476); dual bound (1912.09729)
 */
export function clippedSurrogate(options: ClippedSurrogateOptions): Rows {
  const given = readOptions("clippedSurrogate", options, OPTIONS);
  const { clipLow = 0.2, clipHigh = 0.2, clipDual = 0, logRatioLimit = 20, ...rows } = given;
  return tokenTerm({
    where: "clippedSurrogate",
    term: "surrogate",
    needs: "advantages",
    ...rows,
    attributes: { clipLow, clipHigh, clipDual, logRatioLimit },
  });
}
