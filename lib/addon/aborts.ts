/** Aborts of async calls: by a signal, and by the end of the process or of a worker. */
import { isMainThread } from "node:worker_threads";
import { binding } from "./load.js";

/** Flags of calls that run; a raised one stops its call at the next block of rows. */
const flags = new Set<Int32Array>();
let isWatching = false;

/**
 * A flag for a call, raised by an abort, and when the process ends: Node waits for work that runs, and without it an
 * exit would take as long as the call. `drop` it once the call has settled.
 */
export function raisedBy(signal: AbortSignal | undefined): { flag: Int32Array; drop: () => void } {
  if (!isWatching) {
    isWatching = true;
    process.once("exit", () => {
      for (const flag of flags) flag.fill(1);
    });
    // A worker that is terminated runs nothing more; other runtimes tell the addon at once.
    const { bun, deno } = process.versions;
    if (!isMainThread && bun === undefined && deno === undefined) binding().watchEnd();
  }
  const flag = new Int32Array(1);
  flags.add(flag);
  const forget = onAbort(signal, () => flag.fill(1));
  const drop = () => {
    flags.delete(flag);
    forget();
  };
  return { flag, drop };
}

interface Listener {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}
const listeners = new WeakMap<AbortSignal, Listener>();

/** One listener of a signal for any number of calls: Node warns of a leak where there are more than ten. */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const { calls, listener } = listenTo(signal, call);
  return () => {
    if (!calls.delete(call) || calls.size > 0) return;
    signal.removeEventListener("abort", listener);
    listeners.delete(signal);
  };
}

function listenTo(signal: AbortSignal, call: () => void): Listener {
  const known = listeners.get(signal);
  if (known) {
    known.calls.add(call);
    return known;
  }
  const calls = new Set([call]);
  const listener = () => {
    for (const call of calls) call();
  };
  signal.addEventListener("abort", listener, { once: true });
  const made = { calls, listener };
  listeners.set(signal, made);
  return made;
}
