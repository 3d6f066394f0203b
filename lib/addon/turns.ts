/** Turns of async calls: a few of the process run at once, the rest wait here, and none keeps it from ending. */
import { onAbort } from "./aborts.js";
import { binding } from "./load.js";

/** Who computes: the pool of threads, or a device, for which a thread does nothing but wait. */
export type Worker = "host" | "device";

/** How many calls of the process may run when one begins. */
export type Limits = Readonly<Record<Worker, number>>;

/**
 * Numbers that calls on the host read and write which are more at once: about a millisecond's work, for which whatever waits
 * for a thread of libuv may wait, too. Small calls two by two would take up to twice their time in ways between threads.
 */
const LITTLE = 2 ** 24;
const MOST_LITTLE = 16;

export interface Turn {
  readonly worker: Worker;
  /** How many numbers a call on the host reads and writes; unknown, and so many, where absent. */
  readonly numbers?: number;
  /** Takes a call that waits out of the line, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called at once where the call has to wait. */
  readonly onWait?: (() => void) | undefined;
}

/** The line of one thread of JavaScript. */
export class Turns {
  readonly #limits: Limits;
  /** Calls that run for other threads. */
  readonly #elsewhere: () => number;
  #running = 0;
  /** Numbers of those that run. */
  #inHand = 0;
  /** In the order of their coming, in which they begin. */
  readonly #waiting = new Map<() => void, Place>();

  constructor(limits: Limits, elsewhere: () => number) {
    this.#limits = limits;
    this.#elsewhere = elsewhere;
  }

  /** Makes a call when it is its turn, which is at once where few run. */
  async take<T>(
    { worker, numbers = LITTLE + 1, signal, onWait }: Turn,
    call: () => Promise<T>,
  ): Promise<T> {
    const place = { worker, numbers };
    if (this.#waiting.size > 0 || !this.#hasRoom(place)) {
      onWait?.();
      await this.#standInLine(place, signal);
    } else this.#begin(place);
    try {
      return await call();
    } finally {
      this.#running--;
      this.#inHand -= numbers;
      this.#admit();
    }
  }

  /** One call of every thread may always run: none is told when others have ended. */
  #hasRoom({ worker, numbers }: Place): boolean {
    if (this.#running === 0) return true;
    const all = this.#running + this.#elsewhere();
    return all < this.#limits[worker] || (all < MOST_LITTLE && this.#inHand + numbers <= LITTLE);
  }

  #begin({ numbers }: Place): void {
    this.#running++;
    this.#inHand += numbers;
  }

  #standInLine(place: Place, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => {
        forget();
        resolve();
      };
      this.#waiting.set(start, place);
      const forget = onAbort(signal, () => {
        forget();
        this.#waiting.delete(start);
        reject(signal?.reason);
        // It may have been the one that was too large for the room there is.
        this.#admit();
      });
    });
  }

  /** Those in front; a call that comes in between does not overtake them. */
  #admit(): void {
    for (const [start, place] of this.#waiting) {
      if (!this.#hasRoom(place)) return;
      this.#waiting.delete(start);
      this.#begin(place);
      start();
    }
  }
}

/** What a call in the line is known by. */
type Place = Required<Pick<Turn, "worker" | "numbers">>;

/** Deno has no libuv, and would ask for a permission at the import of papo. */
export function limitsOf({ versions, env }: Surroundings): Limits {
  const said = versions.deno === undefined ? env.UV_THREADPOOL_SIZE : undefined;
  const threads = libuvThreads(said);
  return { host: Math.max(1, Math.floor(threads / 2)), device: Math.max(1, threads - 1) };
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

/**
 * Fewer than the threads that libuv has for all of the process, so that files, names and whatever else is asynchronous
 * in Node go on beside any number of calls. Half of them on the host: more would not be faster, since every call spreads
 * over the pool by itself. All but one on devices, of which there may be several.
 */
export const turns: Turns = new Turns(
  limitsOf({ versions: process.versions, env: process.env }),
  () => binding().asyncCallsElsewhere(),
);
