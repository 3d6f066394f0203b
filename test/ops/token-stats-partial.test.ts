/** token_stats_partial: what a part of the vocabulary says, against the reference, and what is refused. */
import test from "ava";
import { line, STATES } from "../../lib/ops/lines.js";
import {
  type TokenStatsPartialArgs,
  tokenStatsPartial,
  tokenStatsPartialAsync,
} from "../../lib/ops/token-stats-partial.js";
import { tokenStatsPartial as reference, type TokenStates } from "../../lib/reference/index.js";
import { tensor } from "../../lib/tensor/create.js";
import { assertClose } from "../support/close.js";
import { DISTRIBUTIONS } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";
import { elementsOf, engineBatch, LOGITS_DTYPES } from "./engine-batch.js";
import { cutsOf, namedStates, partsOf } from "./vocab-shards.js";

const { POSITIVE_INFINITY: INFINITY } = Number;
/** The lowest number of float32: the reference where there is nothing to refer to. */
const LOWEST = -(2 ** 128 - 2 ** 104);

/** What a state says, whatever number near the largest logit its sums refer to. */
function meaningOf(states: TokenStates): Record<string, Float64Array> {
  const { reference: own, maskedReference: masked } = states;
  const per = (dot: Float64Array, sum: Float64Array, shift: (row: number) => number) =>
    dot.map((value, row) => (sum[row] === 0 ? 0 : value / (sum[row] as number) + shift(row)));
  const [p, q] = [(row: number) => own[row] as number, (row: number) => masked[row] as number];
  return {
    logSumExp: states.sum.map((sum, row) => (sum === 0 ? 0 : Math.log(sum) + p(row))),
    maskedLogSumExp: states.maskedSum.map((sum, row) => (sum === 0 ? 0 : Math.log(sum) + q(row))),
    mean: per(states.dot, states.sum, p),
    maskedMean: per(states.maskedDot, states.maskedSum, q),
    difference: per(states.cross, states.sum, (row) => p(row) - q(row)),
    maskedDifference: per(states.maskedCross, states.maskedSum, (row) => q(row) - p(row)),
    uncovered: states.uncovered,
    maskedUncovered: states.maskedUncovered,
    chosen: states.chosen,
    maskedChosen: states.maskedChosen,
  };
}

/** The same part for the reference. */
function referenceOf(part: TokenStatsPartialArgs): TokenStates {
  const { logits, maskedLogits, tokenIds, responseMask, temperature } = part;
  return reference({
    logits: elementsOf(logits),
    maskedLogits: maskedLogits && elementsOf(maskedLogits),
    tokenIds,
    responseMask,
    temperature,
    rows: logits.rows,
    vocabSize: logits.columns,
    vocabOffset: part.vocabOffset,
    vocabTotal: part.vocabTotal,
  });
}

for (const dtype of LOGITS_DTYPES) {
  for (const distribution of DISTRIBUTIONS) {
    test(`every part of ${distribution} ${dtype} logits says what the reference says`, (t) => {
      for (const vocabSize of [7, 33, 257]) {
        const batch = engineBatch({ distribution, vocabSize, rowPitch: vocabSize + 3 }, dtype);
        for (const part of cutsOf(vocabSize).flatMap((cuts) => partsOf(batch, cuts, 1.3))) {
          const actual = meaningOf(namedStates(tokenStatsPartial(part)));
          const expected = meaningOf(referenceOf(part));
          for (const name of Object.keys(expected)) {
            assertClose(
              t,
              `${name} from ${part.vocabOffset}`,
              actual[name] as Float64Array,
              expected[name] as Float64Array,
              TOLERANCES.engineStates,
            );
          }
        }
      }
    });
  }
}

test("one set of logits leaves the masked lines empty", (t) => {
  const batch = engineBatch({ vocabSize: 19, full: true });
  const [part] = partsOf(batch, []) as [TokenStatsPartialArgs];
  const both = namedStates(tokenStatsPartial(part));
  const one = namedStates(tokenStatsPartial({ ...part, maskedLogits: undefined }));
  for (const name of ["reference", "sum", "dot", "chosen"] as const) {
    t.deepEqual(one[name], both[name], name);
  }
  t.true(one.maskedReference.every((value) => value === LOWEST));
  for (const name of ["maskedSum", "maskedDot", "cross", "maskedCross"] as const) {
    t.true(
      one[name].every((value) => Object.is(value, 0)),
      name,
    );
  }
  for (const name of ["uncovered", "maskedUncovered", "maskedChosen"] as const) {
    t.true(
      one[name].every((value) => value === -INFINITY),
      name,
    );
  }
});

test("rows that do not count are not read, and a part of only −Infinity is the same empty state", (t) => {
  const vocabSize = 11;
  const batch = engineBatch({ vocabSize });
  const [part] = partsOf(batch, []) as [TokenStatsPartialArgs];
  const { logits, maskedLogits, responseMask, tokenIds } = batch;
  responseMask.forEach((bit, row) => {
    if (bit === 1) return;
    (logits.data as Float32Array).fill(Number.NaN, row * vocabSize, (row + 1) * vocabSize);
    tokenIds[row] = -100;
  });
  const masked = tokenStatsPartial(part);
  for (const x of [logits, maskedLogits]) (x.data as Float32Array).fill(-INFINITY);
  for (const temperature of [0.5, 1, 2]) {
    const nothing = tokenStatsPartial({
      ...part,
      temperature,
      responseMask: undefined,
      tokenIds: new Int32Array(12),
    });
    responseMask.forEach((bit, row) => {
      if (bit === 1) return;
      for (const name of STATES) {
        t.is(line(masked, STATES, name)[row], line(nothing, STATES, name)[row], name);
      }
    });
  }
});

test("the sampled token's logit is where the token is, and −Infinity in every other part", (t) => {
  const batch = engineBatch({ vocabSize: 12, full: true });
  const parts = partsOf(batch, [3, 4, 9]);
  const chosen = parts.map((part) => namedStates(tokenStatsPartial(part)).chosen);
  batch.tokenIds.forEach((id, row) => {
    const holders = parts.flatMap(({ vocabOffset = 0, logits }, i) =>
      id >= vocabOffset && id < vocabOffset + logits.columns ? [i] : [],
    );
    t.is(holders.length, 1);
    chosen.forEach((logit, i) => {
      const expected = i === holders[0] ? batch.reference.logits[row * 12 + id] : -INFINITY;
      t.is(logit[row], expected);
    });
  });
});

test("NaN and Infinity make one state of their policy, and leave the other policy its own", (t) => {
  const batch = engineBatch({ vocabSize: 40, full: true });
  const [part] = partsOf(batch, []) as [TokenStatsPartialArgs];
  const sound = tokenStatsPartial(part);
  const before = (batch.logits.data as Float32Array).slice();
  for (const bad of [Number.NaN, INFINITY]) {
    for (const column of [0, 20, 39]) {
      (batch.logits.data as Float32Array).set(before);
      (batch.logits.data as Float32Array)[5 * 40 + column] = bad;
      const broken = tokenStatsPartial(part);
      const own = [
        "reference",
        "sum",
        "dot",
        "cross",
        "maskedCross",
        "uncovered",
        "chosen",
      ] as const;
      t.deepEqual(
        own.map((name) => line(broken, STATES, name)[5]),
        [LOWEST, Number.NaN, Number.NaN, Number.NaN, Number.NaN, -INFINITY, -INFINITY],
      );
      const { maskedLogSumExp, maskedMean, maskedChosen } = meaningOf(namedStates(broken));
      for (const [name, actual] of Object.entries({ maskedLogSumExp, maskedMean, maskedChosen })) {
        const expected = meaningOf(namedStates(sound))[name] as Float64Array;
        assertClose(t, name, actual as Float64Array, expected, TOLERANCES.engineStates);
      }
      for (const name of STATES) t.is(line(broken, STATES, name)[4], line(sound, STATES, name)[4]);
    }
  }
});

test("off the event loop the states are the same to the last bit", async (t) => {
  for (const dtype of LOGITS_DTYPES) {
    const batch = engineBatch({ sequences: 9, tokens: 8, vocabSize: 300 }, dtype);
    for (const part of partsOf(batch, [100])) {
      t.deepEqual(await tokenStatsPartialAsync(part), tokenStatsPartial(part));
    }
  }
});

test("no rows give no states", (t) => {
  const logits = tensor(new Float32Array(0), { shape: [0, 5] });
  const args = { where: "tokenStatsPartial", logits, tokenIds: new Int32Array(0), temperature: 1 };
  t.is(tokenStatsPartial(args).length, 0);
});

test("an id outside the whole vocabulary is an error, one outside the part is none", (t) => {
  const batch = engineBatch({ vocabSize: 12, full: true });
  const [first, last] = partsOf(batch, [4]) as [TokenStatsPartialArgs, TokenStatsPartialArgs];
  for (const id of [0, 11]) {
    batch.tokenIds[3] = id;
    t.notThrows(() => [tokenStatsPartial(first), tokenStatsPartial(last)]);
  }
  for (const id of [12, -1]) {
    batch.tokenIds[3] = id;
    for (const part of [first, last]) {
      const message = `[tokenStatsPartial] expected tokenIds[3] in 0…11, received ${id}`;
      const error = t.throws(() => tokenStatsPartial(part), { code: "ERR_RANGE", message });
      t.is((error as unknown as { row: number }).row, 3);
    }
  }
  const { vocabTotal: _, ...open } = last;
  t.throws(() => tokenStatsPartial(open), { message: /tokenIds\[3\] in 0…11/ });
});

test("columns past the end of the vocabulary and parts of columns are errors", (t) => {
  const [, part] = partsOf(engineBatch({ vocabSize: 12 }), [4]) as [
    TokenStatsPartialArgs,
    TokenStatsPartialArgs,
  ];
  const refusal = (more: Partial<TokenStatsPartialArgs>) =>
    t.throws(() => tokenStatsPartial({ ...part, ...more }), { code: "ERR_RANGE" })?.message;
  t.is(
    refusal({ vocabTotal: 11 }),
    "[tokenStatsPartial] expected vocabOffset and the columns of the logits to end at vocabTotal 11 or before, received 4 and 8",
  );
  t.regex(refusal({ vocabOffset: 1.5 }) ?? "", /vocabOffset to be an integer, received 1.5/);
  t.regex(refusal({ vocabTotal: 12.5 }) ?? "", /vocabTotal to be an integer, received 12.5/);
  t.regex(refusal({ vocabOffset: -1 }) ?? "", /vocabOffset from 0 to 2147483647, received -1/);
  t.regex(refusal({ vocabTotal: 2 ** 31 }) ?? "", /vocabTotal from 0 to 2147483647/);
  t.regex(
    refusal({ vocabOffset: Number.NaN }) ?? "",
    /vocabOffset from 0 to 2147483647, received NaN/,
  );
});
