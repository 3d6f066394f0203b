/** token_stats_merge: any parts in any order are the whole, what is equal to the bit, and what is no state. */
import test from "ava";
import { line, STATES, STATISTICS } from "../../lib/ops/lines.js";
import { tokenStatsFinish } from "../../lib/ops/token-stats-finish.js";
import { tokenStatsMerge } from "../../lib/ops/token-stats-merge.js";
import { tokenStatsPartial } from "../../lib/ops/token-stats-partial.js";
import {
  tokenStatsMerge as reference,
  tokenStats as wholeRows,
} from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { DISTRIBUTIONS, Random } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";
import { engineBatch, LOGITS_DTYPES } from "./engine-batch.js";
import { cutsOf, mergeAll, mergedStates, namedStates, partsOf } from "./vocab-shards.js";

const where = "tokenStatsMerge";
const merge = (states: Float64Array, otherStates: Float64Array) =>
  tokenStatsMerge({ where, states, otherStates });

function finish(states: Float64Array, responseMask: Int32Array, temperature = 1): Float64Array {
  const settings = { where, hasMasked: true, temperature, onInvalid: "error" } as const;
  return tokenStatsFinish({ ...settings, states, responseMask }).statistics;
}

/** The same numbers in another order. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = new Random(seed);
  return items
    .map((item) => ({ item, key: random.uniform() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

for (const dtype of LOGITS_DTYPES) {
  for (const distribution of DISTRIBUTIONS) {
    test(`all parts of ${distribution} ${dtype} logits together are the whole row`, (t) => {
      for (const vocabSize of [7, 33, 257]) {
        const batch = engineBatch({ distribution, vocabSize }, dtype);
        const expected = wholeRows({ ...batch.reference, temperature: 0.7 });
        for (const cuts of cutsOf(vocabSize)) {
          const parts = partsOf(batch, cuts, 0.7);
          for (const order of [parts, shuffled(parts, 1)]) {
            const statistics = finish(mergedStates(order), batch.responseMask, 0.7);
            for (const name of STATISTICS) {
              const values = line(statistics, STATISTICS, name);
              assertClose(t, `${name} of ${cuts}`, values, expected[name], TOLERANCES.engineStates);
            }
          }
        }
      }
    });
  }
}

test("the merge of states is the reference's, line by line", (t) => {
  for (const distribution of DISTRIBUTIONS) {
    const batch = engineBatch({ distribution, vocabSize: 60 });
    const states = partsOf(batch, [10, 11, 40]).map(tokenStatsPartial);
    const actual = namedStates(mergeAll(states));
    const expected = reference({ states: states.map(namedStates), rows: 12 });
    for (const name of STATES) {
      assertClose(
        t,
        `${distribution} ${name}`,
        actual[name],
        expected[name],
        TOLERANCES.engineRows,
      );
    }
  }
});

test("the same parts in the same order give the same bits, in another order the same to 1e-12", (t) => {
  for (const distribution of DISTRIBUTIONS) {
    const batch = engineBatch({ distribution, vocabSize: 300, full: true });
    const cuts = Array.from({ length: 14 }, (_, i) => 20 * (i + 1));
    const states = partsOf(batch, cuts).map(tokenStatsPartial);
    const inOrder = mergeAll(states);
    t.deepEqual(mergeAll(states), inOrder);
    const expected = finish(inOrder, batch.responseMask);
    const pairs = states.flatMap((state, i) => {
      const next = states[i + 1];
      return i % 2 === 1 ? [] : [next ? merge(state, next) : state];
    });
    const others = [1, 2, 3, 4].map((seed) => shuffled(states, seed));
    for (const order of [pairs, states.toReversed(), ...others]) {
      const statistics = finish(mergeAll(order), batch.responseMask);
      for (const name of STATISTICS) {
        const [actual, same] = [statistics, expected].map((m) => line(m, STATISTICS, name));
        assertClose(
          t,
          `${distribution} ${name}`,
          actual as Float64Array,
          same as Float64Array,
          TOLERANCES.engineRows,
        );
      }
    }
  }
});

test("two parts may be exchanged without changing a bit", (t) => {
  for (const distribution of DISTRIBUTIONS) {
    const batch = engineBatch({ distribution, vocabSize: 60 });
    const [a, b] = partsOf(batch, [25]).map(tokenStatsPartial) as [Float64Array, Float64Array];
    t.deepEqual(bits(merge(a, b)), bits(merge(b, a)));
  }
});

test("a part of only −Infinity changes no bit, of one policy or of both", (t) => {
  const batch = engineBatch({ vocabSize: 60, full: true });
  const data = (name: "logits" | "maskedLogits") => batch[name].data as Float32Array;
  const empty = (name: "logits" | "maskedLogits") => {
    for (let row = 0; row < 12; row++) data(name).fill(-Infinity, row * 60 + 40, row * 60 + 60);
  };
  const parts = partsOf(batch, [40], 1.7);
  empty("logits");
  const [first, second] = parts.map(tokenStatsPartial) as [Float64Array, Float64Array];
  const oneEmpty = namedStates(merge(first, second));
  for (const name of ["reference", "sum", "dot", "uncovered", "chosen"] as const) {
    t.deepEqual(bits(oneEmpty[name]), bits(namedStates(first)[name]), name);
  }
  empty("maskedLogits");
  const [, nothing] = parts.map(tokenStatsPartial) as [Float64Array, Float64Array];
  t.deepEqual(bits(merge(first, nothing)), bits(first));
  t.deepEqual(bits(merge(nothing, first)), bits(first));
  t.deepEqual(bits(merge(nothing, nothing)), bits(nothing));
});

test("a column that one policy rules out makes the divergence infinite, whichever part it is in", (t) => {
  for (const column of [2, 50]) {
    const batch = engineBatch({ vocabSize: 60, full: true });
    (batch.maskedLogits.data as Float32Array)[4 * 60 + column] = -Infinity;
    const statistics = finish(mergedStates(partsOf(batch, [20, 40])), batch.responseMask);
    const [kl, reverseKl] = ["kl", "reverseKl"].map((name) =>
      line(statistics, STATISTICS, name as "kl"),
    );
    t.deepEqual(kl?.indexOf(Infinity), 4);
    t.true(reverseKl?.every(Number.isFinite));
  }
});

test("a part that one policy rules out and the other all but rules out weighs nothing", (t) => {
  for (const [low, none] of [
    ["logits", "maskedLogits"],
    ["maskedLogits", "logits"],
  ] as const) {
    const batch = engineBatch({ vocabSize: 60, full: true, distribution: "plain" });
    for (let row = 0; row < 12; row++) {
      const end = (row + 1) * 60;
      const own = (batch[low].data as Float32Array).subarray(end - 60, end - 20);
      const lowest = Math.fround(Math.max(...own) - 89);
      (batch[low].data as Float32Array).fill(lowest, end - 20, end);
      (batch[none].data as Float32Array).fill(-Infinity, end - 20, end);
      batch.tokenIds[row] = (batch.tokenIds[row] as number) % 40;
    }
    const parts = partsOf(batch, [40]);
    const alone = finish(tokenStatsPartial(parts[0] as (typeof parts)[0]), batch.responseMask);
    for (const order of [parts, parts.toReversed()]) {
      const whole = finish(mergedStates(order), batch.responseMask);
      assertClose(t, low, whole, alone, TOLERANCES.engineRows);
    }
  }
});

/** A state of one row, with 0 in lines that are not said. */
function stateOf(lines: Partial<Record<(typeof STATES)[number], number>>): Float64Array {
  const none = { uncovered: -Infinity, maskedUncovered: -Infinity };
  const all: typeof lines = { ...none, chosen: -Infinity, maskedChosen: -Infinity, ...lines };
  return Float64Array.from(STATES, (name) => all[name] ?? 0);
}

test("a policy without mass has nothing in common with the other, whatever its state says", (t) => {
  for (const [sum, maskedSum] of [
    [0, 1],
    [1, 0],
    [0, 0],
  ] as const) {
    const [a, b] = [stateOf({ sum, maskedSum, cross: 5, maskedCross: 7 }), stateOf({})];
    for (const both of [merge(a, b), merge(b, a)].map(namedStates)) {
      t.deepEqual([both.cross[0], both.maskedCross[0]], [0, 0]);
    }
  }
});

test("sums that no number can hold are those of a broken policy", (t) => {
  const huge = { sum: 1e308, dot: 1, chosen: 3, uncovered: 2, maskedSum: 1, maskedDot: 4 };
  const { sum, dot, cross, maskedCross, chosen, uncovered, maskedSum, maskedDot } = namedStates(
    merge(stateOf(huge), stateOf(huge)),
  );
  const broken = [sum, dot, cross, maskedCross].map((values) => values[0]);
  t.deepEqual(broken, [Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
  t.deepEqual([chosen[0], uncovered[0]], [-Infinity, -Infinity]);
  t.deepEqual([maskedSum[0], maskedDot[0]], [2, 8]);
});

test("zeros of a state have no sign", (t) => {
  const zeros = Object.fromEntries(STATES.map((name) => [name, -0]));
  const ones = { ...zeros, sum: 1, maskedSum: 1 };
  const merged = [merge(stateOf(ones), stateOf(ones)), merge(stateOf(zeros), stateOf(zeros))];
  const parts = [1, 2, 40].flatMap((vocabSize) => {
    const batch = engineBatch({ vocabSize, full: true });
    const [logits, maskedLogits] = [batch.logits.data, batch.maskedLogits.data] as Float32Array[];
    const stateWith = (p: number, q: number) => {
      logits?.fill(p);
      maskedLogits?.fill(q);
      return mergedStates(partsOf(batch, []));
    };
    const none = -Infinity;
    return [stateWith(-0, -0), stateWith(-0, 0), stateWith(none, -0), stateWith(-0, none)];
  });
  for (const states of [...merged, ...parts]) t.false(states.some((x) => Object.is(x, -0)));
});

test("parts whose logits are the lowest numbers there are, as some masks are, weigh nothing", (t) => {
  for (const dtype of LOGITS_DTYPES) {
    const lowest = {
      float32: -3.4028234663852886e38,
      bfloat16: -3.3895313892515355e38,
      float16: -65504,
    };
    const batch = engineBatch({ vocabSize: 60, full: true, seed: 3 }, dtype);
    const words = dtype === "float16" ? 0xfbff : 0xff7f;
    for (const of of [batch.logits, batch.maskedLogits]) {
      for (let row = 0; row < 12; row++) {
        of.data.fill(dtype === "float32" ? lowest.float32 : words, row * 60 + 30, row * 60 + 60);
      }
    }
    batch.tokenIds.forEach((id, row) => {
      batch.tokenIds[row] = id % 30;
    });
    const parts = partsOf(batch, [30, 45]);
    const whole = finish(mergedStates(parts), batch.responseMask);
    const alone = finish(tokenStatsPartial(parts[0] as (typeof parts)[0]), batch.responseMask);
    t.deepEqual(whole, alone, dtype);
  }
});

test("what is no state is an error that names the line and the row", (t) => {
  const batch = engineBatch({ vocabSize: 20, full: true });
  const [a, b] = partsOf(batch, [9]).map(tokenStatsPartial) as [Float64Array, Float64Array];
  const spoiled = (states: Float64Array, name: (typeof STATES)[number], value: number) => {
    const copy = states.slice();
    line(copy, STATES, name)[7] = value;
    return copy;
  };
  const refused: [(typeof STATES)[number], number, string][] = [
    ["reference", Number.NaN, "ERR_NOT_FINITE"],
    ["reference", -Infinity, "ERR_NOT_FINITE"],
    ["maskedReference", Infinity, "ERR_NOT_FINITE"],
    ["reference", 1e39, "ERR_RANGE"],
    ["sum", -1, "ERR_RANGE"],
    ["maskedSum", -Infinity, "ERR_NOT_FINITE"],
    ["dot", Number.NaN, "ERR_NOT_FINITE"],
    ["maskedDot", -Infinity, "ERR_NOT_FINITE"],
    ["cross", Number.NaN, "ERR_NOT_FINITE"],
    ["maskedCross", -Infinity, "ERR_NOT_FINITE"],
    ["uncovered", Number.NaN, "ERR_NOT_FINITE"],
    ["maskedUncovered", Infinity, "ERR_NOT_FINITE"],
    ["chosen", Number.NaN, "ERR_NOT_FINITE"],
    ["maskedChosen", 1e39, "ERR_RANGE"],
  ];
  for (const [name, value, code] of refused) {
    for (const [states, otherStates, argument] of [
      [spoiled(a, name, value), b, "states"],
      [a, spoiled(b, name, value), "otherStates"],
    ] as const) {
      const error = t.throws(() => merge(states, otherStates), { code });
      t.true(
        error?.message.startsWith(`[tokenStatsMerge] expected ${argument}.${name}[7] `),
        error?.message,
      );
      t.true(error?.message.endsWith(`, received ${value === 1e39 ? "1e+39" : value}`));
      t.is((error as unknown as { row: number }).row, 7);
    }
  }
});

test("anything at all for states is an error or a result, and never the end of the process", (t) => {
  const random = new Random(8);
  const numbers = [
    0,
    -0,
    1,
    -1,
    1e308,
    -1e308,
    5e-324,
    3e38,
    1e39,
    Infinity,
    -Infinity,
    Number.NaN,
  ];
  const [sound] = partsOf(engineBatch({ vocabSize: 5, sequences: 1, tokens: 3 }), []);
  const states = tokenStatsPartial(sound as NonNullable<typeof sound>);
  const spoiled = () =>
    states.map((x) =>
      random.below(20) === 0 ? (numbers[random.below(numbers.length)] as number) : x,
    );
  const outcomes = { merged: 0, refused: 0 };
  for (let i = 0; i < 2000; i++) {
    try {
      const both = merge(spoiled(), spoiled());
      outcomes.merged += 1;
      t.false(finish(both, Int32Array.of(1, 1, 0)).some(Number.isNaN));
    } catch (error) {
      t.regex(String((error as { code?: string }).code), /^ERR_(NOT_FINITE|RANGE)$/);
      outcomes.refused += 1;
    }
  }
  t.true(outcomes.merged > 200 && outcomes.refused > 200, JSON.stringify(outcomes));
});

test("states of other sizes and of other memory are errors", (t) => {
  const batch = engineBatch({ vocabSize: 20, full: true });
  const [a, b] = partsOf(batch, [9]).map(tokenStatsPartial) as [Float64Array, Float64Array];
  t.throws(() => merge(a, b.subarray(0, 12 * 5)), {
    code: "ERR_SHAPE",
    message: "[tokenStatsMerge] expected otherStates [12, 12], received [12, 5]",
  });
  t.throws(() => merge(a.subarray(1), b), { code: "ERR_SHAPE" });
  t.is(merge(new Float64Array(0), new Float64Array(0)).length, 0);
});

function bits(values: Float64Array): BigUint64Array {
  return new BigUint64Array(values.slice().buffer);
}
