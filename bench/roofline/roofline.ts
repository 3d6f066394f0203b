/** The machine's limits, measured by the native module beside this file. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Limits } from "../floor.js";

interface Moved {
  readonly seconds: number;
  /** Of the two arrays that are read, or written; a copy moves twice as much. */
  readonly bytes: number;
  /** Of all numbers read, for `read` and `readBoth`. */
  readonly sum: number;
}

type Loop = "read" | "readBoth" | "write" | "copy" | "streamingCopy" | "twoByTwo" | "update";

interface Module {
  /** Two arrays to read, two to write. */
  measure(loop: Loop, isa: string, threads: number, arrays: readonly Float32Array[]): Moved;
  exponentials(isa: string, threads: number, count: number): number;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FILE = `${ROOT}build/Release/papo_roofline.node`;

/** Numbers in each of the four arrays: 256 MB, so that every loop walks half a gigabyte and more. */
export const ARRAY_LENGTH: number = 2 ** 26;
/** A few milliseconds of work for each instruction set. */
const EXPONENTIALS = 2 ** 26;
const SCALAR_EXPONENTIALS = 2 ** 22;

/** Measures the machine with arrays of one size, as often as it is asked to. */
export class RooflineMeter {
  readonly #module: Module;
  readonly #arrays: readonly Float32Array[];
  readonly #best: string;
  readonly #isas: readonly string[];

  /** @param isas  instruction sets whose exponential is measured; the first, the machine's best, moves memory */
  constructor(isas: readonly string[], arrayLength: number) {
    if (!existsSync(FILE)) throw new Error(`there is no ${FILE}: npm run build:bench makes it`);
    this.#module = createRequire(import.meta.url)(FILE) as Module;
    // The same kind of memory as the contenders' logits and gradients: typed arrays, every page touched.
    this.#arrays = Array.from({ length: 4 }, () => new Float32Array(arrayLength).fill(1));
    this.#isas = isas;
    this.#best = isas[0] as string;
  }

  /** Each loop once. */
  measure(threads: number): Limits {
    const rate = (loop: Loop, times: number) => {
      const { bytes, seconds } = this.move(loop, threads);
      return (times * bytes) / seconds;
    };
    return {
      read: Math.max(rate("read", 1), rate("readBoth", 1)),
      copy: rate("copy", 2),
      streamingCopy: rate("streamingCopy", 2),
      twoByTwo: rate("twoByTwo", 2),
      update: rate("update", 2),
      write: rate("write", 1),
      exponentials: Object.fromEntries(
        this.#isas.map((isa) => {
          const count = threads * (isa === "scalar" ? SCALAR_EXPONENTIALS : EXPONENTIALS);
          return [isa, count / this.#module.exponentials(isa, threads, count)];
        }),
      ),
    };
  }

  move(loop: Loop, threads: number): Moved {
    return this.#module.measure(loop, this.#best, threads, this.#arrays);
  }

  /** The arrays: two that are read, two that are written. */
  get arrays(): readonly Float32Array[] {
    return this.#arrays;
  }
}

/** What cannot be about measured limits, as a sentence; undefined where nothing is. */
export function implausible(limits: Limits): string | undefined {
  const { read, copy, streamingCopy, twoByTwo } = limits;
  const copies = Math.max(copy, streamingCopy, twoByTwo);
  const rates = [read, copies, limits.update, limits.write, ...Object.values(limits.exponentials)];
  if (!rates.every((rate) => Number.isFinite(rate) && rate > 0))
    return "a rate is not a positive number";
  if (read < copies / 4) return "copying is more than four times as fast as reading";
  if (copies < read / 4) return "reading is more than four times as fast as copying";
  if (read > 2e12) return "reading is faster than any memory";
  return undefined;
}
