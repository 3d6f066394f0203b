/** GRPO: the reward in units of its group's standard deviation. */
import type { AdvantageDefinition } from "./definition.js";
import {
  epsilonParameter,
  groupwise,
  type SmallGroups,
  smallGroupsParameter,
} from "./groupwise.js";
import { statisticsOf } from "./statistics.js";

export interface GrpoParameters {
  /** ε, added to the standard deviation that divides. */
  readonly epsilon: number;
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const GRPO: AdvantageDefinition<GrpoParameters> = {
  kind: "grpo",
  summary: "Reward minus the group's mean, over the group's standard deviation.",
  formula: "A_i = (R_i − μ_g) / (σ_g + ε), σ_g unbiased (n − 1)",
  source: "DeepSeekMath, arXiv 2402.03300; PAPO, arXiv 2507.06448; DAPO, arXiv 2503.14476",
  peers: [
    'TRL: scale_rewards "group", ε 1e-4',
    'verl: adv_estimator "grpo", ε 1e-6',
    'PAPO authors: adv_estimator "grpo" and "dapo" (one function), ε 1e-6',
  ],
  findings: [
    "ε differs: 1e-4 in TRL, 1e-6 in verl and in the authors' code.",
    'A group of one: verl keeps A = R / (1 + ε) (here smallGroups "reward"), the authors assert ("error"), TRL has 0 ("zero").',
    "Equal rewards whose mean rounds: elsewhere about 1e-10 instead of 0; here exactly 0.",
  ],
  level: "sequence",
  needs: ["groups"],
  parameters: { epsilon: epsilonParameter(1e-6), smallGroups: smallGroupsParameter("zero") },
  estimate(batch, { epsilon, smallGroups }) {
    const smallDivisor = 1 + epsilon;
    const advantages = groupwise(batch, { smallGroups, smallDivisor }, (rewards) => {
      const { mean, std } = statisticsOf(rewards);
      // Of equal rewards nothing is left, also without an epsilon.
      return rewards.map((reward) => (std === 0 ? 0 : (reward - mean) / (std + epsilon)));
    });
    return { advantages };
  },
};
