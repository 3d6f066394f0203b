/** DPPO: tokens whose probability moved too far from the sampler's are dropped. */
import type { SurrogateDefinition } from "./surrogate.js";
import { binaryKl, type Keeps, trustRegion } from "./trust-region.js";

export type DppoParameters = {
  /** Divergence of the two outcomes, this token or another: total variation, or KL from the sampler. */
  readonly divergence: "tv" | "kl";
  /** Largest divergence of a token that became less likely. */
  readonly low: number;
  /** Largest divergence of a token that became more likely. */
  readonly high: number;
  /** Whether a token is dropped only where the advantage pushes further out. */
  readonly conditional: boolean;
  /** Coefficient of (ln ρ)² on every counted token, dropped or not. */
  readonly logRatioPenalty: number;
};

export const dppo: SurrogateDefinition<DppoParameters, "dppo"> = {
  kind: "dppo",
  summary: "Unclipped ratio to the sampler; tokens whose probability moved too far are dropped",
  formula:
    "−ρ·A, 0 where p > q and D > high, or p < q and D > low; D = |p − q| (tv) or q ln(q/p) + (1 − q) ln((1 − q)/(1 − p)) (kl); conditional: only the side that A pushes to; + logRatioPenalty·(ln ρ)² on all",
  gradient: "−ρ·A on kept tokens, 0 on dropped ones; + 2·logRatioPenalty·ln ρ on all",
  source:
    "Rethinking the Trust Region in LLM RL, arXiv 2602.04879, binary TV and KL (conditional: true); ±0.2 without condition: default of prime-rl",
  peers: [
    'verl: policy_loss.loss_mode "dppo_tv" and "dppo_kl" (pull request 5397; conditional, thresholds in clip_ratio_low and clip_ratio_high: 0.15 and 0.05 in its example)',
    "prime-rl: the default loss (ipo_mask_low, ipo_mask_high, also named dppo_mask_*; kl_tau is logRatioPenalty, 1e-3 there)",
    "SkyRL: pull request 1037 (binary_tv 0.2, binary_kl 0.05)",
    "TRL: the experimental DPPO trainer",
  ],
  findings: [
    "The paper and verl drop only what the advantage pushes further out (conditional: true); without condition, tokens on their way back are dropped too.",
    "verl's loss is −sg[min(ρ, C)]·A·ℓ: the same gradient below C, another value. C is clip_ratio_c, 3 in verl's configuration where the function says 20.",
    "prime-rl changed its mind under one name: without condition at 0.2 (IPO), with condition at 0.2 (DPPO), then without at 0.3 and no penalty (IPO).",
    "verl reuses the names of PPO's clip ratios for thresholds on probabilities: 0.2 there is no ratio.",
    "verl takes the ratio to the old policy, not to the sampler; here too where a batch has no rolloutLogProbs.",
  ],
  scope: "token",
  parameters: {
    divergence: {
      default: "tv",
      meaning:
        "of the two outcomes, this token or another: total variation, or KL from the sampler",
      words: ["tv", "kl"],
    },
    low: { default: 0.2, meaning: "largest D of a token that became less likely", min: 0 },
    high: { default: 0.2, meaning: "largest D of a token that became more likely", min: 0 },
    conditional: {
      default: false,
      meaning: "drop only where the advantage pushes further out: low for A < 0, high for A > 0",
    },
    logRatioPenalty: {
      default: 0,
      meaning: "of (ln ρ)² on every counted token, dropped or not (prime-rl: 1e-3)",
      min: 0,
    },
  },
  clips: [],
  reads: ["rolloutLogProbs", "oldLogProbs"],
  evaluate(tokens, { divergence, low, high, conditional, logRatioPenalty }) {
    const keeps: Keeps = ({ advantage }, p, q) => {
      const outward = advantage > 0 ? p > q : p < q;
      if (conditional && !outward) return true;
      const distance = divergence === "tv" ? Math.abs(p - q) : binaryKl(q, p);
      return distance <= (p > q ? high : low);
    };
    return trustRegion(tokens, keeps, logRatioPenalty);
  },
};
