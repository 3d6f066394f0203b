/** Turns of async calls, with calls that end when the test says so. */
import test from "ava";
import { callsAtOnce, inTurn, mustWait } from "../../lib/ops/turns.js";

interface Held {
  readonly begun: number[];
  /** Settles as `inTurn` does. */
  readonly promises: Promise<number>[];
  end(call: number): void;
}

/** Calls that have come, of which those run whose turn it is. */
function hold(count: number, signalOf: (call: number) => AbortSignal | undefined): Held {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const promises = Array.from({ length: count }, (_, call) =>
    inTurn(signalOf(call), () => {
      begun.push(call);
      return new Promise<number>((resolve) => {
        ends[call] = () => resolve(call);
      });
    }),
  );
  return { begun, promises, end: (call) => ends[call]?.() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test.serial(
  "two calls run, half of what libuv has, and the others begin in their order",
  async (t) => {
    const { begun, promises, end } = hold(5, () => undefined);
    t.deepEqual(begun, [0, 1]);
    t.true(mustWait());
    end(1);
    await turn();
    t.deepEqual(begun, [0, 1, 2]);
    // One that comes as a place becomes free does not overtake those that wait.
    end(2);
    const late = hold(1, () => undefined);
    await turn();
    t.deepEqual([begun, late.begun], [[0, 1, 2, 3], []]);
    for (const call of [0, 3, 4]) {
      end(call);
      await turn();
    }
    late.end(0);
    t.deepEqual(await Promise.all([...promises, ...late.promises]), [0, 1, 2, 3, 4, 0]);
    t.false(mustWait());
  },
);

test.serial("a call that waits is gone with its signal, and those behind it move up", async (t) => {
  const controller = new AbortController();
  const { begun, promises, end } = hold(5, (call) => (call === 2 ? controller.signal : undefined));
  const reason = new Error("enough");
  controller.abort(reason);
  t.is(await t.throwsAsync(promises[2] as Promise<number>), reason);
  end(0);
  await turn();
  t.deepEqual(begun, [0, 1, 3]);
  for (const call of [1, 3, 4]) {
    end(call);
    await turn();
  }
  t.deepEqual(begun, [0, 1, 3, 4]);
  await Promise.all(promises.filter((_, call) => call !== 2));
});

test.serial("a call that fails makes room like any other", async (t) => {
  const failing = [1, 2, 3].map(() => inTurn(undefined, () => Promise.reject(new Error("no"))));
  await Promise.allSettled(failing);
  t.false(mustWait());
});

test.serial("one signal may stand for any number of calls without a warning", async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  const controller = new AbortController();
  const { promises, end } = hold(40, () => controller.signal);
  controller.abort();
  end(0);
  end(1);
  const outcomes = await Promise.allSettled(promises);
  await turn();
  process.off("warning", onWarning);
  t.deepEqual(warnings, []);
  t.is(outcomes.filter(({ status }) => status === "rejected").length, 38);
});

test("half of libuv's threads, as it counts them; Deno, which has none, is not asked for its environment", (t) => {
  const calls = (said?: string) =>
    callsAtOnce({ versions: { node: "20.0.0" }, env: { UV_THREADPOOL_SIZE: said } });
  t.deepEqual([undefined, "16", "5000", "1", "0", "many"].map(calls), [2, 8, 512, 1, 1, 1]);
  const env = {
    get UV_THREADPOOL_SIZE(): string {
      throw new Error('Requires env access to "UV_THREADPOOL_SIZE"');
    },
  };
  t.is(callsAtOnce({ versions: { node: "24.0.0", deno: "2.0.0" }, env }), 2);
});
