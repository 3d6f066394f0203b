/** The options of GRPOConfig that a loss depends on, read. */
import type { LossTypeOptions } from "../loss-types.js";

export const REWARD_SCALES = ["group", "batch", "none", "mean"] as const;
export type RewardScale = (typeof REWARD_SCALES)[number];

export const SAMPLER_MODES = [
  "token_truncate",
  "token_mask",
  "sequence_truncate",
  "sequence_mask",
] as const;
export type SamplerMode = (typeof SAMPLER_MODES)[number];

/** The loss itself. */
export interface TrlLossOptions
  extends Pick<LossTypeOptions, "loss_type" | "importance_sampling_level"> {
  readonly epsilon: number;
  readonly epsilon_high: number | null;
  readonly delta: number | null;
  readonly beta: number;
  readonly use_bias_correction_kl: boolean;
  readonly max_completion_length: number | null;
  readonly temperature: number;
  readonly mask_truncated_completions: boolean;
  readonly sync_ref_model: boolean;
  readonly router_aux_loss_coef: number;
}

/** Which tokens count how much: entropy, masks, the sampler. */
export interface TrlTokenOptions {
  readonly top_entropy_quantile: number;
  readonly entropy_coef: number;
  readonly use_adaptive_entropy: boolean;
  readonly entropy_target: number;
  readonly entropy_coef_min: number;
  readonly entropy_coef_max: number;
  readonly entropy_coef_delta: number;
  readonly off_policy_mask_threshold: number | null;
  readonly use_vllm: boolean;
  readonly vllm_importance_sampling_correction: boolean;
  readonly vllm_importance_sampling_mode: SamplerMode;
  readonly vllm_importance_sampling_clip_max: number | null;
  readonly vllm_importance_sampling_clip_min: number | null;
  readonly importance_sampling_ratio: boolean;
}

/** Rewards and advantages. */
export interface TrlRewardOptions {
  readonly scale_rewards: RewardScale;
  readonly multi_objective_aggregation: "sum_then_normalize" | "normalize_then_sum";
  readonly reward_weights: readonly number[] | null;
}

/** The PAPO trainer that TRL had. */
export interface TrlPapoOptions {
  readonly perception_loss_weight: number;
  readonly der_loss_weight1: number;
  readonly der_loss_weight2: number;
}

export interface TrlOptions
  extends LossTypeOptions,
    TrlLossOptions,
    TrlTokenOptions,
    TrlRewardOptions,
    TrlPapoOptions {}

/** epsilon_high, which falls back to epsilon. */
export function highOf({ epsilon, epsilon_high }: TrlOptions): number {
  return epsilon_high ?? epsilon;
}
