/** `fromVerl`: the actor's and the algorithm's options of a verl config. */
import { importConfig } from "../import.js";
import type { Peer, PeerImport } from "../peer.js";
import { VERL_ACTOR } from "./actor.js";
import { VERL_ALGORITHM } from "./algorithm.js";
import { VERL_CORRECTION } from "./correction.js";
import type { VerlOptions } from "./options.js";
import { VERL_UNRELATED } from "./unrelated.js";

export const VERL: Peer<VerlOptions> = {
  name: "verl",
  where: "fromVerl",
  source: "verl/trainer/config and verl/trainer/ppo/core_algos.py, revision b178a3cd5",
  always: {
    spec: {
      logRatioLimit: 20,
      klLimit: 10,
      entropyEstimator: "exact",
      entropyReduction: "same",
    },
  },
  options: { ...VERL_ACTOR, ...VERL_CORRECTION, ...VERL_ALGORITHM },
  unrelated: VERL_UNRELATED,
};

/**
 * The objective of a verl config: any part of it, nested, dotted, or both.
 *
 * @param config  such as { actor_rollout_ref: { actor: { loss_agg_mode: "token-mean" } }, "algorithm.adv_estimator": "grpo" }
 * @returns the spec, and as data what else the caller has to do; bugs are not reproduced but listed in `differences`
 * @throws PapoError ERR_ARGUMENT for misspelt options and wrong kinds, ERR_RANGE for numbers outside their range
 */
export function fromVerl(config: object): PeerImport {
  return importConfig(VERL, config);
}
