/** Turns of calls on devices, and what JavaScript lets go of while they wait. */
import type { NativeBuffer, NativeEvent, NativeMemory, NativeStream } from "./binding.js";
import { turns } from "./turns.js";

/** What a call on a device reaches. */
type Used = NativeMemory | NativeStream | NativeEvent | undefined;

interface Use {
  calls: number;
  end?: () => void;
}
const uses = new WeakMap<object, Use>();

/** Makes a call on a device in its turn. A call that runs holds what it uses by itself; one that waits does here. */
export async function inDeviceTurn<T>(
  used: readonly Used[],
  call: () => Promise<T>,
  { signal, onWait }: { readonly signal?: AbortSignal | undefined; onWait?(): void } = {},
): Promise<T> {
  let kept: readonly object[] = [];
  const letGo = () => {
    for (const object of kept) drop(object);
    kept = [];
  };
  const wait = () => {
    kept = used.filter((object) => object !== undefined);
    for (const object of kept) keep(object);
    onWait?.();
  };
  try {
    return await turns.take({ worker: "device", signal, onWait: wait }, () => {
      const result = call();
      letGo();
      return result;
    });
  } finally {
    letGo();
  }
}

/** Ends a buffer, a stream or an event; one that a call waits with, when that has begun. */
export function endAfterUse(
  object: NativeBuffer | NativeStream | NativeEvent,
  end: () => void,
): void {
  const use = uses.get(object);
  if (use === undefined) end();
  else use.end = end;
}

function keep(object: object): void {
  const use = uses.get(object);
  if (use === undefined) uses.set(object, { calls: 1 });
  else use.calls++;
}

function drop(object: object): void {
  const use = uses.get(object) as Use;
  if (--use.calls > 0) return;
  uses.delete(object);
  use.end?.();
}
