/** What an ELF file (a binary of Linux) says of itself, read from its tables: a few kilobytes of it. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { READ_ONLY } from "../core/read-only.js";

/** A library, and the versions of its symbols that are asked of it: `GLIBC_2.34`. */
export interface VersionNeeds {
  readonly library: string;
  readonly versions: readonly string[];
}

export interface ElfLinks {
  /** Names of the libraries that must be there: `libm.so.6`. */
  readonly needed: readonly string[];
  readonly versionsNeeded: readonly VersionNeeds[];
  /** Versions of its own symbols, where it is such a library. */
  readonly versionsDefined: readonly string[];
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

const HEADER_BYTES = 64;
const SEGMENT_BYTES = 56;
const MAX_SEGMENTS = 512;
const LOAD = 1;
const DYNAMIC = 2;
const INTERPRETER = 3;
// Tags of the dynamic table.
const NEEDED = 1;
const STRINGS = 5;
const STRINGS_BYTES = 10;
const DEFINED = 0x6ffffffc;
const DEFINED_COUNT = 0x6ffffffd;
const NEEDS = 0x6ffffffe;
const NEEDS_COUNT = 0x6fffffff;
/** More than any honest table has: entries, bytes that are read for it, and bytes of a name. */
const MAX_ENTRIES = 4096;
const MAX_BYTES = 2 ** 24;
const MAX_NAME_BYTES = 4096;

/** A 64-bit little-endian ELF file; open until `close`. Whatever is asked of a broken one is an Error. */
export class ElfFile implements Disposable {
  /** The number of the processor it was built for. */
  readonly machine: number;
  readonly isShared: boolean;
  readonly bytes: number;
  /** What the tables ask for; fewer bytes are a file that was cut. */
  readonly expectedBytes: number;
  readonly #file: number;
  readonly #segments: readonly Segment[];

  constructor(path: string) {
    this.#file = openSync(path, READ_ONLY);
    try {
      this.bytes = fstatSync(this.#file).size;
      const header = this.#read(0, HEADER_BYTES);
      if (header.readUInt32BE(0) !== 0x7f454c46) throw new Error("not an ELF file");
      if (header[4] !== 2 || header[5] !== 1) throw new Error("not a 64-bit little-endian file");
      this.isShared = header.readUInt16LE(16) === 3;
      this.machine = header.readUInt16LE(18);
      const table = number64(header, 32);
      const count = header.readUInt16LE(56);
      if (header.readUInt16LE(54) !== SEGMENT_BYTES || count > MAX_SEGMENTS) {
        throw new Error("a damaged header");
      }
      const tableEnd = table + count * SEGMENT_BYTES;
      const sections = header.readUInt16LE(60) * header.readUInt16LE(58);
      const sectionsEnd = sections === 0 ? 0 : number64(header, 40) + sections;
      // A cut file may end before its table; then that is what is missing.
      this.#segments = tableEnd > this.bytes ? [] : segmentsOf(this.#read(table, tableEnd - table));
      this.expectedBytes = Math.max(
        tableEnd,
        sectionsEnd,
        ...this.#segments.map(({ offset, bytes }) => offset + bytes),
      );
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#file);
  }
  [Symbol.dispose](): void {
    this.close();
  }

  /** The program that loads this one: `/lib64/ld-linux-x86-64.so.2`; undefined for libraries and static programs. */
  interpreter(): string | undefined {
    const segment = this.#segments.find(({ type }) => type === INTERPRETER);
    return segment && text(this.#read(segment.offset, Math.min(segment.bytes, MAX_NAME_BYTES)), 0);
  }

  links(): ElfLinks {
    const dynamic = this.#segments.find(({ type }) => type === DYNAMIC);
    if (!dynamic) return { needed: [], versionsNeeded: [], versionsDefined: [] };
    const table = this.#read(dynamic.offset, Math.min(dynamic.bytes, 16 * MAX_ENTRIES));
    const entries: [tag: number, value: number][] = [];
    for (let at = 0; at + 16 <= table.length; at += 16) {
      entries.push([number64(table, at), number64(table, at + 8)]);
    }
    const value = (tag: number) => entries.find(([candidate]) => candidate === tag)?.[1] ?? 0;
    const strings = this.#at(value(STRINGS), value(STRINGS_BYTES));
    return {
      needed: entries.filter(([tag]) => tag === NEEDED).map(([, at]) => text(strings, at)),
      versionsNeeded: versionsNeeded(this.#at(value(NEEDS)), value(NEEDS_COUNT), strings),
      versionsDefined: versionsDefined(this.#at(value(DEFINED)), value(DEFINED_COUNT), strings),
    };
  }

  /** What is loaded to an address, to the end of its segment, as far as a table may go; nothing at address 0. */
  #at(address: number, bytes?: number): Buffer {
    if (address === 0) return Buffer.alloc(0);
    const segment = this.#segments.find(
      ({ type, address: from, bytes: size }) =>
        type === LOAD && address >= from && address < from + size,
    );
    if (!segment) throw new Error("an address outside the file");
    const inside = address - segment.address;
    const rest = Math.min(bytes ?? segment.bytes, segment.bytes - inside, MAX_BYTES);
    return this.#read(segment.offset + inside, rest);
  }

  #read(offset: number, bytes: number): Buffer {
    if (!(offset >= 0 && offset + bytes <= this.bytes)) throw new Error("a file that was cut");
    const buffer = Buffer.alloc(bytes);
    if (readSync(this.#file, buffer, 0, bytes, offset) !== bytes) throw new Error("cut while read");
    return buffer;
  }
}

function segmentsOf(table: Buffer): Segment[] {
  return Array.from({ length: table.length / SEGMENT_BYTES }, (_, i) => {
    const at = i * SEGMENT_BYTES;
    return {
      type: table.readUInt32LE(at),
      offset: number64(table, at + 8),
      address: number64(table, at + 16),
      bytes: number64(table, at + 32),
    };
  });
}

function versionsNeeded(table: Buffer, count: number, strings: Buffer): VersionNeeds[] {
  let left = MAX_ENTRIES;
  return walk(table, 0, count, 12).map((at) => {
    const first = at + table.readUInt32LE(at + 8);
    const versions = walk(table, first, Math.min(table.readUInt16LE(at + 2), left), 12);
    left -= versions.length;
    return {
      library: text(strings, table.readUInt32LE(at + 4)),
      versions: versions.map((entry) => text(strings, table.readUInt32LE(entry + 8))),
    };
  });
}

function versionsDefined(table: Buffer, count: number, strings: Buffer): string[] {
  return walk(table, 0, count, 16).map((at) => {
    const name = at + table.readUInt32LE(at + 12);
    return text(strings, table.readUInt32LE(name));
  });
}

/** Where the entries of a linked list begin; each says at `link` how far on the next one is. */
function walk(table: Buffer, first: number, count: number, link: number): number[] {
  const places: number[] = [];
  let at = first;
  for (let i = 0; i < Math.min(count, MAX_ENTRIES); ++i) {
    places.push(at);
    at += table.readUInt32LE(at + link);
  }
  return places;
}

function text(strings: Buffer, from: number): string {
  const name = strings.subarray(from, from + MAX_NAME_BYTES);
  const end = name.indexOf(0);
  if (end < 0) throw new Error("a name without an end");
  return name.toString("utf8", 0, end);
}

/** Offsets and addresses of real files are far below 2^53; larger ones lie outside of any file. */
function number64(buffer: Buffer, at: number): number {
  return Number(buffer.readBigUInt64LE(at));
}
