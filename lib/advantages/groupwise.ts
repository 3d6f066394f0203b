/** Advantages group by group, and what happens to a group that is too small for its formula. */
import { expected } from "../core/errors.js";
import type { AdvantageBatch, NumberParameter, WordParameter } from "./definition.js";
import { statisticsOf } from "./statistics.js";

/** Words of `SmallGroups`. */
export const SMALL_GROUPS: readonly ["zero", "reward", "error"] = ["zero", "reward", "error"];
/**
 * A group with fewer rewards than the formula needs, such as a group of one: advantage 0, the reward itself as the
 * advantage (as if mean 0 and deviation 1), or an error.
 */
export type SmallGroups = (typeof SMALL_GROUPS)[number];

const SMALL_GROUPS_MEANING =
  "what a group with too few rewards gets: zero, its reward (mean 0, deviation 1: verl), or an error (PAPO's authors)";

/** The parameter `smallGroups` of a definition. */
export function smallGroupsParameter(word: SmallGroups): WordParameter<SmallGroups> {
  return { default: word, words: SMALL_GROUPS, meaning: SMALL_GROUPS_MEANING };
}

/** A parameter `epsilon` with its default. */
export function epsilonParameter(value: number): NumberParameter {
  const meaning = "added to the standard deviation";
  return { default: value, range: [0, Number.MAX_VALUE], meaning };
}

export interface GroupRule {
  readonly smallGroups: SmallGroups;
  /** Rewards that the formula needs. Default 2. */
  readonly least?: number;
  /** What the reward of a small group is divided by where it is kept. Default 1. */
  readonly smallDivisor?: number;
}

/**
 * [sequences] `rule(rewards of one group, their sequences)` written back to those sequences.
 * Sequences without a reward keep 0.
 *
 * @throws PapoError ERR_RANGE for a group that is too small, where the choice is "error"
 */
export function groupwise(
  { where, sequences, rewards, groups }: AdvantageBatch,
  { smallGroups, least = 2, smallDivisor = 1 }: GroupRule,
  rule: (rewards: Float64Array, members: Int32Array) => Float64Array,
): Float64Array {
  const advantages = new Float64Array(sequences);
  for (const members of groups) {
    if (members.length === 0) continue;
    const own = Float64Array.from(members, (i) => rewards[i] as number);
    if (members.length >= least) scatter(advantages, members, rule(own, members));
    else if (smallGroups === "error") {
      const what = `groups of at least ${least} rewards`;
      throw expected("ERR_RANGE", where, what, `${members.length} at sequence ${members[0]}`);
    } else if (smallGroups === "reward") {
      scatter(
        advantages,
        members,
        own.map((reward) => reward / smallDivisor),
      );
    }
  }
  return advantages;
}

function scatter(target: Float64Array, members: Int32Array, values: Float64Array): void {
  for (let i = 0; i < members.length; i++) target[members[i] as number] = values[i] as number;
}

/** Rewards of a group minus their mean; exactly 0 where they are equal. */
export function centred(rewards: Float64Array): Float64Array {
  const { mean } = statisticsOf(rewards);
  return rewards.map((reward) => reward - mean);
}
