/** The switch that turns one mutant on: in this process, and in an instrumented addon by way of a file that both map. */
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";

/** No mutant: every one of them is off. */
export const NONE = -1;
/** Bytes of the file before those that say which mutants were reached. */
const HEADER = 8;

/** What a run came by. */
export interface Passage {
  readonly reached: readonly number[];
  /** How often a switch of TypeScript was asked. */
  readonly steps: number;
}

export class MutantSwitch {
  readonly #count: number;
  readonly #file: number | undefined;
  readonly #reached: Uint8Array;
  #active: number = NONE;
  #watching = false;
  #steps = 0;
  #most: number = Number.POSITIVE_INFINITY;

  /** @param path  what `papo_mutant` of the addon maps; without one only TypeScript is switched */
  constructor(count: number, path?: string) {
    this.#count = count;
    this.#reached = new Uint8Array(count);
    if (path !== undefined) {
      this.#file = openSync(path, "w+");
      ftruncateSync(this.#file, HEADER + count);
      this.activate(NONE);
    }
    (globalThis as { $m?: (id: number) => boolean }).$m = (id) => {
      if (this.#watching) this.#reached[id] = 1;
      this.#steps++;
      if (this.#steps > this.#most) throw new Error("the mutant runs on and on");
      return id === this.#active;
    };
  }

  activate(id: number): void {
    this.#active = id;
    if (this.#file !== undefined) writeSync(this.#file, Int32Array.of(id), 0, 4, 0);
  }

  /** What `work` comes by. */
  async passageOf(work: () => Promise<unknown>): Promise<Passage> {
    this.#reached.fill(0);
    this.#steps = 0;
    this.#watching = true;
    if (this.#file !== undefined) writeSync(this.#file, this.#reached, 0, this.#count, HEADER);
    await work();
    this.#watching = false;
    const native = new Uint8Array(this.#count);
    if (this.#file !== undefined) readSync(this.#file, native, 0, this.#count, HEADER);
    const reached = [...native.keys()].filter((id) => native[id] === 1 || this.#reached[id] === 1);
    return { reached, steps: this.#steps };
  }

  /** Whether `work` asks more than `most` switches; from then on each of them throws, so that a loop without end ends. */
  async exceeds(most: number, work: () => Promise<unknown>): Promise<boolean> {
    this.#steps = 0;
    this.#most = most;
    await work();
    this.#most = Number.POSITIVE_INFINITY;
    return this.#steps > most;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
