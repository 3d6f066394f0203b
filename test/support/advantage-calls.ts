/** A valid call of every verb that makes or filters advantages, for tests that spoil one of its fields. */
import {
  ADVANTAGE_KINDS,
  ADVANTAGES,
  estimateAdvantages,
  filterGroups,
  groupMetrics,
  maxAtK,
  passAtK,
} from "../../lib/index.js";

type Fields = Record<string, unknown>;
type Calls = Record<string, readonly [(fields: Fields) => unknown, () => Fields]>;

const rewards = (): (number | null)[] => [1, 0.5, 0, 2];
const groups = (): unknown => [0, "a", "a", 0];

/** What each need adds to the fields of a call. */
const INPUTS: Readonly<Record<string, () => Fields>> = {
  groups: () => ({}),
  lengths: () => ({ lengths: [1, 2, 3, 4] }),
  baselines: () => ({ baselines: [1, 2, 3, 4] }),
  rewardComponents: () => ({ rewardComponents: [rewards(), rewards()], rewardWeights: [1, 2] }),
  tokens: () => ({
    tokenRewards: [0, 1, 2, 3, 4],
    cuSeqlens: [0, 1, 3, 4, 5],
    responseMask: [1, 1, 0, 1, 1],
    shape: [5],
  }),
  values: () => ({ values: [0, 1, 2, 3, 4] }),
};

function fieldsOf(kind: (typeof ADVANTAGE_KINDS)[number]): Fields {
  const { needs, parameters } = ADVANTAGES[kind];
  const fields: Fields = { groups: groups(), missing: "skip" };
  if (!needs.includes("rewardComponents")) fields.rewards = rewards();
  for (const need of needs) Object.assign(fields, INPUTS[need]?.());
  for (const [name, parameter] of Object.entries(parameters)) fields[name] = parameter.default;
  return fields;
}

export const ADVANTAGE_CALLS: Calls = {
  ...Object.fromEntries(
    ADVANTAGE_KINDS.map((kind): [string, Calls[string]] => [
      `estimateAdvantages of ${kind}`,
      [(f) => estimateAdvantages(kind, f as never), () => fieldsOf(kind)],
    ]),
  ),
  filterGroups: [
    (f) => filterGroups(f as never),
    () => ({
      scores: rewards(),
      groups: groups(),
      rule: "mean",
      low: 0,
      high: 1,
      fallback: "none",
      missing: "skip",
    }),
  ],
  groupMetrics: [
    (f) => groupMetrics(f as never),
    () => ({ rewards: rewards(), groupSize: 2, missing: "skip" }),
  ],
  maxAtK: [
    ({ rewards, k }) => maxAtK(rewards as never, k as never),
    () => ({ rewards: [1, 2], k: 1 }),
  ],
  passAtK: [
    ({ n, c, k }) => passAtK(n as never, c as never, k as never),
    () => ({ n: 5, c: 2, k: 3 }),
  ],
};
