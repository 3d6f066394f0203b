/** REINFORCE++: returns whitened over the tokens of the batch, with and without a group baseline. */
import { allocate } from "../core/dtype.js";
import type { AdvantageDefinition, NumberParameter } from "./definition.js";
import { centred, groupwise, type SmallGroups, smallGroupsParameter } from "./groupwise.js";
import { WHITENING_PARAMETERS, type Whitening, whiten } from "./statistics.js";

export interface ReinforceParameters extends Whitening {
  /** Discount per token. */
  readonly gamma: number;
}

export const GAMMA: NumberParameter = {
  default: 1,
  range: [0, 1],
  meaning: "discount per token",
};

export const REINFORCE: AdvantageDefinition<ReinforceParameters> = {
  kind: "reinforce++",
  summary: "Discounted return of each token, whitened over all counted tokens of the batch.",
  formula:
    "G_t = r_t + γ G_{t+1}, A_t = (G_t − mean G) / √(var G + ε) over counted tokens, var unbiased",
  source: "REINFORCE++, arXiv 2501.03262",
  peers: [
    'verl: adv_estimator "reinforce_plus_plus"',
    'PAPO authors: adv_estimator "reinforce_plus_plus"',
  ],
  findings: [
    "verl sets the return to 0 behind every masked token, seen from the end: with tool tokens inside a response, what was generated before them has return 0. Here masked tokens are skipped.",
    "verl raises for a batch of one counted token; here its advantage is 0.",
  ],
  level: "token",
  needs: ["tokens"],
  parameters: { gamma: GAMMA, ...WHITENING_PARAMETERS },
  estimate({ rows, tokens, tokenRewards }, { gamma, ...whitening }) {
    const returns = allocate("float64", rows);
    const counted = allocate("int32", rows);
    for (const own of tokens) {
      let running = 0;
      for (let t = own.length - 1; t >= 0; t--) {
        const row = own[t] as number;
        running = (tokenRewards[row] as number) + gamma * running;
        returns[row] = running;
        counted[row] = 1;
      }
    }
    const advantages = returns.slice();
    whiten(advantages, counted, whitening);
    return { advantages, returns };
  },
};

export interface ReinforceBaselineParameters extends Whitening {
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const REINFORCE_BASELINE: AdvantageDefinition<ReinforceBaselineParameters> = {
  kind: "reinforce++-baseline",
  summary: "Reward minus the group's mean, whitened over all counted tokens of the batch.",
  formula:
    "B_i = R_i − μ_g, A_i = (B_i − mean B) / √(var B + ε), each B_i counted len_i times, var unbiased",
  source: "REINFORCE++, arXiv 2501.03262",
  peers: ['verl: adv_estimator "reinforce_plus_plus_baseline"'],
  findings: [
    "Lengths enter through the whitening: where they differ, an equal-reward group has not 0 but −mean B / √(var B + ε).",
    'A group of one keeps B = R in verl (here smallGroups "reward").',
  ],
  level: "sequence",
  needs: ["groups", "lengths"],
  parameters: { smallGroups: smallGroupsParameter("zero"), ...WHITENING_PARAMETERS },
  estimate(batch, { smallGroups, ...whitening }) {
    const advantages = groupwise(batch, { smallGroups }, centred);
    const weights = batch.lengths.map((length, i) => (batch.present[i] === 1 ? length : 0));
    whiten(advantages, weights, whitening);
    return { advantages };
  },
};
