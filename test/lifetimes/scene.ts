/** What a scene is: something that a long run goes through, again and again, and that must hold every time. */
import type { Random } from "../support/inputs.js";

export interface Scene {
  /** A sentence. */
  readonly claim: string;
  /** Rounds of the short form, some seconds at most. */
  readonly rounds: number;
  /** Rounds of one turn of `npm run stress`: half a minute or so. */
  readonly long: number;
  /** Throws where the claim does not hold. Runs in a process of its own, with `--expose-gc`. */
  run(rounds: number, random: Random): Promise<void>;
}

/** What is left once everything that nobody holds was collected; some of it takes a turn of the event loop. */
export async function collect(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage();
}

export const MEBIBYTE: number = 2 ** 20;
