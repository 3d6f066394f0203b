/** Streams and events: which stream work goes into, and what waits for what. */
import anyTest from "ava";
import {
  backward,
  cuda,
  fromDevicePointer,
  papoLoss,
  tensor,
  tokenStats,
  tokenStatsAsync,
  zeros,
} from "../../lib/index.js";
import { fillZero } from "../../lib/tensor/gradient.js";
import { assertClose } from "../support/close.js";
import { TOLERANCES } from "../support/tolerances.js";
import { HAS_OTHER, onTwo } from "./conditions.js";
import { callsOf, collect, DEVICE, failure, OTHER, opOf } from "./devices.js";

/** One after the other: they look at the memory of the device, and at calls of the addon. */
const test = anyTest.serial;

const logits = () => tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3], device: DEVICE });
const tokenIds = [0, 2];

/** The last argument of a call, where its stream stands. */
/** Before the memory of an op, and behind all else of a copy. */
const streamOf = (call: unknown[] | undefined) =>
  typeof call?.[0] === "number" ? call[2] : call?.at(-1);

test("ops and copies go into the stream in force on their device, with what they await", async (t) => {
  const stream = new cuda.Stream();
  const native = stream.toNative("test");
  const leaf = logits();
  leaf.requiresGrad = true;
  const host = zeros([2, 3]);
  const acts = {
    run: () => tokenStats({ logits: leaf, tokenIds }),
    runAsync: () => tokenStatsAsync({ logits: leaf, tokenIds }),
    copy: () => leaf.to("cpu"),
    copyAsync: () => leaf.toAsync("cpu", { out: host }),
    clear: () => fillZero("verb", "leaf", leaf),
  } as const;
  for (const [name, act] of Object.entries(acts) as [keyof typeof acts, () => unknown][]) {
    const inside = await callsOf(name, () => cuda.withStream(stream, act));
    t.is(inside.length, 1);
    t.is(streamOf(inside[0]), native, name);
    const outside = await callsOf(name, act);
    t.not(streamOf(outside[0]), native, name);
    const later = await callsOf(name, () =>
      cuda.withStream(stream, async () => {
        await Promise.resolve();
        await act();
      }),
    );
    t.is(streamOf(later[0]), native, `${name} after an await`);
  }
  const back = await callsOf("run", () =>
    cuda.withStream(stream, () =>
      backward(papoLoss({ logits: leaf, tokenIds, advantages: [1, 2] }), { gradLoss: 2 }),
    ),
  );
  t.deepEqual(back.map(opOf), ["papo_loss", "token_objective", "token_stats_grad"]);
  t.is(streamOf(back[0]), native);
  t.is(streamOf(back[1]), undefined, "what has no logits runs on the CPU");
  t.is(streamOf(back[2]), native);
});

test("results are the same in any stream", (t) => {
  const expected = tokenStats({ logits: logits(), tokenIds });
  const stream = new cuda.Stream();
  const actual = cuda.withStream(stream, () => tokenStats({ logits: logits(), tokenIds }));
  t.deepEqual(actual.logProbs.data, expected.logProbs.data);
  const own = cuda.wrapStream({ pointer: 0n });
  t.true(own.foreign);
  const there = cuda.withStream(own, () => tokenStats({ logits: logits(), tokenIds }));
  t.deepEqual(there.logProbs.data, expected.logProbs.data);
});

test("a copy may name its stream", async (t) => {
  const [named, inForce] = [new cuda.Stream(), new cuda.Stream()];
  const there = logits();
  const calls = await callsOf("copy", () =>
    cuda.withStream(inForce, () => there.to("cpu", { stream: named })),
  );
  t.is(streamOf(calls[0]), named.toNative("test"));
  const wrong = () => there.to("cpu", { stream: {} as cuda.Stream });
  t.deepEqual(await failure(wrong), [
    "ERR_ARGUMENT",
    "[Tensor.to] expected stream to be a cuda.Stream, received an object",
  ]);
});

test("streams in force are told apart by call and by device", async (t) => {
  const [first, second] = [new cuda.Stream(), new cuda.Stream()];
  t.is(cuda.currentStream(), undefined);
  await cuda.withStream(first, async () => {
    t.is(cuda.currentStream("cuda:0"), first);
    cuda.withStream(second, () => t.is(cuda.currentStream(), second));
    await Promise.resolve();
    t.is(cuda.currentStream(), first);
    if (!HAS_OTHER) return;
    const elsewhere = new cuda.Stream(OTHER);
    cuda.withStream(elsewhere, () => {
      t.is(cuda.currentStream(), first);
      t.is(cuda.currentStream(OTHER), elsewhere);
    });
    t.is(cuda.currentStream(OTHER), undefined);
  });
  t.is(cuda.currentStream(), undefined);
  t.throws(() => cuda.withStream(first, () => JSON.parse("no")), { name: "SyntaxError" });
  t.is(cuda.currentStream(), undefined);
});

test("a stream says where it is, waits, and ends", async (t) => {
  const before = new cuda.Stream(DEVICE);
  t.is(before.device, DEVICE);
  t.false(before.foreign);
  t.not(before.pointer, 0n);
  before.synchronize();
  await before.synchronizeAsync();
  const wrapped = cuda.wrapStream({ pointer: before.pointer, device: DEVICE, owner: before });
  t.true(wrapped.foreign);
  t.is(wrapped.pointer, before.pointer);
  wrapped.dispose();
  t.true(wrapped.disposed);
  t.false(before.disposed);
  before.synchronize();
  before.dispose();
  before.dispose();
  const gone = "expected the stream to be alive, received a disposed stream";
  for (const [where, act] of [
    ["cuda.Stream.synchronize", () => before.synchronize()],
    ["cuda.Stream.synchronizeAsync", () => before.synchronizeAsync()],
    ["cuda.Stream.pointer", () => before.pointer],
    ["cuda.withStream", () => cuda.withStream(before, () => 0)],
    ["Tensor.to", () => logits().to("cpu", { stream: before })],
  ] as const) {
    t.deepEqual(await failure(act), ["ERR_DISPOSED", `[${where}] ${gone}`]);
  }
  using block = new cuda.Stream();
  const there = logits();
  const ended = () =>
    cuda.withStream(block, () => {
      block.dispose();
      return tokenStats({ logits: there, tokenIds });
    });
  t.deepEqual(await failure(ended), ["ERR_DISPOSED", `[tokenStats] ${gone}`]);
});

test("a stream that ends while an op runs in it lets the op finish", async (t) => {
  const expected = tokenStats({ logits: logits(), tokenIds }).logProbs.data;
  const stream = new cuda.Stream();
  const running = cuda.withStream(stream, () => tokenStatsAsync({ logits: logits(), tokenIds }));
  stream.dispose();
  t.deepEqual((await running).logProbs.data, expected);
});

test("the owner of a foreign stream lives until it is let go of", async (t) => {
  let owner: object | undefined = { theirs: new cuda.Stream() };
  const reference = new WeakRef(owner);
  const stream = cuda.wrapStream({ pointer: 0n, owner });
  owner = undefined;
  await collect();
  t.not(reference.deref(), undefined);
  stream.dispose();
  await collect();
  t.is(reference.deref(), undefined);
});

test("an event marks a place in a stream, and takes times", async (t) => {
  const stream = new cuda.Stream();
  const [begin, end] = [new cuda.Event(), new cuda.Event(DEVICE)];
  t.true(begin.done, "one that was never recorded");
  begin.record(stream);
  cuda.withStream(stream, () => tokenStats({ logits: logits(), tokenIds }));
  const recorded = await callsOf("recordEvent", () => cuda.withStream(stream, () => end.record()));
  t.is(streamOf(recorded[0]), stream.toNative("test"));
  end.synchronize();
  await begin.synchronizeAsync();
  t.true(end.done);
  t.true(end.elapsedSince(begin) >= 0);
  const other = new cuda.Stream();
  const waits = await callsOf("waitEvent", () => end.wait(other));
  t.is(waits[0]?.[0], other.toNative("test"));
  end.wait();
  other.synchronize();
  cuda.synchronize();
  await cuda.synchronizeAsync(DEVICE);
});

test("an event that cannot be used says why", async (t) => {
  const event = new cuda.Event();
  const [code, message] = (await failure(() => new cuda.Event().elapsedSince(event))) ?? [];
  t.is(code, "ERR_ARGUMENT");
  t.regex(message as string, /^\[cuda\.Event\.elapsedSince\] /);
  t.deepEqual(await failure(() => event.elapsedSince({} as cuda.Event)), [
    "ERR_ARGUMENT",
    "[cuda.Event.elapsedSince] expected begin to be a cuda.Event, received an object",
  ]);
  t.deepEqual(await failure(() => event.wait({} as cuda.Stream)), [
    "ERR_ARGUMENT",
    "[cuda.Event.wait] expected stream to be a cuda.Stream, received an object",
  ]);
  event.dispose();
  event.dispose();
  t.true(event.disposed);
  const gone = "expected the event to be alive, received a disposed event";
  for (const [where, act] of [
    ["cuda.Event.record", () => event.record()],
    ["cuda.Event.done", () => event.done],
    ["cuda.Event.synchronize", () => event.synchronize()],
    ["cuda.Event.synchronizeAsync", () => event.synchronizeAsync()],
    ["cuda.Event.elapsedSince", () => new cuda.Event().elapsedSince(event)],
  ] as const) {
    t.deepEqual(await failure(act), ["ERR_DISPOSED", `[${where}] ${gone}`]);
  }
});

test("what another library wrote in its stream is read by an op in that stream", (t) => {
  // Their allocation, their stream, their work in it; nothing is waited for but by the op itself.
  const theirs = zeros([2, 3], { device: DEVICE });
  using stream = new cuda.Stream();
  const data = tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3] });
  data.to(DEVICE, { out: theirs, stream });
  const ours = fromDevicePointer({
    ...{ pointer: theirs.devicePointer, shape: [2, 3], dtype: "float32", owner: theirs },
  });
  const wrapped = cuda.wrapStream({ pointer: stream.pointer, owner: stream });
  const { logProbs } = cuda.withStream(wrapped, () => tokenStats({ logits: ours, tokenIds }));
  const expected = tokenStats({ logits: data, tokenIds });
  const tolerance = TOLERANCES.engineStatistics;
  assertClose(t, "logProbs", logProbs.data, expected.logProbs.data, tolerance);
});

onTwo("a copy from one device to another waits for the stream that it comes from", async (t) => {
  const [here, there] = [new cuda.Stream(DEVICE), new cuda.Stream(OTHER)];
  const calls = await callsOf("copy", () =>
    cuda.withStream(here, () => cuda.withStream(there, () => logits().to(OTHER).to(DEVICE))),
  );
  const expected = [here, here, there].map((stream) => stream.toNative("test"));
  t.is(calls.length, 3);
  calls.forEach((call, i) => {
    t.is(streamOf(call), expected[i]);
  });
});

onTwo("a stream of another device is refused where it is named", async (t) => {
  const elsewhere = new cuda.Stream(OTHER);
  const sentence = "expected a stream on cuda:0, received one on cuda:1";
  t.deepEqual(await failure(() => logits().to("cpu", { stream: elsewhere })), [
    "ERR_DEVICE_MISMATCH",
    `[Tensor.to] ${sentence}`,
  ]);
  t.deepEqual(await failure(() => new cuda.Event().record(elsewhere)), [
    "ERR_DEVICE_MISMATCH",
    `[cuda.Event.record] ${sentence}`,
  ]);
  const calls = await callsOf("run", () =>
    cuda.withStream(elsewhere, () => tokenStats({ logits: logits(), tokenIds })),
  );
  t.not(streamOf(calls[0]), elsewhere.toNative("test"), "in force on its own device only");
});
