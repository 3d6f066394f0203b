/** Tools that a build asks for, as scripts in a folder: they print versions, remember how they were called, and "build" a copy. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addon } from "../../lib/addon/load.js";
import { write } from "../addon/broken-addons.js";

/** What the tools print as their version; undefined where they are not there. */
export interface Versions {
  readonly cmake?: string | undefined;
  readonly "c++"?: string | undefined;
  readonly "g++"?: string | undefined;
  readonly "clang++"?: string | undefined;
  readonly make?: string | undefined;
  readonly ninja?: string | undefined;
  readonly nvcc?: string | undefined;
}

export const GOOD: Versions = {
  cmake: "cmake version 3.25.1",
  "c++": "c++ (Debian 12.2.0-14) 12.2.0",
  ninja: "1.11.1",
};

/** A package root whose sources are empty files. */
export function sources(root: string, version = "0.0.0"): string {
  write(join(root, "package.json"), JSON.stringify({ name: "papo", version }));
  for (const file of ["CMakeLists.txt", "native/addon/addon.cpp", "third-party/node-api/napi.h"]) {
    write(join(root, file), "");
  }
  return root;
}

export interface Fakes {
  /** Finds these tools and nothing else. */
  readonly env: Record<string, string>;
  /** The file of the calls. */
  readonly log: string;
  /** Lines of what CMake was called with, each after `CUDACXX=…`. */
  calls(): string[];
}

/**
 * @param build  shell commands in the place of a build; `$out` is where the addon is expected
 */
export function fakeTools(
  folder: string,
  versions: Versions,
  build = `/bin/cp "$ADDON" "$out"`,
): Fakes {
  const bin = join(folder, "bin");
  const log = join(folder, "calls");
  mkdirSync(bin, { recursive: true });
  for (const [name, text] of Object.entries(versions)) {
    if (text === undefined) continue;
    const path = join(bin, name);
    writeFileSync(
      path,
      `#!/bin/sh\n${name === "cmake" ? cmake(text, log, build) : `echo '${text}'`}\n`,
    );
    chmodSync(path, 0o755);
  }
  return {
    env: { PATH: bin, ADDON: addon().path, HOME: folder },
    log,
    calls: () => readFileSync(log, "utf8").trimEnd().split("\n"),
  };
}

function cmake(version: string, log: string, build: string): string {
  return `
case "$1" in
  --version) echo '${version}' ;;
  --build)
    echo "CUDACXX=$CUDACXX $*" >> '${log}'
    /bin/mkdir -p "$2/out"
    out="$2/out/papo.node"
    ${build}
    ;;
  *) echo "CUDACXX=$CUDACXX $*" >> '${log}'; echo "-- configuring" ;;
esac`;
}
