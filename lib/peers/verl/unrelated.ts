/** Sections and options of a verl config that are none of the loss's business. */
export const VERL_UNRELATED: readonly string[] = [
  ...["data.*", "trainer.*", "critic.*", "reward.*", "reward_model.*", "reward_manager.*"],
  ...["custom_reward_function.*", "ray_init.*", "ray_kwargs.*", "global_profiler.*", "hydra.*"],
  ...["transfer_queue.*", "model_engine", "distillation.*", "defaults", "_target_"],
  ...["actor_rollout_ref.model.*", "actor_rollout_ref.ref.*", "actor_rollout_ref.rollout.*"],
  ...["hybrid_engine", "nccl_timeout", "model.*", "ref.*", "rollout.*", "checkpoint.*"],
  ...["optim.*", "fsdp_config.*", "megatron.*", "veomni.*", "engine.*", "profiler.*", "profile.*"],
  ...["strategy", "ppo_mini_batch_size", "ppo_micro_batch_size", "ppo_micro_batch_size_per_gpu"],
  ...["ppo_infer_micro_batch_size_per_gpu", "ppo_infer_max_token_len_per_gpu", "rollout_n"],
  ...["use_dynamic_bsz", "ppo_max_token_len_per_gpu", "ppo_epochs", "shuffle", "grad_clip"],
  ...["data_loader_seed", "use_fused_kernels", "use_torch_compile", "use_remove_padding"],
  ...["use_prefix_grouper", "calculate_entropy", "entropy_from_logits_with_chunking"],
  ...["entropy_checkpointing", "ulysses_sequence_parallel_size", "calculate_sum_pi_squared"],
  ...["sum_pi_squared_checkpointing", "freeze_vision_tower", "load_weight", "router_replay.*"],
  ...["kl_ctrl.*", "pf_ppo.*", "filter_groups.*", "dynamic_filter.*", "gdpo_reward_keys"],
  ...["gdpo_reward_weights", "n", "calculate_log_probs"],
];
