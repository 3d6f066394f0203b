/** Groups of one, equal rewards, missing rewards, empty batches and bad calls: each has its defined result. */
import test from "ava";
import { type AdvantageOptions, estimateAdvantages } from "../../lib/advantages/estimate.js";
import { ADVANTAGE_KINDS, ADVANTAGES, type AdvantageKind } from "../../lib/advantages/table.js";
import { assertClose } from "../support/close.js";

const EXACT = { rtol: 0, atol: 1e-14 };

type Reward = number | null | undefined;

/** A valid call of any kind over these rewards in these groups, two tokens each. */
function optionsOf<K extends AdvantageKind>(
  kind: K,
  rewards: readonly Reward[],
  groups: readonly number[],
  extra: object = {},
): AdvantageOptions<K> {
  const { needs } = ADVANTAGES[kind];
  const options: Record<string, unknown> = { groups, ...extra };
  if (needs.includes("rewardComponents")) options.rewardComponents = [rewards];
  else options.rewards = rewards;
  if (needs.includes("lengths")) options.lengths = rewards.map(() => 2);
  if (needs.includes("baselines")) options.baselines = rewards.map(() => 0.5);
  if (needs.includes("tokens")) options.shape = [rewards.length, 2];
  if (needs.includes("values")) options.values = rewards.flatMap(() => [0.1, 0.2]);
  return options as AdvantageOptions<K>;
}

const GROUPED = ADVANTAGE_KINDS.filter((kind) => ADVANTAGES[kind].needs.includes("groups"));

// Groups of one.

const ALONE = [0.75, 1, 0];
const ALONE_GROUPS = [0, 1, 1];

test("a group of one gets 0 if not said otherwise", (t) => {
  for (const kind of GROUPED) {
    if (kind === "pkpo") continue;
    // The two of the other group are equal, so that whitening has nothing to shift.
    const { advantages, metrics } = estimateAdvantages(
      kind,
      optionsOf(kind, [0.75, 1, 1], ALONE_GROUPS),
    );
    t.is(advantages[0], 0, kind);
    t.is(metrics.singleGroups, 1);
  }
});

test("a group of one keeps its reward where that is the choice, as in verl", (t) => {
  const squares = ALONE.reduce((sum, reward) => sum + (reward - 1.75 / 3) ** 2, 0);
  const kept: Partial<Record<AdvantageKind, number>> = {
    grpo: 0.75 / (1 + 1e-6),
    "dr-grpo": 0.75,
    "grpo-batch": 0.75 / (Math.sqrt(squares / 2) + 1e-4),
    rloo: 0.75,
    opo: 0.75,
    gpg: 0.75 * (3 / 2),
    "pass@k": 0.75 / (1 + 1e-6),
    pkpo: 0.75,
  };
  for (const [kind, wanted] of Object.entries(kept) as [AdvantageKind, number][]) {
    const options = optionsOf(kind, ALONE, ALONE_GROUPS, { smallGroups: "reward" });
    assertClose(t, kind, estimateAdvantages(kind, options).advantages[0] ?? NaN, wanted, EXACT);
  }
});

test("a group of one that keeps its reward is normalised with the batch where there is a batch", (t) => {
  const whitenedBy = (values: readonly number[], scale: (variance: number) => number): number => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return ((values[0] as number) - mean) / scale(squares / (values.length - 1));
  };
  const alone = 0.75 / (1 + 1e-4);
  const pair = Math.SQRT1_2 * (1 / (1 + 1e-4 * Math.SQRT2));
  const gdpo = estimateAdvantages(
    "gdpo",
    optionsOf("gdpo", ALONE, ALONE_GROUPS, { smallGroups: "reward" }),
  );
  const wanted = whitenedBy([alone, pair, -pair], (variance) => Math.sqrt(variance) + 1e-4);
  assertClose(t, "gdpo", gdpo.advantages[0] ?? NaN, wanted, EXACT);
  const extra = { smallGroups: "reward", denominatorEpsilon: 0 };
  const reinforce = estimateAdvantages(
    "reinforce++-baseline",
    optionsOf("reinforce++-baseline", ALONE, ALONE_GROUPS, extra),
  );
  // Two tokens each.
  const tokens = [0.75, 0.75, 0.5, 0.5, -0.5, -0.5];
  const byToken = whitenedBy(tokens, (variance) => Math.sqrt(variance + 1e-8));
  assertClose(t, "reinforce++-baseline", reinforce.advantages[0] ?? NaN, byToken, EXACT);
});

test("a group of one is an error where that is the choice, as in the authors' code", (t) => {
  for (const kind of GROUPED) {
    const options = optionsOf(kind, ALONE, ALONE_GROUPS, { smallGroups: "error" });
    t.throws(() => estimateAdvantages(kind, options), {
      code: "ERR_RANGE",
      message:
        "[estimateAdvantages] expected groups of at least 2 rewards, received 1 at sequence 0",
    });
  }
});

// Equal rewards.

test("equal rewards, even ones whose mean rounds, give exactly 0", (t) => {
  // The sum of three 0.1 is not 0.3.
  const rewards = [0.1, 0.1, 0.1, 1, 0, 0];
  const groups = [0, 0, 0, 1, 1, 1];
  for (const kind of GROUPED) {
    if (kind === "reinforce++-baseline" || kind === "gdpo") continue;
    for (const extra of "epsilon" in ADVANTAGES[kind].parameters ? [{}, { epsilon: 0 }] : [{}]) {
      const { advantages } = estimateAdvantages(kind, optionsOf(kind, rewards, groups, extra));
      t.deepEqual(advantages.slice(0, 3), new Float64Array(3), kind);
      t.true(advantages[3] !== 0 && Number.isFinite(advantages[3]));
    }
  }
});

test("a whole batch of equal rewards gives 0 under every estimator with a group baseline", (t) => {
  for (const kind of GROUPED) {
    const options = optionsOf(kind, [0.1, 0.1, 0.1, 0.7, 0.7, 0.7], [0, 0, 0, 1, 1, 1]);
    const { advantages, metrics } = estimateAdvantages(kind, options);
    t.deepEqual(advantages, new Float64Array(6), kind);
    t.is(metrics.zeroVarianceGroups, 2);
    t.is(metrics.zeroVarianceFraction, 1);
  }
});

test("an equal-reward group stands where whitening puts it", (t) => {
  // Baselined 0, 0, 0.5, −0.5 with 1, 1, 1, 5 tokens: mean −0.25.
  const { advantages } = estimateAdvantages("reinforce++-baseline", {
    rewards: [1, 1, 1, 0],
    groupSize: 2,
    lengths: [1, 1, 1, 5],
    denominatorEpsilon: 0,
  });
  const variance = (2 * 0.25 ** 2 + 0.75 ** 2 + 5 * 0.25 ** 2) / 7;
  const scale = Math.sqrt(variance + 1e-8);
  const wanted = [0.25, 0.25, 0.75, -0.25].map((x) => x / scale);
  assertClose(t, "whitened", advantages, wanted, EXACT);
});

// Missing rewards.

const WHOLE = [1, 0.25, 0.5, 2, -1, 0];
const WHOLE_GROUPS = [0, 0, 1, 1, 0, 1];

test("a missing reward is an error that names the sequence", (t) => {
  for (const missing of [Number.NaN, null, undefined]) {
    for (const kind of ADVANTAGE_KINDS) {
      const options = optionsOf(kind, [1, missing, 0], [0, 0, 0]);
      const name = kind === "gdpo" ? "rewardComponents[0]" : "rewards";
      t.throws(() => estimateAdvantages(kind, options), {
        code: "ERR_NOT_FINITE",
        message: `[estimateAdvantages] expected ${name}[1] to be there (missing: "skip" leaves its sequence out), received NaN`,
      });
    }
  }
});

test("the first reward is looked at like the others, and there is one function's at least", (t) => {
  const options = optionsOf("grpo", [undefined, 1], [0, 0]);
  t.throws(() => estimateAdvantages("grpo", options), { message: /rewards\[0\] to be there/ });
  for (const rewardComponents of [[], undefined, 3]) {
    t.throws(() => estimateAdvantages("gdpo", { rewardComponents, groups: [] } as never), {
      code: "ERR_ARGUMENT",
      message: /rewardComponents to be an array with the rewards of each function/,
    });
  }
});

test("skipped sequences have advantage 0 and are in no statistic", (t) => {
  const rewards: Reward[] = [...WHOLE.slice(0, 2), null, ...WHOLE.slice(2), undefined, Number.NaN];
  const groups = [...WHOLE_GROUPS.slice(0, 2), 1, ...WHOLE_GROUPS.slice(2), 0, 7];
  const there = [...rewards.keys()].filter((i) => typeof rewards[i] === "number" && i !== 8);
  for (const kind of ADVANTAGE_KINDS) {
    const plain = estimateAdvantages(kind, optionsOf(kind, WHOLE, WHOLE_GROUPS));
    const options = optionsOf(kind, rewards, groups, { missing: "skip" });
    const skipped = estimateAdvantages(kind, options);
    t.deepEqual(skipped.missing, Int32Array.of(2, 7, 8), kind);
    const width = skipped.advantages.length / rewards.length;
    const rows = (i: number) => skipped.advantages.slice(i * width, (i + 1) * width);
    const kept = there.flatMap((i) => [...rows(i)]);
    t.deepEqual(kept, [...plain.advantages], kind);
    for (const i of [2, 7, 8]) t.deepEqual(rows(i), new Float64Array(width), kind);
    t.deepEqual({ ...skipped.metrics, sequences: 6, missingRewards: 0 }, plain.metrics, kind);
    t.is(skipped.metrics.missingRewards, 3);
  }
});

test("a group that missing rewards made small is a small group", (t) => {
  const options = { rewards: [1, null, 1, 0], groupSize: 2, missing: "skip" } as const;
  t.is(estimateAdvantages("rloo", options).advantages[0], 0);
  t.is(estimateAdvantages("rloo", { ...options, smallGroups: "reward" }).advantages[0], 1);
  t.throws(() => estimateAdvantages("rloo", { ...options, smallGroups: "error" }));
});

test("an infinite reward is an error, also where missing ones are skipped", (t) => {
  for (const reward of [Infinity, -Infinity]) {
    for (const kind of ADVANTAGE_KINDS) {
      const options = optionsOf(kind, [1, 0, reward], [0, 0, 0], { missing: "skip" });
      t.throws(() => estimateAdvantages(kind, options), { code: "ERR_NOT_FINITE" }, kind);
    }
  }
});

test("rewards that overflow are an error, not NaN", (t) => {
  const rewards = [1e308, 1e308, -1e308, -1e308];
  t.throws(() => estimateAdvantages("dr-grpo", { rewards: [1e308, 1e308, 0], groupSize: 3 }), {
    message:
      "[estimateAdvantages] expected rewards with finite advantages, received -Infinity at 0",
  });
  t.throws(() => estimateAdvantages("rloo", { rewards, groupSize: 4 }), {
    code: "ERR_NOT_FINITE",
  });
});

test("inputs of skipped sequences are not looked at", (t) => {
  const { advantages } = estimateAdvantages("remax", {
    rewards: [1, null],
    baselines: [0.25, Number.NaN],
    missing: "skip",
  });
  t.deepEqual(advantages, Float64Array.of(0.75, 0));
});

// Nothing at all.

test("an empty batch has no advantages and metrics of 0", (t) => {
  for (const kind of ADVANTAGE_KINDS) {
    const { advantages, missing, metrics } = estimateAdvantages(kind, optionsOf(kind, [], []));
    t.is(advantages.length, 0);
    t.is(missing.length, 0);
    t.deepEqual(
      Object.values(metrics),
      Object.values(metrics).map(() => 0),
    );
  }
});

test("a batch of missing rewards only is all 0", (t) => {
  for (const kind of ADVANTAGE_KINDS) {
    const options = optionsOf(kind, [null, null], [0, 0], { missing: "skip" });
    const { advantages, metrics } = estimateAdvantages(kind, options);
    t.true(
      advantages.every((advantage) => advantage === 0),
      kind,
    );
    t.is(metrics.missingRewards, 2);
    t.is(metrics.groups, 0);
  }
});

test("a group without a single token has its plain mean as OPO's baseline", (t) => {
  const options = { rewards: [1, 0], groupSize: 2, lengths: [0, 0] };
  t.deepEqual(estimateAdvantages("opo", options).advantages, Float64Array.of(0.5, -0.5));
});

// Bad calls.

test("bad calls are refused with the name of what is wrong", (t) => {
  const refused = (kind: unknown, options: unknown, message: string) =>
    t.throws(() => estimateAdvantages(kind as "grpo", options as never), {
      name: "PapoError",
      message: `[estimateAdvantages] expected ${message}`,
    });
  const rewards = [1, 0];
  refused("gppo", {}, `kind to be one of ${ADVANTAGE_KINDS.join(", ")}, received "gppo"`);
  refused("toString", {}, `kind to be one of ${ADVANTAGE_KINDS.join(", ")}, received "toString"`);
  refused("grpo", undefined, "options to be an object, received undefined");
  refused("grpo", { rewards }, "groups or groupSize, received neither");
  refused(
    "grpo",
    { rewards, groups: [0, 0], groupSize: 2 },
    "either groups or groupSize, received both",
  );
  refused("grpo", { rewards, groups: [0] }, "groups [2], received [1]");
  refused(
    "grpo",
    { rewards, groups: [0, {}] },
    "groups[1] to be a finite number, a string or a bigint, received an object",
  );
  t.deepEqual(
    [...estimateAdvantages("dr-grpo", { rewards, groupSize: 1 }).advantages],
    rewards.map(() => 0),
  );
  refused(
    "grpo",
    { rewards, groups: new Float32Array(rewards.length) },
    "groups to be an array of ids, or a Int32Array, Float64Array, BigInt64Array, received Float32Array of 2 elements",
  );
  refused("grpo", { rewards, groupSize: 0 }, "groupSize to be an integer from 1 up, received 0");
  refused(
    "grpo",
    { rewards: [1, 0, 1], groupSize: 2 },
    "rewards of whole groups of groupSize 2, received 3 sequences",
  );
  refused(
    "grpo",
    { rewards: [1, "0"], groupSize: 2 },
    'rewards[1] to be a number, null or undefined, received "0"',
  );
  refused(
    "grpo",
    { groupSize: 2 },
    "rewards to be a Tensor, an array of numbers, or a Float32Array, Float64Array, received undefined",
  );
  refused(
    "grpo",
    { rewards, groupSize: 2, epsilon: -1 },
    "epsilon to be a finite number from 0 up, received -1",
  );
  refused("grpo", { rewards, groupSize: 2, epsilon: "0" }, 'epsilon to be a number, received "0"');
  refused(
    "grpo",
    { rewards, groupSize: 2, smallGroups: "keep" },
    'smallGroups to be one of zero, reward, error, received "keep"',
  );
  refused(
    "grpo",
    { rewards, groupSize: 2, lengths: [1, 2] },
    'options to hold only rewards, groups, groupSize, missing, epsilon, smallGroups, received "lengths"',
  );
  refused(
    "gpg",
    { rewards, groupSize: 2, norm: 0 },
    "norm to be a finite number above 0, received 0",
  );
  refused("opo", { rewards, groupSize: 2 }, "shape or cuSeqlens, received neither");
  refused(
    "opo",
    { rewards, groupSize: 2, lengths: [1, -1] },
    "lengths[1] to be a number of tokens, received -1",
  );
  refused("remax", { rewards, baselines: [1] }, "baselines [2], received [1]");
  refused("remax", { rewards, baselines: [1, NaN] }, "baselines[1] to be finite, received NaN");
  refused(
    "reinforce++",
    { rewards, shape: [3, 2] },
    "a layout of 2 sequences, one for each reward, received 3",
  );
  refused(
    "reinforce++",
    { rewards, shape: [1e9, 2] },
    "a layout of 2 sequences, one for each reward, received 1000000000",
  );
  refused(
    "reinforce++",
    { rewards, cuSeqlens: null },
    "cuSeqlens to be an Int32Array or an array of numbers, received null",
  );
  refused(
    "reinforce++",
    { rewards, cuSeqlens: [0, 2, 1.5] },
    "cuSeqlens[1] to be in 0…0, received 2",
  );
  refused(
    "reinforce++",
    { rewards, shape: [2, 1], tokenRewards: [0, Infinity] },
    "tokenRewards[1] to be finite, received Infinity",
  );
  refused("gae", { rewards, shape: [2, 1], values: [0] }, "values [2], received [1]");
  refused(
    "gae",
    { rewards, shape: [2, 1], values: [0, 0], lambda: 1.5 },
    "lambda to be a finite number in 0…1, received 1.5",
  );
  refused(
    "gae",
    { rewards, shape: [2, 1], values: [0, 0], whiten: 1 },
    "whiten to be a boolean, received 1",
  );
  refused(
    "gdpo",
    { rewardComponents: rewards, groupSize: 2 },
    "rewardComponents[0] to be a Tensor, an array of numbers, or a Float32Array, Float64Array, received 1",
  );
  refused(
    "gdpo",
    { rewardComponents: [rewards, [1]], groupSize: 2 },
    "rewardComponents[1] [2], received [1]",
  );
  refused("pkpo", { rewards, groupSize: 2, k: 1.5 }, "k to be an integer from 1 up, received 1.5");
});
