/** RLOO: the mean of the group's other rewards as the baseline. */
import type { AdvantageDefinition } from "./definition.js";
import { centred, groupwise, type SmallGroups, smallGroupsParameter } from "./groupwise.js";

export interface RlooParameters {
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const RLOO: AdvantageDefinition<RlooParameters> = {
  kind: "rloo",
  summary: "Reward minus the mean of the other rewards of its group (leave one out).",
  formula: "A_i = R_i − mean_{j≠i} R_j = (R_i − μ_g) · n / (n − 1)",
  source: "Back to Basics, arXiv 2402.14740",
  peers: ['verl: adv_estimator "rloo"', "TRL: RLOOTrainer", 'PAPO authors: adv_estimator "rloo"'],
  findings: ['A group of one keeps A = R in verl (here smallGroups "reward").'],
  level: "sequence",
  needs: ["groups"],
  parameters: { smallGroups: smallGroupsParameter("zero") },
  estimate(batch, rule) {
    const advantages = groupwise(batch, rule, (rewards) => {
      const scale = rewards.length / (rewards.length - 1);
      return centred(rewards).map((difference) => difference * scale);
    });
    return { advantages };
  },
};
