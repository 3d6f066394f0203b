/** The options of the PAPO authors' code that a loss depends on, read. */
import type { ConfigFile } from "./config-files.js";

export const ACTOR = "worker.actor";
export const ALGORITHM = "algorithm";

export const KL_PENALTIES = ["kl", "abs", "mse", "low_var_kl", "full"] as const;
export type KlPenalty = (typeof KL_PENALTIES)[number];

export const FULL =
  "full needs the whole vocabulary, which the authors' actor never passes; exact is its name here";

/** Their estimators and ours. */
export const ESTIMATORS: Readonly<Record<KlPenalty, "k1" | "abs" | "k2" | "k3" | undefined>> = {
  kl: "k1",
  abs: "abs",
  mse: "k2",
  low_var_kl: "k3",
  full: undefined,
};

export const ADV_ESTIMATORS = [
  "grpo",
  "dapo",
  "rloo",
  "reinforce_plus_plus",
  "remax",
  "gae",
] as const;
export type AdvEstimator = (typeof ADV_ESTIMATORS)[number];

export const APPLY_MODES = ["all", "correct_only", "acc_weighted"] as const;
export type ApplyMode = (typeof APPLY_MODES)[number];

/** The perception term. */
export interface PapoPerceptionOptions {
  readonly use_kl_prcp: boolean;
  readonly kl_prcp_coef: number;
  readonly kl_prcp_penalty: KlPenalty;
  readonly kl_prcp_schedule: "fixed" | "annealing";
  readonly "kl_prcp_schedule_args.start_value": number | null;
  readonly "kl_prcp_schedule_args.end_value": number;
  readonly "kl_prcp_schedule_args.annealing_ratio": number;
  readonly max_steps: number | null;
  readonly kl_prcp_apply_mode: ApplyMode;
  readonly incorrect_weighting: number;
  readonly use_kl_prcp_token_level_mask: boolean;
  readonly kl_prcp_token_level_mask_top_p: number;
  readonly use_kl_prcp_clipping: boolean;
  readonly kl_prcp_clipping: number;
}

/** Everything else. */
export interface PapoPolicyOptions {
  readonly config: ConfigFile | null;
  readonly clip_ratio_low: number;
  readonly clip_ratio_high: number;
  readonly clip_ratio_dual: number;
  readonly loss_avg_mode: "token" | "seq";
  readonly loss_type: string;
  readonly temperature: number;
  readonly adv_estimator: AdvEstimator;
  readonly gamma: number;
  readonly lam: number;
  readonly disable_kl: boolean;
  readonly use_kl_loss: boolean;
  readonly kl_penalty: KlPenalty;
  readonly kl_coef: number;
  readonly kl_type: "fixed" | "adaptive";
  readonly kl_horizon: number;
  readonly kl_target: number;
  readonly use_aug_entropy_loss: boolean;
  readonly aug_entropy_loss_coef: number;
  readonly use_ori_entropy_loss: boolean;
  readonly ori_entropy_loss_coef: number;
  readonly use_sft_loss: boolean;
  readonly sft_loss_coef: number;
  readonly online_filtering: boolean;
  readonly filter_key: string;
  readonly filter_low: number;
  readonly filter_high: number;
}

export interface PapoOptions extends PapoPolicyOptions, PapoPerceptionOptions {}
