/** Copies at the native door: bounds, pitches, directions, and who may let go of what meanwhile. */
import test from "ava";
import {
  addon,
  areaOf,
  collect,
  counted,
  DEVICE,
  download,
  freeBytes,
  OTHER,
  occupyThreads,
  untyped,
  upload,
} from "./addon-calls.js";
import { onSimulation, onTwo } from "./conditions.js";

function same(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

test("bytes go up, over and down again", (t) => {
  const source = counted(1000);
  const first = upload(source);
  const second = addon.allocate(DEVICE, source.byteLength);
  addon.copy(areaOf(first), areaOf(second), 1, source.byteLength);
  t.deepEqual(download(second, 1000), source);
});

test("rows keep their pitch on both sides, and what lies between stays", (t) => {
  const [rows, columns] = [3, 4];
  const host = counted(rows * 10);
  const device = upload(new Float32Array(rows * 6).fill(-1));
  // Columns 2 to 5 of a pitch of 10, into columns 1 to 4 of a pitch of 6.
  addon.copy(areaOf(host, 8, 40), areaOf(device, 4, 24), rows, 4 * columns);
  t.deepEqual(
    [...download(device, rows * 6)],
    [-1, 3, 4, 5, 6, -1, -1, 13, 14, 15, 16, -1, -1, 23, 24, 25, 26, -1],
  );
  const back = new Float32Array(rows * 5).fill(-2);
  addon.copy(areaOf(device, 4, 24), areaOf(back, 0, 20), rows, 4 * columns);
  t.deepEqual([...back], [3, 4, 5, 6, -2, 13, 14, 15, 16, -2, 23, 24, 25, 26, -2]);
});

test("clear writes zeros to its rows alone", (t) => {
  const device = upload(counted(12));
  addon.clear(areaOf(device, 4, 16), 3, 8);
  t.deepEqual([...download(device, 12)], [1, 0, 0, 4, 5, 0, 0, 8, 9, 0, 0, 12]);
});

test("a view of a typed array counts from its own start", (t) => {
  const device = upload(counted(8).subarray(2, 6));
  t.deepEqual([...download(device, 4)], [3, 4, 5, 6]);
});

test("what does not fit is refused, overflow included", (t) => {
  const device = addon.allocate(DEVICE, 64);
  const host = new Uint8Array(1024);
  const huge = 2 ** 53 - 1;
  const misfits: readonly [offset: number, pitch: number, rows: number, bytes: number][] = [
    [0, 16, 5, 16],
    [1, 16, 4, 16],
    [65, 16, 1, 1],
    [64, 16, 1, 1],
    [0, 8, 2, 16],
    [0, 8, 1, 16],
    [0, 0, 2, 0 + 1],
    [0, huge, 2, 1],
    [0, 16, huge, 16],
    [0, 2 ** 52, 2 ** 12, 1],
    [0, huge, 1, huge],
    [huge, huge, 1, 1],
    [huge, 16, 0, 16],
  ];
  for (const [byteOffset, pitchBytes, rows, bytes] of misfits) {
    const area = { data: device, byteOffset, pitchBytes };
    const whole = areaOf(host, 0, 1024);
    const code = "ERR_SHAPE";
    const what = `to hold ${rows} rows of ${bytes} bytes at a pitch of ${pitchBytes} from byte ${byteOffset}, received 64 bytes`;
    t.throws(() => addon.copy(area, { ...whole, pitchBytes: 16 }, rows, bytes), {
      code,
      message: `[copy] expected from ${what}`,
    });
    t.throws(() => addon.clear(area, rows, bytes), {
      code,
      message: `[clear] expected area ${what}`,
    });
  }
  addon.clear({ data: device, byteOffset: 60, pitchBytes: 4 }, 1, 4);
  addon.clear({ data: device, byteOffset: 64, pitchBytes: 0 }, 0, 0);
  t.throws(() => addon.copy(areaOf(device), areaOf(new Uint8Array(8)), 1, 16), {
    message: /^\[copy\] expected to to hold .* received 8 bytes$/,
  });
});

test("an area is an object with counts", (t) => {
  const device = addon.allocate(DEVICE, 64);
  const host = areaOf(new Uint8Array(64));
  t.throws(() => untyped.copy(device, host, 1, 4), {
    message: "[copy] expected from.byteOffset to be a count, received undefined",
  });
  t.throws(() => untyped.copy(3, host, 1, 4), {
    message: "[copy] expected from to be an area, received 3",
  });
  t.throws(() => untyped.copy(areaOf(device), host, 1, "4"), {
    message: '[copy] expected rowBytes to be a count, received "4"',
  });
  t.throws(
    () =>
      untyped.copy(
        {
          get data() {
            throw new RangeError("from the getter");
          },
        },
        host,
        1,
        4,
      ),
    { instanceOf: RangeError, message: "from the getter" },
  );
});

test("a getter that frees what was read before it is noticed", (t) => {
  const device = addon.allocate(DEVICE, 64);
  const data = new Float32Array(4);
  const spoiling = (spoil: () => void) => ({
    ...areaOf(data),
    get pitchBytes() {
      spoil();
      return 16;
    },
  });
  const detach = () => structuredClone(data.buffer, { transfer: [data.buffer] });
  t.throws(
    () =>
      addon.copy(
        areaOf(device),
        spoiling(() => addon.free(device)),
        1,
        16,
      ),
    {
      code: "ERR_DISPOSED",
      message: /from to be alive/,
    },
  );
  const other = addon.allocate(DEVICE, 64);
  t.throws(() => addon.copy(areaOf(other), spoiling(detach), 1, 16), {
    code: "ERR_DISPOSED",
    message: /to to be attached/,
  });
});

test("shared and detached memory is refused", (t) => {
  const device = areaOf(addon.allocate(DEVICE, 64));
  const shared = areaOf(new Uint8Array(new SharedArrayBuffer(64)) as never);
  t.throws(() => addon.copy(shared, device, 1, 16), { code: "ERR_BUFFER" });
  const data = new Uint8Array(64);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  t.throws(() => addon.copy(areaOf(data as never), device, 1, 16), { code: "ERR_DISPOSED" });
});

test("areas of one buffer may lie side by side, but not over each other", (t) => {
  const buffer = upload(counted(16));
  const columns = (first: number) => ({ data: buffer, byteOffset: 4 * first, pitchBytes: 16 });
  const refusal = {
    code: "ERR_BUFFER",
    message: "[copy] expected from not to share memory with to, received overlapping areas",
  };
  addon.copy(columns(0), columns(2), 4, 8);
  t.deepEqual([...download(buffer, 8)], [1, 2, 1, 2, 5, 6, 5, 6]);
  addon.copy(columns(2), columns(0), 4, 8);
  for (const [from, to] of [
    [0, 1],
    [1, 0],
    [0, 0],
    [2, 1],
    // Column 3 of one row and columns 0 and 1 of the next: rows of 8 bytes from there wrap around.
    [0, 3],
  ] as const) {
    t.throws(() => addon.copy(columns(from), columns(to), 3, 8), refusal, `${from} to ${to}`);
  }
  addon.copy(areaOf(buffer, 0), areaOf(buffer, 32), 1, 32);
  t.throws(() => addon.copy(areaOf(buffer, 0), areaOf(buffer, 31), 1, 32), refusal);
  // Another address of the same memory is the same memory.
  const { pointer } = addon.bufferInfo(buffer);
  const alias = addon.wrapPointer(DEVICE, pointer, 64, buffer);
  t.throws(() => addon.copy(areaOf(buffer), areaOf(alias, 8), 1, 16), refusal);
});

test("copyAsync does the same off the event loop", async (t) => {
  const source = counted(100_000);
  const device = addon.allocate(DEVICE, source.byteLength);
  const back = new Float32Array(source.length);
  const stream = addon.createStream(DEVICE);
  await addon.copyAsync(areaOf(source), areaOf(device), 1, source.byteLength, stream);
  await addon.copyAsync(areaOf(device), areaOf(back), 1, source.byteLength, stream);
  t.true(same(back, source));
});

onSimulation("a buffer and a stream let go of during a copy live until it has ended", async (t) => {
  await collect();
  const free = freeBytes();
  const source = counted(1 << 18);
  const device = upload(source);
  const back = new Float32Array(source.length);
  const stream = addon.createStream(DEVICE);
  const busy = occupyThreads();
  const copy = addon.copyAsync(areaOf(device), areaOf(back), 1, back.byteLength, stream);
  addon.free(device);
  addon.destroyStream(stream);
  t.true(addon.bufferInfo(device).freed);
  t.true(free - freeBytes() >= source.byteLength, "still there");
  await Promise.all([copy, busy]);
  t.true(same(back, source));
  await collect();
  t.is(freeBytes(), free, "and gone");
});

test("buffers that only a running copy holds are not collected", async (t) => {
  const source = counted(1 << 18);
  const bytes = source.byteLength;
  const busy = occupyThreads();
  const copies = Array.from({ length: 8 }, async () => {
    const back = new Float32Array(source.length);
    await addon.copyAsync(areaOf(upload(source)), areaOf(back), 1, bytes);
    return back;
  });
  await collect();
  for (const copy of copies) t.true(same(await copy, source));
  await busy;
});

onTwo("devices copy to each other", (t) => {
  const source = upload(counted(64));
  const target = addon.allocate(OTHER, 256);
  for (const stream of [undefined, addon.createStream(DEVICE), addon.createStream(OTHER)]) {
    addon.clear(areaOf(target), 1, 256);
    addon.copy(areaOf(source), areaOf(target), 1, 256, stream);
    t.deepEqual(download(target, 64), counted(64));
  }
});

onTwo("a stream of another device is refused", (t) => {
  const stream = addon.createStream(OTHER);
  const device = areaOf(addon.allocate(DEVICE, 64));
  const mismatch = (where: string) => ({
    code: "ERR_DEVICE_MISMATCH",
    message: `[${where}] expected a stream of cuda:0, received a stream of cuda:1`,
  });
  const host = areaOf(counted(4));
  t.throws(() => addon.copy(host, device, 1, 16, stream), mismatch("copy"));
  t.throws(() => addon.copyAsync(device, host, 1, 16, stream), mismatch("copyAsync"));
  t.throws(() => addon.clear(device, 1, 16, stream), mismatch("clear"));
});
