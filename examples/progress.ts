/** How far the run is: a bar on a terminal, now and then a line elsewhere. */
import { SingleBar } from "cli-progress";

const LINES = 12;

export class Progress {
  readonly #total: number;
  readonly #bar: SingleBar | undefined;
  readonly #name: string;

  constructor(name: string, total: number) {
    this.#name = name;
    this.#total = total;
    if (process.stdout.isTTY) {
      const format = `${name.padEnd(8)} {bar} {value}/{total}  {eta}s left  {note}`;
      this.#bar = new SingleBar({ format, hideCursor: true, barsize: 30, etaBuffer: 50 });
      this.#bar.start(total, 0, { note: "" });
    }
  }

  /** @param done  how many of the total */
  update(done: number, note: string): void {
    if (this.#bar) this.#bar.update(done, { note });
    else if (done === this.#total || done % Math.ceil(this.#total / LINES) === 0) {
      console.log(`${this.#name.padEnd(8)} ${String(done).padStart(4)}/${this.#total}  ${note}`);
    }
  }

  stop(): void {
    this.#bar?.stop();
  }
}
