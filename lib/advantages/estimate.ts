/** The door: advantages by the name of their estimator. */
import { readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import type { NumbersInput } from "../functional/inputs.js";
import { batchOf, type GivenInputs } from "./batch.js";
import type { AdvantageDefinition } from "./definition.js";
import type { GroupOptions } from "./groups.js";
import { type GroupMetrics, metricsOf } from "./metrics.js";
import { parameterOf, wordOf } from "./parameters.js";
import { MISSING, type Missing, type RewardsInput } from "./reward-numbers.js";
import {
  ADVANTAGE_KINDS,
  ADVANTAGES,
  type AdvantageKind,
  type AdvantageParameters,
} from "./table.js";
import type { TokenLayoutOptions } from "./tokens.js";

export interface MissingOptions {
  /** What a missing reward (NaN, null, undefined) is: "error" if not said. */
  readonly missing?: Missing;
}

/** Rewards in groups; every group estimator takes these. */
export interface GroupedRewards extends GroupOptions, MissingOptions {
  /** [sequences] */
  readonly rewards: RewardsInput;
}

export interface LengthOptions extends TokenLayoutOptions {
  /** [sequences] tokens that count; or let the layout and its mask say. */
  readonly lengths?: NumbersInput | undefined;
}

export interface BaselineRewards extends GroupedRewards {
  /** [sequences] reward of the greedy answer to each sequence's prompt. */
  readonly baselines: NumbersInput;
}

export interface RewardComponents extends GroupOptions, MissingOptions {
  /** [reward functions] of [sequences]. */
  readonly rewardComponents: readonly RewardsInput[];
  /** [reward functions], all 1 if not said. */
  readonly rewardWeights?: NumbersInput | undefined;
}

/** Rewards of sequences, given to the last token that counts, and of tokens. Groups are for the metrics only. */
export interface TokenRewards extends GroupedRewards, TokenLayoutOptions {
  /** [rows] added to that of the sequence, such as −β KL; 0 if not said. */
  readonly tokenRewards?: NumbersInput | undefined;
}

export interface ValuedTokenRewards extends TokenRewards {
  /** [rows] of the value function. */
  readonly values: NumbersInput;
}

/** What each estimator takes beside its parameters. */
export interface AdvantageInputs {
  /** A reward per sequence, in groups. */
  grpo: GroupedRewards;
  /** A reward per sequence, in groups. */
  "dr-grpo": GroupedRewards;
  /** A reward per sequence, in groups. */
  "grpo-batch": GroupedRewards;
  /** A reward per sequence, in groups. */
  rloo: GroupedRewards;
  /** Rewards of sequences and tokens. */
  "reinforce++": TokenRewards;
  /** A reward per sequence, in groups, and lengths. */
  "reinforce++-baseline": GroupedRewards & LengthOptions;
  /** A reward per sequence and that of its greedy answer. */
  remax: BaselineRewards;
  /** A reward per sequence, in groups, and lengths. */
  opo: GroupedRewards & LengthOptions;
  /** A reward per sequence, in groups. */
  gpg: GroupedRewards;
  /** A reward per sequence, in groups. */
  "pass@k": GroupedRewards;
  /** A reward per sequence, in groups. */
  pkpo: GroupedRewards;
  /** Several rewards per sequence, in groups. */
  gdpo: RewardComponents;
  /** Rewards of sequences and tokens, and values of tokens. */
  gae: ValuedTokenRewards;
}

/** What `estimateAdvantages` takes for a kind: its inputs, and its parameters where they differ from the defaults. */
export type AdvantageOptions<K extends AdvantageKind> = AdvantageInputs[K] &
  Partial<AdvantageParameters[K]>;

/** What `estimateAdvantages` gives. */
export interface AdvantageEstimate {
  /** [sequences], or [rows] of the estimators whose level is "token"; either goes into a batch as `advantages`. */
  readonly advantages: Float64Array;
  /** [rows] targets of the value function, before any whitening; token level only, 0 where a token does not count. */
  readonly returns: Float64Array | undefined;
  /** Indices of the sequences without a reward, ascending. Their advantages are 0 and no statistic has them. */
  readonly missing: Int32Array;
  /** Of the rewards; of their weighted sum where there are several. */
  readonly metrics: GroupMetrics;
}

type AnyDefinition = Pick<AdvantageDefinition, "needs" | "level"> & {
  readonly parameters: object;
  estimate(batch: object, parameters: object): ReturnType<AdvantageDefinition["estimate"]>;
};

/**
 * The advantages of a batch, constants for every gradient.
 *
 * - Groups whose rewards are all equal get exactly 0, but where whitening or PKPO's formula says otherwise.
 * - Groups with too few rewards (of one, for most) get what `smallGroups` says.
 * - A batch without sequences gives no advantages and metrics of 0.
 * - Parameters and their defaults: `ADVANTAGES[kind].parameters`.
 *
 * @param kind  one of `ADVANTAGE_KINDS`
 * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE, ERR_DTYPE; ERR_NOT_FINITE for an infinite reward, for rewards too
 * large to be averaged, and for a missing one unless `missing` is "skip"
 * @see ADVANTAGES[kind].source
 */
export function estimateAdvantages<K extends AdvantageKind>(
  kind: K,
  options: AdvantageOptions<K>,
): AdvantageEstimate {
  const where = "estimateAdvantages";
  const known = wordOf(where, "kind", kind, ADVANTAGE_KINDS);
  const definition: AnyDefinition = ADVANTAGES[known];
  const names = Object.keys(definition.parameters);
  const keys = [...inputKeys(definition.needs), ...names];
  const given: GivenInputs & { readonly missing?: unknown } = readOptions(
    where,
    options as object,
    keys as never[],
  );
  const parameters = Object.fromEntries(
    Object.entries(definition.parameters).map(([name, parameter]) => [
      name,
      parameterOf(where, name, parameter, (given as Record<string, unknown>)[name]),
    ]),
  );
  const { missing: word = "error" } = given;
  const missing = wordOf(where, "missing", word, MISSING);
  const batch = batchOf(where, given, definition.needs, missing);
  const { advantages, returns } = definition.estimate(batch, parameters);
  const overflown = advantages.findIndex((advantage) => !Number.isFinite(advantage));
  if (overflown >= 0) {
    const received = `${describe(advantages[overflown])} at ${overflown}`;
    throw expected("ERR_NOT_FINITE", where, "rewards with finite advantages", received);
  }
  return {
    advantages,
    returns,
    missing: Int32Array.from(batch.present.keys()).filter((i) => batch.present[i] === 0),
    metrics: metricsOf(batch.rewards, batch.groups),
  };
}

function inputKeys(needs: AdvantageDefinition["needs"]): string[] {
  const keys = ["groups", "groupSize", "missing"];
  if (needs.includes("rewardComponents")) keys.unshift("rewardComponents", "rewardWeights");
  else keys.unshift("rewards");
  if (needs.includes("baselines")) keys.push("baselines");
  if (needs.includes("lengths")) keys.push("lengths");
  if (needs.includes("tokens")) keys.push("tokenRewards");
  if (needs.includes("values")) keys.push("values");
  if (needs.includes("lengths") || needs.includes("tokens")) {
    keys.push("shape", "cuSeqlens", "responseMask");
  }
  return keys;
}
