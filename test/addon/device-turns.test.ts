/** What JavaScript lets go of while a call on a device waits, with calls that reach no device. */
import test from "ava";
import type { NativeBuffer } from "../../lib/addon/binding.js";
import { endAfterUse, inDeviceTurn } from "../../lib/addon/device-turns.js";
import { limitsOf } from "../../lib/addon/turns.js";

const buffer = () => ({}) as NativeBuffer;
const AT_ONCE = limitsOf({ versions: process.versions, env: process.env }).device;

/**
 * Fills the line, so that the next call waits until `empty`. Other tests of the process may take room, too: then not all of
 * these begin before that.
 */
function fill() {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const running = Array.from({ length: AT_ONCE }, () => inDeviceTurn([buffer()], () => ended));
  return async () => {
    end();
    await Promise.all(running);
  };
}

test.serial("what a call that waits will reach ends when that has begun, once", async (t) => {
  const empty = fill();
  const log: string[] = [];
  const [used, other] = [buffer(), buffer()];
  const calls = ["one", "two"].map((name) =>
    inDeviceTurn([used, undefined, used], async () => {
      log.push(name);
    }),
  );
  for (const [name, object] of Object.entries({ used, other })) {
    endAfterUse(object, () => log.push(`end of ${name}`));
  }
  t.deepEqual(log, ["end of other"]);
  await empty();
  await Promise.all(calls);
  t.deepEqual(log, ["end of other", "one", "two", "end of used"]);
  endAfterUse(used, () => log.push("again"));
  t.is(log.at(-1), "again");
});

test.serial("and when such a call is aborted, or fails as it begins", async (t) => {
  const empty = fill();
  const controller = new AbortController();
  const reason = new Error("enough");
  const ended: string[] = [];
  const [aborted, failing] = [buffer(), buffer()];
  const { signal } = controller;
  const calls = [
    inDeviceTurn([aborted], () => Promise.resolve(), { signal }),
    inDeviceTurn([failing], () => {
      throw reason;
    }),
  ];
  endAfterUse(aborted, () => ended.push("aborted"));
  endAfterUse(failing, () => ended.push("failing"));
  controller.abort(reason);
  await t.throwsAsync(calls[0] as Promise<void>, { is: reason });
  t.deepEqual(ended, ["aborted"]);
  await empty();
  await t.throwsAsync(calls[1] as Promise<void>, { is: reason });
  t.deepEqual(ended, ["aborted", "failing"]);
});

test.serial("a call that waits says so", async (t) => {
  const empty = fill();
  let waits = 0;
  const onWait = () => waits++;
  const call = inDeviceTurn([], () => Promise.resolve(), { onWait });
  t.is(waits, 1);
  await empty();
  await call;
  await inDeviceTurn([], () => Promise.resolve(), { onWait });
  t.is(waits, 1);
});
