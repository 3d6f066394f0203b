/** token_stats: values against the reference, what is not read, and what is refused. */
import test from "ava";
import { line, STATISTICS } from "../../lib/ops/lines.js";
import { type TokenStatsArgs, tokenStats, tokenStatsAsync } from "../../lib/ops/token-stats.js";
import { tokenStats as reference } from "../../lib/reference/index.js";
import { tensor } from "../../lib/tensor/create.js";
import { assertClose } from "../support/close.js";
import { DISTRIBUTIONS } from "../support/inputs.js";
import { TOLERANCES } from "../support/tolerances.js";
import { type EngineBatch, engineBatch, LOGITS_DTYPES, plainLogits } from "./engine-batch.js";

function argsOf({ logits, maskedLogits, tokenIds, responseMask }: EngineBatch): TokenStatsArgs {
  const settings = { where: "tokenStats", temperature: 1, onInvalid: "error" } as const;
  return { ...settings, logits, maskedLogits, tokenIds, responseMask };
}

for (const dtype of LOGITS_DTYPES) {
  for (const distribution of DISTRIBUTIONS) {
    test(`every statistic of ${distribution} ${dtype} logits agrees with the reference`, (t) => {
      for (const vocabSize of [7, 33, 257]) {
        const batch = engineBatch({ distribution, vocabSize }, dtype);
        const { statistics } = tokenStats(argsOf(batch));
        const expected = reference(batch.reference);
        for (const name of STATISTICS) {
          const values = line(statistics, STATISTICS, name);
          assertClose(t, name, values, expected[name], TOLERANCES.engineStatistics);
        }
      }
    });
  }
}

test("a temperature divides the logits first", (t) => {
  const batch = engineBatch({ vocabSize: 40 });
  for (const temperature of [0.25, 1.7]) {
    const { statistics } = tokenStats({ ...argsOf(batch), temperature });
    const expected = reference({ ...batch.reference, temperature });
    for (const name of STATISTICS) {
      const values = line(statistics, STATISTICS, name);
      assertClose(t, name, values, expected[name], TOLERANCES.engineStatistics);
    }
  }
});

test("one set of logits gives its statistics, and 0 for those of the masked policy", (t) => {
  const batch = engineBatch({ vocabSize: 19, full: true });
  const { statistics } = tokenStats({ ...argsOf(batch), maskedLogits: undefined });
  const expected = reference({ ...batch.reference, maskedLogits: undefined });
  for (const name of STATISTICS) {
    const values = line(statistics, STATISTICS, name);
    assertClose(t, name, values, expected[name], TOLERANCES.engineStatistics);
    if (/masked|kl/i.test(name)) t.true(values.every((value) => value === 0));
  }
});

test("a vocabulary of one token leaves nothing uncertain", (t) => {
  const [logits, maskedLogits] = [plainLogits(2, 1), plainLogits(2, 1)];
  const args = { logits, maskedLogits, tokenIds: new Int32Array(2) };
  const settings = { where: "tokenStats", temperature: 1, onInvalid: "error" } as const;
  const { statistics } = tokenStats({ ...args, ...settings });
  t.true(statistics.subarray(0, 6 * 2).every((value) => value === 0));
});

for (const dtype of LOGITS_DTYPES) {
  test(`what lies between rows of ${dtype} logits is not read`, (t) => {
    const shape = { vocabSize: 37, seed: 5 };
    const packed = tokenStats(argsOf(engineBatch(shape, dtype)));
    const padded = tokenStats(argsOf(engineBatch({ ...shape, rowPitch: 43 }, dtype)));
    t.deepEqual(padded.statistics, packed.statistics);
  });
}

test("rows that do not count are not read and give 0", (t) => {
  const batch = engineBatch({ vocabSize: 11 });
  const { logits, tokenIds, responseMask } = batch;
  const expected = tokenStats(argsOf(batch)).statistics;
  responseMask.forEach((bit, row) => {
    if (bit === 1) return;
    (logits.data as Float32Array).fill(Number.NaN, row * 11, (row + 1) * 11);
    tokenIds[row] = -100;
    for (const name of STATISTICS) t.is(line(expected, STATISTICS, name)[row], 0);
  });
  t.deepEqual(tokenStats(argsOf(batch)).statistics, expected);
});

test("no rows give no statistics", (t) => {
  const logits = tensor(new Float32Array(0), { shape: [0, 5] });
  const args = { where: "tokenStats", logits, tokenIds: new Int32Array(0), temperature: 1 };
  t.is(tokenStats({ ...args, onInvalid: "error" }).statistics.length, 0);
});

test("impossible tokens and impossible columns give infinities, not NaN", (t) => {
  const inf = Number.POSITIVE_INFINITY;
  const statistic = (policy: number[], masked: number[], name: (typeof STATISTICS)[number]) => {
    const shape = [1, policy.length] as const;
    const { statistics } = tokenStats({
      where: "tokenStats",
      logits: tensor(Float32Array.from(policy), { shape }),
      maskedLogits: tensor(Float32Array.from(masked), { shape }),
      tokenIds: Int32Array.of(0),
      temperature: 1,
      onInvalid: "error",
    });
    return line(statistics, STATISTICS, name)[0];
  };
  t.is(statistic([-inf, 0, 0], [0, 0, 0], "logProbs"), -inf);
  t.is(statistic([0, 0, 0], [-inf, 0, 0], "maskedLogProbs"), -inf);
  t.is(statistic([0, 0, 0], [-inf, 0, 0], "kl"), inf);
  t.is(statistic([-inf, 0, 0], [0, 0, 0], "reverseKl"), inf);
  assertClose(
    t,
    "kl",
    statistic([-inf, 0, 0], [0, 0, 0], "kl") as number,
    Math.log(1.5),
    TOLERANCES.engineStatistics,
  );
  assertClose(
    t,
    "kl",
    statistic([-inf, 0, 0], [-inf, 0, 0], "kl") as number,
    0,
    TOLERANCES.engineStatistics,
  );
  assertClose(
    t,
    "entropy",
    statistic([-inf, 0, 0], [0, 0, 0], "entropy") as number,
    Math.log(2),
    TOLERANCES.engineStatistics,
  );
  // Mass below e^−87 of the largest counts as none.
  t.true(Number.isFinite(statistic([-100, 0, 0], [-inf, 0, 0], "kl")));
});

test("an unusable row is an error that names the first of them", (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const which of ["logits", "maskedLogits"] as const) {
      const batch = engineBatch({ vocabSize: 300, full: true });
      const data = batch[which].data as Float32Array;
      data[5 * 300 + 299] = bad;
      data[9 * 300] = bad;
      const error = t.throws(() => tokenStats(argsOf(batch)), {
        name: "PapoError",
        code: "ERR_NOT_FINITE",
      });
      t.is((error as unknown as { row: number }).row, 5);
      t.true(
        error?.message.startsWith(`[tokenStats] expected row 5 of ${which} to hold finite logits`),
      );
    }
  }
});

test("a row without any mass is an error", (t) => {
  const batch = engineBatch({ vocabSize: 8, full: true });
  (batch.maskedLogits.data as Float32Array).fill(-Infinity, 2 * 8, 3 * 8);
  const error = t.throws(() => tokenStats(argsOf(batch)), { code: "ERR_NOT_FINITE" });
  t.is((error as unknown as { row: number }).row, 2);
});

test("skipped rows are marked, and the others are as if nothing had been", (t) => {
  const batch = engineBatch({ vocabSize: 21, full: true });
  const untouched = tokenStats(argsOf(batch)).statistics;
  (batch.logits.data as Float32Array)[4 * 21 + 3] = Number.NaN;
  (batch.maskedLogits.data as Float32Array)[7 * 21] = Number.POSITIVE_INFINITY;
  const { statistics, invalid } = tokenStats({ ...argsOf(batch), onInvalid: "skip" });
  t.deepEqual(invalid, Int32Array.of(0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0));
  for (const name of STATISTICS) {
    const [actual, expected] = [statistics, untouched].map((m) => line(m, STATISTICS, name));
    expected?.forEach((value, row) => {
      t.is(actual?.[row], invalid?.[row] === 1 ? 0 : value);
    });
  }
});

test("off the event loop the numbers are the same to the last bit", async (t) => {
  for (const dtype of LOGITS_DTYPES) {
    const args = argsOf(engineBatch({ sequences: 9, tokens: 8, vocabSize: 300 }, dtype));
    t.deepEqual(await tokenStatsAsync(args), tokenStats(args));
  }
});

test("an error off the event loop is the same error", async (t) => {
  const batch = engineBatch({ full: true });
  batch.tokenIds[3] = 7;
  const thrown = { name: "PapoError", code: "ERR_RANGE" };
  const message = "[tokenStats] expected tokenIds[3] in 0…6, received 7";
  t.throws(() => tokenStats(argsOf(batch)), { ...thrown, message });
  await t.throwsAsync(() => tokenStatsAsync(argsOf(batch)), { ...thrown, message });
});
