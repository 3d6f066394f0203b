/** What the rewards of a batch look like, group by group. */
import { readOptions } from "../core/arguments.js";
import { type GroupOptions, groupsOf } from "./groups.js";
import { wordOf } from "./parameters.js";
import { MISSING, type Missing, type RewardsInput, rewardNumbers } from "./reward-numbers.js";
import { statisticsOf } from "./statistics.js";

/** All of them 0, never NaN, where there is nothing to count. */
export interface GroupMetrics {
  /** Sequences there are. */
  readonly sequences: number;
  /** Sequences without a reward; they are in none of the other numbers. */
  readonly missingRewards: number;
  /** Groups with at least one reward. */
  readonly groups: number;
  /** Groups with exactly one reward. */
  readonly singleGroups: number;
  /** Groups of two or more rewards that are all equal: they carry no gradient. */
  readonly zeroVarianceGroups: number;
  /** `zeroVarianceGroups` as a fraction of the groups of two or more. */
  readonly zeroVarianceFraction: number;
  /** Of all rewards. */
  readonly rewardMean: number;
  /** Of all rewards, unbiased. */
  readonly rewardStd: number;
  /** Mean over the groups of two or more of their unbiased standard deviations. */
  readonly groupStdMean: number;
}

/** Options of `groupMetrics`. */
export interface GroupMetricsOptions extends GroupOptions {
  /** [sequences] */
  readonly rewards: RewardsInput;
  /** "error" if not said. */
  readonly missing?: Missing;
}

/**
 * The metrics of a batch's rewards.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE, ERR_NOT_FINITE
 */
export function groupMetrics(options: GroupMetricsOptions): GroupMetrics {
  const where = "groupMetrics";
  const given = readOptions(where, options, ["rewards", "groups", "groupSize", "missing"]);
  const { missing: word = "error" } = given;
  const missing = wordOf(where, "missing", word, MISSING);
  const rewards = rewardNumbers(where, "rewards", given.rewards, missing);
  return metricsOf(rewards, groupsOf(where, given, rewards.length) ?? []);
}

/** The same of rewards in the inner form, NaN where one is missing. */
export function metricsOf(rewards: Float64Array, groups: readonly Int32Array[]): GroupMetrics {
  const there = rewards.filter((reward) => !Number.isNaN(reward));
  const all = statisticsOf(there);
  let [counted, single, zeroVariance, plural, stds] = [0, 0, 0, 0, 0];
  for (const members of groups) {
    const own = Float64Array.from(members, (i) => rewards[i] as number);
    const { count, std } = statisticsOf(own.filter((reward) => !Number.isNaN(reward)));
    if (count > 0) counted++;
    if (count === 1) single++;
    if (count < 2) continue;
    plural++;
    stds += std;
    if (std === 0) zeroVariance++;
  }
  return {
    sequences: rewards.length,
    missingRewards: rewards.length - there.length,
    groups: counted,
    singleGroups: single,
    zeroVarianceGroups: zeroVariance,
    zeroVarianceFraction: plural === 0 ? 0 : zeroVariance / plural,
    rewardMean: all.mean,
    rewardStd: all.std,
    groupStdMean: plural === 0 ? 0 : stds / plural,
  };
}
