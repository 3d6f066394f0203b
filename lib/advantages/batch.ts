/** What goes into an estimator, checked and in the one form that all of them read. */
import { listLength } from "../core/arrays.js";
import { allocate } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { type NumbersInput, numberRows } from "../functional/inputs.js";
import type { AdvantageBatch, AdvantageNeed } from "./definition.js";
import { type GroupOptions, groupsOf } from "./groups.js";
import { type Missing, rewardNumbers } from "./reward-numbers.js";
import { countedNumbers, countedTokens, type TokenLayoutOptions } from "./tokens.js";

/** Every input of any estimator, each read, none checked. */
export interface GivenInputs extends GroupOptions, TokenLayoutOptions {
  readonly rewards?: unknown;
  readonly rewardComponents?: unknown;
  readonly rewardWeights?: NumbersInput;
  readonly baselines?: NumbersInput;
  readonly lengths?: NumbersInput;
  readonly tokenRewards?: NumbersInput;
  readonly values?: NumbersInput;
}

const NONE = new Float64Array(0);

/**
 * The batch that `given` holds, with what is in `needs`.
 *
 * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE, ERR_DTYPE, ERR_NOT_FINITE
 */
export function batchOf(
  where: string,
  given: GivenInputs,
  needs: readonly AdvantageNeed[],
  missing: Missing,
): AdvantageBatch {
  const has = (need: AdvantageNeed) => needs.includes(need);
  const componentInputs = has("rewardComponents")
    ? componentsOf(where, given, missing)
    : { components: [], componentWeights: NONE };
  const rewards = has("rewardComponents")
    ? weightedSums(componentInputs)
    : rewardNumbers(where, "rewards", given.rewards, missing);
  const sequences = rewards.length;
  const present = Int32Array.from(rewards, (reward) => (Number.isNaN(reward) ? 0 : 1));
  const groups = groupsOf(where, given, sequences);
  if (groups === undefined && has("groups")) {
    throw expected("ERR_ARGUMENT", where, "groups or groupSize", "neither");
  }
  const isLayoutRead = has("tokens") || (has("lengths") && given.lengths === undefined);
  const { rows, tokens } = isLayoutRead
    ? countedTokens(where, given, present)
    : { rows: 0, tokens: [] };
  return {
    where,
    sequences,
    rewards,
    present,
    groups: (groups ?? []).map((members) => members.filter((i) => present[i] === 1)),
    lengths: has("lengths") ? lengthsOf(where, given.lengths, tokens, sequences) : NONE,
    baselines: has("baselines") ? baselinesOf(where, given.baselines, present) : NONE,
    ...componentInputs,
    rows,
    tokens,
    tokenRewards: has("tokens")
      ? tokenRewardsOf(where, given.tokenRewards, rewards, rows, tokens)
      : NONE,
    values: has("values")
      ? countedNumbers(where, "values", given.values as NumbersInput, rows, tokens)
      : NONE,
  };
}

type Components = Pick<AdvantageBatch, "components" | "componentWeights">;

function componentsOf(where: string, given: GivenInputs, missing: Missing): Components {
  const inputs = given.rewardComponents;
  const length = listLength(inputs) ?? 0;
  if (length === 0) {
    const what = "rewardComponents to be an array with the rewards of each function";
    throw expected("ERR_ARGUMENT", where, what, describe(inputs));
  }
  const components = Array.from({ length }, (_, k) =>
    rewardNumbers(where, `rewardComponents[${k}]`, (inputs as readonly unknown[])[k], missing),
  );
  const sequences = components[0]?.length ?? 0;
  for (const [k, { length }] of components.entries()) {
    if (length === sequences) continue;
    throw expected("ERR_SHAPE", where, `rewardComponents[${k}] [${sequences}]`, `[${length}]`);
  }
  const componentWeights =
    given.rewardWeights === undefined
      ? new Float64Array(components.length).fill(1)
      : numberRows(where, "rewardWeights", given.rewardWeights, components.length);
  checkFinite(where, "rewardWeights", componentWeights);
  return { components, componentWeights };
}

/** [sequences] over the rewards that are there; NaN where none is. */
function weightedSums({ components, componentWeights }: Components): Float64Array {
  const sums = new Float64Array(components[0]?.length ?? 0).fill(Number.NaN);
  components.forEach((rewards, k) => {
    rewards.forEach((reward, i) => {
      if (Number.isNaN(reward)) return;
      const sum = sums[i] as number;
      sums[i] = (Number.isNaN(sum) ? 0 : sum) + (componentWeights[k] as number) * reward;
    });
  });
  return sums;
}

function lengthsOf(
  where: string,
  lengths: NumbersInput | undefined,
  tokens: readonly Int32Array[],
  sequences: number,
): Float64Array {
  if (lengths === undefined) return Float64Array.from(tokens, (own) => own.length);
  const numbers = numberRows(where, "lengths", lengths, sequences);
  numbers.forEach((length, i) => {
    if (Number.isSafeInteger(length) && length >= 0) return;
    const what = `lengths[${i}] to be a number of tokens`;
    throw expected("ERR_RANGE", where, what, describe(length));
  });
  return numbers;
}

/** One per sequence; that of a missing reward is not looked at. */
function baselinesOf(
  where: string,
  baselines: NumbersInput | undefined,
  present: Int32Array,
): Float64Array {
  const numbers = numberRows(where, "baselines", baselines as NumbersInput, present.length);
  checkFinite(where, "baselines", numbers, present);
  return numbers;
}

function checkFinite(
  where: string,
  name: string,
  numbers: Float64Array,
  present?: Int32Array,
): void {
  numbers.forEach((number, i) => {
    if (Number.isFinite(number) || present?.[i] === 0) return;
    throw expected("ERR_NOT_FINITE", where, `${name}[${i}] to be finite`, describe(number));
  });
}

/** The rewards of tokens, with that of the sequence on its last token that counts. */
function tokenRewardsOf(
  where: string,
  given: NumbersInput | undefined,
  rewards: Float64Array,
  rows: number,
  tokens: readonly Int32Array[],
): Float64Array {
  const sums =
    given === undefined
      ? allocate("float64", rows)
      : countedNumbers(where, "tokenRewards", given, rows, tokens);
  tokens.forEach((own, i) => {
    const last = own[own.length - 1];
    if (last !== undefined) sums[last] = (sums[last] as number) + (rewards[i] as number);
  });
  return sums;
}
