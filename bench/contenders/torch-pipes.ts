/** A process that answers lines of JSON with lines of JSON; arrays follow either, as their bytes. */
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";

export class Pipes {
  readonly pid: number;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #chunks: AsyncIterator<Buffer>;
  /** What has come and was not read yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(process: ChildProcessByStdio<Writable, Readable, null>) {
    this.#process = process;
    this.#chunks = process.stdout[Symbol.asyncIterator]();
    this.pid = process.pid as number;
    // A process that ends early is noticed where an answer is awaited.
    process.stdin.on("error", () => {});
  }

  async ask(
    request: object,
    arrays: readonly (Float32Array | Int32Array)[] = [],
  ): Promise<Readonly<Record<string, unknown>>> {
    const { stdin } = this.#process;
    stdin.write(`${JSON.stringify(request)}\n`);
    for (const { buffer, byteOffset, byteLength } of arrays) {
      if (!stdin.write(new Uint8Array(buffer, byteOffset, byteLength))) await once(stdin, "drain");
    }
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) return JSON.parse(this.#take(end + 1).toString());
      this.#rest = Buffer.concat([this.#rest, await this.#more()]);
    }
  }

  /** Floats that the last answer announced. */
  async floats(length: number): Promise<Float32Array> {
    const floats = new Float32Array(length);
    const bytes = new Uint8Array(floats.buffer);
    for (let filled = 0; filled < bytes.length; ) {
      if (this.#rest.length === 0) this.#rest = await this.#more();
      const part = this.#take(Math.min(this.#rest.length, bytes.length - filled));
      bytes.set(part, filled);
      filled += part.length;
    }
    return floats;
  }

  /** Ends the process; its memory is free when this settles. */
  async close(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    await ended;
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #more(): Promise<Buffer> {
    const { value, done } = await this.#chunks.next();
    if (done) throw new Error("the process has ended");
    return value;
  }
}
