/** Notation, and the whole loss. */
import { blocks, formulaBlock, table } from "../markdown.js";
import type { Section } from "./section.js";

const NOTATION: readonly (readonly [string, string])[] = [
  ["π, p", "the policy that trains, its probabilities over the vocabulary"],
  ["π_mask, q", "the same policy with the image masked; in a KL, the other policy"],
  ["ℓ", "log-prob of the sampled token under the policy, nats"],
  [
    "ℓ_old, ℓ_ref, ℓ_m, ℓ_sampler",
    "the same token under the policy that collected the batch, the reference, the masked policy, the engine that drew it",
  ],
  ["r, ρ", "exp(ℓ − ℓ_old), exp(ℓ − ℓ_sampler)"],
  ["x", "ℓ_other − ℓ: the log-ratio that estimators of a KL see"],
  ["A, R", "advantage of a token, reward of a sequence"],
  ["μ_g, σ_g", "mean and standard deviation of a group's rewards"],
  ["H, H_m", "entropy of the policy, and of the masked one"],
  ["σ(·), sg[·]", "logistic function, stop-gradient"],
  ["mean", "over the tokens that count: rows with mask 0 are not read and add 0"],
];

const LOSS = {
  loss: "reduce(surrogate) + β·reduce(KL to the reference) − γ·reduce(perception KL) + η₁·reduce(H) + η₂·reduce(H_m) + sft·mean(−ℓ over correct sequences)",
};

export function lossSection(): Section {
  return {
    heading: "The loss",
    body: blocks(
      "Losses are minimised. The perception KL enters with a minus, so that it is raised; both entropies enter with a plus, so that they are kept low.",
      formulaBlock(LOSS),
      "β is `refKlCoef`, γ `perceptionKlCoef`, η₁ `entropyCoef`, η₂ `maskedEntropyCoef`. Every coefficient is a number or a schedule. " +
        "Gradients are those of this number, in the logits of both policies (or in the log-probs of a batch that has only those), " +
        "synchronously and asynchronously, on the CPU and on CUDA devices.",
      table(
        ["notation", "meaning"],
        NOTATION.map(([symbol, meaning]) => [symbol, meaning]),
      ),
    ),
  };
}
