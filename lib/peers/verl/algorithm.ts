/** verl's algorithm: advantages, and what it does to rewards. */
import { oneOf, readFlag } from "../../objective/spec-values.js";
import type { PeerOptions } from "../peer.js";
import { fraction } from "../readers.js";
import { measuredKlOf, readKlWord } from "./kl.js";
import { ADV_ESTIMATORS, VERL_ADVANTAGES } from "./losses.js";
import { ALGORITHM, type VerlAlgorithmOptions, type VerlOptions } from "./options.js";

export const VERL_ALGORITHM: PeerOptions<VerlAlgorithmOptions, VerlOptions> = {
  adv_estimator: {
    section: ALGORITHM,
    default: "gae",
    read: oneOf(ADV_ESTIMATORS),
    meaning: "How advantages are formed.",
    ours: ["advantages"],
    to: (name, { norm_adv_by_std_in_grpo, gamma, lam }) =>
      VERL_ADVANTAGES[name]({ byStd: norm_adv_by_std_in_grpo, gamma, lambda: lam }),
  },
  norm_adv_by_std_in_grpo: {
    section: ALGORITHM,
    default: true,
    read: readFlag,
    meaning: "false is Dr. GRPO's advantage.",
    ours: ["advantages"],
  },
  gamma: {
    section: ALGORITHM,
    default: 1,
    read: fraction,
    meaning: "Discount of later rewards.",
    ours: ["advantages"],
  },
  lam: {
    section: ALGORITHM,
    default: 1,
    read: fraction,
    meaning: "Weight of later differences in GAE.",
    ours: ["advantages"],
  },
  use_kl_in_reward: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "A reference KL is taken off the rewards.",
    ours: ["notExpressible"],
    to: (uses) =>
      uses
        ? { notExpressible: "it changes rewards, not the loss: subtract it before advantages" }
        : {},
  },
  kl_penalty: {
    section: ALGORITHM,
    default: "kl",
    read: readKlWord,
    meaning:
      "Estimator of the KL in the rewards; given without use_kl_loss it is what is measured.",
    ours: ["refKlEstimator"],
    to: (word, { use_kl_loss }, isGiven) => (isGiven && !use_kl_loss ? measuredKlOf(word) : {}),
  },
  use_pf_ppo: {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "Samples are drawn again by their rewards.",
    ours: ["notExpressible"],
    to: (uses) => (uses ? { notExpressible: "resampling happens before a batch is made" } : {}),
  },
  "filter_groups.enable": {
    section: ALGORITHM,
    default: false,
    read: readFlag,
    meaning: "Dynamic sampling: groups whose scores are all equal are left out.",
    ours: ["groupFilter"],
    to: (filters) => (filters ? { groupFilter: { rule: "spread", fallback: "none" } } : {}),
  },
};
