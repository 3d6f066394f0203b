/** ReMax: the reward of the greedy answer as the baseline. */
import type { AdvantageDefinition } from "./definition.js";

export const REMAX: AdvantageDefinition = {
  kind: "remax",
  summary: "Reward minus the reward of the greedy answer to the same prompt.",
  formula: "A_i = R_i − R_greedy",
  source: "ReMax, arXiv 2310.10505",
  peers: ['verl: adv_estimator "remax"', 'PAPO authors: adv_estimator "remax"'],
  findings: [],
  level: "sequence",
  needs: ["baselines"],
  parameters: {},
  estimate({ sequences, rewards, present, baselines }) {
    const advantages = new Float64Array(sequences);
    for (let i = 0; i < sequences; i++) {
      if (present[i] === 1) advantages[i] = (rewards[i] as number) - (baselines[i] as number);
    }
    return { advantages };
  },
};
