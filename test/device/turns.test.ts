/** More async calls on a device than run at once, whose tensors, streams and events end while they wait. */
import test from "ava";
import { limitsOf } from "../../lib/addon/turns.js";
import { cuda, type Tensor, tensor, tokenStats, tokenStatsAsync, zeros } from "../../lib/index.js";
import { callsOf, DEVICE } from "./devices.js";

const [ROWS, VOCAB] = [8, 300];
const CALLS = 24;
const AT_ONCE = Math.min(CALLS, limitsOf({ versions: process.versions, env: process.env }).device);
const tokenIds = Int32Array.from({ length: ROWS }, (_, row) => 7 * row);
const numbersOf = (call: number) =>
  Float32Array.from({ length: ROWS * VOCAB }, (_, i) => Math.sin(i * (call + 1)));
const shape = [ROWS, VOCAB] as const;

type Target = Tensor<"float32", 2>;

test.serial("calls that wait keep what they were given, whoever disposes of it", async (t) => {
  const expected = Array.from({ length: CALLS }, (_, call) => {
    const logits = tensor(numbersOf(call), { shape, device: DEVICE });
    return tokenStats({ logits, tokenIds }).logProbs.data;
  });
  const stream = new cuda.Stream();
  const results = Array.from({ length: CALLS }, (_, call) => {
    const logits = tensor(numbersOf(call), { shape, device: DEVICE });
    const start = () => tokenStatsAsync({ logits, tokenIds });
    const result = call % 2 ? cuda.withStream(stream, start) : start();
    logits.dispose();
    return result;
  });
  stream.dispose();
  t.deepEqual(
    (await Promise.all(results)).map(({ logProbs }) => logProbs.data),
    expected,
  );
});

test.serial("every kind of call takes its turn", async (t) => {
  const stream = new cuda.Stream();
  const event = new cuda.Event();
  event.record(stream);
  const from = tensor(numbersOf(0), { shape, device: DEVICE });
  const targets = Array.from({ length: CALLS }, () => zeros(shape));
  const acts = {
    runAsync: () => tokenStatsAsync({ logits: from, tokenIds }),
    copyAsync: (call: number) => from.toAsync("cpu", { out: targets[call] as Target }),
    synchronizeAsync: (call: number) =>
      call % 2 ? stream.synchronizeAsync() : cuda.synchronizeAsync(),
    synchronizeEventAsync: () => event.synchronizeAsync(),
  } as const;
  const kinds = Object.entries(acts) as [keyof typeof acts, (call: number) => Promise<unknown>][];
  for (const [name, act] of kinds) {
    const results: Promise<unknown>[] = [];
    const begun = await callsOf(name, () => {
      for (let call = 0; call < CALLS; call++) results.push(act(call));
    });
    t.is(begun.length, AT_ONCE, name);
    // It may end meanwhile.
    if (name === "synchronizeEventAsync") event.dispose();
    await Promise.all(results);
  }
  for (const { data } of targets) t.deepEqual(data, numbersOf(0));
});
