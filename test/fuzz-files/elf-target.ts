/** Spoiled binaries: an objection or none, and tables that are read or refused; never loaded. */
import { copyFileSync, existsSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { objectionToFile } from "../../lib/addon/binary-file.js";
import { ElfFile } from "../../lib/addon/elf.js";
import { libcOfProcess } from "../../lib/addon/libc.js";
import { addon } from "../../lib/addon/load.js";
import { checkNativeError, checkWords } from "./judge.js";
import { Outcomes } from "./outcomes.js";
import type { Target } from "./targets.js";

const outcomes = new Outcomes();

/** Bytes of the file that are spoiled: where, and with what. */
const patch = fc.record({
  /** The header, the table of segments, what it points to first, or anything. */
  at: fc.oneof(fc.nat(63), fc.nat(700), fc.nat(8192), fc.nat(2 ** 31)),
  isAtTable: fc.boolean(),
  put: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(word),
    fc.integer({ min: 0, max: 2 ** 24 }).map((value) => word(BigInt(value))),
    fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n).map(word),
  ),
});
const cut = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 5 });

function word(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** A binary that is spoiled in its place, and put right again. */
class Patient {
  readonly path: string;
  readonly #file: number;
  readonly #whole: Buffer;
  /** Where its dynamic table lies. */
  readonly table: number;

  constructor(source: string, path: string) {
    copyFileSync(source, path);
    this.path = path;
    this.#file = openSync(path, "r+");
    using elf = new ElfFile(path);
    this.#whole = Buffer.alloc(elf.bytes);
    readSync(this.#file, this.#whole, 0, elf.bytes, 0);
    const segments = Number(this.#whole.readBigUInt64LE(32));
    const starts = Array.from(
      { length: this.#whole.readUInt16LE(56) },
      (_, i) => segments + 56 * i,
    );
    const dynamic = starts.find((at) => this.#whole.readUInt32LE(at) === 2) ?? segments;
    this.table = Number(this.#whole.readBigUInt64LE(dynamic + 8));
  }

  spoil(at: number, bytes: Uint8Array): void {
    writeSync(this.#file, bytes, 0, bytes.length, at % this.#whole.length);
  }

  cut(share: number): void {
    ftruncateSync(this.#file, Math.floor(share * this.#whole.length));
  }

  heal(patches: readonly { at: number; length: number }[]): void {
    const length = this.#whole.length;
    for (const { at, length: bytes } of patches) {
      writeSync(
        this.#file,
        this.#whole,
        at % length,
        Math.min(bytes, length - (at % length)),
        at % length,
      );
    }
    ftruncateSync(this.#file, length);
  }

  /** All of it, after a cut. */
  restore(): void {
    writeSync(this.#file, this.#whole, 0, this.#whole.length, 0);
    ftruncateSync(this.#file, this.#whole.length);
  }
}

function check(path: string): void {
  const objection = objectionToFile(path);
  if (objection) checkWords(objection.reason);
  libcOfProcess(path);
  try {
    using elf = new ElfFile(path);
    elf.interpreter();
    const { needed, versionsNeeded } = elf.links();
    outcomes.add(objection ? "objection, tables" : "tables");
    if (needed.length + versionsNeeded.length > 20_000) throw new RangeError("endless tables");
  } catch (error) {
    checkNativeError(error);
    outcomes.add(objection ? "objection, no tables" : "no tables");
  }
}

let patient: Patient | undefined;

export const elfTarget: Target = {
  name: "elf",
  share: 0.2,
  outcomes,
  property: (folder) => {
    const copy = join(folder, "patient.node");
    if (patient === undefined || !existsSync(copy)) patient = new Patient(addon().path, copy);
    const it = patient;
    return fc.property(fc.array(patch, { minLength: 1, maxLength: 4 }), cut, (list, share) => {
      const done: { at: number; length: number }[] = [];
      try {
        for (const { at, isAtTable, put } of list) {
          const place = isAtTable ? it.table + (at % 1024) : at;
          it.spoil(place, put);
          done.push({ at: place, length: put.length });
        }
        if (share !== null) it.cut(share);
        check(it.path);
      } finally {
        if (share === null) it.heal(done);
        else it.restore();
      }
    });
  },
};
