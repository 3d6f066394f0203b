/** The parts of an objective beside its surrogate, its KLs and its entropies: masks, weights, bounds, controllers. */
import { type Formula, formulas } from "./formula.js";

/** Where a part acts. */
export type PartScope = "policy" | "perception" | "entropy" | "coefficients";

export interface PartFormula extends Formula {
  /** The term that it changes. */
  readonly acts: PartScope;
  /** Whether `name` is a key of a spec, or a function or class of the library. */
  readonly is: "key" | "function";
}

type Entries = Readonly<Record<string, Omit<PartFormula, "name">>>;

const CONSTANT = "none: a constant";

const POLICY: Entries = {
  clipDual: {
    acts: "policy",
    is: "key",
    summary: "Dual clip: a negative advantage costs at most clipDual times itself",
    formula: "for A < 0: min(loss, clipDual · |A|)",
    gradient: "0 where it binds (r > clipDual)",
    source: "Ye et al., arXiv 1912.09729",
    peers: [
      "PAPO authors: clip_ratio_dual, 3, always on",
      "TRL, Liger: delta, off (the ratio itself is bounded: the same for A < 0, and for A > 0 the clip binds before)",
      "verl: clip_ratio_c, 3",
    ],
    findings: [
      "clipDual and delta are one mechanism under two names wherever delta > 1 + clipHigh.",
    ],
  },
  policyTokenMask: {
    acts: "policy",
    is: "key",
    summary: "The surrogate only on tokens of large entropy, or of large perception KL",
    formula:
      "× 1[value ≥ (1 − top)-quantile] (linear interpolation), or exactly the ⌈top·n⌉ largest; denominator: all counted tokens, or the kept ones",
    gradient: CONSTANT,
    source:
      "by entropy: arXiv 2506.01939, TRL grpo_trainer.py:1396-1432; by perception: VPPO, arXiv 2510.09285",
    peers: [
      "TRL: top_entropy_quantile (batch, all processes)",
      "VPPO: top_p_perception_tokens 0.4",
    ],
    findings: [
      "TRL's quantile is over all processes of a step; here over the tokens of one evaluation.",
      "VPPO's code takes ⌈top·n⌉ tokens with an unstable sort, its paper names no rounding. Here ties go to the earlier token.",
    ],
  },
  advantageShaping: {
    acts: "policy",
    is: "key",
    summary: "VPPO: sequences that depended on the image count more, on average as much as before",
    formula:
      "A · (min + n·(1 − min)/(mean n + 1e-8)), n = (D − min D)/(max D − min D), D = the sequence's mean perception KL; 1 where fewer than two sequences have tokens or all D are within 1e-6",
    gradient: CONSTANT,
    source:
      "VPPO, arXiv 2510.09285; its repository's verl/workers/actor/dp_actor.py and examples/configs/train_vppo_7b.sh (min 0.9)",
    peers: ["VPPO: advantage_scaling_min"],
    findings: [
      "Its code takes the range over a mini-batch and the mean over a micro-batch, so that factors change with the micro-batch size. Here both are of the evaluation.",
      "The largest factor, min + (1 − min)/mean n, grows with the batch where one sequence stands out.",
    ],
  },
  offPolicyMask: {
    acts: "policy",
    is: "key",
    summary: "Sequences that the policy would hardly sample any more push no token down",
    formula: "× 1[A ≥ 0 or mean(ℓ_sampler − ℓ) ≤ threshold], the mean over the sequence's tokens",
    gradient: CONSTANT,
    source: "DeepSeek-V3.2, arXiv 2512.02556; TRL grpo_trainer.py:2920-2939",
    peers: ["TRL: off_policy_mask_threshold", "verl: by its rollout rejection, nearly"],
    findings: [],
  },
  rolloutCorrection: {
    acts: "policy",
    is: "key",
    summary: "Importance weights between the policy that trains and the engine that sampled",
    formula:
      "× w; token: w = bound(exp Δ), sequence: w = bound(exp Σ Δ), Δ = ℓ_old − ℓ_rollout within ± 20; truncate: min(max(ρ, min), max); mask: ρ, 0 outside min … max; batchNormalize: over their mean",
    gradient: CONSTANT,
    source: "verl rollout_corr_helper.py; TRL grpo_trainer.py:2578-2623",
    peers: [
      "TRL: vllm_importance_sampling_mode, four of them, cap 3, sequence_mask by default",
      "verl: algorithm.rollout_correction, threshold 2, batch-normalised at will",
      "Liger: takes vllm_is_ratio from outside",
    ],
    findings: [
      "TRL limits no ratio before exp. Its default, a product over the sequence masked at 3, drops nearly every long sequence.",
      "verl's rollout_is_eff_sample_size is the fraction ESS/N, not a size, and at sequence level weighted by tokens.",
      "It multiplies the surrogate only, not KLs or entropies, and changes no denominator.",
    ],
  },
  "rolloutCorrection.reject": {
    acts: "policy",
    is: "key",
    summary: "Tokens or sequences on which sampler and policy disagree too much are dropped",
    formula:
      "× 1[min ≤ value ≤ max]; k1: exp(−Δ), k2: Δ²/2, k3: e^Δ − 1 − Δ; of the token, or the sequence's sum, mean or every token",
    gradient: CONSTANT,
    source: "verl rollout_corr_helper.py compute_rollout_rejection_mask",
    peers: ["verl: rollout_rs (k1 … k3, token, seq_sum, seq_mean, seq_max)"],
    findings: [
      "verl's k1 bounds act on π_rollout/π_old, the inverse of the importance ratio; a single number u means 1/u … u.",
      "verl takes rejected tokens out of the response mask, so that KL, entropy and every denominator shrink too.",
      "verl refuses seq_max with k1; here it keeps a sequence all of whose tokens are within.",
    ],
  },
  sftCoef: {
    acts: "policy",
    is: "key",
    summary: "Supervised training on the correct answers of the batch",
    formula: "+ sftCoef · mean of −ℓ over the tokens of sequences with accuracy > correctThreshold",
    gradient: "−1 on those tokens",
    source:
      "PAPO authors' verl/workers/actor/dp_actor.py:386-395; ray_trainer.py:566-574 (1e-3, off)",
    peers: ["PAPO authors: use_sft_loss, sft_loss_coef"],
    findings: [],
  },
};

const PERCEPTION: Entries = {
  perceptionKlCoef: {
    acts: "perception",
    is: "key",
    summary: "The perception term: the KL to the policy that sees a masked image, maximised",
    formula: "− γ · KL by perceptionKlEstimator, x = ℓ_m − ℓ",
    gradient:
      "−γ times the estimator's; into the masked policy too with maskedBranch differentiable",
    source: "PAPO, arXiv 2507.06448, Eq. 2 and 3",
    peers: ["PAPO authors: kl_prcp_coef", "TRL until its removal: perception_loss_weight, 0.1"],
    findings: [
      "In the authors' Qwen3 branch no PAPO term has a gradient: the loss is bound before they are added (main_qwen3 dp_actor.py:346-352, 431-432).",
      "The authors score ℓ_m once per rollout step without gradient: maskedBranch constant.",
      "TRL's removed trainer averaged the term over padding and did not scale it with loss_type or accumulation (papo_trainer.py:311-317).",
    ],
  },
  perceptionWeighting: {
    acts: "perception",
    is: "key",
    summary: "Which sequences the perception term counts for, by their accuracy",
    formula:
      "× w; all: 1; correct-only: 1 where accuracy > correctThreshold, else 0; accuracy-weighted: 1, else incorrectWeight",
    gradient: CONSTANT,
    source:
      "PAPO authors' first release (fd7b489, ray_trainer.py:543-564: threshold 0.1, weight 0.1)",
    peers: ["PAPO authors: three modes at first, of which main kept all"],
    findings: ["Denominators stay those of all sequences."],
  },
  perceptionTokenMask: {
    acts: "perception",
    is: "key",
    summary: "The perception term only on the tokens where it is largest",
    formula: "as policyTokenMask, by the perception term's own value before its bounds",
    gradient: CONSTANT,
    source: "PAPO authors' verl/workers/actor/dp_actor.py:341-350 (top 0.2, per sequence, off)",
    peers: ["PAPO authors: use_kl_prcp_token_level_mask, kl_prcp_token_level_mask_top_p"],
    findings: [
      'The authors keep the denominator of all tokens, which scales γ by the kept fraction; denominator "kept" does not.',
    ],
  },
  perceptionKlMin: {
    acts: "perception",
    is: "key",
    summary: "Bounds of a token's perception term, whatever estimates it",
    formula: "min(max(value, perceptionKlMin), perceptionKlMax)",
    gradient: "0 beyond a bound, free at the bound itself",
    source: "PAPO authors' verl/workers/actor/dp_actor.py:353-354 (0 … 0.2, off)",
    peers: [
      "PAPO authors: use_kl_prcp_clipping, kl_prcp_clipping",
      "TRL's removed trainer: always 0 … 0.2",
    ],
    findings: [
      "−γ·min(KL, τ) is the hinge γ·max(0, τ − KL) up to a constant: a divergence of τ is asked for and no more.",
      "TRL's clamp switched the gradient off wherever ℓ − ℓ_m > 0.707 or ℓ_m − ℓ > 0.572.",
      "The authors clip after the weight of the sequence, here before: a bound should not depend on whether the answer was right.",
    ],
  },
  perceptionReward: {
    acts: "perception",
    is: "function",
    summary: "The divergence as a reward, before advantages are formed",
    formula: "R + coef · clamp(mean perception KL of the sequence, min, max)",
    gradient: CONSTANT,
    source:
      "PAPO authors' ray_trainer.py:136-171 (apply_kl_contrastive: unused, unbounded, per token)",
    peers: [],
    findings: [
      "Without a bound the reward can be raised without end by forgetting the masked view.",
    ],
  },
};

const ENTROPY: Entries = {
  entropyBounds: {
    acts: "entropy",
    is: "key",
    summary: "Both entropies as a hinge between two values instead of the entropy itself",
    formula: "max(0, low − H) + max(0, H − high), of every token or of the mean over the call",
    gradient: "−∇H below, +∇H above, 0 between and at the bounds",
    source: "a common summary of PAPO (0.1, 2); stated exactly here",
    peers: [],
    findings: [
      'Level "token" and "batch" are different losses: the mean may lie between the bounds where no token does.',
    ],
  },
  entropyAnnealing: {
    acts: "entropy",
    is: "key",
    summary: "Whether the entropy coefficients follow the schedule of the perception term",
    formula: "with-perception: both × γ_now / γ_start",
    gradient: "scaled alike",
    source: "PAPO authors' verl/workers/actor/dp_actor.py:365-366, 372, 381",
    peers: ["PAPO authors: always"],
    findings: [
      "The authors divide by kl_prcp_coef, which need not be where their schedule starts.",
    ],
  },
  AdaptiveEntropy: {
    acts: "coefficients",
    is: "function",
    summary:
      "An entropy bonus raised while the entropy is at most a target, lowered while it is above",
    formula: "c ← clamp(c ± delta, min, max); in force only while H ≤ target",
    gradient: "none: it is told H and answers the next entropyCoef",
    source:
      "TRL grpo_trainer.py, use_adaptive_entropy (target 0.2, delta 0.005, 0 … 1); Skywork-OR1, arXiv 2505.22312",
    peers: ["TRL: use_adaptive_entropy"],
    findings: ["TRL subtracts c·H; entropyCoef is added, so that a bonus is negative there."],
  },
  AdaptiveKl: {
    acts: "coefficients",
    is: "function",
    summary: "A KL coefficient that holds the KL at a target",
    formula: "β ← β · (1 + clip(KL/target − 1, ± 0.2) · n/horizon)",
    gradient: "none: it is told the KL and answers the next refKlCoef",
    source: "Ziegler et al., arXiv 1909.08593, §2.2; PAPO authors' core_algos.py:47",
    peers: ["PAPO authors: kl_type adaptive", "verl: AdaptiveKLController"],
    findings: [],
  },
};

/** Every part by its name, in the order of the page. */
export const PART_FORMULAS: Readonly<Record<string, PartFormula>> = formulas<
  string,
  Omit<PartFormula, "name">
>({ ...POLICY, ...PERCEPTION, ...ENTROPY });
