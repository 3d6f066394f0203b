/** token_stats_finish: statistics of states against the reference and against the whole row, and unusable rows. */
import test, { type ExecutionContext } from "ava";
import { line, STATES, STATISTICS } from "../../lib/ops/lines.js";
import { tokenStats } from "../../lib/ops/token-stats.js";
import { type TokenStatsFinishArgs, tokenStatsFinish } from "../../lib/ops/token-stats-finish.js";
import { tokenStatsFinish as reference } from "../../lib/reference/index.js";
import { assertClose } from "../support/close.js";
import { DISTRIBUTIONS } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";
import { type EngineBatch, engineBatch, LOGITS_DTYPES } from "./engine-batch.js";
import { mergedStates, namedStates, partsOf } from "./vocab-shards.js";

const SETTINGS = { where: "tokenStatsFinish", hasMasked: true, onInvalid: "error" } as const;

function argsOf(
  batch: EngineBatch,
  cuts: readonly number[],
  temperature = 1,
): TokenStatsFinishArgs {
  const states = mergedStates(partsOf(batch, cuts, temperature));
  return { ...SETTINGS, states, responseMask: batch.responseMask, temperature };
}

test("the statistics of states are the reference's", (t) => {
  for (const distribution of DISTRIBUTIONS) {
    const args = argsOf(engineBatch({ distribution, vocabSize: 70 }), [20, 21], 2);
    const states = namedStates(args.states);
    const { statistics } = tokenStatsFinish(args);
    const expected = reference({ ...args, states, rows: 12 });
    for (const name of STATISTICS) {
      const values = line(statistics, STATISTICS, name);
      assertClose(t, `${distribution} ${name}`, values, expected[name], TOLERANCES.engineRows);
    }
  }
});

for (const dtype of LOGITS_DTYPES) {
  test(`a whole row of ${dtype} by way of its state is token_stats to the bit, but for small KLs`, (t) => {
    for (const distribution of DISTRIBUTIONS) {
      const batch = engineBatch({ distribution, vocabSize: 3000 }, dtype);
      for (const temperature of [1, 0.7]) {
        const args = argsOf(batch, [], temperature);
        const actual = tokenStatsFinish(args).statistics;
        const expected = tokenStats({ ...batch, ...args, where: "t" }).statistics;
        const [kl, reverseKl] = (["kl", "reverseKl"] as const).map((name) =>
          line(expected, STATISTICS, name),
        ) as [Float64Array, Float64Array];
        for (const name of STATISTICS) {
          const values = line(actual, STATISTICS, name);
          line(expected, STATISTICS, name).forEach((value, row) => {
            const isSmall = (kl[row] as number) < 1.1e-3 && (reverseKl[row] as number) < 1.1e-3;
            if (name !== "kl" && name !== "reverseKl") t.is(values[row], value, name);
            else if (!isSmall) t.is(values[row], value, name);
            else assertClose(t, name, values[row] as number, value, TOLERANCES.engineStates);
          });
        }
      }
    }
  });
}

test("a vocabulary of one token leaves nothing uncertain but a rounding", (t) => {
  const batch = engineBatch({ vocabSize: 1, full: true });
  const { statistics } = tokenStatsFinish(argsOf(batch, [], 0.3));
  const zeros = new Float64Array(6 * 12);
  assertClose(t, "statistics", statistics.subarray(0, 6 * 12), zeros, TOLERANCES.engineStates);
});

test("one policy gives its statistics, and 0 for those of the masked one", (t) => {
  const batch = engineBatch({ vocabSize: 20 });
  const args = argsOf(batch, [7]);
  const both = tokenStatsFinish(args).statistics;
  const one = tokenStatsFinish({ ...args, hasMasked: false }).statistics;
  for (const name of STATISTICS) {
    const values = line(one, STATISTICS, name);
    if (/masked|kl/i.test(name)) t.true(values.every((value) => value === 0));
    else t.deepEqual(values, line(both, STATISTICS, name));
  }
});

test("NaN and Infinity in any part are the error of token_stats, with the row", (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const column of [0, 30, 59]) {
      for (const which of ["logits", "maskedLogits"] as const) {
        const batch = engineBatch({ vocabSize: 60, full: true });
        const data = batch[which].data as Float32Array;
        data[5 * 60 + column] = bad;
        data[9 * 60] = bad;
        const error = t.throws(() => tokenStatsFinish(argsOf(batch, [20, 50])), {
          code: "ERR_NOT_FINITE",
          message: `[tokenStatsFinish] expected row 5 of ${which} to hold finite logits (or -Infinity beside them), received NaN or Infinity`,
        });
        t.is((error as unknown as { row: number }).row, 5);
      }
    }
  }
});

test("a row that is −Infinity in all parts is an error, in all but one it is none", (t) => {
  const batch = engineBatch({ vocabSize: 60, full: true });
  const data = batch.maskedLogits.data as Float32Array;
  data.fill(-Infinity, 2 * 60, 2 * 60 + 59);
  t.notThrows(() => tokenStatsFinish(argsOf(batch, [20, 59])));
  data.fill(-Infinity, 2 * 60, 3 * 60);
  const error = t.throws(() => tokenStatsFinish(argsOf(batch, [20, 59])), {
    code: "ERR_NOT_FINITE",
    message: /row 2 of maskedLogits .* received only -Infinity$/,
  });
  t.is((error as unknown as { row: number }).row, 2);
});

/** One row that is one token, the same one under both policies, but for what is changed. */
function certainRow(change: Partial<Record<(typeof STATES)[number], number>>): Float64Array {
  const certain = { sum: 1, maskedSum: 1, uncovered: -Infinity, maskedUncovered: -Infinity };
  const row: Partial<Record<(typeof STATES)[number], number>> = { ...certain, ...change };
  return Float64Array.from(STATES, (name) => row[name] ?? 0);
}

/** The engine's, which are the reference's to the bit where every sum is 1. */
function statisticsOf(
  t: ExecutionContext,
  states: Float64Array,
): Record<(typeof STATISTICS)[number], number> {
  const { statistics } = tokenStatsFinish({ ...SETTINGS, states, temperature: 1 });
  const expected = reference({ states: namedStates(states), rows: 1, hasMasked: true });
  const named = STATISTICS.map((name, i) => {
    t.is(statistics[i], expected[name][0], name);
    return [name, statistics[i]];
  });
  return Object.fromEntries(named);
}

test("a column that one policy rules out counts from e^−87 of the largest on, wherever the logits lie", (t) => {
  for (const largest of [0, 60, -60, 2048, -2048]) {
    const lines = { reference: largest, maskedReference: largest };
    const at = (name: "uncovered" | "maskedUncovered", value: number) =>
      statisticsOf(t, certainRow({ ...lines, [name]: value }));
    for (const distance of [0, 40, 87]) {
      t.is(at("uncovered", largest - distance).kl, Infinity, `${largest} ${distance}`);
      t.is(at("maskedUncovered", largest - distance).reverseKl, Infinity);
    }
    t.is(at("uncovered", largest - 87.125).kl, 0);
    t.is(at("maskedUncovered", largest - 87.125).reverseKl, 0);
  }
});

test("no rounding makes a token more than certain", (t) => {
  const chosen = { chosen: 2 ** -20, maskedChosen: 2 ** -21 };
  const { logProbs, maskedLogProbs } = statisticsOf(t, certainRow(chosen));
  t.deepEqual([logProbs, maskedLogProbs], [0, 0]);
});

test("a sum of Infinity is no distribution", (t) => {
  for (const [sum, which] of [
    ["sum", "logits"],
    ["maskedSum", "maskedLogits"],
  ] as const) {
    const states = certainRow({ [sum]: Infinity });
    const args = { ...SETTINGS, states, temperature: 1 };
    t.throws(() => reference({ ...args, states: namedStates(states), rows: 1 }), {
      code: "ERR_NOT_FINITE",
      message: new RegExp(`expected ${which}\\[0\\] .*received NaN or Infinity$`),
    });
    t.throws(() => tokenStatsFinish(args), {
      code: "ERR_NOT_FINITE",
      message: `[tokenStatsFinish] expected row 0 of ${which} to hold finite logits (or -Infinity beside them), received NaN or Infinity`,
    });
  }
});

test("skipped rows are marked, and the others are as if nothing had been", (t) => {
  const batch = engineBatch({ vocabSize: 21, full: true });
  const untouched = tokenStatsFinish(argsOf(batch, [10])).statistics;
  (batch.logits.data as Float32Array)[4 * 21 + 3] = Number.NaN;
  (batch.maskedLogits.data as Float32Array)[7 * 21] = Number.POSITIVE_INFINITY;
  const { statistics, invalid } = tokenStatsFinish({ ...argsOf(batch, [10]), onInvalid: "skip" });
  t.deepEqual(invalid, Int32Array.of(0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0));
  for (const name of STATISTICS) {
    const [actual, expected] = [statistics, untouched].map((m) => line(m, STATISTICS, name));
    expected?.forEach((value, row) => {
      t.is(actual?.[row], invalid?.[row] === 1 ? 0 : value);
    });
  }
});

test("rows that do not count are not read and give 0", (t) => {
  const batch = engineBatch({ vocabSize: 20 });
  const args = argsOf(batch, [7]);
  const expected = tokenStatsFinish(args).statistics;
  batch.responseMask.forEach((bit, row) => {
    if (bit === 1) return;
    for (const name of STATES) line(args.states, STATES, name)[row] = Number.NaN;
    for (const name of STATISTICS) t.is(line(expected, STATISTICS, name)[row], 0);
  });
  t.deepEqual(tokenStatsFinish(args).statistics, expected);
});

test("what is no state is an error, not a number", (t) => {
  const batch = engineBatch({ vocabSize: 20, full: true });
  const args = argsOf(batch, [7]);
  for (const name of STATES) {
    if (name === "sum" || name === "maskedSum") continue;
    const states = args.states.slice();
    line(states, STATES, name)[3] = Number.NaN;
    const message = new RegExp(
      `^\\[tokenStatsFinish\\] expected states\\.${name}\\[3\\] .*received NaN$`,
    );
    t.throws(() => tokenStatsFinish({ ...args, states }), { code: "ERR_NOT_FINITE", message });
  }
});
