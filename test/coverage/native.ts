/** The engine and the addon, compiled with gcov's counters, and what came of them. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { filesBelow, ROOT } from "../structure/files.js";
import type { Counts } from "./uncovered.js";

export const FOLDER: string = `${ROOT}build/coverage`;
/** The same with simulated GPUs. */
export const SHIM: string = `${FOLDER}/shim`;

/** Counters are atomic: kernels run on several threads. */
const FLAGS: readonly string[] = [
  "-DCMAKE_BUILD_TYPE=Debug",
  "-DCMAKE_CXX_FLAGS_DEBUG=-O1 --coverage -fprofile-update=atomic -w",
  "-DPAPO_WERROR=OFF",
];

/** Arguments of cmake, of one run after the other. */
export const BUILD: readonly (readonly string[])[] = [
  ["-S", ROOT, "-B", FOLDER, ...FLAGS, "-DPAPO_WITH_CUDA=OFF", "-DPAPO_BUILD_TESTS=ON"],
  ["--build", FOLDER, "--target", "papo", "papo_tests", "--parallel", "4"],
  ["-S", ROOT, "-B", SHIM, ...FLAGS, "-DPAPO_WITH_CUDA=SHIM"],
  ["--build", SHIM, "--target", "papo", "--parallel", "4"],
];

/** Processes add to these files where they end. */
export function forgetCounts(): void {
  for (const file of filesBelow("build/coverage").filter((path) => path.endsWith(".gcda"))) {
    rmSync(`${ROOT}${file}`);
  }
}

interface Line {
  readonly line_number: number;
  readonly count: number;
  readonly "gcovr/noncode": boolean;
}

export function nativeCounts(): Counts[] {
  const args = ["--root", ROOT, "--filter", `${ROOT}native/`, "--json", "-", FOLDER];
  const out = execFileSync("gcovr", args, {
    cwd: ROOT,
    maxBuffer: 2 ** 28,
    encoding: "utf8",
  });
  const { files } = JSON.parse(out) as {
    readonly files: readonly { readonly file: string; readonly lines: readonly Line[] }[];
  };
  return files.map(({ file, lines }) => {
    const ran = new Map<number, boolean>();
    for (const line of lines.filter((line) => !line["gcovr/noncode"])) {
      ran.set(line.line_number, (ran.get(line.line_number) ?? false) || line.count > 0);
    }
    const uncovered = [...ran].filter(([, is]) => !is).map(([line]) => line);
    return { file, total: ran.size, uncovered };
  });
}
