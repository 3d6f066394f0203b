/** What an error leaves in the caller's memory: the table of docs/embed.md. */
import test from "ava";
import {
  backward,
  type EvaluateOptions,
  grad,
  type Logits,
  type LogitsBatch,
  objective,
  reduceTokens,
  type Tensor,
  tensor,
  tokenStats,
  tokenStatsGrad,
  tokenStatsPartial,
} from "../../lib/index.js";

const [ROWS, VOCAB, PITCH] = [6, 40, 43];
/** What nobody would write by chance. */
const MARK = 7;
const OBJECTIVE = objective("papo-g-3b-no-ref", { form: "corrected" }).build();
const CONSTANT = objective("papo-g-3b-no-ref").build();

function matrix(value: (i: number) => number): Logits {
  const data = Float32Array.from({ length: ROWS * PITCH }, (_, i) => value(i));
  return tensor(data, { shape: [ROWS, VOCAB], rowPitch: PITCH }) as Logits;
}
const marked = () => matrix(() => MARK);
const memory = () => ({ gradLogits: marked(), gradMaskedLogits: marked() });
const batch = (): LogitsBatch & { responseMask: number[] } => ({
  logits: matrix(Math.sin),
  maskedLogits: matrix(Math.cos),
  tokenIds: new Int32Array(ROWS),
  responseMask: [1, 1, 0, 1, 1, 1],
  oldLogProbs: new Float64Array(ROWS).fill(-3),
  advantages: new Float64Array(ROWS).fill(1),
});
/** Of which the last row is found to be unusable when the others are done. */
const unusable = () => {
  const made = batch();
  made.logits.data[(ROWS - 1) * PITCH] = Number.NaN;
  return made;
};
const isMarked = ({ data }: Tensor) => data.every((value) => value === MARK);
const bitsOf = ({ data }: Tensor) => new Uint8Array(data.buffer.slice(0));

type Way = (batch: LogitsBatch, options: EvaluateOptions) => Promise<unknown>;
const WAYS = {
  evaluate: async (given: LogitsBatch, options: EvaluateOptions) =>
    OBJECTIVE.evaluate(given, options),
  evaluateAsync: (given: LogitsBatch, options: EvaluateOptions) =>
    OBJECTIVE.evaluateAsync(given, options),
  run: async (given: LogitsBatch, options: EvaluateOptions) => OBJECTIVE.bind(given, options).run(),
  runAsync: async (given: LogitsBatch, options: EvaluateOptions) =>
    OBJECTIVE.bind(given, options).runAsync(),
  add: async (given: LogitsBatch, options: EvaluateOptions) => {
    const { logits, maskedLogits, ...rows } = given;
    const { plan, ...said } = options;
    const blocks = OBJECTIVE.begin({ ...rows, vocabSize: VOCAB }, plan ? { plan } : {});
    return blocks.addAsync({ rowStart: 0, logits, maskedLogits, ...said });
  },
} satisfies Readonly<Record<string, Way>>;
const WRONG: Readonly<Record<string, Partial<LogitsBatch>>> = {
  ERR_RANGE: { tokenIds: [0, 0, 0, 0, 0, VOCAB] },
  ERR_NOT_FINITE: { advantages: [1, 1, 1, 1, 1, Number.NaN] },
  ERR_SHAPE: { oldLogProbs: [-1] },
};

for (const [name, way] of Object.entries(WAYS)) {
  test(`what is wrong in numbers per token is found before anything is written: ${name}`, async (t) => {
    for (const [code, wrong] of Object.entries(WRONG)) {
      const given = memory();
      await t.throwsAsync(way({ ...batch(), ...wrong }, given), { code });
      t.true(Object.values(given).every(isMarked), code);
      const whole = { ...batch(), ...wrong };
      const before = [whole.logits, whole.maskedLogits as Logits].map(bitsOf);
      await t.throwsAsync(way(whole, { inPlace: true }), { code });
      t.deepEqual([whole.logits, whole.maskedLogits as Logits].map(bitsOf), before, code);
    }
  });

  test(`after unusable logits gradients are unspecified, but not what lies between rows or is said to be zero: ${name}`, async (t) => {
    const given = memory();
    await t.throwsAsync(way(unusable(), given), { code: "ERR_NOT_FINITE" });
    // Not promised, but so it is: otherwise the page says too little.
    t.false(isMarked(given.gradLogits));
    const zeroed = memory();
    await t.throwsAsync(way(unusable(), { ...zeroed, gradsZeroed: true }), {
      code: "ERR_NOT_FINITE",
    });
    for (const { data } of Object.values(zeroed)) {
      t.true(data.subarray(2 * PITCH, 3 * PITCH).every((value) => value === MARK));
      t.true(data.every((value, i) => i % PITCH < VOCAB || value === MARK));
    }
  });
}

test("the composed plan finds unusable logits before it writes, and in place they stay as they are", async (t) => {
  for (const way of [WAYS.evaluate, WAYS.evaluateAsync, WAYS.add]) {
    const given = memory();
    const whole = unusable();
    const before = [whole.logits, whole.maskedLogits as Logits].map(bitsOf);
    await t.throwsAsync(way(whole, { ...given, plan: "composed" }), { code: "ERR_NOT_FINITE" });
    t.true(Object.values(given).every(isMarked));
    await t.throwsAsync(way(whole, { inPlace: true, plan: "composed" }), {
      code: "ERR_NOT_FINITE",
    });
    t.deepEqual([whole.logits, whole.maskedLogits as Logits].map(bitsOf), before);
  }
});

test("zeros for a constant branch come last, so that an error leaves its memory alone", async (t) => {
  const given = memory();
  await t.throwsAsync(CONSTANT.evaluateAsync(unusable(), given), { code: "ERR_NOT_FINITE" });
  t.true(isMarked(given.gradMaskedLogits));
  const bound = CONSTANT.bind(unusable(), given);
  t.throws(() => bound.run(), { code: "ERR_NOT_FINITE" });
  t.true(isMarked(given.gradMaskedLogits));
});

test("a bound evaluation looks at all of its memory before it writes to any", async (t) => {
  const given = memory();
  const bound = CONSTANT.bind(batch(), given);
  given.gradMaskedLogits.dispose();
  const message = /^\[BoundEvaluation\.run(Async)?\] expected gradMaskedLogits/;
  t.throws(() => bound.run(), { code: "ERR_DISPOSED", message });
  await t.throwsAsync(bound.runAsync(), { code: "ERR_DISPOSED", message });
  t.true(isMarked(given.gradLogits));
});

test("tokenStatsGrad writes once everything is known to be usable", (t) => {
  const { logits, maskedLogits, tokenIds } = unusable();
  const call = { logits, maskedLogits: maskedLogits as Logits, tokenIds };
  const states = tokenStatsPartial(call);
  const gradients = { gradKl: new Float64Array(ROWS).fill(1) };
  const given = memory();
  const code = "ERR_NOT_FINITE";
  t.throws(() => tokenStatsGrad({ ...call, states, gradients, ...given }), { code });
  const wrong = { gradKl: new Float64Array(ROWS).fill(Number.NaN) };
  const skip = { onInvalid: "skip" as const, gradsZeroed: true };
  t.throws(() => tokenStatsGrad({ ...call, ...skip, states, gradients: wrong, ...given }), {
    code,
  });
  t.true(Object.values(given).every(isMarked));
});

test("an abort before a call's turn leaves its memory alone", async (t) => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const { signal } = controller;
  const all = Array.from({ length: 40 }, () => memory());
  const calls = all.map((given) => OBJECTIVE.evaluateAsync(batch(), { ...given, signal }));
  controller.abort(reason);
  const outcomes = await Promise.allSettled(calls);
  const waited = all.slice(16).flatMap((given) => Object.values(given));
  t.true(waited.every(isMarked));
  t.is(outcomes.at(-1)?.status, "rejected");
});

test("a function that fails leaves memory for its gradients alone; a walk back that fails sets no grad", (t) => {
  const out = [marked()];
  const fails = (_: Logits) => {
    throw new Error("mine");
  };
  t.throws(() => grad(fails, { out })(batch().logits), { message: "mine" });
  t.true(isMarked(out[0] as Tensor));
  const { logits, tokenIds } = batch();
  logits.requiresGrad = true;
  const loss = reduceTokens(tokenStats({ logits, tokenIds }).entropy);
  logits.dispose();
  t.throws(() => backward(loss), { code: "ERR_DISPOSED" });
  t.is(logits.grad, undefined);
});
