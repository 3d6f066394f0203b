/** `fromPapoAuthors`: the options of the PAPO authors' repository, in its yaml or on its command line. */
import { importConfig } from "../import.js";
import type { Peer, PeerImport } from "../peer.js";
import { CONFIG_FILES } from "./config-files.js";
import type { PapoOptions } from "./options.js";
import { PAPO_PERCEPTION } from "./perception.js";
import { PAPO_POLICY } from "./policy.js";

export const PAPO_AUTHORS: Peer<PapoOptions> = {
  name: "PAPO authors",
  where: "fromPapoAuthors",
  source:
    "MikeWangWZHL/PAPO main: verl/trainer/config.py, workers/actor/config.py, examples/configs",
  always: {
    spec: {
      perceptionKlEstimator: "k3",
      entropyEstimator: "sampled",
      entropyReduction: "token-mean",
      // RECOMPUTE_AUG_LOG_PROBS = False, dp_actor.py:46.
      maskedBranch: "constant",
      logRatioLimit: 20,
      klLimit: 10,
      denominatorEpsilon: 1e-8,
    },
    rules: [
      "Each micro-batch is divided by its own counts; average the losses and gradients of the micro-batches of an update.",
    ],
    differences: [
      {
        what: "In the Qwen3 branch every PAPO term is without gradient; here they have theirs.",
        why: "its loss is bound before they are added (main_qwen3 dp_actor.py:346-352, 431-432)",
      },
    ],
  },
  options: { ...PAPO_POLICY, ...PAPO_PERCEPTION },
  under: ({ config }) => (config ? CONFIG_FILES[config] : {}),
  unrelated: [
    ...["data.*", "trainer.*", "worker.model.*", "worker.ref.*", "worker.reward.*"],
    ...["worker.rollout.*", "worker.critic.*", "worker.hybrid_engine", "model.*", "optim.*"],
    ...["fsdp.*", "offload.*", "aug_config.*", "contrastive_type", "kl_prcp_schedule_args.*"],
    ...["global_batch_size", "global_batch_size_per_device", "max_grad_norm", "ppo_epochs"],
    ...["micro_batch_size_per_device_for_update", "micro_batch_size_per_device_for_experience"],
    ...["padding_free", "dynamic_batching", "ulysses_size", "use_torch_compile", "strategy"],
    ...["freeze_vision_tower", "enable_gradient_checkpointing"],
  ],
};

/**
 * The objective of a run of the PAPO authors' code.
 *
 * @param config  their options, nested or dotted, such as { config: "examples/configs/config_grpo_papo.yaml",
 *                "algorithm.kl_prcp_coef": 0.02 }; without `config` the defaults are those of their classes
 * @returns the spec, and as data what else the caller has to do; bugs are not reproduced but listed in `differences`
 * @throws PapoError ERR_ARGUMENT for misspelt options and wrong kinds, ERR_RANGE for numbers outside their range
 */
export function fromPapoAuthors(config: object): PeerImport {
  return importConfig(PAPO_AUTHORS, config);
}
