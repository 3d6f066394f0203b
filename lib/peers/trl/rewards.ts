/** GRPOConfig: rewards and advantages. */
import { oneOf } from "../../objective/spec-values.js";
import type { Contribution, PeerOptions } from "../peer.js";
import { numbersOrNull } from "../readers.js";
import {
  REWARD_SCALES,
  type RewardScale,
  type TrlOptions,
  type TrlRewardOptions,
} from "./options.js";

export const TRL_REWARDS: PeerOptions<TrlRewardOptions, TrlOptions> = {
  scale_rewards: {
    default: "group",
    read: (where, name, value) =>
      typeof value === "boolean"
        ? value
          ? "group"
          : "none"
        : oneOf(REWARD_SCALES)(where, name, value),
    meaning: "What centred rewards are divided by.",
    ours: ["advantages"],
    to: (scale, { multi_objective_aggregation }) =>
      multi_objective_aggregation === "sum_then_normalize" ? SCALED[scale] : {},
  },
  multi_objective_aggregation: {
    default: "sum_then_normalize",
    read: oneOf(["sum_then_normalize", "normalize_then_sum"]),
    meaning: "Rewards are added up and then normalised, or the other way round (GDPO).",
    ours: ["advantages"],
    to: (way) =>
      way === "sum_then_normalize"
        ? {}
        : {
            advantages: { kind: "gdpo", epsilon: 1e-4, smallGroups: "zero" },
            rules: ["rewardComponents and rewardWeights: each reward by itself, and its weight."],
          },
  },
  reward_weights: {
    default: null,
    read: numbersOrNull,
    meaning: "Weights of several rewards.",
    ours: ["advantages", "rules"],
    to: (weights) =>
      weights === null
        ? {}
        : { rules: [`rewards: the sum of all rewards, weighted by ${weights.join(", ")}.`] },
  },
};

/** scale_rewards: 1e-4 is TRL's constant. */
const SCALED: Readonly<Record<RewardScale, Contribution>> = {
  group: { advantages: { kind: "grpo", epsilon: 1e-4, smallGroups: "zero" } },
  batch: { advantages: { kind: "grpo-batch", epsilon: 1e-4, smallGroups: "zero" } },
  none: { advantages: { kind: "dr-grpo", smallGroups: "zero" } },
  mean: {
    notExpressible: "division by the group's mean (MaxRL): compute those advantages yourself",
  },
};
