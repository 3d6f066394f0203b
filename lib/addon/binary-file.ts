/** Looks at a file before it is loaded: whether it is there, whole, and built for this platform. */
import { closeSync, lstatSync, openSync, readlinkSync, readSync, statSync } from "node:fs";
import { READ_ONLY } from "../core/read-only.js";
import type { Objection } from "./attempt.js";
import { ElfFile } from "./elf.js";

/** What a file is built for, in Node's words; several processors in a universal binary of macOS. */
interface Target {
  readonly platform: "linux" | "darwin" | "win32";
  readonly processors: readonly string[];
}

const ELF_PROCESSORS: Readonly<Record<number, string>> = {
  3: "ia32",
  21: "ppc64",
  22: "s390x",
  40: "arm",
  62: "x64",
  183: "arm64",
  243: "riscv64",
  258: "loong64",
};
const MACH_PROCESSORS: Readonly<Record<number, string>> = {
  16777223: "x64",
  16777228: "arm64",
};
const PE_PROCESSORS: Readonly<Record<number, string>> = {
  332: "ia32",
  34404: "x64",
  43620: "arm64",
};
const SYSTEMS = { linux: "Linux", darwin: "macOS", win32: "Windows" } as const;
const BEGINNING_BYTES = 4096;

/**
 * Why the file at `path` cannot be an addon of this platform, or undefined where nothing speaks against trying.
 * What is cut is found here: a system that maps a file beyond its end kills the process.
 */
export function objectionToFile(
  path: string,
  platform: string = process.platform,
  processor: string = process.arch,
): Objection | undefined {
  let beginning: Buffer;
  try {
    const stat = statSync(path);
    // Opening a pipe would wait for its writer.
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? "a folder, not a file" : "not a plain file";
      return { problem: "unreadable", reason: what };
    }
    beginning = beginningOf(path);
  } catch (error) {
    return unreadable(path, error as NodeJS.ErrnoException);
  }
  if (beginning.length === 0) return { problem: "damaged", reason: "damaged file: it is empty" };
  const target = targetOf(beginning);
  if (!target) {
    const reason = `damaged file: not a native library, it begins with ${quoted(beginning)}`;
    return { problem: "damaged", reason };
  }
  const family = platform === "android" || platform === "freebsd" ? "linux" : platform;
  if (target.platform !== family || !target.processors.includes(processor)) {
    const builtFor = `${SYSTEMS[target.platform]} on ${target.processors.join(" and ")}`;
    const reason = `built for ${builtFor}, this is ${platform} on ${processor}`;
    return { problem: "platform", reason };
  }
  const objection = target.platform === "linux" ? objectionToElf(path) : undefined;
  if (objection || path.endsWith(".node")) return objection;
  return { problem: "stranger", reason: "not an addon: its name does not end in .node" };
}

function objectionToElf(path: string): Objection | undefined {
  try {
    using elf = new ElfFile(path);
    if (elf.bytes < elf.expectedBytes) {
      const reason = `damaged file: cut to ${elf.bytes} of ${elf.expectedBytes} bytes`;
      return { problem: "damaged", reason };
    }
    if (!elf.isShared) return { problem: "stranger", reason: "not a shared library" };
    return undefined;
  } catch (error) {
    return { problem: "damaged", reason: `damaged file: ${(error as Error).message}` };
  }
}

function unreadable(path: string, { code, message }: NodeJS.ErrnoException): Objection {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR": {
      const to = linkTarget(path);
      const reason = to === undefined ? "no such file" : `a link to ${to}, which is not there`;
      return { problem: "missing", reason };
    }
    case "EACCES":
    case "EPERM":
      return { problem: "unreadable", reason: "no permission to read it" };
    case "ERR_ACCESS_DENIED":
      return { problem: "forbidden", reason: "this process may not read it" };
    default:
      return { problem: "unreadable", reason: message };
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function beginningOf(path: string): Buffer {
  const file = openSync(path, READ_ONLY);
  try {
    const buffer = Buffer.alloc(BEGINNING_BYTES);
    return buffer.subarray(0, readSync(file, buffer, 0, BEGINNING_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

function targetOf(beginning: Buffer): Target | undefined {
  // Room for the fields read below, however short the file.
  const bytes = Buffer.concat([beginning, Buffer.alloc(64)]);
  const named = (names: Readonly<Record<number, string>>, machine: number) =>
    names[machine] ?? `processor ${machine}`;
  switch (bytes.readUInt32BE(0)) {
    case 0x7f454c46: {
      const machine = bytes[5] === 2 ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18);
      return { platform: "linux", processors: [named(ELF_PROCESSORS, machine)] };
    }
    case 0xcffaedfe:
      return { platform: "darwin", processors: [named(MACH_PROCESSORS, bytes.readUInt32LE(4))] };
    case 0xcafebabe: {
      const count = Math.min(bytes.readUInt32BE(4), 16);
      const at = (i: number) => Math.min(8 + 20 * i, bytes.length - 4);
      const machines = Array.from({ length: count }, (_, i) => bytes.readUInt32BE(at(i)));
      return { platform: "darwin", processors: machines.map((it) => named(MACH_PROCESSORS, it)) };
    }
    default: {
      const header = bytes.toString("latin1", 0, 2) === "MZ" ? bytes.readUInt32LE(0x3c) : 0;
      if (header === 0 || header + 6 > bytes.length) return undefined;
      if (bytes.toString("latin1", header, header + 4) !== "PE\0\0") return undefined;
      return {
        platform: "win32",
        processors: [named(PE_PROCESSORS, bytes.readUInt16LE(header + 4))],
      };
    }
  }
}

/** The first characters of a file that is something else, such as a page that says why it was not downloaded. */
function quoted(beginning: Buffer): string {
  const shown = beginning.toString("latin1", 0, 24).replaceAll(/[^ -~]/g, "?");
  return `"${shown}"`;
}
