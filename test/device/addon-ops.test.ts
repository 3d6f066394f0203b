/** run and runAsync with tensors on a device: where they may lie, on which stream, and how long they live. */
import test from "ava";
import { type Call, type NativeTensor, runNative, runNativeAsync } from "../addon/native-call.js";
import {
  addon,
  areaOf,
  collect,
  DEVICE,
  freeBytes,
  OTHER,
  occupyThreads,
  statsCall,
  upload,
} from "./addon-calls.js";
import { onSimulation, onTwo } from "./conditions.js";

const [ROWS, VOCAB] = [5, 300];
const MIB = 2 ** 20;

const host = statsCall(ROWS, VOCAB, (values) => values);
runNative(host.call);

function close(actual: Float64Array): boolean {
  return actual.every((value, i) => Math.abs(value - (host.statistics[i] as number)) < 1e-5);
}

/** The call with one tensor's fields replaced. */
function spoiled(call: Call, tensor: string, fields: Partial<NativeTensor>): Call {
  const [op, inputs, outputs, attributes] = call;
  const replaced = { ...(inputs[tensor] as NativeTensor), ...fields };
  return [op, { ...inputs, [tensor]: replaced }, outputs, attributes];
}

test("an op on a device gives what it gives on the host", (t) => {
  const { call, statistics } = statsCall(ROWS, VOCAB, (values) => upload(values));
  runNative(call);
  t.true(close(statistics));
});

test("and has finished when it returns, on any stream", async (t) => {
  const ours = addon.createStream(DEVICE);
  const foreign = addon.wrapStream(DEVICE, addon.streamInfo(ours).pointer, ours);
  for (const stream of [undefined, ours, foreign]) {
    const { call, statistics } = statsCall(ROWS, VOCAB, (values) => upload(values));
    runNative(call, stream);
    t.true(close(statistics));
    const later = statsCall(ROWS, VOCAB, (values) => upload(values));
    await runNativeAsync(later.call, undefined, stream);
    t.true(close(later.statistics));
  }
});

test("a tensor may begin anywhere in a buffer where an element may", (t) => {
  const { call, statistics } = statsCall(ROWS, VOCAB, (values) => {
    const padded = new Float32Array(values.length + 3).fill(Number.NaN);
    padded.set(values, 3);
    return upload(padded);
  });
  const logits = spoiled(call, "logits", { byteOffset: 12 });
  runNative(spoiled(logits, "masked_logits", { byteOffset: 12 }));
  t.true(close(statistics));
  const refused = (byteOffset: number, code: string, message: string) =>
    t.throws(() => runNative(spoiled(call, "logits", { byteOffset })), {
      code,
      message: `[tokenStats] expected logits ${message}`,
    });
  refused(6, "ERR_BUFFER", "to begin at a multiple of 4 bytes, received another address");
  refused(16, "ERR_SHAPE", "to hold 5 rows of 300 at a pitch of 300, received 1499 elements");
  refused(6013, "ERR_SHAPE", "to begin in its 6012 bytes, received byte 6013");
  t.throws(() => runNative(spoiled(call, "logits", { byteOffset: -4 })), {
    code: "ERR_SHAPE",
    message: "[tokenStats] expected logits.byteOffset to be a count, received -4",
  });
});

test("products that overflow are no way past the end of a buffer", (t) => {
  const { call } = statsCall(ROWS, VOCAB, (values) => upload(values));
  for (const fields of [{ rowPitch: 2 ** 53 - 1 }, { rows: 2 ** 53 - 1 }, { rowPitch: 2 ** 62 }]) {
    t.throws(() => runNative(spoiled(call, "logits", fields)), { code: "ERR_SHAPE" });
  }
});

test("a freed buffer is refused", (t) => {
  const { call } = statsCall(ROWS, VOCAB, (values) => upload(values));
  addon.free(call[1].masked_logits?.data as never);
  t.throws(() => runNative(call), {
    code: "ERR_DISPOSED",
    message: "[tokenStats] expected maskedLogits to be alive, received a freed device buffer",
  });
  t.throws(() => runNativeAsync(call, undefined), { code: "ERR_DISPOSED" });
});

test("matrices lie on one device, and what has one number a row on the host", (t) => {
  const { call } = statsCall(ROWS, VOCAB, (values) => upload(values));
  const mixed = spoiled(call, "logits", { data: new Float32Array(ROWS * VOCAB) });
  t.throws(() => runNative(mixed), { code: "ERR_DEVICE_MISMATCH", message: /\[tokenStats\]/ });
  const ids = upload(new Int32Array(ROWS));
  t.throws(() => runNative(spoiled(call, "token_ids", { data: ids })), {
    code: "ERR_DEVICE_MISMATCH",
    message: /tokenIds/,
  });
});

onTwo("tensors and streams of two devices do not mix", (t) => {
  const { call } = statsCall(ROWS, VOCAB, (values) => upload(values));
  const far = upload(new Float32Array(ROWS * VOCAB), OTHER);
  t.throws(() => runNative(spoiled(call, "logits", { data: far })), {
    code: "ERR_DEVICE_MISMATCH",
  });
  const stream = addon.createStream(OTHER);
  const mismatch = {
    code: "ERR_DEVICE_MISMATCH",
    message: "[tokenStats] expected a stream of cuda:0, received a stream of cuda:1",
  };
  t.throws(() => runNative(call, stream), mismatch);
  t.throws(() => runNativeAsync(call, undefined, stream), mismatch);
});

onTwo("an op runs where its tensors are", (t) => {
  const { call, statistics } = statsCall(ROWS, VOCAB, (values) => upload(values, OTHER));
  runNative(call, addon.createStream(OTHER));
  t.true(close(statistics));
});

test("a call on the host ignores a stream, but not just anything", (t) => {
  const stream = addon.createStream(DEVICE);
  const { call, statistics } = statsCall(ROWS, VOCAB, (values) => values);
  runNative(call, stream);
  t.deepEqual(statistics, host.statistics);
  for (const [other, received] of [
    [{}, "an object"],
    [0, "0"],
    [upload(new Float32Array(1)), "an object"],
  ] as const) {
    t.throws(() => runNative(call, other as never), {
      code: "ERR_ARGUMENT",
      message: `[tokenStats] expected stream to be a stream, received ${received}`,
    });
  }
  addon.destroyStream(stream);
  t.throws(() => runNative(call, stream), { code: "ERR_DISPOSED" });
  t.throws(() => runNativeAsync(call, undefined, stream), { code: "ERR_DISPOSED" });
});

onSimulation(
  "what is freed, destroyed or dropped during a call lives until it has ended",
  async (t) => {
    await collect();
    const free = freeBytes();
    const busy = occupyThreads();
    // Two matrices each, at the beginning of a mebibyte.
    const calls = Array.from({ length: 6 }, (_, i) => {
      const { call, statistics } = statsCall(ROWS, VOCAB, (values) => {
        const roomy = new Float32Array(MIB / 4);
        roomy.set(values);
        return upload(roomy);
      });
      const stream = addon.createStream(DEVICE);
      const done = runNativeAsync(call, undefined, stream);
      if (i % 2 === 0) {
        for (const tensor of Object.values(call[1])) {
          if (!(tensor?.data instanceof Int32Array)) addon.free(tensor?.data as never);
        }
        addon.destroyStream(stream);
      }
      return { done, statistics };
    });
    t.true(free - freeBytes() >= 2 * MIB * calls.length, "nothing of it is gone");
    await collect();
    for (const { done, statistics } of calls) {
      await done;
      t.true(close(statistics));
    }
    await busy;
    await collect();
    // What the engine keeps for its next call may stay, the matrices may not.
    t.true(free - freeBytes() < MIB);
  },
);

test("an error of a device call is an error with its row, and leaves everything usable", async (t) => {
  const { call, statistics } = statsCall(ROWS, VOCAB, (values) => {
    values[3 * VOCAB + 7] = Number.NaN;
    return upload(values);
  });
  const error = t.throws(() => runNative(call), { code: "ERR_NOT_FINITE" });
  t.is((error as { row?: number }).row, 3);
  await t.throwsAsync(runNativeAsync(call, undefined), { code: "ERR_NOT_FINITE" });
  const good = statsCall(ROWS, VOCAB, (values) => upload(values));
  runNative(good.call);
  t.true(close(good.statistics));
  t.not(statistics, good.statistics);
});

onSimulation("the event loop turns while a call runs", async (t) => {
  const { call } = statsCall(128, 4096, (values) => upload(values));
  let turns = 0;
  let running = true;
  const turn = () => {
    turns++;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  await runNativeAsync(call, undefined);
  running = false;
  t.true(turns > 1, `${turns} turns`);
});

test("a call that was cancelled before it began rejects", async (t) => {
  const { call } = statsCall(ROWS, VOCAB, (values) => upload(values));
  await t.throwsAsync(runNativeAsync(call, Int32Array.of(1)), { code: "ERR_ABORTED" });
});

test("logits in page-locked memory of the host are logits of the host", (t) => {
  const { call, statistics } = statsCall(ROWS, VOCAB, (values) => {
    const pinned = new Float32Array(addon.allocatePinned(values.byteLength));
    pinned.set(values);
    return pinned;
  });
  runNative(call);
  t.deepEqual(statistics, host.statistics);
  const device = addon.allocate(DEVICE, ROWS * VOCAB * 4);
  addon.copy(areaOf(call[1].logits?.data as Float32Array), areaOf(device), 1, ROWS * VOCAB * 4);
  t.pass();
});
