/** Which files may be the addon, in the order in which they are tried. */
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { LoadAttempt } from "./attempt.js";
import { type Libc, libcOfProcess } from "./libc.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Candidates {
  /** Whether PAPO_ADDON_PATH names the file; then there is no other. */
  readonly explicit: boolean;
  readonly paths: readonly string[];
  /** Why none of them is a prebuilt one, where none is. */
  readonly absent: LoadAttempt | undefined;
}

/** `linux-x64`: what a folder of prebuilt addons is for. */
export const PLATFORM: string = `${process.platform}-${process.arch}`;

/** Where `papo build` and a checkout's own build put the addon. */
export function localBuild(root: string): string {
  return join(root, "build", "Release", "papo.node");
}

/**
 * The file that PAPO_ADDON_PATH names; else the local build and what is prebuilt for `platform`, this one.
 * Where the C library is not known, null, addons for either are candidates.
 */
export function candidatesFor(
  environment: Environment,
  root: string,
  libc: Libc | null = libcOfProcess() ?? null,
  platform: string = PLATFORM,
): Candidates {
  const explicit = environment.PAPO_ADDON_PATH;
  if (explicit) return { explicit: true, paths: [resolve(explicit)], absent: undefined };
  const folder = join(root, "prebuilds", platform);
  const there = namesIn(folder);
  const prebuilt = prebuiltNames(libc).filter((name) => there.includes(name));
  return {
    explicit: false,
    paths: [localBuild(root), ...prebuilt.map((name) => join(folder, name))],
    absent: prebuilt.length > 0 ? undefined : absence(root, platform, there, libc),
  };
}

/** Platforms with a folder of prebuilt addons. */
export function prebuiltPlatforms(root: string): string[] {
  return namesIn(join(root, "prebuilds")).filter((name) => /^\w+-\w+$/.test(name));
}

/** As prebuildify names them: with the C library on Linux, which it also writes elsewhere, where it means nothing. */
function prebuiltNames(libc: Libc | null): string[] {
  const tagged = libc === null ? ["glibc", "musl"] : [libc];
  return [...tagged.map((tag) => `papo.${tag}.node`), "papo.node"];
}

function absence(
  root: string,
  platform: string,
  there: readonly string[],
  libc: Libc | null,
): LoadAttempt {
  const addons = there.filter((name) => name.endsWith(".node"));
  const platforms = prebuiltPlatforms(root);
  const on = libc === null ? platform : `${platform} with ${libc}`;
  const others = addons.length > 0 ? addons : platforms;
  const rest = others.length > 0 ? `only ${others.join(", ")}` : "nor for any other platform";
  const path = join(root, "prebuilds", platform);
  return { path, problem: "missing", reason: `no prebuilt addon for ${on}, ${rest}` };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
