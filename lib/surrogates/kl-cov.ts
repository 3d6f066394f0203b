/** KL-Cov: a penalty on the tokens of highest covariance. */
import { covariances, shareOf } from "./covariance.js";
import { absolute, addPenalty } from "./penalty.js";
import { type SurrogateDefinition, tokenwise, unclipped } from "./surrogate.js";

export type KlCovParameters = {
  /** Chosen tokens per counted token; at least one is chosen. */
  readonly fraction: number;
  /** Of the penalty, also where the advantage is 0. */
  readonly coefficient: number;
};

export const klCov: SurrogateDefinition<KlCovParameters, "kl-cov"> = {
  kind: "kl-cov",
  summary:
    "Unclipped ratio, and a penalty on drift at the tokens of highest covariance: keeps entropy up",
  formula:
    "−r·A, + coefficient·|ℓ − ℓ_old| on the max(1, ⌊fraction·tokens⌋) tokens of highest cov = (A − mean A)(ℓ − mean ℓ)",
  gradient: "−r·A, + coefficient·sign(ℓ − ℓ_old) on those tokens, 0 at ℓ = ℓ_old",
  source:
    "The Entropy Mechanism of RL, arXiv 2505.22617, KL-Cov; numbers as verl's function has them",
  peers: [
    'verl: policy_loss.loss_mode "kl_cov" (kl_cov_ratio, ppo_kl_coef; core_algos.py:1555)',
    "PRIME-RL/Entropy-Mechanism-of-RL, from which verl's was taken",
  ],
  findings: [
    "There is no clip at all: only the chosen tokens are held.",
    "What verl calls KL is |ℓ − ℓ_old|, whose slope is ±1 however far the policy moved.",
    "verl has two defaults for the coefficient: 0.1 in its configuration, 1.0 in the function.",
    "The authors' 7B script chooses ten times as many tokens as verl's default: 2e-3, with coefficient 1.",
    "On the first update on a batch ℓ = ℓ_old and the penalty has neither value nor slope.",
    "Means and the count of tokens are those of one call, in verl of one micro-batch: other splits choose other tokens.",
  ],
  scope: "batch",
  parameters: {
    fraction: {
      default: 2e-4,
      meaning: "chosen tokens per counted token; at least one",
      above: 0,
      max: 1,
    },
    coefficient: { default: 1, meaning: "of the penalty, also where the advantage is 0", min: 0 },
  },
  clips: [],
  reads: ["oldLogProbs"],
  evaluate(tokens, { fraction, coefficient }) {
    const result = tokenwise(tokens, unclipped);
    const { count, products } = covariances(tokens);
    const chosen = largest(products, shareOf(fraction, count));
    addPenalty(tokens, result, chosen, absolute(coefficient));
    return result;
  },
};

/** Indices of the `most` largest values, NaN aside; of equal ones the first. */
function largest(values: Float64Array, most: number): number[] {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const border = sorted[Math.max(0, sorted.length - most)] ?? Infinity;
  const above: number[] = [];
  const at: number[] = [];
  values.forEach((value, i) => {
    if (value > border) above.push(i);
    else if (value === border) at.push(i);
  });
  return [...above, ...at.slice(0, most - above.length)];
}
