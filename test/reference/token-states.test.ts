/** The reference's states: parts of a vocabulary, merged and finished, against the whole row. */
import test from "ava";
import {
  STATES,
  STATISTICS,
  type TokenStates,
  tokenStats,
  tokenStatsFinish,
  tokenStatsMerge,
  tokenStatsPartial,
} from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { type Batch, DISTRIBUTIONS, makeBatch } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";

const inf = Number.POSITIVE_INFINITY;

/** States of the columns between the cuts. */
function partsOf(batch: Batch, cuts: readonly number[], temperature = 1): TokenStates[] {
  const { vocabSize, rows, rowPitch } = batch;
  return [0, ...cuts].map((begin, i) => {
    const end = cuts[i] ?? vocabSize;
    return tokenStatsPartial({
      ...batch,
      temperature,
      logits: batch.logits.subarray(begin),
      maskedLogits: batch.maskedLogits.subarray(begin),
      rows,
      rowPitch,
      vocabSize: end - begin,
      vocabOffset: begin,
      vocabTotal: vocabSize,
    });
  });
}

function statisticsOf(states: readonly TokenStates[], batch: Batch, temperature = 1) {
  const merged = tokenStatsMerge({ states, rows: batch.rows });
  return tokenStatsFinish({ ...batch, states: merged, hasMasked: true, temperature });
}

for (const distribution of DISTRIBUTIONS) {
  test(`any parts of ${distribution} logits merge to the statistics of the row`, (t) => {
    const batch = makeBatch({ distribution, vocabSize: 23, rowPitch: 25 });
    for (const temperature of [1, 0.6]) {
      const expected = tokenStats({ ...batch, temperature });
      for (const cuts of [[], [1], [22], [5, 6, 14]]) {
        const parts = partsOf(batch, cuts, temperature);
        for (const order of [parts, parts.toReversed()]) {
          const actual = statisticsOf(order, batch, temperature);
          for (const name of STATISTICS) {
            const { reference } = TOLERANCES;
            assertClose(t, `${name} of ${cuts}`, actual[name], expected[name], reference);
          }
        }
      }
    }
  });
}

test("merged pair by pair or all at once, the lines are the same", (t) => {
  const batch = makeBatch({ vocabSize: 23 });
  const parts = partsOf(batch, [5, 6, 14]);
  const { rows } = batch;
  const atOnce = tokenStatsMerge({ states: parts, rows });
  const byPairs = parts.reduce((a, b) => tokenStatsMerge({ states: [a, b], rows }));
  for (const name of STATES)
    assertClose(t, name, byPairs[name], atOnce[name], TOLERANCES.reference);
});

test("three printed columns have the printed state", (t) => {
  const states = tokenStatsPartial({
    logits: [Math.log(2), 0, -inf],
    maskedLogits: [0, -inf, Math.log(3)],
    tokenIds: [5],
    rows: 1,
    vocabSize: 3,
    vocabOffset: 4,
  });
  const expected = {
    reference: Math.log(2),
    maskedReference: Math.log(3),
    sum: 1 + 1 / 2,
    maskedSum: 1 + 1 / 3,
    dot: -Math.log(2) / 2,
    maskedDot: -Math.log(3) / 3,
    cross: Math.log(3),
    maskedCross: -Math.log(3) / 3,
    uncovered: 0,
    maskedUncovered: Math.log(3),
    chosen: 0,
    maskedChosen: -inf,
  };
  for (const name of STATES) {
    assertClose(t, name, states[name], expected[name], TOLERANCES.float64);
  }
});

test("parts of nothing are the empty state, and change none", (t) => {
  const batch = makeBatch({ vocabSize: 6 });
  const [first] = partsOf(batch, []) as [TokenStates];
  const nothing = tokenStatsPartial({
    ...batch,
    logits: batch.logits.map(() => -inf),
    maskedLogits: batch.maskedLogits.map(() => -inf),
    vocabOffset: 6,
    vocabSize: 6,
  });
  t.deepEqual(tokenStatsMerge({ states: [], rows: batch.rows }), nothing);
  t.deepEqual(tokenStatsMerge({ states: [nothing, first], rows: batch.rows }), first);
});

test("NaN and Infinity in any part are found at the end, in the first row that has them", (t) => {
  for (const bad of [Number.NaN, inf]) {
    for (const name of ["logits", "maskedLogits"] as const) {
      const batch = makeBatch({ vocabSize: 9, full: true });
      batch[name][4 * 9 + 7] = bad;
      const error = t.throws(() => statisticsOf(partsOf(batch, [3, 5]), batch), {
        code: "ERR_NOT_FINITE",
        message: new RegExp(`${name}\\[4\\] to hold numbers .* received NaN or Infinity`),
      });
      t.is((error as unknown as { row: number }).row, 4);
    }
  }
});

test("ids outside the whole vocabulary and columns past its end are refused", (t) => {
  const batch = makeBatch({ vocabSize: 9, full: true });
  const part = { ...batch, vocabOffset: 9, vocabTotal: 18 };
  t.notThrows(() => tokenStatsPartial(part));
  t.throws(() => tokenStatsPartial({ ...part, vocabTotal: 17 }), { code: "ERR_RANGE" });
  t.throws(() => tokenStatsPartial({ ...part, vocabOffset: -1 }), { code: "ERR_RANGE" });
  batch.tokenIds[2] = 18;
  t.throws(() => tokenStatsPartial(part), { code: "ERR_RANGE", message: /tokenIds\[2\] in 0…17/ });
});

test("states of one policy alone finish to the statistics of one policy", (t) => {
  const { maskedLogits: _, ...batch } = makeBatch({ vocabSize: 9, full: true });
  const actual = tokenStatsFinish({ states: tokenStatsPartial(batch), rows: batch.rows });
  const expected = tokenStats(batch);
  for (const name of STATISTICS) {
    assertClose(t, name, actual[name], expected[name], TOLERANCES.reference);
  }
});

test("a row that is no distribution has no sampled logit, and is skipped on request", (t) => {
  const logits = [0, Number.NaN, 1, 2];
  const states = tokenStatsPartial({ logits, tokenIds: [0, 1], rows: 2, vocabSize: 2 });
  t.deepEqual([...states.chosen], [-inf, 2]);
  const stats = tokenStatsFinish({ states, rows: 2, onInvalid: "skip" });
  t.deepEqual([...stats.invalid], [1, 0]);
  t.is(stats.logProbs[0], 0);
});
