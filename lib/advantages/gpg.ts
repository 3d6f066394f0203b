/** GPG: Dr. GRPO's advantage, scaled up for the sequences that carry no gradient. */
import type { AdvantageDefinition } from "./definition.js";
import { centred, groupwise, type SmallGroups, smallGroupsParameter } from "./groupwise.js";

export interface GpgParameters {
  /** F_norm, what advantages are divided by. */
  readonly norm: number;
  /** Which numbers α counts: the rewards that are not 0 (verl), or the advantages. */
  readonly nonzero: "rewards" | "advantages";
  /** What a group of one gets. */
  readonly smallGroups: SmallGroups;
}

export const GPG: AdvantageDefinition<GpgParameters> = {
  kind: "gpg",
  summary: "Reward minus the group's mean, times α = sequences / sequences that count.",
  formula: "A_i = α (R_i − μ_g) / F_norm, α = B / max(1, #nonzero R)",
  source: "GPG, arXiv 2504.02546",
  peers: ['verl: adv_estimator "gpg" (nonzero "rewards"; α given in its options is overwritten)'],
  findings: [
    'verl counts nonzero rewards, so an all-correct group counts and a wrong answer in a mixed group does not; nonzero "advantages" counts the sequences that carry gradient, which is what α is for.',
    'A group of one keeps A = R in verl (here smallGroups "reward").',
  ],
  level: "sequence",
  needs: ["groups"],
  parameters: {
    norm: {
      default: 1,
      range: [Number.MIN_VALUE, Number.MAX_VALUE],
      meaning: "F_norm, what advantages are divided by",
    },
    nonzero: {
      default: "rewards",
      words: ["rewards", "advantages"],
      meaning: "which numbers α counts: the rewards that are not 0 (verl), or the advantages",
    },
    smallGroups: smallGroupsParameter("zero"),
  },
  estimate(batch, { norm, nonzero, smallGroups }) {
    const advantages = groupwise(batch, { smallGroups }, centred);
    const counted = nonzero === "rewards" ? batch.rewards : advantages;
    let [sequences, count] = [0, 0];
    for (let i = 0; i < batch.sequences; i++) {
      if (batch.present[i] === 0) continue;
      sequences++;
      if (counted[i] !== 0) count++;
    }
    const alpha = sequences / Math.max(1, count);
    return { advantages: advantages.map((advantage) => (alpha * advantage) / norm) };
  },
};
