/** The entropies, as estimated and in expectation. Derived in native/math/README.md. */
import { type Formula, formulas } from "./formula.js";

export const ENTROPY_NAMES = [
  "sampled, π",
  "exact, π",
  "sampled, masked",
  "exact, masked",
] as const;
/** The name of an entropy: sampled or exact, of the policy or of the masked one. */
export type EntropyName = (typeof ENTROPY_NAMES)[number];

/** Expectations over the sampled token, in the logits of the policy that is named. */
export interface EntropyFormula extends Formula<EntropyName> {
  /** Where the token was drawn from the policy itself. */
  readonly onPolicy: {
    /** Expectation of the value. */
    readonly value: string;
    /** Expectation of the gradient. */
    readonly gradient: string;
  };
  /** Where it was drawn from another policy. */
  readonly offPolicy: {
    /** Expectation of the value. */
    readonly value: string;
    /** Expectation of the gradient. */
    readonly gradient: string;
  };
}

const AUTHORS = "PAPO authors' verl/workers/actor/dp_actor.py:289, 326";

/** Every entropy, by its name. */
export const ENTROPY_FORMULAS: Readonly<Record<EntropyName, EntropyFormula>> = formulas<
  EntropyName,
  Omit<EntropyFormula, "name">
>({
  "sampled, π": {
    summary: "−log-prob of the sampled token",
    formula: "−ℓ",
    gradient: "−1",
    onPolicy: { value: "H(π)", gradient: "0" },
    offPolicy: { value: "H(μ, π)", gradient: "∇ H(μ, π)" },
    source: AUTHORS,
    peers: ["PAPO authors: ori_entropy_loss_coef"],
    findings: [
      "On policy its expected gradient is 0: on one batch it is supervised training on the policy's own samples.",
      "The paper prints H := log π, which would raise the entropy; the sign of the code (commit 374747c) is the one here.",
    ],
  },
  "exact, π": {
    summary: "Entropy over the whole vocabulary",
    formula: "H = −Σ p log p",
    gradient: "through the logits: −p (log p + H)",
    onPolicy: { value: "H(π)", gradient: "∇ H(π)" },
    offPolicy: { value: "H(π)", gradient: "∇ H(π)" },
    source: "PAPO, arXiv 2507.06448, Eq. 2 (the entropy that it names)",
    peers: ["TRL: entropy bonus (grpo_trainer.py:3152-3215)", "verl: entropy_coeff"],
    findings: [
      "TRL's and verl's are NaN where a logit is −Infinity (0 · −∞); here such a token adds 0.",
      "Their bonus is subtracted; entropyCoef is added: a bonus is a negative coefficient.",
    ],
  },
  "sampled, masked": {
    summary: "Cross-entropy of the masked policy on the sampled token",
    formula: "−ℓ_m",
    gradient: '−1 in ℓ_m, 0 with maskedBranch "constant"',
    onPolicy: { value: "H(π, other)", gradient: "∇ H(π, other)" },
    offPolicy: { value: "H(μ, other)", gradient: "∇ H(μ, other)" },
    source: AUTHORS,
    peers: ["PAPO authors: aug_entropy_loss_coef"],
    findings: [
      "In the authors' code ℓ_m is a constant, so that this term changes the logged loss and nothing else (their issue 20).",
      "With its gradient it makes the masked policy imitate the one with the image; it does not make it certain.",
    ],
  },
  "exact, masked": {
    summary: "Entropy of the masked policy over the whole vocabulary",
    formula: "H_m = −Σ q log q",
    gradient: 'through the masked logits: −q (log q + H_m); 0 with maskedBranch "constant"',
    onPolicy: { value: "H(other)", gradient: "∇ H(other)" },
    offPolicy: { value: "H(other)", gradient: "∇ H(other)" },
    source: "PAPO, arXiv 2507.06448, Eq. 2",
    peers: [],
    findings: [
      "TRL's removed PAPO trainer computed it under no_grad and said that it should be high, against the paper.",
    ],
  },
});
