/** Which C library a process of Linux, or a binary, belongs to. */
import { ElfFile } from "./elf.js";

export type Libc = "glibc" | "musl";

/** That of this process, by the loader that its executable names; undefined elsewhere than on Linux, or where it says nothing. */
export function libcOfProcess(executable: string = process.execPath): Libc | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    using elf = new ElfFile(executable);
    const interpreter = elf.interpreter() ?? "";
    if (/\bld-musl-/.test(interpreter)) return "musl";
    return /\bld(-linux|64\.so|\.so)/.test(interpreter) ? "glibc" : undefined;
  } catch {
    return undefined;
  }
}

/** That of a binary, by the libraries it needs. */
export function libcOfNeeds(needed: readonly string[]): Libc | undefined {
  if (needed.includes("libc.so.6")) return "glibc";
  // Alpine's compilers name the first, Debian's musl-gcc the second.
  return needed.some((name) => /^libc\.(musl-.*|so)$/.test(name)) ? "musl" : undefined;
}
