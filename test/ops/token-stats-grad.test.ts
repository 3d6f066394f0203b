/** token_stats_grad: gradients against the reference and finite differences, in every kind of memory. */
import test from "ava";
import type { LogitsDType } from "../../lib/core/dtype.js";
import { COTANGENTS, type CotangentName, line, newLines } from "../../lib/ops/lines.js";
import { tokenStats } from "../../lib/ops/token-stats.js";
import {
  type TokenStatsGradArgs,
  tokenStatsGrad,
  tokenStatsGradAsync,
} from "../../lib/ops/token-stats-grad.js";
import {
  finiteDifference,
  tokenStatsGrad as reference,
  tokenStats as referenceStats,
} from "../../lib/reference/index.js";
import { zeros } from "../../lib/tensor/create.js";
import { gradientTensor } from "../../lib/tensor/gradient.js";
import type { Tensor } from "../../lib/tensor/tensor.js";
import { assertClose } from "../support/close.js";
import { type Batch, DISTRIBUTIONS, Random } from "../support/inputs.js";
import { GRADIENT_TOLERANCES, TOLERANCES } from "../support/tolerances.js";
import {
  bitsOf,
  type EngineBatch,
  elementsOf,
  engineBatch,
  LOGITS_DTYPES,
} from "./engine-batch.js";
import { columnsOf } from "./vocab-shards.js";

const SETTINGS = { where: "tokenStatsGrad", temperature: 1, gradScale: 1, accumulate: false };

/** Random cotangents of a batch for every statistic, or for those named; no gradient tensors yet. */
function argsOf(
  { logits, maskedLogits, tokenIds, responseMask }: EngineBatch,
  names: readonly CotangentName[] = COTANGENTS,
  temperature = 1,
): TokenStatsGradArgs {
  const inputs = { ...SETTINGS, logits, maskedLogits, tokenIds, responseMask, temperature };
  const { statistics } = tokenStats({ ...inputs, onInvalid: "error" });
  const random = new Random(99);
  const cotangents = newLines(COTANGENTS, logits.rows);
  for (const name of names) {
    line(cotangents, COTANGENTS, name).forEach((_, row, values) => {
      values[row] = random.normal();
    });
  }
  return { ...inputs, statistics, cotangents };
}

/** Both gradients in fresh memory. */
function gradients(args: TokenStatsGradArgs, dtype?: "float32"): [Tensor, Tensor] {
  const gradLogits = gradientTensor("test", "g", args.logits, { dtype });
  const gradMaskedLogits = gradientTensor("test", "g", args.logits, { dtype });
  tokenStatsGrad({ ...args, gradLogits, gradMaskedLogits });
  return [gradLogits, gradMaskedLogits];
}

const linesOf = (cotangents: Float64Array) =>
  Object.fromEntries(COTANGENTS.map((name) => [name, line(cotangents, COTANGENTS, name)]));

const expectedOf = (batch: Batch, { cotangents, temperature, gradScale }: TokenStatsGradArgs) =>
  reference({ ...batch, cotangents: linesOf(cotangents), temperature, gradScale });

for (const dtype of LOGITS_DTYPES) {
  for (const distribution of DISTRIBUTIONS) {
    test(`gradients of ${distribution} ${dtype} logits agree with the reference`, (t) => {
      for (const vocabSize of [7, 33, 257]) {
        const batch = engineBatch({ distribution, vocabSize }, dtype);
        const args = argsOf(batch);
        const [own, masked] = gradients(args);
        const { gradLogits, gradMaskedLogits } = expectedOf(batch.reference, args);
        const tolerance = GRADIENT_TOLERANCES[dtype];
        assertClose(t, "gradLogits", elementsOf(own), gradLogits, tolerance);
        assertClose(
          t,
          "gradMaskedLogits",
          elementsOf(masked),
          gradMaskedLogits as Float64Array,
          tolerance,
        );
      }
    });
  }
}

for (const name of COTANGENTS) {
  test(`the gradient of ${name} alone agrees with finite differences`, (t) => {
    const batch = engineBatch({ vocabSize: 9, seed: 3 });
    const temperature = 1.3;
    const args = argsOf(batch, [name], temperature);
    const weights = line(args.cotangents, COTANGENTS, name);
    const actual = gradients(args);
    (["logits", "maskedLogits"] as const).forEach((input, i) => {
      const value = (x: Float64Array) =>
        referenceStats({ ...batch.reference, [input]: x, temperature })[name].reduce(
          (sum, statistic, row) => sum + statistic * (weights[row] as number),
          0,
        );
      const expected = finiteDifference(value, batch.reference[input]);
      assertClose(t, input, elementsOf(actual[i] as Tensor), expected, GRADIENT_TOLERANCES.float32);
    });
  });
}

test("one set of logits needs no other", (t) => {
  const batch = engineBatch({ vocabSize: 12 });
  const { maskedLogits: _, ...args } = argsOf(batch, ["logProbs", "entropy"]);
  const gradLogits = zeros([12, 12]);
  tokenStatsGrad({ ...args, gradLogits });
  const expected = reference({
    ...batch.reference,
    maskedLogits: undefined,
    cotangents: linesOf(args.cotangents),
  });
  assertClose(
    t,
    "gradLogits",
    elementsOf(gradLogits),
    expected.gradLogits,
    GRADIENT_TOLERANCES.float32,
  );
});

test("a gradient that is not asked for is not written, and the other one is the same", (t) => {
  const args = argsOf(engineBatch({ vocabSize: 12 }));
  const [own, masked] = gradients(args);
  const alone = zeros([12, 12]);
  tokenStatsGrad({ ...args, gradLogits: alone });
  t.deepEqual(alone.data, own.data);
  const maskedAlone = zeros([12, 12]);
  tokenStatsGrad({ ...args, gradMaskedLogits: maskedAlone });
  t.deepEqual(maskedAlone.data, masked.data);
  t.notThrows(() => tokenStatsGrad(args));
});

test("half-precision logits may have gradients in float32, without the rounding", (t) => {
  for (const dtype of ["float16", "bfloat16"] as const) {
    const batch = engineBatch({ vocabSize: 65 }, dtype);
    const args = argsOf(batch);
    const [own] = gradients(args, "float32");
    t.is(own.dtype, "float32");
    const expected = expectedOf(batch.reference, args).gradLogits;
    assertClose(t, dtype, elementsOf(own), expected, GRADIENT_TOLERANCES.float32);
  }
});

test("gradScale multiplies before the rounding, so that small float16 gradients survive", (t) => {
  const batch = engineBatch({ vocabSize: 65 }, "float16");
  const args = argsOf(batch);
  const tiny = { ...args, cotangents: args.cotangents.map((c) => c * 2 ** -30) };
  const lost = gradients(tiny)[0];
  t.true(elementsOf(lost).every((value) => value === 0));
  const kept = gradients({ ...tiny, gradScale: 2 ** 30 })[0];
  t.deepEqual(kept.data, gradients(args)[0].data);
});

for (const dtype of LOGITS_DTYPES) {
  test(`${dtype} gradients in place are the same to the last bit, and the padding stays`, (t) => {
    const shape = { vocabSize: 37, rowPitch: 41 };
    const args = argsOf(engineBatch(shape, dtype));
    const [own, masked] = gradients(args);
    const before = bitsOf(args.logits).slice();
    tokenStatsGrad({ ...args, gradLogits: args.logits, gradMaskedLogits: args.maskedLogits });
    t.deepEqual(elementsOf(args.logits), elementsOf(own));
    t.deepEqual(elementsOf(args.maskedLogits as Tensor), elementsOf(masked));
    t.deepEqual(paddingOf(bitsOf(args.logits), args.logits), paddingOf(before, args.logits));
  });

  test(`${dtype} gradients keep to their own pitch and leave what lies between rows`, (t) => {
    const args = argsOf(engineBatch({ vocabSize: 37 }, dtype));
    const { rows, columns } = args.logits;
    const rowPitch = 50;
    const gradLogits: Tensor = zeros([rows, columns], { dtype: dtype as LogitsDType, rowPitch });
    gradLogits.data.fill(3);
    tokenStatsGrad({ ...args, gradLogits });
    t.deepEqual(elementsOf(gradLogits), elementsOf(gradients(args)[0]));
    for (let row = 0; row < rows; row++) {
      const gap = gradLogits.data.subarray(row * rowPitch + columns, (row + 1) * rowPitch);
      t.true(gap.every((value: number) => value === 3));
    }
  });

  test(`${dtype} gradients may be added to what is there`, (t) => {
    const args = argsOf(engineBatch({ vocabSize: 37 }, dtype));
    const [own] = gradients(args, "float32");
    const sum: Tensor = zeros([12, 37], { dtype: "float32" });
    sum.data.fill(0.5);
    tokenStatsGrad({ ...args, gradLogits: sum, accumulate: true });
    const expected = elementsOf(own).map((value) => value + 0.5);
    assertClose(t, "sum", elementsOf(sum), expected, GRADIENT_TOLERANCES.float32);
    args.responseMask?.forEach((bit, row) => {
      if (bit === 0)
        t.true(sum.data.subarray(row * 37, (row + 1) * 37).every((x: number) => x === 0.5));
    });
  });
}

function paddingOf(bytes: Uint8Array, { rows, columns, rowPitch, dtype }: Tensor): Uint8Array {
  const size = dtype === "float32" ? 4 : 2;
  return bytes.filter((_, i) => {
    const column = Math.floor(i / size) % rowPitch;
    return column >= columns && i < rows * rowPitch * size;
  });
}

/** Both gradients of the columns from `begin` to `end`, from the statistics of the whole rows. */
function gradientsOfPart(args: TokenStatsGradArgs, begin: number, end: number): [Tensor, Tensor] {
  const part = (of: TokenStatsGradArgs["logits"]) =>
    columnsOf(of as EngineBatch["logits"], begin, end);
  const logits = part(args.logits);
  const maskedLogits = args.maskedLogits && part(args.maskedLogits);
  const vocabTotal = args.logits.columns;
  return gradients({ ...args, logits, maskedLogits, vocabOffset: begin, vocabTotal });
}

for (const dtype of LOGITS_DTYPES) {
  test(`gradients of parts of ${dtype} logits are those of the whole, to the bit`, (t) => {
    for (const distribution of DISTRIBUTIONS) {
      for (const temperature of [1, 0.7]) {
        const vocabSize = 1200;
        const batch = engineBatch({ distribution, vocabSize, sequences: 2 }, dtype);
        const args = argsOf(batch, COTANGENTS, temperature);
        const whole = gradients(args);
        for (const [begin, end] of [
          [0, 1],
          [1, 300],
          [300, 1199],
          [1199, 1200],
        ] as const) {
          const parts = gradientsOfPart(args, begin, end);
          parts.forEach((part, i) => {
            const expected = columnsOf(whole[i] as EngineBatch["logits"], begin, end);
            t.deepEqual(elementsOf(part), elementsOf(expected), `${distribution} ${begin}`);
          });
        }
      }
    }
  });
}

test("gradients of a part may be added to what is there, in place or beside it", (t) => {
  const args = argsOf(engineBatch({ vocabSize: 37, full: true }));
  const [own] = gradientsOfPart(args, 10, 30);
  const sum: Tensor = zeros([12, 20], { dtype: "float32" });
  sum.data.fill(0.5);
  const logits = columnsOf(args.logits as EngineBatch["logits"], 10, 30);
  const maskedLogits = columnsOf(args.maskedLogits as EngineBatch["logits"], 10, 30);
  const part = { ...args, logits, maskedLogits, vocabOffset: 10, vocabTotal: 37 };
  tokenStatsGrad({ ...part, gradLogits: sum, accumulate: true });
  const expected = elementsOf(own).map((value) => value + 0.5);
  assertClose(t, "sum", elementsOf(sum), expected, GRADIENT_TOLERANCES.float32);
  tokenStatsGrad({ ...part, gradLogits: logits });
  t.deepEqual(elementsOf(logits), elementsOf(own));
});

test("a part that lies outside its vocabulary is an error, and so is an id that does", (t) => {
  const batch = engineBatch({ vocabSize: 20, full: true });
  const args = argsOf(batch);
  const gradLogits = zeros([12, 20]);
  const refusal = (more: Partial<TokenStatsGradArgs>) =>
    t.throws(() => tokenStatsGrad({ ...args, gradLogits, ...more }), { code: "ERR_RANGE" })
      ?.message;
  t.regex(
    refusal({ vocabOffset: 1, vocabTotal: 20 }) ?? "",
    /vocabTotal 20 or before, received 1 and 20/,
  );
  t.regex(refusal({ vocabOffset: 0.5 }) ?? "", /vocabOffset to be an integer/);
  batch.tokenIds[3] = 25;
  t.regex(refusal({ vocabOffset: 5 }) ?? "", /tokenIds\[3\] in 0…24, received 25/);
  t.notThrows(() => tokenStatsGrad({ ...args, gradLogits, vocabTotal: 30 }));
});

test("rows that do not count have gradient 0 over whatever the memory held", (t) => {
  const args = argsOf(engineBatch({ vocabSize: 9 }));
  const gradLogits = zeros([12, 9]);
  gradLogits.data.fill(Number.NaN);
  tokenStatsGrad({ ...args, gradLogits });
  args.responseMask?.forEach((bit, row) => {
    const values = gradLogits.data.subarray(row * 9, (row + 1) * 9);
    t.is(
      values.every((value) => value === 0),
      bit === 0,
    );
  });
});

test("columns of −Infinity get a gradient of exactly 0", (t) => {
  const batch = engineBatch({ distribution: "holes", vocabSize: 20, full: true });
  const [own, masked] = gradients(argsOf(batch));
  batch.reference.logits.forEach((logit, i) => {
    if (logit !== -Infinity) return;
    t.is(Math.abs(own.data[i] as number), 0);
    t.is(Math.abs(masked.data[i] as number), 0);
  });
});

test("gradients of each statistic sum to 0 over a row: softmax does not see a shift", (t) => {
  const batch = engineBatch({ vocabSize: 300, full: true });
  for (const gradient of gradients(argsOf(batch))) {
    for (let row = 0; row < gradient.rows; row++) {
      const values = elementsOf(gradient).subarray(row * 300, (row + 1) * 300);
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const sum = values.reduce((total, value) => total + value, 0);
      assertClose(
        t,
        "sum relative to the largest",
        [sum / largest, 1],
        [0, 1],
        TOLERANCES.engineStatistics,
      );
    }
  }
});

test("an infinite KL has no gradient, which is an error unless nobody asks for one", (t) => {
  const batch = engineBatch({ vocabSize: 8, full: true });
  (batch.maskedLogits.data as Float32Array)[3 * 8 + 1] = -Infinity;
  const args = argsOf(batch);
  const error = t.throws(() => gradients(args), { code: "ERR_NOT_FINITE" });
  t.is((error as unknown as { row: number }).row, 3);
  line(args.cotangents, COTANGENTS, "kl")[3] = 0;
  const [own] = gradients(args);
  t.true(elementsOf(own).every(Number.isFinite));
});

test("a cotangent that is not finite is an error that names it", (t) => {
  const args = argsOf(engineBatch({ full: true }));
  line(args.cotangents, COTANGENTS, "entropy")[2] = Number.NaN;
  t.throws(() => gradients(args), { code: "ERR_NOT_FINITE", message: /entropy\[2\]/ });
});

test("off the event loop the gradients are the same to the last bit", async (t) => {
  for (const dtype of LOGITS_DTYPES) {
    const args = argsOf(engineBatch({ sequences: 9, tokens: 8, vocabSize: 300 }, dtype));
    const gradLogits = gradientTensor("test", "g", args.logits);
    const gradMaskedLogits = gradientTensor("test", "g", args.logits);
    await tokenStatsGradAsync({ ...args, gradLogits, gradMaskedLogits });
    const [own, masked] = gradients(args);
    t.deepEqual(bitsOf(gradLogits), bitsOf(own));
    t.deepEqual(bitsOf(gradMaskedLogits), bitsOf(masked));
  }
});
