/** Batch-scaled GRPO: the group's mean below, the batch's standard deviation under it. */
import type { AdvantageDefinition } from "./definition.js";
import {
  centred,
  epsilonParameter,
  groupwise,
  type SmallGroups,
  smallGroupsParameter,
} from "./groupwise.js";
import { statisticsOf } from "./statistics.js";

export interface GrpoBatchParameters {
  /** ε, added to the standard deviation that divides. */
  readonly epsilon: number;
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const GRPO_BATCH: AdvantageDefinition<GrpoBatchParameters> = {
  kind: "grpo-batch",
  summary: "Reward minus the group's mean, over the standard deviation of the whole batch.",
  formula: "A_i = (R_i − μ_g) / (σ_batch + ε), σ_batch of all rewards, unbiased",
  source: "TRL scale_rewards; Tricks or Traps?, arXiv 2508.08221",
  peers: ['TRL: scale_rewards "batch", ε 1e-4'],
  findings: [
    "σ_batch is that of the rewards, not of the centred ones: it holds the spread between prompts too.",
  ],
  level: "sequence",
  needs: ["groups"],
  parameters: { epsilon: epsilonParameter(1e-4), smallGroups: smallGroupsParameter("zero") },
  estimate(batch, { epsilon, smallGroups }) {
    const { std } = statisticsOf(batch.rewards.filter((_, i) => batch.present[i] === 1));
    const advantages = groupwise(batch, { smallGroups }, centred);
    // A batch of equal rewards has deviation 0 and, but for kept groups of one, nothing to scale.
    const divisor = std + epsilon;
    return { advantages: divisor === 0 ? advantages : advantages.map((a) => a / divisor) };
  },
};
