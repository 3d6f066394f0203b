/** A safetensors file being written: sizes first, rows in any order, and a complete file or none in the end. */
/// <reference lib="esnext.disposable" preserve="true" />
import type { FileHandle } from "node:fs/promises";
import { endianness } from "node:os";
import { checkText } from "../core/arguments.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { NewFile } from "../core/new-file.js";
import {
  bytesOf,
  bytesPerElement,
  fileError,
  rowsAndColumns,
  type SafetensorsInfo,
  show,
  showAll,
  WHERE,
} from "./safetensors-format.js";
import { encodeHeader, type SafetensorsEntry } from "./safetensors-header.js";

/** From its first row up to the one after its last. */
type Range = readonly [number, number];
/** In order and apart. */
type Ranges = Range[];

/**
 * Writes a safetensors file without holding it in memory.
 *
 * The bytes go to a file beside the target, `NAME.PID-RANDOM.tmp`, which takes the target's name when `finish` has made
 * sure that every row is there and on the disk. Until then the target is as it was, and an abandoned writer leaves
 * nothing, not even where the process ends by an error; one that is killed leaves that file, and so does a worker that
 * is terminated. A link is written through.
 * What is replaced gives its permissions to what replaces it; a file that may not be written is not replaced. The same
 * tensors and metadata make the same header.
 */
export class SafetensorsWriter {
  /** Where the file will be once `finish` has ended. */
  readonly path: string;
  /** What will be in it, by name. */
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
  readonly #file: NewFile;
  readonly #dataStart: number;
  readonly #written = new Map<string, Ranges>();
  #isFinished = false;

  private constructor(
    file: NewFile,
    tensors: ReadonlyMap<string, SafetensorsInfo>,
    dataStart: number,
  ) {
    this.path = file.target;
    this.#file = file;
    this.tensors = tensors;
    this.#dataStart = dataStart;
  }

  /**
   * Begins a file: the header is written, the tensors are all zeros until their rows come.
   *
   * @param path     the target; a file there is replaced in the end
   * @param entries  dtype and shape of every tensor, by name
   * @param metadata strings by name, the header's `__metadata__`
   * @throws PapoError ERR_FILE where the target cannot be written, ERR_DTYPE, ERR_SHAPE, ERR_ARGUMENT for the entries
   */
  static async create(
    path: string,
    entries: Readonly<Record<string, SafetensorsEntry>>,
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<SafetensorsWriter> {
    checkText(WHERE, "path", path);
    if (endianness() !== "LE") {
      throw expected("ERR_UNSUPPORTED", WHERE, "a little-endian machine", "a big-endian one");
    }
    const header = encodeHeader(entries, metadata);
    const file = await attempt(path, () => NewFile.create(path));
    const writer = new SafetensorsWriter(file, header.tensors, header.bytes.byteLength);
    try {
      const handle = writer.#open();
      await attempt(path, () => writeFully(handle, header.bytes, 0));
      await attempt(path, () => handle.truncate(header.bytes.byteLength + header.dataBytes));
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    return writer;
  }

  /**
   * Writes whole rows from row `start` on; a row is what `SafetensorsFile.readRows` calls one.
   * Rows may come in any order, and again.
   *
   * @param data an array of the dtype's class; its length is a multiple of the columns
   * @throws PapoError ERR_ARGUMENT for an unknown name, ERR_DTYPE, ERR_SHAPE, ERR_RANGE for data that does not fit,
   * ERR_FILE where the disk refuses, ERR_DISPOSED after `finish` or `abandon`
   */
  async writeRows(name: string, start: number, data: ArrayBufferView): Promise<void> {
    const { dtype, shape, offsets } = this.#info(name);
    const { rows, columns } = rowsAndColumns(shape);
    const bytes = bytesOf(name, dtype, data);
    const rowBytes = columns * bytesPerElement(dtype);
    const count = rowBytes === 0 ? 0 : bytes.byteLength / rowBytes;
    if (!Number.isInteger(count)) {
      const what = `whole rows of ${columns} elements for tensor ${show(name)}`;
      throw expected("ERR_SHAPE", WHERE, what, describe(data));
    }
    if (!Number.isSafeInteger(start) || start < 0 || start + count > rows) {
      const what = `rows within the ${rows} of tensor ${show(name)}`;
      throw expected("ERR_RANGE", WHERE, what, `${count} from row ${describe(start)} on`);
    }
    const handle = this.#open();
    const position = this.#dataStart + offsets[0] + start * rowBytes;
    await attempt(this.path, () => writeFully(handle, bytes, position));
    const written = this.#written.get(name) ?? [];
    this.#written.set(name, written);
    addRange(written, start, start + count);
  }

  /** Writes a whole tensor; errors as `writeRows`, and ERR_SHAPE for fewer elements than its shape has. */
  async write(name: string, data: ArrayBufferView): Promise<void> {
    const { dtype, shape, offsets } = this.#info(name);
    if (bytesOf(name, dtype, data).byteLength !== offsets[1] - offsets[0]) {
      const what = `all elements of tensor ${show(name)} [${shape.join(", ")}]`;
      throw expected("ERR_SHAPE", WHERE, what, describe(data));
    }
    await this.writeRows(name, 0, data);
  }

  /**
   * Makes the file complete: on the disk first, then under its name.
   *
   * @throws PapoError ERR_ARGUMENT where rows are missing (the file can still be completed or abandoned),
   * ERR_FILE where the disk refuses (nothing is left), ERR_DISPOSED after `finish` or `abandon`
   */
  async finish(): Promise<void> {
    this.#open();
    for (const [name, { shape, offsets }] of this.tensors) {
      const { rows } = rowsAndColumns(shape);
      const ranges = this.#written.get(name) ?? [];
      const missing = ranges[0]?.[0] === 0 ? ranges[0][1] : 0;
      if (offsets[0] !== offsets[1] && missing < rows) {
        const what = `every row of tensor ${show(name)} to be written`;
        throw expected("ERR_ARGUMENT", WHERE, what, `none for row ${missing} of ${rows}`);
      }
    }
    this.#isFinished = true;
    await attempt(this.path, () => this.#file.finish());
  }

  /** Gives the file up: nothing is left of it, the target is as it was. Does nothing after `finish`. */
  async abandon(): Promise<void> {
    this.#isFinished = true;
    await this.#file.abandon();
  }

  /** Abandons what `finish` has not completed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.abandon();
  }

  #info(name: string): SafetensorsInfo {
    const info = this.tensors.get(name);
    if (info !== undefined) return info;
    const what = `one of the tensors ${showAll(this.tensors.keys())}`;
    throw expected("ERR_ARGUMENT", WHERE, what, show(name));
  }

  #open(): FileHandle {
    const { handle } = this.#file;
    if (handle !== undefined && !this.#isFinished) return handle;
    const message = `[${WHERE}] expected the writer of ${this.path} to be open, received a finished one`;
    throw new PapoError("ERR_DISPOSED", message);
  }
}

/** Puts a range among those that it touches. */
function addRange(ranges: Ranges, start: number, end: number): void {
  let first = 0;
  for (let after = ranges.length; first < after; ) {
    const middle = (first + after) >> 1;
    if ((ranges[middle] as Range)[1] < start) first = middle + 1;
    else after = middle;
  }
  let [from, to] = [start, end];
  let last = first;
  for (; last < ranges.length && (ranges[last] as Range)[0] <= end; last++) {
    const [begins, ends] = ranges[last] as Range;
    from = Math.min(from, begins);
    to = Math.max(to, ends);
  }
  ranges.splice(first, last - first, [from, to]);
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const length = Math.min(bytes.byteLength - done, 2 ** 30);
    const { bytesWritten } = await handle.write(bytes, done, length, position + done);
    if (bytesWritten === 0) throw new Error("no byte of it could be written");
    done += bytesWritten;
  }
}

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw fileError(path, "a file that can be written", (cause as Error).message, cause);
  }
}
