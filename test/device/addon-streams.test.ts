/** Streams and events at the native door: their order, their times, their ends. */
import test from "ava";
import {
  addon,
  areaOf,
  collect,
  counted,
  DEVICE,
  download,
  OTHER,
  occupyThreads,
  untyped,
  upload,
} from "./addon-calls.js";
import { onTwo } from "./conditions.js";

test("a stream says what it is", (t) => {
  const stream = addon.createStream(DEVICE);
  const { pointer, ...facts } = addon.streamInfo(stream);
  t.deepEqual(facts, { device: DEVICE, foreign: false, destroyed: false });
  t.true(pointer > 0n);
  addon.destroyStream(stream);
  addon.destroyStream(stream);
  t.deepEqual(addon.streamInfo(stream), {
    device: DEVICE,
    pointer: 0n,
    foreign: false,
    destroyed: true,
  });
});

test("a destroyed stream is refused wherever one is taken", (t) => {
  const stream = addon.createStream(DEVICE);
  const event = addon.createEvent(DEVICE);
  addon.destroyStream(stream);
  const [host, device] = [areaOf(counted(4)), areaOf(addon.allocate(DEVICE, 16))];
  const uses: Record<string, () => unknown> = {
    copy: () => addon.copy(host, device, 1, 16, stream),
    copyAsync: () => addon.copyAsync(host, device, 1, 16, stream),
    clear: () => addon.clear(device, 1, 16, stream),
    synchronize: () => addon.synchronize(DEVICE, stream),
    synchronizeAsync: () => addon.synchronizeAsync(DEVICE, stream),
    recordEvent: () => addon.recordEvent(event, stream),
    waitEvent: () => addon.waitEvent(stream, event),
  };
  for (const [where, use] of Object.entries(uses)) {
    t.throws(use, {
      code: "ERR_DISPOSED",
      message: `[${where}] expected stream to be alive, received a destroyed stream`,
    });
  }
});

test("a destroyed event is refused wherever one is taken", (t) => {
  const [event, other] = [addon.createEvent(DEVICE), addon.createEvent(DEVICE)];
  addon.destroyEvent(event);
  addon.destroyEvent(event);
  const uses: Record<string, () => unknown> = {
    recordEvent: () => addon.recordEvent(event),
    waitEvent: () => addon.waitEvent(undefined, event),
    queryEvent: () => addon.queryEvent(event),
    synchronizeEvent: () => addon.synchronizeEvent(event),
    synchronizeEventAsync: () => addon.synchronizeEventAsync(event),
    elapsed: () => addon.elapsed(other, event),
  };
  for (const [where, use] of Object.entries(uses)) {
    t.throws(use, {
      code: "ERR_DISPOSED",
      message: `[${where}] expected ${where === "elapsed" ? "end" : "event"} to be alive, received a destroyed event`,
    });
  }
});

test("events mark a place in a stream, and time passes between them", async (t) => {
  const stream = addon.createStream(DEVICE);
  const [begin, end] = [addon.createEvent(DEVICE), addon.createEvent(DEVICE)];
  t.true(addon.queryEvent(begin), "one that was never recorded has nothing before it");
  t.throws(() => addon.elapsed(begin, end), {
    code: "ERR_ARGUMENT",
    message: /recorded and reached, received one that was never recorded$/,
  });
  addon.recordEvent(begin, stream);
  addon.copy(areaOf(counted(1000)), areaOf(addon.allocate(DEVICE, 4000)), 1, 4000, stream);
  t.true(addon.queryEvent(begin), "the copy waited for what came before it");
  addon.recordEvent(end, stream);
  await addon.synchronizeEventAsync(end);
  t.true(addon.queryEvent(end));
  const ms = addon.elapsed(begin, end);
  t.true(ms >= 0 && ms < 60_000, `${ms}`);
});

test("a stream waits for another's event", (t) => {
  const [first, second] = [addon.createStream(DEVICE), addon.createStream(DEVICE)];
  const event = addon.createEvent(DEVICE);
  const buffer = addon.allocate(DEVICE, 4000);
  addon.copy(areaOf(counted(1000)), areaOf(buffer), 1, 4000, first);
  addon.recordEvent(event, first);
  addon.waitEvent(second, event);
  addon.waitEvent(undefined, event);
  const back = new Float32Array(1000);
  addon.copy(areaOf(buffer), areaOf(back), 1, 4000, second);
  t.deepEqual(back, counted(1000));
  t.true(addon.queryEvent(event), "the second stream's work was behind it");
  addon.synchronize(DEVICE);
});

test("destroying a stream and an event with work behind them is harmless", (t) => {
  const [first, second] = [addon.createStream(DEVICE), addon.createStream(DEVICE)];
  const event = addon.createEvent(DEVICE);
  addon.recordEvent(event, first);
  addon.waitEvent(second, event);
  addon.destroyEvent(event);
  addon.destroyStream(first);
  addon.synchronize(DEVICE, second);
  addon.destroyStream(second);
  t.deepEqual([...download(upload(counted(2)), 2)], [1, 2]);
});

test("many streams and events are collected with the objects", async (t) => {
  for (let round = 0; round < 50; round++) {
    const [stream, event] = [addon.createStream(DEVICE), addon.createEvent(DEVICE)];
    addon.recordEvent(event, stream);
    if (round % 10 === 9) await collect();
  }
  addon.synchronize(DEVICE);
  t.pass();
});

test("waiting off the event loop holds what it waits for", async (t) => {
  const stream = addon.createStream(DEVICE);
  const event = addon.createEvent(DEVICE);
  addon.recordEvent(event, stream);
  const waits = [
    occupyThreads(),
    addon.synchronizeAsync(DEVICE, stream),
    addon.synchronizeEventAsync(event),
    addon.synchronizeAsync(DEVICE),
  ];
  addon.destroyStream(stream);
  addon.destroyEvent(event);
  await Promise.all(waits);
  t.pass();
});

test("a stream of ours is a foreign one to others, and theirs to destroy", async (t) => {
  const ours = addon.createStream(DEVICE);
  const { pointer } = addon.streamInfo(ours);
  let wrapped: object | undefined = addon.wrapStream(DEVICE, pointer, ours);
  t.deepEqual(addon.streamInfo(wrapped as never), {
    device: DEVICE,
    pointer,
    foreign: true,
    destroyed: false,
  });
  const buffer = addon.allocate(DEVICE, 16);
  addon.copy(areaOf(counted(4)), areaOf(buffer), 1, 16, wrapped as never);
  addon.destroyStream(wrapped as never);
  wrapped = undefined;
  await collect();
  addon.synchronize(DEVICE, ours);
  t.deepEqual([...download(buffer, 4)], [1, 2, 3, 4]);
});

test("the default stream may be wrapped", (t) => {
  const stream = addon.wrapStream(DEVICE, 0n, undefined);
  t.deepEqual(addon.streamInfo(stream), {
    device: DEVICE,
    pointer: 0n,
    foreign: true,
    destroyed: false,
  });
  const buffer = addon.allocate(DEVICE, 16);
  addon.copy(areaOf(counted(4)), areaOf(buffer), 1, 16, stream);
  addon.synchronize(DEVICE, stream);
  t.deepEqual([...download(buffer, 4)], [1, 2, 3, 4]);
});

test("what is no handle of a stream is refused", (t) => {
  for (const pointer of [0, "0", -1n, 1n << 64n, undefined]) {
    t.throws(() => untyped.wrapStream(DEVICE, pointer, {}), {
      message: /^\[wrapStream\] expected pointer to be /,
    });
  }
});

test("the owner of a foreign stream lives as long as it", async (t) => {
  const ours = addon.createStream(DEVICE);
  let owner: object | undefined = {};
  const watched = new WeakRef(owner);
  let stream: object | undefined = addon.wrapStream(DEVICE, addon.streamInfo(ours).pointer, owner);
  owner = undefined;
  await collect();
  t.not(watched.deref(), undefined);
  t.true(addon.streamInfo(stream as never).foreign);
  stream = undefined;
  await collect();
  t.is(watched.deref(), undefined);
});

onTwo("streams and events belong to one device, but a stream may wait for any", (t) => {
  const [here, there] = [addon.createStream(DEVICE), addon.createStream(OTHER)];
  const [event, far] = [addon.createEvent(DEVICE), addon.createEvent(OTHER)];
  const mismatch = { code: "ERR_DEVICE_MISMATCH" };
  t.throws(() => addon.synchronize(DEVICE, there), {
    ...mismatch,
    message: "[synchronize] expected a stream of cuda:0, received a stream of cuda:1",
  });
  t.throws(() => addon.recordEvent(event, there), mismatch);
  t.throws(() => addon.elapsed(event, far), mismatch);
  t.throws(() => addon.wrapStream(OTHER, addon.streamInfo(here).pointer, here), mismatch);
  addon.recordEvent(far, there);
  addon.waitEvent(here, far);
  addon.synchronize(DEVICE, here);
  t.true(addon.queryEvent(far));
});
