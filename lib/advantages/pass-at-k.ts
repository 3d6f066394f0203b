/** Pass@k by the best answer's lead over the second best. */
import type { AdvantageDefinition } from "./definition.js";
import {
  epsilonParameter,
  groupwise,
  type SmallGroups,
  smallGroupsParameter,
} from "./groupwise.js";
import { statisticsOf } from "./statistics.js";

export interface PassAtKParameters {
  /** What the lead is divided by: the group's standard deviation + ε, or nothing. */
  readonly scale: "group" | "none";
  /** ε, added to the standard deviation that divides. */
  readonly epsilon: number;
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const PASS_AT_K: AdvantageDefinition<PassAtKParameters> = {
  kind: "pass@k",
  summary: "The best of a group gets its lead over the second best, all others 0.",
  formula: "A_best = (R_(1) − R_(2)) / (σ_g + ε), 0 for all others",
  source: "arXiv 2503.19595",
  peers: ['verl: adv_estimator "grpo_passk" (norm_adv_by_std_in_grpo: scale "group", ε 1e-6)'],
  findings: [
    "k is the size of the group; for any other k see pkpo.",
    "Where two are best nobody gets anything: in a group with two correct binary answers no gradient is left.",
    'verl raises for a group of one (here smallGroups "error").',
  ],
  level: "sequence",
  needs: ["groups"],
  parameters: {
    scale: {
      default: "group",
      words: ["group", "none"],
      meaning: "what the lead is divided by: the group's standard deviation + ε, or nothing",
    },
    epsilon: epsilonParameter(1e-6),
    smallGroups: smallGroupsParameter("zero"),
  },
  estimate(batch, { scale, epsilon, smallGroups }) {
    const smallDivisor = scale === "group" ? 1 + epsilon : 1;
    const advantages = groupwise(batch, { smallGroups, smallDivisor }, (rewards) => {
      const [first = 0, second = 0] = Array.from(rewards).sort((a, b) => b - a);
      const divisor = scale === "group" ? statisticsOf(rewards).std + epsilon : 1;
      const leads = new Float64Array(rewards.length);
      if (first > second) leads[rewards.indexOf(first)] = (first - second) / divisor;
      return leads;
    });
    return { advantages };
  },
};
