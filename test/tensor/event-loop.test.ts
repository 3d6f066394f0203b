/** What is left for JavaScript to write in an async call is written in pieces, and the event loop goes on between them. */
import test from "ava";
import {
  add,
  grad,
  gradAsync,
  type Logits,
  objective,
  reduceTokens,
  type Tensor,
  tensor,
  tokenStats,
  tokenStatsGrad,
  tokenStatsGradAsync,
  tokenStatsPartial,
} from "../../lib/index.js";
import { fillZeroAsync } from "../../lib/tensor/gradient.js";
import { mostBytesOfATurn } from "../support/turn-bytes.js";

const [ROWS, VOCAB] = [20, 2 ** 16];
/** Twice the share of a turn: the count may begin in the middle of one. */
const MOST = 2 * 2 ** 20;

const matrix = (value = 1) =>
  tensor(new Float32Array(ROWS * VOCAB).fill(value), { shape: [ROWS, VOCAB] }) as Logits;
const tokenIds = new Int32Array(ROWS);
/** The first half of the rows has only NaN. */
const halfUsable = () => {
  const made = matrix();
  made.data.fill(Number.NaN, 0, (ROWS * VOCAB) / 2);
  return made;
};
const rows = { tokenIds, advantages: new Float64Array(ROWS), oldLogProbs: new Float64Array(ROWS) };
const zeroed = () => ({
  onInvalid: "skip" as const,
  gradLogits: matrix(),
  gradMaskedLogits: matrix(),
  gradsZeroed: true,
});

const DIFFERENTIABLE = objective("papo-g-3b-no-ref", { form: "corrected" }).build();
const CONSTANT = objective("papo-g-3b-no-ref").build();
const pair = () => ({ ...rows, logits: matrix(), maskedLogits: matrix() });
const unusable = () => ({ ...rows, logits: halfUsable(), maskedLogits: matrix() });
const memory = () => ({ gradLogits: matrix(), gradMaskedLogits: matrix() });
const shard = () => {
  const call = { logits: halfUsable(), maskedLogits: matrix(), tokenIds };
  const gradients = { gradKl: new Float64Array(ROWS) };
  return { ...call, states: tokenStatsPartial(call), gradients, ...zeroed() };
};
/** The gradient in the first argument is written first; that in the second one must be zero before both are added to. */
const both = (a: Logits, b: Logits) => {
  const alone = tokenStats({ logits: a, tokenIds });
  const { kl } = tokenStats({ logits: a, maskedLogits: b, tokenIds });
  return add(reduceTokens(kl), reduceTokens(alone.logProbs));
};
const ofFirst = (a: Logits, _b: Logits) =>
  reduceTokens(tokenStats({ logits: a, tokenIds }).entropy);

type Work = () => unknown;
/** Makes a call, and its asynchronous twin, ready: what is written before it begins does not count. */
const DOORS: Readonly<Record<string, () => readonly [atOnce: Work, inPieces: Work]>> = {
  "the gradient of a constant branch": () => {
    const [batch, given] = [pair(), memory()];
    return [() => CONSTANT.evaluate(batch, given), () => CONSTANT.evaluateAsync(batch, given)];
  },
  "that of a bound evaluation": () => {
    const bound = CONSTANT.bind(pair(), memory());
    return [() => bound.run(), () => bound.runAsync()];
  },
  "gradients of rows that were found unusable": () => {
    const [batch, given] = [unusable(), zeroed()];
    return [
      () => DIFFERENTIABLE.evaluate(batch, given),
      () => DIFFERENTIABLE.evaluateAsync(batch, given),
    ];
  },
  "those of a shard": () => {
    const call = shard();
    return [() => tokenStatsGrad(call), () => tokenStatsGradAsync(call)];
  },
  "the gradient of an argument that the function does not use": () => ways(ofFirst),
  "a gradient that is written where another one is added to": () => ways(both),
  "a copy on the host": () => {
    const [from, out] = [matrix(), matrix()];
    return [() => from.to("cpu", { out }), () => from.toAsync("cpu", { out })];
  },
};

function ways(f: typeof both): readonly [Work, Work] {
  const [a, b, out] = [matrix(), matrix(), [matrix(), matrix()]];
  return [() => grad(f, { out })(a, b), () => gradAsync(f, { out })(a, b)];
}

for (const [what, ready] of Object.entries(DOORS)) {
  test.serial(`an async call writes it in pieces: ${what}`, async (t) => {
    const [atOnce, inPieces] = ready();
    t.true((await mostBytesOfATurn(atOnce)) > MOST);
    const most = await mostBytesOfATurn(inPieces);
    t.true(most <= MOST, `${most} bytes`);
  });
}

test.serial("calls at the same time share a turn", async (t) => {
  const all = [matrix(), matrix(), matrix()];
  const most = await mostBytesOfATurn(() => Promise.all(all.map((each) => cleared(each))));
  t.true(most <= MOST, `${most} bytes`);
  t.true(all.every(({ data }) => data.every((value) => value === 0)));
});

test("rows far apart are as many pieces as their number asks for", async (t) => {
  const data = new Float32Array(3 * 5000).fill(1);
  const tall = tensor(data, { shape: [5000, 2], rowPitch: 3 });
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  const chosen = Int32Array.from({ length: 5000 }, (_, row) => (row >> 1) % 2);
  await cleared(tall, chosen);
  t.true(tall.data.every((x, i) => x === (i % 3 < 2 && chosen[Math.floor(i / 3)] === 1 ? 0 : 1)));
  await cleared(tall);
  clearInterval(count);
  t.true(tall.data.every((x, i) => x === (i % 3 < 2 ? 0 : 1)));
  t.true(turns > 0);
});

test("memory that is lost halfway is an error that names it", async (t) => {
  const whole = matrix();
  const lost = cleared(whole);
  structuredClone(whole.data.buffer, { transfer: [whole.data.buffer as ArrayBuffer] });
  const message = /^\[verb\] expected gradient to hold its memory/;
  await t.throwsAsync(lost, { code: "ERR_DISPOSED", message });
  const [from, out] = [matrix(), matrix()];
  const copied = from.toAsync("cpu", { out });
  out.dispose();
  await t.throwsAsync(copied, {
    code: "ERR_DISPOSED",
    message: /^\[Tensor.toAsync\] expected out/,
  });
});

test("an abort ends it between two pieces, with its reason", async (t) => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const whole = matrix();
  const ended = cleared(whole, undefined, controller.signal);
  controller.abort(reason);
  t.is(await t.throwsAsync(ended), reason);
  t.is(whole.data.at(-1), 1);
});

test("an abort after the gradients are written ends the zeros of a constant branch", async (t) => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const { signal } = controller;
  const [batch, given] = [pair(), memory()];
  const { gradMaskedLogits } = given;
  const ended = CONSTANT.evaluateAsync(batch, { ...given, signal });
  while (gradMaskedLogits.data[0] !== 0) await new Promise((resolve) => setImmediate(resolve));
  controller.abort(reason);
  t.is(await t.throwsAsync(ended), reason);
  t.is(gradMaskedLogits.data.at(-1), 1);
});

function cleared(what: Tensor, only?: Int32Array, signal?: AbortSignal): Promise<void> {
  return fillZeroAsync("verb", "gradient", what, only, signal);
}
