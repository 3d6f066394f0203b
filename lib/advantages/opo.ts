/** OPO: the group's mean reward weighted by length as the baseline. */
import type { AdvantageDefinition } from "./definition.js";
import { centred, groupwise, type SmallGroups, smallGroupsParameter } from "./groupwise.js";

export interface OpoParameters {
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const OPO: AdvantageDefinition<OpoParameters> = {
  kind: "opo",
  summary:
    "Reward minus the group's length-weighted mean: the variance-optimal baseline under the paper's assumptions.",
  formula: "A_i = R_i − Σ_j len_j R_j / Σ_j len_j",
  source: "On-Policy RL with Optimal Reward Baseline, arXiv 2505.23585",
  peers: ['verl: adv_estimator "opo"'],
  findings: [
    'A group of one keeps A = R in verl (here smallGroups "reward").',
    "A group without a single counted token divides by 0 in verl; here its baseline is the plain mean.",
  ],
  level: "sequence",
  needs: ["groups", "lengths"],
  parameters: { smallGroups: smallGroupsParameter("zero") },
  estimate(batch, rule) {
    const advantages = groupwise(batch, rule, (rewards, members) => {
      // Differences to the plain mean first: equal rewards then leave exactly 0.
      const differences = centred(rewards);
      let [tokens, sum] = [0, 0];
      differences.forEach((difference, i) => {
        const length = batch.lengths[members[i] as number] as number;
        tokens += length;
        sum += length * difference;
      });
      const shift = tokens === 0 ? 0 : sum / tokens;
      return differences.map((difference) => difference - shift);
    });
    return { advantages };
  },
};
