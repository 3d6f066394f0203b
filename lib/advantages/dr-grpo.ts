/** Dr. GRPO: the reward minus its group's mean. */
import type { AdvantageDefinition } from "./definition.js";
import { centred, groupwise, type SmallGroups, smallGroupsParameter } from "./groupwise.js";

export interface DrGrpoParameters {
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const DR_GRPO: AdvantageDefinition<DrGrpoParameters> = {
  kind: "dr-grpo",
  summary: "Reward minus the group's mean, not divided by anything.",
  formula: "A_i = R_i − μ_g",
  source: "Understanding R1-Zero-Like Training, arXiv 2503.20783",
  peers: [
    'TRL: scale_rewards "none"',
    'verl: adv_estimator "grpo" with norm_adv_by_std_in_grpo false',
  ],
  findings: [
    'A group of one keeps A = R in verl (here smallGroups "reward").',
    "The paper's other half, the constant denominator, is a reduction: seq-mean-token-sum-norm.",
  ],
  level: "sequence",
  needs: ["groups"],
  parameters: { smallGroups: smallGroupsParameter("zero") },
  estimate: (batch, rule) => ({ advantages: groupwise(batch, rule, centred) }),
};
