/** What the event loop and the file system notice of work. */
import { readFile } from "node:fs/promises";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 1;

/** Of some work: times in milliseconds, memory in MiB. */
export interface Watched<T> {
  readonly result: T;
  /** What it took to be called. */
  readonly making: number;
  /** How late a timer came meanwhile: the 99th percentile, and the most. */
  readonly late99: number;
  readonly lateMost: number;
  /** Median time to read a small file. */
  readonly file: number;
  /** The largest resident set, less that before. */
  readonly peak: number;
}

export async function watched<T>(work: () => Promise<T>): Promise<Watched<T>> {
  const delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const files: number[] = [];
  let isOver = false;
  let peak = 0;
  const before = process.memoryUsage.rss();
  const reading = (async () => {
    while (!isOver) {
      const begun = performance.now();
      await readFile(new URL(import.meta.url));
      files.push(performance.now() - begun);
      peak = Math.max(peak, process.memoryUsage.rss() - before);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  // The first turns are the caller's own: making the calls.
  const begun = performance.now();
  const running = work();
  const making = performance.now() - begun;
  delay.enable();
  const result = await running;
  delay.disable();
  isOver = true;
  await reading;
  const late = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  files.sort((a, b) => a - b);
  return {
    result,
    making,
    late99: late(delay.percentile(99)),
    lateMost: late(delay.max),
    file: files[files.length >> 1] ?? Number.NaN,
    peak: peak / 2 ** 20,
  };
}
