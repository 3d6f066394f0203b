/** The systems that prebuilt addons are for, what each is compiled with, and where its addon lies. */
import { spawnSync } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { libcOfProcess } from "../lib/addon/libc.js";

export interface Target {
  readonly platform: "linux" | "darwin" | "win32";
  readonly arch: "x64" | "arm64";
  /** On Linux alone. */
  readonly libc: "glibc" | "musl" | undefined;
  /** How it is compiled elsewhere; without, only on such a system. */
  readonly cross: Cross | undefined;
}

/** A build on Debian for another system, by the preset of CMakePresets.json that is named like the target. */
interface Cross {
  readonly strip: string;
  readonly tools: readonly Tool[];
  /** What makes the rest of the tools, once. */
  readonly prepare?: string;
}

/** Something that must be on PATH, or a file that must be there, and Debian's package of it. */
export interface Tool {
  readonly needs: string;
  readonly package: string;
}

export const CMAKE: Tool = { needs: "cmake", package: "cmake" };

const ARM64: Cross = {
  strip: "aarch64-linux-gnu-strip",
  tools: [CMAKE, { needs: "aarch64-linux-gnu-g++", package: "g++-aarch64-linux-gnu" }],
};

const MUSL: Cross = {
  strip: "strip",
  prepare: "packaging/musl/toolchain.sh",
  tools: [
    CMAKE,
    { needs: "g++-12", package: "g++-12" },
    { needs: "make", package: "make" },
    { needs: "xz", package: "xz-utils" },
    { needs: "/usr/lib/x86_64-linux-musl/musl-gcc.specs", package: "musl-tools" },
    { needs: "/usr/src/gcc-12", package: "gcc-12-source" },
  ],
};

export const TARGETS: Readonly<Record<string, Target>> = {
  "linux-x64": { platform: "linux", arch: "x64", libc: "glibc", cross: undefined },
  "linux-x64-musl": { platform: "linux", arch: "x64", libc: "musl", cross: MUSL },
  "linux-arm64": { platform: "linux", arch: "arm64", libc: "glibc", cross: ARM64 },
  "linux-arm64-musl": { platform: "linux", arch: "arm64", libc: "musl", cross: undefined },
  "darwin-arm64": { platform: "darwin", arch: "arm64", libc: undefined, cross: undefined },
  "darwin-x64": { platform: "darwin", arch: "x64", libc: undefined, cross: undefined },
  "win32-x64": { platform: "win32", arch: "x64", libc: undefined, cross: undefined },
};

/** The target that this process runs on: `linux-x64-musl`. */
export function hostTarget(): string {
  const name = `${process.platform}-${process.arch}`;
  return libcOfProcess() === "musl" ? `${name}-musl` : name;
}

/** Where a target's addon lies in the package: `prebuilds/linux-x64/papo.glibc.node`. */
export function addonOf({ platform, arch, libc }: Target): string {
  return `prebuilds/${platform}-${arch}/papo${libc === undefined ? "" : `.${libc}`}.node`;
}

/** A sentence for every tool that is missing. */
export function missingOf(tools: readonly Tool[]): string[] {
  return tools
    .filter(({ needs }) => !isThere(needs))
    .map((tool) => `no ${tool.needs} was found: apt-get install ${tool.package}`);
}

function isThere(needs: string): boolean {
  if (needs.startsWith("/")) return existsSync(needs);
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, needs)));
}

/** Whether a binary holds CUDA kernels: the linker keeps them in a section of that name, which stripping leaves. */
export function holdsKernels(path: string): boolean {
  return readFileSync(path).includes(".nv_fatbin\0");
}

/** Runs a program to its end, its output being ours or a file; where it fails, this process ends with a sentence. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): void {
  const { env = {}, cwd, output } = options;
  const { status, error, signal } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["inherit", output === undefined ? "inherit" : openSync(output, "w"), "inherit"],
  });
  if (status === 0) return;
  const how = error?.message ?? signal ?? `status ${status}`;
  console.error(`${program} ${args.join(" ")}: ${how}`);
  process.exit(status || 1);
}

interface RunOptions {
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly output?: string;
}
