/** The options of verl that a loss depends on, by their last names, read. */
import type { Reduction } from "../../functional/row-weights.js";
import type { KlWord } from "./kl.js";
import type { AdvEstimator, LossMode } from "./losses.js";
import type { Bounds, RejectionMode } from "./rollout.js";

export const ACTOR = "actor_rollout_ref.actor";
export const ALGORITHM = "algorithm";

/** Of the actor: the loss itself. */
export interface VerlActorOptions {
  readonly loss_mode: LossMode;
  readonly clip_cov_ratio: number;
  readonly clip_cov_lb: number;
  readonly clip_cov_ub: number;
  readonly kl_cov_ratio: number;
  readonly ppo_kl_coef: number;
  readonly clip_ratio: number;
  readonly clip_ratio_low: number | null;
  readonly clip_ratio_high: number | null;
  readonly clip_ratio_c: number;
  readonly tau_pos: number;
  readonly tau_neg: number;
  readonly loss_agg_mode: Reduction;
  readonly loss_scale_factor: number | null;
  readonly entropy_coeff: number;
  readonly use_kl_loss: boolean;
  readonly kl_loss_coef: number;
  readonly kl_loss_type: KlWord;
  readonly temperature: number;
}

/** Of algorithm.rollout_correction, and what it was before. */
export interface VerlCorrectionOptions {
  readonly use_rollout_log_probs: boolean;
  readonly tis_imp_ratio_cap: number;
  readonly rollout_is: "token" | "sequence" | null;
  readonly rollout_is_threshold: readonly Bounds[] | null;
  readonly rollout_is_batch_normalize: boolean;
  readonly rollout_is_weights: boolean;
  readonly rollout_rs: readonly RejectionMode[] | null;
  readonly rollout_rs_threshold: readonly Bounds[] | null;
  readonly rollout_rs_threshold_lower: number | null;
  readonly rollout_token_veto_threshold: number | null;
  readonly bypass_mode: boolean;
  readonly loss_type: "ppo_clip" | "reinforce";
}

/** Of the algorithm otherwise: advantages and rewards. */
export interface VerlAlgorithmOptions {
  readonly adv_estimator: AdvEstimator;
  readonly norm_adv_by_std_in_grpo: boolean;
  readonly gamma: number;
  readonly lam: number;
  readonly use_kl_in_reward: boolean;
  readonly kl_penalty: KlWord;
  readonly use_pf_ppo: boolean;
  readonly "filter_groups.enable": boolean;
}

export interface VerlOptions
  extends VerlActorOptions,
    VerlCorrectionOptions,
    VerlAlgorithmOptions {}
