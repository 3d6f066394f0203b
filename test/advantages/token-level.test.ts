/** GAE and REINFORCE++: returns and advantages of tokens, against sums written out. */
import test from "ava";
import { estimateAdvantages } from "../../lib/advantages/estimate.js";
import { assertClose } from "../support/close.js";

const EXACT = { rtol: 0, atol: 1e-12 };

/** Three sequences of at most five tokens; the first has a tool's two tokens inside, the last has padding. */
const MASK = [1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0];
const SHAPE: [number, number] = [3, 5];
const REWARDS = [1, -0.5, 0.25];
const TOKEN_REWARDS = MASK.map((bit, row) => (bit === 1 ? Math.sin(row) / 10 : Number.NaN));
const VALUES = MASK.map((bit, row) => (bit === 1 ? Math.cos(row) / 2 : Number.NaN));
const [GAMMA, LAMBDA] = [0.97, 0.9];

/** Rows that count, sequence by sequence. */
const COUNTED = [0, 1, 2].map((s) =>
  [0, 1, 2, 3, 4].map((t) => 5 * s + t).filter((row) => MASK[row] === 1),
);

function rewardOf(s: number, t: number): number {
  const rows = COUNTED[s] as number[];
  const own = TOKEN_REWARDS[rows[t] as number] as number;
  return own + (t === rows.length - 1 ? (REWARDS[s] as number) : 0);
}

/** f(sequence, index among its counted tokens) for every row that counts, 0 for the others. */
function perToken(f: (s: number, t: number, length: number) => number): number[] {
  const result = MASK.map(() => 0);
  COUNTED.forEach((rows, s) => {
    rows.forEach((row, t) => {
      result[row] = f(s, t, rows.length);
    });
  });
  return result;
}

function whitened(values: readonly number[]): number[] {
  const counted = values.filter((_, row) => MASK[row] === 1);
  const mean = counted.reduce((sum, value) => sum + value, 0) / counted.length;
  const squares = counted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const scale = Math.sqrt(squares / (counted.length - 1) + 1e-8);
  return values.map((value, row) => (MASK[row] === 1 ? (value - mean) / scale : 0));
}

const valueAt = (s: number, t: number): number =>
  (VALUES[(COUNTED[s] as number[])[t] ?? -1] as number | undefined) ?? 0;

/** Σ_l (γλ)^l (r + γ V' − V), each sum from its beginning. */
const GAE = perToken((s, t, length) => {
  let sum = 0;
  for (let l = t; l < length; l++) {
    const delta = rewardOf(s, l) + GAMMA * valueAt(s, l + 1) - valueAt(s, l);
    sum += (GAMMA * LAMBDA) ** (l - t) * delta;
  }
  return sum;
});

const batch = {
  rewards: REWARDS,
  tokenRewards: TOKEN_REWARDS,
  shape: SHAPE,
  responseMask: MASK,
};
const gae = { ...batch, values: VALUES, gamma: GAMMA, lambda: LAMBDA };

test("gae is the direct sum over later tokens that count", (t) => {
  const { advantages, returns } = estimateAdvantages("gae", { ...gae, whiten: false });
  assertClose(t, "advantages", advantages, GAE, EXACT);
  const wanted = perToken((s, at) => {
    const row = (COUNTED[s] as number[])[at] as number;
    return (GAE[row] as number) + valueAt(s, at);
  });
  assertClose(t, "returns", returns ?? [], wanted, EXACT);
});

test("gae is whitened over the tokens that count, its returns are not", (t) => {
  const { advantages, returns } = estimateAdvantages("gae", { ...gae, denominatorEpsilon: 0 });
  assertClose(t, "advantages", advantages, whitened(GAE), EXACT);
  t.deepEqual(returns, estimateAdvantages("gae", { ...gae, whiten: false }).returns);
});

test("gae with λ 1 is the return minus the value, with λ 0 the temporal difference", (t) => {
  const plain = { ...gae, whiten: false };
  const one = estimateAdvantages("gae", { ...plain, lambda: 1 });
  const returns = perToken((s, at, length) => {
    let sum = 0;
    for (let l = at; l < length; l++) sum += GAMMA ** (l - at) * rewardOf(s, l);
    return sum;
  });
  assertClose(t, "returns", one.returns ?? [], returns, EXACT);
  const zero = estimateAdvantages("gae", { ...plain, lambda: 0 });
  const deltas = perToken((s, at) => rewardOf(s, at) + GAMMA * valueAt(s, at + 1) - valueAt(s, at));
  assertClose(t, "deltas", zero.advantages, deltas, EXACT);
});

test("reinforce++ whitens discounted returns of the tokens that count", (t) => {
  const wanted = perToken((s, at, length) => {
    let sum = 0;
    for (let l = at; l < length; l++) sum += GAMMA ** (l - at) * rewardOf(s, l);
    return sum;
  });
  const options = { ...batch, gamma: GAMMA, denominatorEpsilon: 0 };
  const { advantages, returns } = estimateAdvantages("reinforce++", options);
  assertClose(t, "returns", returns ?? [], wanted, EXACT);
  assertClose(t, "advantages", advantages, whitened(wanted), EXACT);
});

test("a discount is at most 1", (t) => {
  t.notThrows(() => estimateAdvantages("reinforce++", { ...batch, gamma: 1 }));
  t.throws(() => estimateAdvantages("reinforce++", { ...batch, gamma: 1.01 }), {
    code: "ERR_RANGE",
    message: /gamma to be .*1, received 1\.01/,
  });
});

test("what a tool wrote inside a response takes no reward away from what came before", (t) => {
  const inside = { rewards: [1, 0], shape: [2, 3], responseMask: [1, 0, 1, 1, 1, 1] } as const;
  const { returns } = estimateAdvantages("reinforce++", inside);
  t.deepEqual(returns, Float64Array.of(1, 0, 1, 0, 0, 0));
});

test("packed is padded without the padding", (t) => {
  const rows = MASK.map((_, row) => row).filter((row) => row < 12);
  const pick = (x: readonly number[]): number[] => rows.map((row) => x[row] as number);
  const packed = {
    rewards: REWARDS,
    tokenRewards: pick(TOKEN_REWARDS),
    responseMask: pick(MASK),
    cuSeqlens: [0, 5, 10, 12],
  };
  const short = (x: Float64Array): Float64Array => x.slice(0, 12);
  t.deepEqual(
    estimateAdvantages("gae", { ...packed, values: pick(VALUES) }).advantages,
    short(estimateAdvantages("gae", { ...batch, values: VALUES }).advantages),
  );
  t.deepEqual(
    estimateAdvantages("reinforce++", packed).advantages,
    short(estimateAdvantages("reinforce++", batch).advantages),
  );
  const { tokenRewards: _, ...layout } = packed;
  t.is(estimateAdvantages("reinforce++", layout).advantages.length, 12, "cuSeqlens alone");
});

test("a sequence without a reward leaves the tokens of the others as if it were not there", (t) => {
  const without = { rewards: [1, -0.5], shape: [2, 5], responseMask: MASK.slice(0, 10) } as const;
  const values = VALUES.slice(0, 10);
  const missing = {
    rewards: [1, -0.5, null],
    shape: SHAPE,
    responseMask: MASK,
    missing: "skip",
  } as const;
  const nothing = new Float64Array(5);
  const padded = (x: Float64Array | undefined) => Float64Array.of(...(x ?? []), ...nothing);
  const kept = estimateAdvantages("gae", { ...without, values });
  const skipped = estimateAdvantages("gae", { ...missing, values: [...values, NaN, NaN, 0, 0, 0] });
  t.deepEqual(skipped.advantages, padded(kept.advantages));
  t.deepEqual(skipped.returns, padded(kept.returns));
  t.deepEqual(skipped.missing, Int32Array.of(2));
  t.deepEqual(
    estimateAdvantages("reinforce++", missing).advantages,
    padded(estimateAdvantages("reinforce++", without).advantages),
  );
});

test("lengths may come from the layout", (t) => {
  const grouped = { rewards: REWARDS, groups: [0, 0, 0] };
  const layout = { shape: SHAPE, responseMask: MASK };
  for (const kind of ["opo", "reinforce++-baseline"] as const) {
    t.deepEqual(
      estimateAdvantages(kind, { ...grouped, ...layout }),
      estimateAdvantages(kind, { ...grouped, lengths: [3, 5, 2] }),
    );
  }
});

test("one token, equal returns, no token: 0", (t) => {
  const { advantages } = estimateAdvantages("reinforce++", { rewards: [3], shape: [1, 1] });
  t.deepEqual(advantages, Float64Array.of(0));
  const equal = estimateAdvantages("reinforce++", { rewards: [0.1, 0.1], shape: [2, 3] });
  t.deepEqual(equal.advantages, new Float64Array(6));
  const masked = { rewards: [1], shape: [1, 2], responseMask: [0, 0], values: [1, 1] } as const;
  const none = estimateAdvantages("gae", masked);
  t.deepEqual(none.advantages, new Float64Array(2));
  t.deepEqual(none.returns, new Float64Array(2));
});
