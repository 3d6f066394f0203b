/** A safetensors file opened for reading: the header at once, any rows of any tensor later. */
/// <reference lib="esnext.disposable" preserve="true" />
import { type FileHandle, open, stat } from "node:fs/promises";
import { endianness } from "node:os";
import { checkText } from "../core/arguments.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { READ_ONLY } from "../core/read-only.js";
import { parseHeader, type SafetensorsHeader } from "./header-reader.js";
import {
  allocateArray,
  bytesOf,
  bytesPerElement,
  fileError,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  rowsAndColumns,
  type SafetensorsArray,
  type SafetensorsInfo,
  show,
  showAll,
  WHERE,
} from "./safetensors-format.js";

/** Bytes of one read call; the system's own limit is 2 GiB. */
const READ_BYTES = 2 ** 30;

/**
 * A safetensors file. Its tensors are read by position when asked for, never the whole file,
 * so files larger than memory can be walked row by row. Reads may overlap in time.
 */
export class SafetensorsFile {
  /** Where the file lies, as it was given. */
  readonly path: string;
  /** What the header says of every tensor, in the header's order. */
  readonly tensors: ReadonlyMap<string, SafetensorsInfo>;
  /** The header's `__metadata__`; empty where it has none. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly #dataStart: number;
  #handle: FileHandle | undefined;

  private constructor(
    path: string,
    handle: FileHandle,
    { tensors, metadata }: SafetensorsHeader,
    dataStart: number,
  ) {
    this.path = path;
    this.tensors = tensors;
    this.metadata = metadata;
    this.#handle = handle;
    this.#dataStart = dataStart;
  }

  /**
   * Opens the file and checks its header against its size; reads nothing else.
   *
   * @throws PapoError ERR_FILE for a file that cannot be opened or breaks the format: the message says where
   */
  static async open(path: string): Promise<SafetensorsFile> {
    checkText(WHERE, "path", path);
    if (endianness() !== "LE") {
      throw expected("ERR_UNSUPPORTED", WHERE, "a little-endian machine", "a big-endian one");
    }
    const handle = await openRegularFile(path);
    try {
      const { size } = await handle.stat();
      if (size < LENGTH_BYTES) {
        throw fileError(path, `at least ${LENGTH_BYTES} bytes`, String(size));
      }
      const lengthBytes = Buffer.alloc(LENGTH_BYTES);
      await readFully(path, handle, lengthBytes, 0, "the header's length");
      const headerBytes = Number(lengthBytes.readBigUInt64LE(0));
      const room = Math.min(size - LENGTH_BYTES, MAX_HEADER_BYTES);
      if (headerBytes > room) {
        const limit = room === MAX_HEADER_BYTES ? "the format's limit" : "the rest of the file";
        throw fileError(path, `a header of at most ${room} bytes (${limit})`, String(headerBytes));
      }
      const header = Buffer.alloc(headerBytes);
      await readFully(path, handle, header, LENGTH_BYTES, "the header");
      const dataStart = LENGTH_BYTES + headerBytes;
      const parsed = parseHeader(path, header, size - dataStart);
      return new SafetensorsFile(path, handle, parsed, dataStart);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** What the header says of one tensor; ERR_FILE where there is none of that name. */
  info(name: string): SafetensorsInfo {
    const info = this.tensors.get(name);
    if (info !== undefined) return info;
    const known = showAll(this.tensors.keys());
    throw fileError(this.path, `a tensor ${show(name)}`, known === "" ? "no tensors" : known);
  }

  /**
   * Rows `start` … `start + count − 1` of a tensor, contiguous.
   *
   * A row is the last dimension of a tensor of two or more dimensions, `[sequences, tokens, vocab]` having
   * sequences · tokens rows; of a vector it is one element, and a scalar is one row.
   *
   * @returns F64 Float64Array · F32 Float32Array · F16, BF16 Uint16Array · I64 BigInt64Array · I32 Int32Array ·
   * U8, BOOL Uint8Array, of count · columns elements
   * @throws PapoError ERR_FILE for an unknown name and a file that became shorter, ERR_RANGE for rows outside the
   * tensor, ERR_DISPOSED after `close`
   */
  readRows(name: string, start: number, count: number): Promise<SafetensorsArray>;
  /**
   * The same into an array of yours.
   *
   * @param into of the dtype's class, at least as long
   * @returns `into`
   * @throws PapoError besides ERR_DTYPE and ERR_SHAPE for an `into` that does not fit
   */
  readRows<A extends ArrayBufferView>(
    name: string,
    start: number,
    count: number,
    into: A,
  ): Promise<A>;
  async readRows(
    name: string,
    start: number,
    count: number,
    into?: ArrayBufferView,
  ): Promise<ArrayBufferView> {
    const { dtype, shape, offsets } = this.info(name);
    const { rows, columns } = rowsAndColumns(shape);
    const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
    if (!isCount(start) || !isCount(count) || start + count > rows) {
      const what = `rows within the ${rows} of tensor ${show(name)}`;
      throw expected("ERR_RANGE", WHERE, what, `${describe(count)} from row ${describe(start)} on`);
    }
    const elements = count * columns;
    const array = into ?? allocateArray(dtype, elements);
    const bytes = bytesOf(name, dtype, array);
    const rowBytes = columns * bytesPerElement(dtype);
    if (bytes.byteLength < count * rowBytes) {
      const what = `room for ${elements} elements of tensor ${show(name)}`;
      throw expected("ERR_SHAPE", WHERE, what, describe(array));
    }
    const position = this.#dataStart + offsets[0] + start * rowBytes;
    const target = bytes.subarray(0, count * rowBytes);
    await readFully(this.path, this.#open(), target, position, `tensor ${show(name)}`);
    return array;
  }

  /** A whole tensor, row by row in order; errors as `readRows`. */
  read(name: string): Promise<SafetensorsArray>;
  read<A extends ArrayBufferView>(name: string, into: A): Promise<A>;
  async read(name: string, into?: ArrayBufferView): Promise<ArrayBufferView> {
    const { rows } = rowsAndColumns(this.info(name).shape);
    return into === undefined ? this.readRows(name, 0, rows) : this.readRows(name, 0, rows, into);
  }

  /** Closes the file; what was read stays. Closing twice is allowed. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #open(): FileHandle {
    if (this.#handle !== undefined) return this.#handle;
    throw new PapoError(
      "ERR_DISPOSED",
      `[${WHERE}] expected ${this.path} to be open, received a closed file`,
    );
  }
}

async function openRegularFile(path: string): Promise<FileHandle> {
  try {
    // Before opening: some devices do something when they are opened.
    if ((await stat(path)).isFile()) {
      const handle = await open(path, READ_ONLY);
      if ((await handle.stat()).isFile()) return handle;
      await handle.close();
    }
  } catch (cause) {
    throw fileError(path, "a file that can be read", (cause as Error).message, cause);
  }
  throw fileError(path, "a regular file", "something else");
}

async function readFully(
  path: string,
  handle: FileHandle,
  target: Uint8Array,
  position: number,
  what: string,
): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(target.byteLength - done, READ_BYTES);
    let bytesRead: number;
    try {
      ({ bytesRead } = await handle.read(target, done, length, position + done));
    } catch (cause) {
      throw fileError(path, `${what} to be readable`, (cause as Error).message, cause);
    }
    if (bytesRead === 0) {
      const received = `${done}: the file became shorter`;
      throw fileError(path, `${target.byteLength} bytes of ${what}`, received);
    }
    done += bytesRead;
  }
}
