/** Device buffers at the native door: made, wrapped, freed, collected, and told from everything else. */
import { constants, PerformanceObserver } from "node:perf_hooks";
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
  untyped,
  upload,
} from "./addon-calls.js";
import { onSimulation, onTwo } from "./conditions.js";

const MIB = 2 ** 20;

test("a buffer says what it is", (t) => {
  const buffer = addon.allocate(DEVICE, 1000);
  const { pointer, ...facts } = addon.bufferInfo(buffer);
  t.deepEqual(facts, { device: DEVICE, bytes: 1000, freed: false, foreign: false });
  t.true(pointer > 0n);
  addon.free(buffer);
});

test("a freed buffer is refused by name, and freed again in peace", (t) => {
  const buffer = addon.allocate(DEVICE, 64);
  addon.free(buffer);
  addon.free(buffer);
  t.deepEqual(addon.bufferInfo(buffer), {
    device: DEVICE,
    bytes: 64,
    pointer: 0n,
    freed: true,
    foreign: false,
  });
  const refusal = (where: string, what: string) => ({
    code: "ERR_DISPOSED",
    message: `[${where}] expected ${what} to be alive, received a freed device buffer`,
  });
  const host = areaOf(counted(4));
  t.throws(() => addon.copy(areaOf(buffer), host, 1, 16), refusal("copy", "from"));
  t.throws(() => addon.copyAsync(host, areaOf(buffer), 1, 16), refusal("copyAsync", "to"));
  t.throws(() => addon.clear(areaOf(buffer), 1, 16), refusal("clear", "area"));
});

test("a buffer of no bytes is a buffer", (t) => {
  const buffer = addon.allocate(DEVICE, 0);
  t.is(addon.bufferInfo(buffer).bytes, 0);
  addon.copy(areaOf(buffer), areaOf(new Float32Array(0)), 1, 0);
  addon.clear(areaOf(buffer), 0, 4);
  t.throws(() => addon.clear(areaOf(buffer), 1, 1), { code: "ERR_SHAPE" });
});

test("sizes are counts", (t) => {
  for (const bytes of [-1, 1.5, Number.NaN, 2 ** 53, "16", 16n, undefined]) {
    t.throws(() => untyped.allocate(DEVICE, bytes), {
      code: "ERR_SHAPE",
      message: /^\[allocate\] expected bytes to be a count, received /,
    });
    t.throws(() => untyped.allocatePinned(bytes), { code: "ERR_SHAPE" });
  }
});

test("what is larger than the device is out of memory, in numbers, and costs nothing", (t) => {
  const before = freeBytes();
  const { totalBytes } = addon.memoryInfo(DEVICE);
  for (const bytes of [totalBytes + 1, Number.MAX_SAFE_INTEGER]) {
    const error = t.throws(() => addon.allocate(DEVICE, bytes), { code: "ERR_OUT_OF_MEMORY" });
    t.regex(error?.message ?? "", /^\[allocate\] .*cuda:0.*free/s);
  }
  t.is(freeBytes(), before);
  t.deepEqual([...download(upload(counted(4)), 4)], [1, 2, 3, 4]);
});

test("after an allocation that failed, freeing makes it succeed", (t) => {
  const half = Math.floor(freeBytes() / 2) + MIB;
  const first = addon.allocate(DEVICE, half);
  t.throws(() => addon.allocate(DEVICE, half), { code: "ERR_OUT_OF_MEMORY" });
  addon.free(first);
  addon.free(addon.allocate(DEVICE, half));
});

test("an address of ours is a foreign one to others, to the last bit", (t) => {
  const ours = upload(counted(8));
  const { pointer } = addon.bufferInfo(ours);
  const wrapped = addon.wrapPointer(DEVICE, pointer + 8n, 24, ours);
  t.deepEqual(addon.bufferInfo(wrapped), {
    device: DEVICE,
    bytes: 24,
    pointer: pointer + 8n,
    freed: false,
    foreign: true,
  });
  t.deepEqual([...download(wrapped, 6)], [3, 4, 5, 6, 7, 8]);
  addon.free(wrapped);
  t.deepEqual([...download(ours, 2)], [1, 2], "freeing a foreign buffer frees no memory");
});

test("what is no address of the device is refused", (t) => {
  const refusals: readonly [unknown, number, string, RegExp][] = [
    [4096, 16, "ERR_ARGUMENT", /expected pointer to be a bigint, received 4096$/],
    [-1n, 16, "ERR_RANGE", /expected pointer to be an address/],
    [1n << 64n, 16, "ERR_RANGE", /expected pointer to be an address/],
    [(1n << 64n) - 8n, 16, "ERR_RANGE", /within the address space/],
    [0n, 16, "ERR_ARGUMENT", /an address that CUDA does not know/],
    [4096n, 16, "ERR_ARGUMENT", /an address that CUDA does not know/],
  ];
  for (const [pointer, bytes, code, message] of refusals) {
    t.throws(() => untyped.wrapPointer(DEVICE, pointer, bytes, {}), { code, message });
  }
});

onTwo("a pointer belongs to one device", (t) => {
  const { pointer } = addon.bufferInfo(addon.allocate(OTHER, 64));
  t.throws(() => addon.wrapPointer(DEVICE, pointer, 64, {}), { code: "ERR_DEVICE_MISMATCH" });
});

test("the owner of foreign memory lives as long as its buffer, and no longer", async (t) => {
  const ours = addon.allocate(DEVICE, 64);
  const { pointer } = addon.bufferInfo(ours);
  let owner: object | undefined = { cycle: undefined as unknown };
  const watched = new WeakRef(owner);
  let buffer: object | undefined = addon.wrapPointer(DEVICE, pointer, 64, owner);
  // A cycle, as an owner that remembers its own view makes one.
  (owner as { cycle: unknown }).cycle = buffer;
  owner = undefined;
  await collect();
  t.not(watched.deref(), undefined, "held by the buffer");
  t.true(Object.keys(buffer).length === 0, "and not to be seen there");
  for (const key of Reflect.ownKeys(buffer)) {
    t.false(Reflect.deleteProperty(buffer, key));
    t.false(Reflect.set(buffer, key, undefined));
  }
  buffer = undefined;
  await collect();
  t.is(watched.deref(), undefined, "let go with it");
  addon.free(ours);
});

test("objects of ours are told from each other, and from their likenesses", (t) => {
  const buffer = addon.allocate(DEVICE, 64);
  const stream = addon.createStream(DEVICE);
  const event = addon.createEvent(DEVICE);
  const { proxy, revoke } = Proxy.revocable(buffer, {});
  revoke();
  const likenesses: unknown[] = [
    Object.create(buffer),
    { ...buffer },
    new Proxy(buffer, {}),
    proxy,
    structuredClone(buffer),
    Object.assign(Object.create(Object.getPrototypeOf(buffer)), buffer),
  ];
  for (const other of [stream, event, ...likenesses]) {
    t.throws(() => untyped.bufferInfo(other), {
      code: "ERR_ARGUMENT",
      message: "[bufferInfo] expected buffer to be a device buffer, received an object",
    });
    t.throws(() => untyped.copy(areaOf(other as never), areaOf(counted(1)), 1, 4), {
      code: "ERR_DTYPE",
      message: "[copy] expected from to be a typed array or a device buffer, received an object",
    });
  }
  for (const other of [buffer, event]) t.throws(() => untyped.streamInfo(other));
  for (const other of [buffer, stream]) t.throws(() => untyped.queryEvent(other));
  Object.freeze(buffer);
  t.is(addon.bufferInfo(buffer).bytes, 64, "a frozen one is still ours");
});

onSimulation("buffers that nobody holds are collected", async (t) => {
  await collect();
  const free = freeBytes();
  const held = Array.from({ length: 4 }, () => addon.allocate(DEVICE, 16 * MIB));
  t.is(free - freeBytes(), 64 * MIB);
  await collect();
  t.is(free - freeBytes(), 64 * MIB, "these are held");
  addon.free(held.pop() as never);
  t.is(free - freeBytes(), 48 * MIB);
  held.length = 0;
  await collect();
  t.is(freeBytes(), free);
});

onSimulation("the collector knows what a buffer weighs: a loop may drop them", async (t) => {
  // Four times what the device has. Finalizers run between turns of the event loop, at the collector's own pace.
  for (let round = 0; round < 64; round++) {
    addon.allocate(DEVICE, 16 * MIB);
    await addon.synchronizeAsync(DEVICE);
  }
  await collect();
  t.pass();
});

/** How often the collector went over the whole heap during `work`. */
async function collections(work: () => void): Promise<number> {
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail;
      if (kind >= constants.NODE_PERFORMANCE_GC_MAJOR) count++;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  work();
  await collect();
  observer.disconnect();
  return count;
}

onSimulation("and that a freed one and a foreign one weigh nothing", async (t) => {
  const ours = addon.allocate(DEVICE, 16 * MIB);
  const { pointer } = addon.bufferInfo(ours);
  const nothing = await collections(() => {});
  const freed = await collections(() => {
    for (let round = 0; round < 400; round++) addon.free(addon.allocate(DEVICE, 16 * MIB));
  });
  const foreign = await collections(() => {
    for (let round = 0; round < 400; round++) addon.wrapPointer(DEVICE, pointer, 16 * MIB, ours);
  });
  const dropped = await collections(() => {
    for (let round = 0; round < 400; round++) addon.allocate(DEVICE, 2 ** 18);
  });
  t.true(dropped > nothing, "400 of 256 KiB: the observer sees what is dropped");
  t.true(freed <= nothing + 1, `${freed} collections, ${nothing} without any buffer`);
  t.true(foreign <= nothing + 1, `${foreign} collections, ${nothing} without any buffer`);
});
