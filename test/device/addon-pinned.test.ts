/** Page-locked memory at the native door: an ArrayBuffer like any other, whatever is done to it. */
import { MessageChannel } from "node:worker_threads";
import test from "ava";
import {
  addon,
  areaOf,
  collect,
  counted,
  DEVICE,
  download,
  occupyThreads,
  upload,
} from "./addon-calls.js";

const MIB = 2 ** 20;

test("page-locked memory is an ArrayBuffer of zeros", (t) => {
  const buffer = addon.allocatePinned(1000);
  t.true(buffer instanceof ArrayBuffer);
  t.is(buffer.byteLength, 1000);
  t.true(new Uint8Array(buffer).every((byte) => byte === 0));
  const empty = addon.allocatePinned(0);
  t.true(empty instanceof ArrayBuffer && empty.byteLength === 0);
});

test("copies go through it, of the whole and of views", async (t) => {
  const pinned = new Float32Array(addon.allocatePinned(4000));
  pinned.set(counted(1000));
  const device = upload(pinned);
  t.deepEqual(download(device, 1000), counted(1000));
  pinned.fill(0);
  await addon.copyAsync(areaOf(device, 40), areaOf(pinned.subarray(10)), 1, 3960);
  t.deepEqual([...pinned.subarray(8, 12)], [0, 0, 11, 12]);
});

test("it is not transferred away: the attempt is refused, or makes a copy", (t) => {
  const buffer = addon.allocatePinned(64);
  const { port1 } = new MessageChannel();
  const attempts: readonly (() => unknown)[] = [
    () => structuredClone(buffer, { transfer: [buffer] }),
    () => structuredClone({ buffer }, { transfer: [buffer] }),
    () => port1.postMessage(buffer, [buffer]),
  ];
  for (const attempt of attempts) {
    new Uint8Array(buffer).fill(7);
    let result: unknown;
    try {
      result = attempt();
    } catch (error) {
      t.is((error as Error).name, "DataCloneError");
    }
    new Uint8Array(buffer).fill(8);
    if (result instanceof ArrayBuffer) t.is(new Uint8Array(result)[63], 7);
    t.is(buffer.byteLength, 64);
  }
  port1.close();
});

const transfer = (ArrayBuffer.prototype as { transfer?: () => ArrayBuffer }).transfer;

test("it stays with its ArrayBuffer", (t) => {
  const buffer = addon.allocatePinned(64) as unknown as Record<string, () => void>;
  for (const verb of ["transfer", "transferToFixedLength"]) {
    t.throws(() => buffer[verb]?.(), {
      code: "ERR_BUFFER",
      message: "[transfer] page-locked memory stays with its ArrayBuffer",
    });
    t.false(Reflect.deleteProperty(buffer, verb));
  }
  t.deepEqual(Object.keys(buffer), []);
});

(transfer ? test : test.skip)(
  "taken away all the same, it outlives the copies that use it",
  async (t) => {
    const bytes = 16 * MIB;
    const buffer = addon.allocatePinned(bytes);
    const view = new Uint8Array(buffer).fill(7);
    const device = addon.allocate(DEVICE, bytes);
    // The copy waits for a thread until the memory was let go of.
    const busy = occupyThreads();
    const copy = addon.copyAsync(areaOf(view), areaOf(device), 1, bytes);
    let moved = transfer?.call(buffer);
    t.is(buffer.byteLength, 0);
    t.is(moved?.byteLength, bytes);
    moved = undefined;
    await collect();
    await Promise.all([copy, busy]);
    const arrived = new Uint8Array(download(device, bytes / 4).buffer);
    t.true(arrived.every((byte) => byte === 7));
  },
);

test("a stream may read into it, as it does for files", async (t) => {
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      controller.enqueue(new Uint8Array([1, 2, 3, 4]));
    },
  });
  const reader = stream.getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(addon.allocatePinned(4)));
  const device = addon.allocate(DEVICE, 4);
  addon.copy(areaOf(value as Uint8Array), areaOf(device), 1, 4);
  t.deepEqual(new Uint8Array(download(device, 1).buffer), new Uint8Array([1, 2, 3, 4]));
});

test("it is collected when no view is left, and counted once while it is there", async (t) => {
  await collect();
  const external = () => process.memoryUsage().external;
  const before = external();
  let buffers = Array.from({ length: 8 }, () => new Uint8Array(addon.allocatePinned(4 * MIB), 8));
  const grown = external() - before;
  t.true(grown > 31 * MIB && grown < 40 * MIB, `${grown / MIB} MiB`);
  await collect();
  t.true(buffers.every((view) => view[view.length - 1] === 0));
  buffers = [];
  await collect();
  t.true(external() - before < MIB);
});

test("a size beyond all memory is an error that says so", (t) => {
  const error = t.throws(() => addon.allocatePinned(2 ** 52));
  t.regex(
    (error as unknown as { code: string }).code,
    /^ERR_(OUT_OF_MEMORY|UNSUPPORTED)$/,
    error?.message,
  );
  t.regex(error?.message ?? "", /^\[allocatePinned\] /);
});
