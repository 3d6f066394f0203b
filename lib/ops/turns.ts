/** Turns of async calls: a few of a thread run at once, the rest wait here, and none keeps the process from ending. */

/**
 * Half of the threads that libuv has for all of the process, so that files, names and whatever else is asynchronous in
 * Node go on beside any number of calls. More would not be faster: every call spreads over the pool by itself.
 */
const AT_ONCE = callsAtOnce({ versions: process.versions, env: process.env });

let running = 0;
/** In the order of their coming. */
const waiting = new Set<() => void>();

/**
 * Makes a call when it is its turn, which is at once where few run. An abort takes a call that waits out of the line and
 * rejects with `signal.reason`.
 */
export async function inTurn<T>(
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T> {
  if (running < AT_ONCE) running++;
  else await turn(signal);
  try {
    return await call();
  } finally {
    passOn();
  }
}

/** Whether a call that comes now has to wait. */
export function mustWait(): boolean {
  return running >= AT_ONCE;
}

function turn(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const start = () => {
      forget();
      resolve();
    };
    waiting.add(start);
    const forget = onAbort(signal, () => {
      forget();
      waiting.delete(start);
      reject(signal?.reason);
    });
  });
}

/** To the first who waits; a call that comes in between does not overtake it. */
function passOn(): void {
  const [next] = waiting;
  if (next === undefined) {
    running--;
    return;
  }
  waiting.delete(next);
  next();
}

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
function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
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

/** Deno has no libuv, and would ask for a permission at the import of papo. */
export function callsAtOnce({ versions, env }: Surroundings): number {
  const said = versions.deno === undefined ? env.UV_THREADPOOL_SIZE : undefined;
  return Math.max(1, Math.floor(libuvThreads(said) / 2));
}

interface Surroundings {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** As libuv reads it: from 1 to 1024, and 4 where nothing is said. */
function libuvThreads(said: string | undefined): number {
  if (said === undefined) return 4;
  const threads = Number.parseInt(said, 10);
  return Math.min(Math.max(Number.isNaN(threads) ? 1 : threads, 1), 1024);
}
