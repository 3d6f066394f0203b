/** KL of each token, estimated from the log-probabilities of the sampled token. */
import { readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { SAMPLED_KL_ESTIMATORS, type SampledKlEstimator } from "../ops/token-objective.js";
import type { Rows } from "../tensor/tensor.js";
import type { MaskInput, NumbersInput } from "./inputs.js";
import { tokenTerm } from "./token-terms.js";

/** Options of `tokenKl`. */
export interface TokenKlOptions {
  /** [rows] under the policy, nats; receives gradient. */
  readonly logProbs: NumbersInput;
  /** [rows] of the same tokens under the other model, nats; receives gradient (`detach` it to keep it constant). */
  readonly otherLogProbs: NumbersInput;
  /**
   * With x = other − log-prob: "k1" −x, unbiased, may be negative · "k2" x²/2, biased, right gradient in expectation ·
   * "k3" eˣ − 1 − x (default), unbiased, ≥ 0, in expectation the gradient of the reverse KL · "k3+" value of k3, gradient of k2 ·
   * "abs" |x| · "unbiased" ratio · k3 with the ratio differentiable, right in value and gradient off-policy too ·
   * "jsd" ½ (u log u − (1 + u) log((1 + u)/2)) with u = eˣ: not a KL but the Jensen-Shannon divergence, unbiased, ≥ 0; its
   * gradient is right in expectation for the other model, on the policy it is another divergence's (as k3's is).
   */
  readonly estimator?: SampledKlEstimator;
  /** [rows] under the policy that sampled the tokens, for "unbiased"; constant. The policy itself if not said. */
  readonly oldLogProbs?: NumbersInput | undefined;
  /** [rows] 0 or 1; rows with 0 give 0. */
  readonly responseMask?: MaskInput | undefined;
  /** Bound on x and on the log ratio, nats; gradient 0 where it binds. Default 20. */
  readonly logRatioLimit?: number;
  /** Bound on the value of k3 (in "k3+" and "unbiased" too) and "jsd", nats; gradient 0 where it binds. Default 10. */
  readonly klLimit?: number;
}

const OPTIONS: readonly (keyof TokenKlOptions)[] = [
  "logProbs",
  "otherLogProbs",
  "estimator",
  "oldLogProbs",
  "responseMask",
  "logRatioLimit",
  "klLimit",
];

/**
 * KL(policy ‖ other) of each token, nats. The exact KL over the vocabulary is `tokenStats(…).kl`.
 *
 * @returns [rows]
 * @throws PapoError ERR_SHAPE, ERR_ARGUMENT, ERR_RANGE (limits, mask), ERR_NOT_FINITE for a NaN in a row that counts
 * @see J. Schulman, "Approximating KL Divergence" (2020); J. Lin (1991), doi 10.1109/18.61115 for Jensen-Shannon;
 * `native/math/divergence.hpp` for the stable forms
 */
export function tokenKl(options: TokenKlOptions): Rows {
  const given = readOptions("tokenKl", options, OPTIONS);
  const { estimator = "k3", logRatioLimit = 20, klLimit = 10, ...rows } = given;
  if (!SAMPLED_KL_ESTIMATORS.includes(estimator)) {
    const what = `estimator to be one of ${SAMPLED_KL_ESTIMATORS.join(", ")}`;
    throw expected("ERR_ARGUMENT", "tokenKl", what, describe(estimator));
  }
  return tokenTerm({
    where: "tokenKl",
    term: "perceptionKl",
    needs: "otherLogProbs",
    ...rows,
    // An objective subtracts its perception KL, so that −1 makes it count +1.
    attributes: { perceptionKlEstimator: estimator, perceptionKlCoef: -1, logRatioLimit, klLimit },
  });
}
