/** Every estimator of a KL: value, slope, and what both are in expectation. Derived in native/math/README.md. */
import type { KlEstimator } from "../ops/token-objective.js";
import { type Formula, formulas } from "./formula.js";

/** Expectations over the sampled token; what is not named after KL(π ‖ other) is a bias. */
export interface KlFormula extends Formula<KlEstimator> {
  /** Tokens drawn from the policy π. */
  readonly onPolicy: {
    /** What its mean is, over tokens drawn from π. */
    readonly value: string;
    /** In the logits of π. */
    readonly gradient: string;
    /** In the logits of the other policy, where gradients flow there. */
    readonly otherGradient: string;
  };
  /** Tokens drawn from another policy μ. */
  readonly offPolicy: {
    /** What its mean is, over tokens drawn from μ. */
    readonly value: string;
    /** In the logits of π. */
    readonly gradient: string;
  };
  /** What holds it finite, and what it does where it is maximised. */
  readonly bound: string;
}

const KL = "KL(π ‖ other)";
const REVERSE = "KL(other ‖ π)";
const SCHULMAN = 'J. Schulman, "Approximating KL Divergence" (2020)';

/** Every KL estimator, by its name. */
export const KL_FORMULAS: Readonly<Record<KlEstimator, KlFormula>> = formulas<
  KlEstimator,
  Omit<KlFormula, "name">
>({
  k1: {
    summary: "The log-ratio itself",
    formula: "−x",
    gradient: "1",
    onPolicy: { value: KL, gradient: "0", otherGradient: `∇ ${KL}` },
    offPolicy: { value: "KL(μ ‖ other) − KL(μ ‖ π)", gradient: "−∇ KL(μ ‖ π)" },
    bound: "x within ± logRatioLimit; may be negative",
    source: SCHULMAN,
    peers: ["PAPO authors: kl", "verl: kl, k1"],
    findings: [
      "As a term of a loss its gradient is noise around 0: it does not hold the policy at all. PAPO's dataclass defaults to it for the perception term, its scripts do not.",
    ],
  },
  k2: {
    summary: "Half the squared log-ratio: the right gradient, another value",
    formula: "x² / 2",
    gradient: "−x",
    onPolicy: { value: "½ Σ π x²", gradient: `∇ ${KL}`, otherGradient: "∇ ½ Σ π x²" },
    offPolicy: { value: "biased", gradient: "biased" },
    bound: "x within ± logRatioLimit; where it is maximised its slope grows like abs x",
    source: SCHULMAN,
    peers: ["PAPO authors: mse", "verl: mse, k2"],
    findings: [],
  },
  k3: {
    summary: "Unbiased, never negative, little variance; its gradient is that of the reverse KL",
    formula: "eˣ − 1 − x",
    gradient: "1 − eˣ",
    onPolicy: { value: KL, gradient: `∇ ${REVERSE}`, otherGradient: `∇ ${KL}` },
    offPolicy: { value: "biased", gradient: "biased" },
    bound:
      "x within ± logRatioLimit, value within ± klLimit (10 binds from x = 2.61 up and x = −11 down); maximised, its slope saturates at 1 where x < 0",
    source: `${SCHULMAN}; PAPO authors' verl/trainer/core_algos.py:567-606`,
    peers: [
      "PAPO authors: low_var_kl, both terms",
      "TRL, Liger: the only estimator, without limits",
      "verl: low_var_kl, k3",
    ],
    findings: [
      "PAPO's paper prints r − log r − 1 with r = π/π_mask, which estimates χ²(π ‖ π_mask) − KL; the authors' code has r = π_mask/π, as here.",
      "Authors' PAPO maximises KL(π_mask ‖ π) in gradient, though the value estimates KL(π ‖ π_mask).",
      "At klLimit 10 the slope falls from 12.6 to 0 at once. Without limits one token can be a batch's whole loss (TRL, Liger).",
    ],
  },
  "k3+": {
    summary: "k3's value with k2's gradient: unbiased in value and gradient on policy",
    formula: "eˣ − 1 − x",
    gradient: "−x (straight through)",
    onPolicy: { value: KL, gradient: `∇ ${KL}`, otherGradient: "∇ ½ Σ π x²" },
    offPolicy: { value: "biased", gradient: "biased" },
    bound: "as k3; where it is maximised its slope grows like abs x",
    source: "verl pull request 6058; value and gradient from Schulman's k3 and k2",
    peers: ["verl: k3+, low_var_kl+"],
    findings: [
      "verl documented it and raised NotImplementedError until pull request 6058.",
      "In the other policy's logits it has the gradient of k2: with maskedBranch differentiable take k3 or the exact KL.",
    ],
  },
  abs: {
    summary: "The magnitude of the log-ratio; its gradient leads to the total variation",
    formula: "abs x",
    gradient: "−sign x, 0 at 0",
    onPolicy: {
      value: "Σ π abs x",
      gradient: "∇ Σ abs(π − other)",
      otherGradient: "∇ Σ π abs x",
    },
    offPolicy: { value: "biased", gradient: "biased" },
    bound: "x within ± logRatioLimit; slope at most 1",
    source: "PAPO authors' verl/trainer/core_algos.py:567-606; verl",
    peers: ["PAPO authors: abs", "verl: abs"],
    findings: ["No KL at all: twice the total variation in gradient."],
  },
  unbiased: {
    summary: "k3 times the importance ratio: unbiased in value and gradient, off policy too",
    formula: "r · (eˣ − 1 − x), r = exp(ℓ − ℓ_old)",
    gradient: "−r·x: the parts in eˣ cancel",
    onPolicy: { value: KL, gradient: `∇ ${KL}`, otherGradient: `∇ ${KL}` },
    offPolicy: { value: KL, gradient: `∇ ${KL}` },
    bound:
      "log r and x within ± logRatioLimit, its k3 within klLimit; maximised, its slope grows like r · abs x",
    source: "DeepSeek-V3.2, arXiv 2512.02556; TRL grpo_trainer.py:3074",
    peers: ["TRL: use_bias_correction_kl", "Liger: use_bias_correction_kl"],
    findings: [
      'Of refKlEstimator there is "unbiased-sequence" too: s · k3 with the ratio s of the sequence, as the surrogate "gspo" has it. Its slope is s · (1 − eˣ) of the token, and Σ weight · s · k3 / n of its sequence on each of the n tokens; TRL has it with importance_sampling_level "sequence".',
      "That one is unbiased for sequences of one token only: s is the geometric mean of the ratios, not the ratio of the token.",
      "Liger's Triton backward of the sequence-level form is not the gradient of its forward (ops/grpo_loss.py:393-397).",
    ],
  },
  jsd: {
    summary: "Jensen-Shannon: symmetric, at most log 2 in expectation",
    formula: "½ (u log u − (1 + u) log((1 + u)/2)), u = eˣ",
    gradient: "−½ u log(2u/(1 + u))",
    onPolicy: {
      value: "JSD(π, other)",
      gradient: "−½ Σ other log(2 other/(π + other)) ∇ log π",
      otherGradient: "∇ JSD(π, other)",
    },
    offPolicy: { value: "biased", gradient: "biased" },
    bound:
      "value within klLimit: of one token it is at most ½ log 2 where x < 0 and grows like ½ log 2 · eˣ where x > 0 (10 binds from x = 3.54); maximised, its slope is at most 0.116 where x < 0 and fades beyond",
    source: 'J. Lin, "Divergence Measures Based on the Shannon Entropy" (1991)',
    peers: [],
    findings: [
      "What is bounded is the expectation, not one token's estimate.",
      "Like k3's its gradient on the policy is that of another divergence, weighted by the other policy.",
    ],
  },
  exact: {
    summary: "KL(π ‖ other) over the whole vocabulary: no variance given the prefix",
    formula: "Σ p (log p − log q)",
    gradient:
      "through the logits: p (log p − log q − KL) in those of π, q − p in those of the other",
    onPolicy: { value: KL, gradient: `∇ ${KL}`, otherGradient: `∇ ${KL}` },
    offPolicy: { value: KL, gradient: `∇ ${KL}` },
    bound:
      "exactKlLimit, without which an infinite KL is an error; maximised without it, nothing holds it",
    source: "PAPO, arXiv 2507.06448, Eq. 2 (the KL that it names)",
    peers: ["PAPO authors, verl: full, which the actor never passes and verl refuses"],
    findings: [
      "Needs both sets of logits, or exact KLs computed elsewhere.",
      "Nobody else has it in a fused loss with gradients into both policies.",
    ],
  },
  "exact-reverse": {
    summary: "KL(other ‖ π) over the whole vocabulary: what k3's gradient leads to",
    formula: "Σ q (log q − log p)",
    gradient:
      "through the logits: p − q in those of π, q (log q − log p − KL) in those of the other",
    onPolicy: { value: REVERSE, gradient: `∇ ${REVERSE}`, otherGradient: `∇ ${REVERSE}` },
    offPolicy: { value: REVERSE, gradient: `∇ ${REVERSE}` },
    bound: "as exact",
    source: "the divergence whose gradient the authors' k3 has",
    peers: [],
    findings: [],
  },
});
