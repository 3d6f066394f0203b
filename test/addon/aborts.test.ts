/** Aborts of async calls: whose flags a signal raises, and what is let go of once a call has settled. */
import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import test from "ava";
import { raisedBy } from "../../lib/addon/aborts.js";

test("a signal raises the flags of its calls, one after the other and side by side, and no dropped one", (t) => {
  const controller = new AbortController();
  const { signal } = controller;
  const first = raisedBy(signal);
  first.drop();
  t.is(getEventListeners(signal, "abort").length, 0);
  const [second, third, fourth] = [signal, signal, undefined].map(raisedBy);
  third?.drop();
  controller.abort();
  t.deepEqual(
    [first, second, third, fourth].map((one) => one?.flag[0]),
    [0, 1, 0, 0],
  );
  second?.drop();
  fourth?.drop();
});

test("the flag of a call that has settled is nobody's any more", async (t) => {
  const flags = Array.from({ length: 20 }, () => {
    const { flag, drop } = raisedBy(undefined);
    drop();
    return new WeakRef(flag);
  });
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  // What a WeakRef has shown stays until the turn ends.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  t.true(flags.some((flag) => flag.deref() === undefined));
});
