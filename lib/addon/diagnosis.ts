/** Why the system did not load a file, in plain words: its message, and what the file says of itself. */
import { dirname, join } from "node:path";
import type { Objection } from "./attempt.js";
import { ElfFile, type ElfLinks } from "./elf.js";
import { libcOfNeeds, libcOfProcess } from "./libc.js";

/**
 * What the error of loading the file at `path` means. The messages are those of glibc, musl, macOS and Windows, as
 * every runtime hands them through; one that is not known here is given in its own words.
 */
export function diagnose(path: string, error: unknown): Objection {
  const { code, message = String(error) } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  // Node's and Deno's.
  if (code === "ERR_DLOPEN_DISABLED" || /^Requires ffi access\b/.test(message)) {
    return { problem: "forbidden", reason: "this process may not load addons" };
  }
  const links = linksOf(path);
  return (
    otherLibc(links) ??
    newerSystem(message, links) ??
    missingLibrary(message, path) ??
    newerRuntime(message) ??
    stranger(message) ??
    refusedMapping(message) ?? { problem: "other", reason: message.split("\n", 1)[0] as string }
  );
}

function linksOf(path: string): ElfLinks | undefined {
  try {
    using elf = new ElfFile(path);
    return elf.links();
  } catch {
    return undefined;
  }
}

function otherLibc(links: ElfLinks | undefined): Objection | undefined {
  const [needs, has] = [libcOfNeeds(links?.needed ?? []), libcOfProcess()];
  if (needs === undefined || has === undefined || needs === has) return undefined;
  return { problem: "libc", reason: `built for ${needs}, this process runs on ${has}` };
}

/** glibc: `/lib/libc.so.6: version `GLIBC_2.38' not found (required by …)`; it stops at the first, we name the newest. */
function newerSystem(message: string, links: ElfLinks | undefined): Objection | undefined {
  const found = /([^\s:]+): version [`']([^']+)' not found/.exec(message);
  if (!found) return undefined;
  const [, library, first] = found as unknown as [string, string, string];
  const family = familyOf(first);
  const name = library.split("/").at(-1) as string;
  const glibc = family === "GLIBC";
  // glibc is several libraries of one version, and libc itself has all versions.
  const asking = links?.versionsNeeded.filter((needs) => glibc || needs.library === name) ?? [];
  const needs = newest([first, ...asking.flatMap(({ versions }) => versions)], family);
  const owner = glibc ? join(dirname(library), "libc.so.6") : library;
  const has = newest(linksOf(owner)?.versionsDefined ?? [], family);
  const reason = glibc
    ? `needs glibc ${numbersOf(needs ?? first)}, this system has ${has ? numbersOf(has) : "an older one"}`
    : `needs ${needs ?? first} of ${name}, ${library} has ${has ? `${has} at most` : "an older one"}`;
  return { problem: "system", reason };
}

/** `GLIBC` of `GLIBC_2.34`. */
function familyOf(version: string): string {
  return version.replace(/_[\d.]+$/, "");
}

function numbersOf(version: string): string {
  return version.slice(familyOf(version).length + 1);
}

function newest(versions: readonly string[], family: string): string | undefined {
  return versions
    .filter((version) => familyOf(version) === family && numbersOf(version) !== "")
    .sort((a, b) => compareVersions(numbersOf(a), numbersOf(b)))
    .at(-1);
}

/** Below, at or above 0, as `a` is older than, as new as, or newer than `b`: numbers between dots. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number)) as [
    number[],
    number[],
  ];
  for (let i = 0; i < Math.max(left.length, right.length); ++i) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function missingLibrary(message: string, path: string): Objection | undefined {
  const forms = [
    /(?:^|\s)(\S+): cannot open shared object file: No such file/, // glibc
    /Error loading shared library (\S+): No such file/, // musl
    /Library not loaded: (\S+)/, // macOS
  ];
  const library = forms.map((form) => form.exec(message)?.[1]).find((name) => name !== undefined);
  if (library !== undefined && library !== path) {
    return { problem: "library", reason: `needs ${library}, which is not on this system` };
  }
  // Windows does not say which one.
  if (!/The specified module could not be found/.test(message)) return undefined;
  return { problem: "library", reason: "needs a DLL that is not on this system" };
}

function newerRuntime(message: string): Objection | undefined {
  const forms = [
    /undefined symbol: ((?:napi|node_api)_\w+)/, // glibc
    /relocating .*?: ((?:napi|node_api)_\w+): symbol not found/, // musl
    /[Ss]ymbol not found[^']*'_?((?:napi|node_api)_\w+)'/, // macOS
  ];
  const name = forms.map((form) => form.exec(message)?.[1]).find((symbol) => symbol !== undefined);
  if (name === undefined) return undefined;
  const runtime = `this runtime (Node ${process.versions.node})`;
  return { problem: "runtime", reason: `needs ${name}, which ${runtime} does not have` };
}

function stranger(message: string): Objection | undefined {
  if (/NODE_MODULE_VERSION/.test(message)) {
    return { problem: "stranger", reason: "not papo's addon: built for one release of Node alone" };
  }
  if (!/did not self-register|no such export|napi_register_module/i.test(message)) return undefined;
  return { problem: "stranger", reason: "not papo's addon: a library that is no addon at all" };
}

function refusedMapping(message: string): Objection | undefined {
  if (!/failed to map segment|Operation not permitted|code signature/.test(message))
    return undefined;
  const reason = `the system refuses to run code from it (a noexec mount, a security policy): ${message.split("\n", 1)[0]}`;
  return { problem: "unreadable", reason };
}
