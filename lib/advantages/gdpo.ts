/** GDPO: every reward normalised in its group before they are added up. */
import type { AdvantageDefinition } from "./definition.js";
import {
  epsilonParameter,
  groupwise,
  type SmallGroups,
  smallGroupsParameter,
} from "./groupwise.js";
import { statisticsOf } from "./statistics.js";

export interface GdpoParameters {
  /** ε, added to a standard deviation that divides. */
  readonly epsilon: number;
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const GDPO: AdvantageDefinition<GdpoParameters> = {
  kind: "gdpo",
  summary:
    "Each reward function normalised per group, their weighted sum normalised over the batch.",
  formula:
    "S_i = Σ_k w_k (R_ik − μ_gk) / (σ_gk + ε), A_i = (S_i − mean S) / (std S + ε), std unbiased",
  source: "GDPO, arXiv 2601.05242",
  peers: ['TRL: multi_objective_aggregation "normalize_then_sum", ε 1e-4'],
  findings: [
    "With a missing reward the mean of S is not 0, so a sequence that no function judged gets an advantage in TRL; here 0.",
  ],
  level: "sequence",
  needs: ["groups", "rewardComponents"],
  parameters: { epsilon: epsilonParameter(1e-4), smallGroups: smallGroupsParameter("zero") },
  estimate(batch, { epsilon, smallGroups }) {
    const sums = new Float64Array(batch.sequences);
    const rule = { smallGroups, smallDivisor: 1 + epsilon };
    batch.components.forEach((rewards, k) => {
      const groups = batch.groups.map((members) =>
        members.filter((i) => !Number.isNaN(rewards[i])),
      );
      const normal = groupwise({ ...batch, rewards, groups }, rule, (own) => {
        const { mean, std } = statisticsOf(own);
        return own.map((reward) => (std === 0 ? 0 : (reward - mean) / (std + epsilon)));
      });
      const weight = batch.componentWeights[k] as number;
      for (let i = 0; i < sums.length; i++)
        sums[i] = (sums[i] as number) + weight * (normal[i] ?? 0);
    });
    const { mean, std } = statisticsOf(sums.filter((_, i) => batch.present[i] === 1));
    const advantages = sums.map((sum, i) =>
      batch.present[i] === 0 || std === 0 ? 0 : (sum - mean) / (std + epsilon),
    );
    return { advantages };
  },
};
