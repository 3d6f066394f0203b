/** tokenStatsPartial, mergeTokenStats, finishTokenStats and tokenStatsGrad: what they take, give and refuse. */
import test from "ava";
import {
  finishTokenStats,
  type Logits,
  mergeTokenStats,
  type TokenStates,
  type TokenStatsGradOptions,
  type TokenStatsPartialOptions,
  tensor,
  tokenStats,
  tokenStatsGrad,
  tokenStatsGradAsync,
  tokenStatsPartial,
  tokenStatsPartialAsync,
  zeros,
} from "../../lib/index.js";
import { bitsOf, elementsOf, engineBatch } from "../ops/engine-batch.js";
import { columnsOf } from "../ops/vocab-shards.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";

const VOCAB = 30;

type Shard = TokenStatsPartialOptions & { readonly maskedLogits: Logits };

/** The columns from `begin` to `end` of a batch of 12 rows. */
function shardOf(begin: number, end: number, batch = engineBatch({ vocabSize: VOCAB })): Shard {
  const { tokenIds, responseMask } = batch;
  return {
    logits: columnsOf(batch.logits, begin, end),
    maskedLogits: columnsOf(batch.maskedLogits, begin, end),
    tokenIds,
    responseMask,
    vocabOffset: begin,
    vocabTotal: VOCAB,
  };
}

const whole = (): Shard => shardOf(0, VOCAB);
const shards = (): [Shard, Shard] => [shardOf(0, 11), shardOf(11, VOCAB)];
const STATES = (): TokenStates => mergeTokenStats(shards().map(tokenStatsPartial));
const ones = (): number[] => new Array(12).fill(1);

test("states are [12, rows] tensors that carry no history", (t) => {
  const { logits, ...rest } = whole();
  const states = tokenStatsPartial({
    ...rest,
    logits: logits.alias({ requiresGrad: true }) as Logits,
  });
  t.is(states.dtype, "float64");
  t.deepEqual(states.shape, [12, 12]);
  t.false(states.requiresGrad);
});

test("parts of [sequences, tokens, columns] are parts of as many rows", (t) => {
  const { logits, maskedLogits, ...rest } = whole();
  const cubes = [logits, maskedLogits].map((of) =>
    tensor(of.data as Float32Array, { shape: [3, 4, VOCAB] }),
  ) as [Logits, Logits];
  const states = tokenStatsPartial({ ...rest, logits: cubes[0], maskedLogits: cubes[1] });
  t.deepEqual(states.data, tokenStatsPartial(whole()).data);
});

test("one part that is all needs no word about the vocabulary", (t) => {
  const { vocabOffset: _, vocabTotal: __, ...plain } = whole();
  t.deepEqual(tokenStatsPartial(plain).data, tokenStatsPartial(whole()).data);
});

test("the merge of one part is a copy, and no merge writes to its parts", (t) => {
  const parts = shards().map(tokenStatsPartial);
  const before = parts.map(({ data }) => data.slice());
  const [first] = parts as [TokenStates];
  const copy = mergeTokenStats([first]);
  t.deepEqual(copy.data, first.data);
  copy.data.fill(0);
  mergeTokenStats([...parts, ...parts]);
  t.deepEqual(
    parts.map(({ data }) => data),
    before,
  );
});

test("merged in one call or one after the other, the bits are the same", (t) => {
  const [a, b, c] = [shardOf(0, 9), shardOf(9, 10), shardOf(10, VOCAB)].map(tokenStatsPartial) as [
    TokenStates,
    TokenStates,
    TokenStates,
  ];
  t.deepEqual(mergeTokenStats([mergeTokenStats([a, b]), c]).data, mergeTokenStats([a, b, c]).data);
});

test("statistics without logits are constants, and with them the same numbers on the tape", (t) => {
  const states = STATES();
  const [shard] = shards();
  const { responseMask } = shard;
  const constants = finishTokenStats({ states, responseMask, hasMasked: true });
  const logits = shard.logits.alias({ requiresGrad: true }) as Logits;
  const onTape = finishTokenStats({ ...shard, logits, states });
  const { vocabOffset: _, vocabTotal: __, temperature: ___, ...plain } = whole();
  const expected = tokenStats(plain);
  t.deepEqual(Object.keys(onTape), Object.keys(expected));
  for (const name of Object.keys(expected) as (keyof typeof constants)[]) {
    const [constant, recorded, direct] = [constants, onTape, expected].map(
      (of) => of[name] as typeof constants.kl,
    ) as [typeof constants.kl, typeof constants.kl, typeof constants.kl];
    t.false(constant.requiresGrad);
    t.true(recorded.requiresGrad);
    t.deepEqual(constant.data, recorded.data);
    assertClose(t, name, constant.data, direct.data, TOLERANCES.engineStates);
  }
});

test("one policy has its log-probs and its entropy", (t) => {
  const { maskedLogits: _, ...own } = whole();
  const states = tokenStatsPartial(own);
  t.deepEqual(Object.keys(finishTokenStats({ ...own, states })), ["logProbs", "entropy"]);
  const { responseMask } = own;
  t.deepEqual(Object.keys(finishTokenStats({ states, responseMask })), ["logProbs", "entropy"]);
  t.throws(() => finishTokenStats({ states, responseMask, hasMasked: true }), {
    code: "ERR_NOT_FINITE",
    message:
      "[finishTokenStats] expected row 0 of maskedLogits to hold finite logits (or -Infinity beside them), received only -Infinity",
  });
});

test("an unusable row in any part is an error in the name of the verb, or is skipped", (t) => {
  const batch = engineBatch({ vocabSize: VOCAB, full: true });
  (batch.maskedLogits.data as Float32Array)[5 * VOCAB + 20] = Number.NaN;
  const [a, b] = [shardOf(0, 11, batch), shardOf(11, VOCAB, batch)];
  const states = mergeTokenStats([tokenStatsPartial(a), tokenStatsPartial(b)]);
  const message =
    /^\[(\w+)\] expected row 5 of maskedLogits to hold finite logits .* NaN or Infinity$/;
  const gradients = { gradKl: ones() };
  for (const act of [
    () => finishTokenStats({ ...a, states }),
    () => tokenStatsGrad({ ...a, states, gradients }),
  ]) {
    const error = t.throws(act, { code: "ERR_NOT_FINITE", message });
    t.is((error as unknown as { row: number }).row, 5);
  }
  const { invalid, kl } = finishTokenStats({ ...b, states, onInvalid: "skip" });
  t.is(invalid?.indexOf(1), 5);
  t.is(kl.data[5], 0);
  const { gradLogits } = tokenStatsGrad({ ...b, states, gradients, onInvalid: "skip" });
  const rows = Array.from({ length: 12 }, (_, row) =>
    elementsOf(gradLogits)
      .subarray(row * 19, (row + 1) * 19)
      .every((x) => x === 0),
  );
  t.deepEqual(
    rows,
    rows.map((_, row) => row === 5),
  );
});

test("gradients go to memory that is given, to the logits' own, and in float32 where asked", (t) => {
  const batch = engineBatch({ vocabSize: VOCAB }, "bfloat16");
  const shard = shardOf(11, VOCAB, batch);
  const states = mergeTokenStats([shardOf(0, 11, batch), shard].map(tokenStatsPartial));
  const call = { ...shard, states, gradients: { gradEntropy: ones(), gradReverseKl: ones() } };
  const fresh = tokenStatsGrad(call);
  t.is(fresh.gradLogits.dtype, "bfloat16");
  t.is(tokenStatsGrad({ ...call, gradDType: "float32" }).gradLogits.dtype, "float32");
  const gradLogits = zeros([12, 19], { dtype: "bfloat16", rowPitch: 24 });
  const given = tokenStatsGrad({ ...call, gradLogits });
  t.is(given.gradLogits, gradLogits);
  t.deepEqual(elementsOf(gradLogits), elementsOf(fresh.gradLogits));
  const { logits, maskedLogits } = shard;
  tokenStatsGrad({ ...call, gradLogits: logits, gradMaskedLogits: maskedLogits });
  t.deepEqual(elementsOf(logits), elementsOf(fresh.gradLogits));
  t.deepEqual(elementsOf(maskedLogits), elementsOf(fresh.gradMaskedLogits as Logits));
});

test("memory that is zero already keeps what its rows with mask 0 hold, rows that are skipped become zeros", async (t) => {
  const batch = engineBatch({ vocabSize: VOCAB });
  const skipped = batch.responseMask.indexOf(1);
  const shard = shardOf(0, VOCAB, batch);
  (shard.logits.data as Float32Array)[skipped * VOCAB] = Number.NaN;
  const states = tokenStatsPartial(shard);
  const call = { ...shard, states, gradients: { gradKl: ones() }, onInvalid: "skip" } as const;
  const marked = (value: number) =>
    tensor(new Float32Array(12 * VOCAB).fill(value), { shape: [12, VOCAB] });
  for (const grad of [tokenStatsGrad, tokenStatsGradAsync]) {
    const [zeros, kept] = [marked(7), marked(7)];
    await grad({ ...call, gradLogits: zeros });
    const { gradMaskedLogits } = await grad({ ...call, gradLogits: kept, gradsZeroed: true });
    for (let row = 0; row < 12; row++) {
      const of = (tensor: Logits) => elementsOf(tensor).subarray(row * VOCAB, (row + 1) * VOCAB);
      const isMasked = batch.responseMask[row] === 0;
      t.is(
        of(kept).every((x) => x === 7),
        isMasked,
      );
      t.is(
        of(zeros).every((x) => x === 0),
        isMasked || row === skipped,
      );
      if (!isMasked) t.deepEqual(of(kept), of(zeros));
      t.is(
        of(gradMaskedLogits as Logits).every((x) => x === 0),
        isMasked || row === skipped,
      );
    }
  }
});

test("a constant masked branch has no gradient", (t) => {
  const call = { ...whole(), states: STATES(), gradients: { gradKl: ones() } };
  const { gradLogits } = tokenStatsGrad(call);
  const constant = tokenStatsGrad({ ...call, maskedBranch: "constant" });
  t.deepEqual(Object.keys(constant), ["gradLogits"]);
  t.deepEqual(bitsOf(constant.gradLogits), bitsOf(gradLogits));
  const gradMaskedLogits = zeros([12, VOCAB]);
  t.throws(() => tokenStatsGrad({ ...call, maskedBranch: "constant", gradMaskedLogits }), {
    code: "ERR_ARGUMENT",
    message:
      /gradMaskedLogits only with maskedLogits in a differentiable branch, received a constant one/,
  });
});

test("a gradient that nothing would receive is an error", (t) => {
  const { maskedLogits: _, ...own } = whole();
  const states = STATES();
  t.throws(() => tokenStatsGrad({ ...own, states, gradients: { gradKl: ones() } }), {
    code: "ERR_ARGUMENT",
    message:
      "[tokenStatsGrad] expected gradients.gradKl only with maskedLogits, received it without them",
  });
  const gradients = { gradKl: ones(), gradMaskedEntropy: ones() };
  t.throws(() => tokenStatsGrad({ ...whole(), states, gradients, maskedBranch: "constant" }), {
    code: "ERR_ARGUMENT",
    message:
      "[tokenStatsGrad] expected gradients.gradMaskedEntropy only in a differentiable branch, received it in a constant one",
  });
});

test("off the event loop everything is the same, and can be aborted", async (t) => {
  const shard = shardOf(5, 20);
  t.deepEqual((await tokenStatsPartialAsync(shard)).data, tokenStatsPartial(shard).data);
  const call = { ...shard, states: STATES(), gradients: { gradLogProbs: ones(), gradKl: ones() } };
  const [expected, actual] = [tokenStatsGrad(call), await tokenStatsGradAsync(call)];
  t.deepEqual(bitsOf(actual.gradLogits), bitsOf(expected.gradLogits));
  const signal = AbortSignal.abort(new Error("enough"));
  await t.throwsAsync(() => tokenStatsPartialAsync({ ...shard, signal }), { message: "enough" });
  await t.throwsAsync(() => tokenStatsGradAsync({ ...call, signal }), { message: "enough" });
});

const REFUSED: readonly (readonly [act: () => unknown, code: string, message: string])[] = [
  [
    () => tokenStatsPartial({ ...whole(), vocabTotal: 29 }),
    "ERR_RANGE",
    "[tokenStatsPartial] expected vocabOffset and the columns of the logits to end at vocabTotal 29 or before, received 0 and 30",
  ],
  [
    () => tokenStatsPartial({ ...whole(), vocabOffset: "3" as never }),
    "ERR_ARGUMENT",
    '[tokenStatsPartial] expected vocabOffset to be a number, received "3"',
  ],
  [
    () =>
      tokenStatsPartial({ ...shards()[0], tokenIds: ones().map(() => 30), responseMask: ones() }),
    "ERR_RANGE",
    "[tokenStatsPartial] expected tokenIds[0] in 0…29, received 30",
  ],
  [
    () => mergeTokenStats([]),
    "ERR_ARGUMENT",
    "[mergeTokenStats] expected an array of one or more states, received none",
  ],
  [
    () => mergeTokenStats(STATES() as never),
    "ERR_ARGUMENT",
    "[mergeTokenStats] expected an array of one or more states, received an object",
  ],
  [
    () => mergeTokenStats([STATES(), 3 as never]),
    "ERR_ARGUMENT",
    "[mergeTokenStats] expected states[1] to be a Tensor, received 3",
  ],
  [
    () => mergeTokenStats([STATES(), zeros([12, 12]) as never]),
    "ERR_DTYPE",
    "[mergeTokenStats] expected states[1] to hold float64, received float32",
  ],
  [
    () => mergeTokenStats([STATES(), zeros([12, 11], { dtype: "float64" })]),
    "ERR_SHAPE",
    "[mergeTokenStats] expected states[1] [12, 12] without gaps, received [12, 11]",
  ],
  [
    () => mergeTokenStats([zeros([12, 11], { dtype: "float64", rowPitch: 13 })]),
    "ERR_SHAPE",
    "[mergeTokenStats] expected states[0] [12, rows] without gaps, received [12, 11] with a row pitch of 13",
  ],
  [
    () => finishTokenStats({ states: zeros([8, 12], { dtype: "float64" }) }),
    "ERR_SHAPE",
    "[finishTokenStats] expected states [12, rows] without gaps, received [8, 12]",
  ],
  [
    () =>
      finishTokenStats({
        ...shardOf(0, 11, engineBatch({ tokens: 2, vocabSize: 30 })),
        states: STATES(),
      }),
    "ERR_SHAPE",
    "[finishTokenStats] expected states [12, 6] without gaps, received [12, 12]",
  ],
  [
    () => finishTokenStats({ states: STATES(), tokenIds: ones() }),
    "ERR_ARGUMENT",
    "[finishTokenStats] expected tokenIds only with logits, received no logits",
  ],
  [
    () => finishTokenStats({ ...whole(), states: STATES(), hasMasked: false }),
    "ERR_ARGUMENT",
    "[finishTokenStats] expected hasMasked to be true, as logits come with maskedLogits, received false",
  ],
  [
    () => {
      const { maskedLogits: _, ...own } = whole();
      return finishTokenStats({ ...own, states: STATES(), hasMasked: true });
    },
    "ERR_ARGUMENT",
    "[finishTokenStats] expected hasMasked to be false, as logits come without maskedLogits, received true",
  ],
  [
    () => {
      const { maskedLogits: gradMaskedLogits, ...own } = whole();
      const gradients = { gradEntropy: ones() };
      return tokenStatsGrad({ ...own, states: STATES(), gradients, gradMaskedLogits });
    },
    "ERR_ARGUMENT",
    "[tokenStatsGrad] expected gradMaskedLogits only with maskedLogits in a differentiable branch, received none",
  ],
  [
    () =>
      tokenStatsGrad({
        ...whole(),
        states: STATES(),
        gradients: { gradKl: ones() },
        gradsZeroed: true,
      }),
    "ERR_ARGUMENT",
    "[tokenStatsGrad] expected gradsZeroed only with memory for gradients, received none",
  ],
  [
    () => {
      const { logits, ...rest } = whole();
      const memory = { gradLogits: logits, gradsZeroed: true };
      const gradients = { gradKl: ones() };
      return tokenStatsGrad({ ...rest, logits, states: STATES(), gradients, ...memory });
    },
    "ERR_ARGUMENT",
    "[tokenStatsGrad] expected either gradLogits over its logits or gradsZeroed, received both",
  ],
  [
    () => tokenStatsGrad({ ...whole(), states: STATES(), gradients: {} }),
    "ERR_ARGUMENT",
    "[tokenStatsGrad] expected gradients to hold some of gradLogProbs, gradMaskedLogProbs, gradEntropy, gradMaskedEntropy, gradKl, gradReverseKl, received none",
  ],
  [
    () => tokenStatsGrad({ ...whole(), states: STATES(), gradients: { gradkl: ones() } as never }),
    "ERR_ARGUMENT",
    '[tokenStatsGrad] expected gradients to hold only gradLogProbs, gradMaskedLogProbs, gradEntropy, gradMaskedEntropy, gradKl, gradReverseKl, received "gradkl"',
  ],
  [
    () => tokenStatsGrad({ ...whole(), states: STATES(), gradients: { gradKl: [1] } }),
    "ERR_SHAPE",
    "[tokenStatsGrad] expected gradients.gradKl [12], received [1]",
  ],
  [
    () => {
      const gradKl = Float64Array.from(ones());
      gradKl[0] = Number.NaN;
      return tokenStatsGrad({ ...whole(), states: STATES(), gradients: { gradKl } });
    },
    "ERR_NOT_FINITE",
    "[tokenStatsGrad] expected gradients.gradKl[0] to be finite, received NaN",
  ],
  [
    () =>
      tokenStatsGrad({
        ...whole(),
        states: STATES(),
        gradients: { gradKl: ones() },
        maskedBranch: "frozen",
      } as unknown as TokenStatsGradOptions),
    "ERR_ARGUMENT",
    '[tokenStatsGrad] expected maskedBranch to be "constant" or "differentiable", received "frozen"',
  ],
];

for (const [act, code, message] of REFUSED) {
  test(`refused: ${message}`, (t) => {
    t.throws(act, { name: "PapoError", code, message });
  });
}

test("numbers that are no state are refused by the name of the part they came in", (t) => {
  const parts = [shardOf(0, 9), shardOf(9, 10), shardOf(10, VOCAB)].map(tokenStatsPartial);
  [0, 1, 2].forEach((part) => {
    const spoiled = parts.map((of, i) => {
      const data = of.data.slice();
      if (i === part) data[2 * 12 + 4] = -1;
      return tensor(data, { shape: [12, 12] });
    });
    t.throws(() => mergeTokenStats(spoiled), {
      code: "ERR_RANGE",
      message: `[mergeTokenStats] expected states[${part}].sum[4] not to be negative, received -1`,
    });
  });
});
