/** Files that stand where the addon should: copies of it with something wrong, and small libraries made for a test. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compareVersions } from "../../lib/addon/diagnosis.js";
import { ElfFile } from "../../lib/addon/elf.js";
import { addon } from "../../lib/addon/load.js";
import { version as PACKAGE_VERSION } from "../../lib/addon/package-root.js";

/** A copy of the addon with every occurrence of texts replaced by others that are at most as long. */
export function patched(path: string, texts: Readonly<Record<string, string>>): string {
  const bytes = readFileSync(addon().path);
  for (const [from, to] of Object.entries(texts)) {
    let count = 0;
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1), ++count) {
      bytes.write(to.padEnd(from.length, "\0"), at, "latin1");
    }
    if (count === 0 || to.length > from.length) throw new Error(`no ${from} to make ${to} of`);
  }
  return write(path, bytes);
}

/** A copy of the addon with bytes of its header changed. */
export function withHeader(path: string, at: number, bytes: readonly number[]): string {
  const copy = readFileSync(addon().path);
  copy.set(bytes, at);
  return write(path, copy);
}

/** The addon without its table of sections, which is not needed to load it, and without half of what is. */
export function cutWithoutSections(path: string): string {
  const bytes = Buffer.from(readFileSync(addon().path));
  bytes.fill(0, 40, 48);
  bytes.fill(0, 60, 62);
  // Symbols and debug information, which may be most of the file, are behind what is loaded.
  using elf = new ElfFile(write(path, bytes));
  return write(path, bytes.subarray(0, elf.expectedBytes / 2));
}

/** The first bytes of a binary for arm64 of a system that is not this one: Linux on macOS, macOS elsewhere. */
export function foreignHeader(platform: string): Uint8Array {
  const bytes = Buffer.alloc(4096);
  if (platform === "darwin") {
    bytes.writeUInt32BE(0x7f454c46);
    bytes.writeUInt16LE(183, 18);
  } else {
    bytes.writeUInt32LE(0xfeedfacf);
    bytes.writeUInt32LE(0x0100000c, 4);
  }
  return bytes;
}

export function sizeOfAddon(): number {
  return statSync(addon().path).size;
}

/** The versions of a family that the addon needs, newest first: `GLIBC_2.34`, … of `GLIBC`; each ends with a NUL. */
export function needsOf(family: string): [string, string] {
  using elf = new ElfFile(addon().path);
  const numbers = elf
    .links()
    .versionsNeeded.flatMap(({ versions }) => versions)
    .filter((name) => name.startsWith(`${family}_`))
    .map((name) => name.slice(family.length + 1))
    .sort((a, b) => compareVersions(b, a));
  // Long enough for what is written in their place.
  const names = numbers.filter((name) => name.length >= 4).map((name) => `${family}_${name}\0`);
  return names as [string, string];
}

/** As the runtime's own report has it. */
export function glibcVersion(): string | undefined {
  const report = process.report?.getReport() as unknown as {
    header: { glibcVersionRuntime?: string };
  };
  return report.header.glibcVersionRuntime;
}

/** The first bytes of the addon. */
export function cut(path: string, bytes: number): string {
  return write(path, readFileSync(addon().path).subarray(0, bytes));
}

export function copied(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(addon().path, path);
  return path;
}

export function write(path: string, content: Uint8Array | string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export const HAS_COMPILER: boolean = runs("cc");

/** A library of one C file. */
export function compiled(path: string, source: string, ...flags: readonly string[]): string {
  const file = write(`${path}.c`, source);
  execFileSync("cc", ["-shared", "-fPIC", ...flags, "-o", path, file]);
  return path;
}

/** An addon that loads and exports nothing. */
export const STRANGER: string = `
void *napi_register_module_v1(void *env, void *exports) { return exports; }
`;
/** An addon with a function that Node-API does not have; linked with \`-z now\`, it fails when it is loaded. */
export const WITH_NEW_FUNCTION: string = `
int napi_look_into_the_future(void *env);
void *napi_register_module_v1(void *env, void *exports) {
  napi_look_into_the_future(env);
  return exports;
}
`;
/** A library that is no addon. */
export const PLAIN_LIBRARY = "int seven(void) { return 7; }";

/** A package root with a manifest of its own; null: without one. */
export function rootOf(
  folder: string,
  name: string,
  version: string | null | undefined = PACKAGE_VERSION,
): string {
  const root = join(folder, name);
  mkdirSync(root, { recursive: true });
  if (version) writeFileSync(join(root, "package.json"), JSON.stringify({ name: "papo", version }));
  return root;
}

function runs(command: string): boolean {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
