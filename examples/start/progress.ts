/** How far a run is: a bar with the time left on a terminal, now and then a line elsewhere. */
import { SingleBar } from "cli-progress";

/** Elsewhere, for each part of the run. */
const LINES = 4;

export class Progress {
  readonly #width: number;
  #part = "";
  #bar: SingleBar | undefined;

  /** @param parts  names of the parts of the run that will be shown, one after the other */
  constructor(parts: readonly string[]) {
    this.#width = Math.max(...parts.map((part) => part.length));
  }

  /**
   * @param done  how many of the total; a part that begins later than with its first, as a resumed one does, counts from there
   * @param note  what is known so far
   */
  update(part: string, done: number, total: number, note: string): void {
    if (part !== this.#part) this.#begin(part, done - 1, total);
    if (this.#bar) this.#bar.update(done, { note });
    else if (done === total || done % Math.ceil(total / LINES) === 0) {
      console.log(`${part.padEnd(this.#width)} ${String(done).padStart(4)}/${total}  ${note}`);
    }
  }

  /** A line that stays. */
  say(line: string): void {
    this.stop();
    console.log(line);
  }

  /** Leaves the terminal as it was; a later update draws a new bar. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
    this.#part = "";
  }

  #begin(part: string, done: number, total: number): void {
    this.stop();
    this.#part = part;
    if (!process.stdout.isTTY) return;
    const format = `${part.padEnd(this.#width)} {bar} {value}/{total}  {eta}s left  {note}`;
    this.#bar = new SingleBar({ format, hideCursor: true, barsize: 24, etaBuffer: 50 });
    this.#bar.start(total, done, { note: "" });
  }
}
