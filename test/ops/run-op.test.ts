/** run-op: aborts, errors from the native side, and memory that is gone. */
import { getEventListeners } from "node:events";
import test from "ava";
import { turns } from "../../lib/addon/turns.js";
import { PapoError } from "../../lib/core/errors.js";
import { type Logits, tensor } from "../../lib/index.js";
import { linesTensor, STATISTICS } from "../../lib/ops/lines.js";
import { rowsTensor, runOp, runOpAsync } from "../../lib/ops/run-op.js";
import { type TokenStatsArgs, tokenStats, tokenStatsAsync } from "../../lib/ops/token-stats.js";
import { plainLogits } from "./engine-batch.js";

function argsOf(rows: number, vocab: number): TokenStatsArgs {
  const logits = plainLogits(rows, vocab);
  const tokenIds = new Int32Array(rows);
  return { where: "selectiveLogSoftmax", logits, tokenIds, temperature: 1, onInvalid: "error" };
}

test("a signal that is aborted already rejects at once, with its reason", async (t) => {
  const reason = new Error("never mind");
  const signal = AbortSignal.abort(reason);
  t.is(await t.throwsAsync(() => tokenStatsAsync(argsOf(2, 3), signal)), reason);
});

test("an abort on the way rejects with the signal's reason", async (t) => {
  const controller = new AbortController();
  const promise = tokenStatsAsync(argsOf(4096, 1024), controller.signal);
  const reason = { why: "the user left" };
  controller.abort(reason);
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  t.is(thrown, reason);
});

test("after an abort the next call works, and a later abort of the old signal does nothing", async (t) => {
  const controller = new AbortController();
  const args = argsOf(8, 16);
  const first = await tokenStatsAsync(args, controller.signal);
  t.is(getEventListeners(controller.signal, "abort").length, 0);
  controller.abort();
  t.deepEqual(await tokenStatsAsync(args), first);
});

test("many calls at once give what one after the other gives", async (t) => {
  const calls = Array.from({ length: 24 }, (_, i) => argsOf(16 + i, 50 + i));
  const together = await Promise.all(calls.map((args) => tokenStatsAsync(args)));
  t.deepEqual(
    together,
    calls.map((args) => tokenStats(args)),
  );
});

test.serial("two calls of many numbers make others wait, two of few do not", async (t) => {
  const zeros = new Uint16Array(2 ** 23);
  const logits = tensor(zeros, { shape: [8, 2 ** 20], dtype: "bfloat16" }) as Logits;
  const large = { ...argsOf(8, 3), logits, maskedLogits: logits };
  const waitsBeside = async (args: TokenStatsArgs) => {
    const both = [tokenStatsAsync(args), tokenStatsAsync(args)];
    let waited = false;
    const onWait = () => {
      waited = true;
    };
    const third = turns.take({ worker: "host", numbers: 1, onWait }, async () => undefined);
    await Promise.all([...both, third]);
    return waited;
  };
  t.true(await waitsBeside(large));
  // Other tests of the process may take all the room for a while.
  let tries = 0;
  while (await waitsBeside(argsOf(2, 3))) {
    t.true(++tries < 1000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  t.pass();
});

test("native errors come back as PapoErrors in the words of the public verb, with code, row and cause", (t) => {
  const args = { ...argsOf(3, 4), tokenIds: Int32Array.of(0, 4, 0) };
  const error = t.throws(() => tokenStats(args)) as PapoError;
  t.true(error instanceof PapoError);
  t.is(error.code, "ERR_RANGE");
  t.is(error.row, 1);
  t.is(error.message, "[selectiveLogSoftmax] expected tokenIds[1] in 0…3, received 4");
  t.true(error.cause instanceof Error);
});

test("an op that does not exist is an error, not a crash", async (t) => {
  const call = { op: "noSuchOp", where: "test", inputs: {}, outputs: {}, attributes: {} };
  t.throws(() => runOp(call), { name: "PapoError" });
  await t.throwsAsync(() => runOpAsync(call), { name: "PapoError" });
});

test("missing, unknown and misshapen tensors are refused by name", (t) => {
  const logits = plainLogits(3, 4).toNative("test", "logits");
  const statistics = linesTensor(new Float64Array(24), STATISTICS);
  const call = (inputs: object, outputs: object = { statistics }) => ({
    ...{ op: "tokenStats", where: "test", attributes: {} },
    inputs: { logits, tokenIds: rowsTensor(new Int32Array(3)), ...inputs },
    outputs: { ...outputs },
  });
  t.notThrows(() => runOp(call({})));
  const refused = (act: Parameters<typeof runOp>[0], name: RegExp) =>
    t.throws(() => runOp(act), { name: "PapoError", message: name });
  refused(call({ tokenIds: undefined }), /tokenIds/);
  refused(call({ tokenIds: rowsTensor(new Int32Array(2)) }), /tokenIds/);
  refused(call({ tokenIds: rowsTensor(new Float64Array(3)) }), /tokenIds/);
  refused(call({ logits: { ...logits, columns: 5 } }), /logits/);
  refused(call({ logits: { ...logits, rowPitch: 3 } }), /logits/);
  refused(call({ logits: { ...logits, dtype: "bfloat16" } }), /logits/);
  refused(call({ maskedLogits: plainLogits(2, 4).toNative("test", "m") }), /maskedLogits/);
  refused(call({}, {}), /statistics/);
});

test("logits that were disposed or transferred are named", async (t) => {
  const gone = argsOf(2, 3);
  gone.logits.dispose();
  const disposed = {
    code: "ERR_DISPOSED",
    message: "[selectiveLogSoftmax] expected logits to be alive, received a disposed tensor",
  };
  t.throws(() => tokenStats(gone), disposed);
  await t.throwsAsync(() => tokenStatsAsync(gone), disposed);

  const sent = argsOf(2, 3);
  const { buffer } = sent.logits.data;
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  t.throws(() => tokenStats(sent), {
    code: "ERR_DISPOSED",
    message: "[selectiveLogSoftmax] expected logits to hold its memory, received a detached buffer",
  });
});
