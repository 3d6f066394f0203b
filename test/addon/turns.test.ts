/** Turns of async calls, with calls that end when the test says so, whatever the process's own limits are. */
import test from "ava";
import { limitsOf, type Turn, Turns } from "../../lib/addon/turns.js";

interface Held {
  readonly begun: string[];
  /** Settles as `take` does. */
  readonly promises: Promise<string>[];
  /** The same for more calls in the same line. */
  come(...calls: readonly string[]): void;
  end(call: string): Promise<void>;
}

/** A line with room for two calls on the host and three in all; `elsewhere` run for other threads. */
const lineOf = (elsewhere: () => number = () => 0) => new Turns({ host: 2, device: 3 }, elsewhere);

/** Calls that have come, of which those run whose turn it is; one whose name begins with "d" is a device's. */
function hold(
  line: Turns,
  calls: readonly string[],
  turnOf: (call: string) => Omit<Turn, "worker"> = () => ({}),
): Held {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const promises: Promise<string>[] = [];
  const come = (...names: readonly string[]) => {
    for (const name of names) {
      const worker = name.startsWith("d") ? "device" : "host";
      const call = () => {
        begun.push(name);
        return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
      };
      promises.push(line.take({ worker, ...turnOf(name) }, call));
    }
  };
  come(...calls);
  const end = async (call: string) => {
    ends.get(call)?.();
    await turn();
  };
  return { begun, promises, come, end };
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => resolve()));

test("as many calls run as there is room for, and the others begin in their order", async (t) => {
  const { begun, promises, come, end } = hold(lineOf(), ["0", "1", "2", "3", "4"]);
  t.deepEqual(begun, ["0", "1"]);
  await end("1");
  t.deepEqual(begun, ["0", "1", "2"]);
  // One that comes as a place becomes free does not overtake those that wait.
  const ending = end("2");
  come("late");
  await ending;
  t.deepEqual(begun, ["0", "1", "2", "3"]);
  for (const call of ["0", "3", "4", "late"]) await end(call);
  t.deepEqual(await Promise.all(promises), ["0", "1", "2", "3", "4", "late"]);
  t.deepEqual(begun, ["0", "1", "2", "3", "4", "late"]);
});

test("calls on devices take turns with those on the host, in one line", async (t) => {
  const { begun, end } = hold(lineOf(), ["d0", "d1", "d2", "d3", "h0", "d4", "h1"]);
  t.deepEqual(begun, ["d0", "d1", "d2"]);
  await end("d0");
  t.deepEqual(begun, ["d0", "d1", "d2", "d3"]);
  // One on the host begins as its place comes, and nothing of a device before it.
  await end("d1");
  t.deepEqual(begun, ["d0", "d1", "d2", "d3"]);
  await end("d2");
  t.deepEqual(begun, ["d0", "d1", "d2", "d3", "h0", "d4"]);
  for (const call of ["d3", "h0"]) await end(call);
  t.deepEqual(begun, ["d0", "d1", "d2", "d3", "h0", "d4", "h1"]);
});

test("what runs for other threads takes room, all but that of one call", async (t) => {
  let others = 0;
  const { begun, end, come } = hold(
    lineOf(() => others),
    ["0", "1", "2", "3", "4"],
  );
  t.deepEqual(begun, ["0", "1"]);
  others = 100;
  await end("0");
  t.deepEqual(begun, ["0", "1"]);
  await end("1");
  t.deepEqual(begun, ["0", "1", "2"]);
  others = 0;
  await end("2");
  t.deepEqual(begun, ["0", "1", "2", "3", "4"]);
  for (const call of ["3", "4"]) await end(call);
  others = 1;
  come("5", "6");
  t.deepEqual(begun.slice(5), ["5"]);
});

test("small calls run sixteen at once, in their order, and behind a large one they wait", async (t) => {
  const names = Array.from({ length: 20 }, (_, i) => `small ${i}`);
  const { begun, come, end } = hold(lineOf(), names, (call) => ({
    numbers: call.startsWith("small") ? 2 ** 10 : 2 ** 30,
  }));
  t.deepEqual(begun, names.slice(0, 16));
  await end("small 3");
  t.is(begun.length, 17);
  come("large", "small behind");
  for (const name of names) {
    await end(name);
    // It has its turn once one of the others is left, and is then half of those that run.
    const small = names.indexOf(name);
    t.is(begun.includes("large"), small >= 18, name);
    t.is(begun.includes("small behind"), small === 19, name);
  }
  await end("large");
  await end("small behind");
});

test("a small call does not wait for one that an abort takes out of the line", async (t) => {
  const controller = new AbortController();
  const { begun, promises, end } = hold(lineOf(), ["0", "1", "large", "2"], (call) =>
    call === "large" ? { signal: controller.signal } : { numbers: 1 },
  );
  t.deepEqual(begun, ["0", "1"]);
  controller.abort(new Error("enough"));
  await t.throwsAsync(promises[2] as Promise<string>, { message: "enough" });
  await turn();
  t.deepEqual(begun, ["0", "1", "2"]);
  for (const call of begun) await end(call);
});

test("a call that waits says so before it does, and is gone with its signal; those behind it move up", async (t) => {
  const controller = new AbortController();
  const waited: string[] = [];
  const { begun, promises, end } = hold(lineOf(), ["0", "1", "2", "d3", "4"], (call) => ({
    signal: call === "2" ? controller.signal : undefined,
    onWait: () => waited.push(call),
  }));
  t.deepEqual(waited, ["2", "d3", "4"]);
  const reason = new Error("enough");
  controller.abort(reason);
  t.is(await t.throwsAsync(promises[2] as Promise<string>), reason);
  t.deepEqual(begun, ["0", "1", "d3"]);
  for (const call of ["0", "1", "d3", "4"]) await end(call);
  t.deepEqual(begun, ["0", "1", "d3", "4"]);
  await Promise.all(promises.filter((_, call) => call !== 2));
});

test("a call that fails makes room like any other", async (t) => {
  const line = lineOf();
  const failing = [1, 2, 3].map(() =>
    line.take({ worker: "host" }, () => Promise.reject(new Error("no"))),
  );
  await Promise.allSettled(failing);
  t.deepEqual(hold(line, ["0", "1", "2"]).begun, ["0", "1"]);
});

test("one signal may stand for any number of calls without a warning", async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  const controller = new AbortController();
  const calls = Array.from({ length: 40 }, (_, i) => String(i));
  const { promises, end } = hold(lineOf(), calls, () => ({ signal: controller.signal }));
  controller.abort();
  await end("0");
  await end("1");
  const outcomes = await Promise.allSettled(promises);
  await turn();
  process.off("warning", onWarning);
  t.deepEqual(warnings, []);
  t.is(outcomes.filter(({ status }) => status === "rejected").length, 38);
});

test("half of libuv's threads for the host, as it counts them, and one less than all for devices", (t) => {
  const limits = (said?: string) =>
    limitsOf({ versions: { node: "20.0.0" }, env: { UV_THREADPOOL_SIZE: said } });
  t.deepEqual([undefined, "16", "5000", "1", "0", "many"].map(limits), [
    { host: 2, device: 3 },
    { host: 8, device: 15 },
    { host: 512, device: 1023 },
    { host: 1, device: 1 },
    { host: 1, device: 1 },
    { host: 1, device: 1 },
  ]);
});

test("Deno, which has none of libuv's threads, is not asked for its environment", (t) => {
  const env = {
    get UV_THREADPOOL_SIZE(): string {
      throw new Error('Requires env access to "UV_THREADPOOL_SIZE"');
    },
  };
  const limits = limitsOf({ versions: { node: "24.0.0", deno: "2.0.0" }, env });
  t.deepEqual(limits, { host: 2, device: 3 });
});
