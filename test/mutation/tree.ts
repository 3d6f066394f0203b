/** A copy of the repository in which every mutant is built in, behind a switch. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { ROOT } from "../structure/files.js";
import type { Mutant } from "./mutant.js";
import { nativeMutants } from "./native-mutants.js";
import { typescriptMutants } from "./typescript-mutants.js";

export interface Tree {
  readonly folder: string;
  readonly mutants: readonly Mutant[];
  /** The instrumented one; where no native file was asked for, that of the repository. */
  readonly addon: string;
  readonly isNative: boolean;
}

const FOLDER = `${ROOT}build/mutation/`;
/** Copied as they are; the native build of an earlier run stays, so that only what changed is compiled. */
const COPIED = ["lib", "native", "package.json", "tsconfig.json", "CMakeLists.txt"];
const NOT_NEEDED = /\/test\/(native|device|examples|bench|package|docs)$/;

/** Makes the copy with all mutants of `files`, and compiles its addon if some of them are native. */
export function makeTree(files: readonly string[]): Tree {
  mkdirSync(FOLDER, { recursive: true });
  for (const name of [...COPIED, "test", "node_modules"]) {
    rmSync(`${FOLDER}${name}`, { recursive: true, force: true });
  }
  for (const name of COPIED) {
    cpSync(`${ROOT}${name}`, `${FOLDER}${name}`, { recursive: true, preserveTimestamps: true });
  }
  const filter = (path: string) => !NOT_NEEDED.test(path);
  cpSync(`${ROOT}test`, `${FOLDER}test`, { recursive: true, filter });
  linkPackages();

  const mutants: Mutant[] = [];
  for (const file of files) {
    const instrument = file.endsWith(".ts") ? typescriptMutants : nativeMutants;
    const { source, mutants: own } = instrument(
      file,
      readFileSync(`${ROOT}${file}`, "utf8"),
      mutants.length,
    );
    writeFileSync(`${FOLDER}${file}`, source);
    mutants.push(...own);
  }
  const isNative = files.some((file) => file.startsWith("native/"));
  const addon = isNative ? compiled() : `${ROOT}build/Release/papo.node`;
  return { folder: FOLDER.slice(0, -1), mutants, addon, isNative };
}

/** Every package but AVA, which is a file of this folder instead. */
function linkPackages(): void {
  mkdirSync(`${FOLDER}node_modules/ava`, { recursive: true });
  for (const name of readdirSync(`${ROOT}node_modules`)) {
    if (name === "ava" || name.startsWith(".")) continue;
    symlinkSync(`${ROOT}node_modules/${name}`, `${FOLDER}node_modules/${name}`);
  }
  const ava = `${FOLDER}node_modules/ava/`;
  cpSync(`${ROOT}test/mutation/in-process-ava.ts`, `${ava}index.ts`);
  writeFileSync(`${ava}package.json`, '{"name":"ava","type":"module","exports":"./index.ts"}');
}

/** Warnings are not errors here: the switch makes numbers of what were constants. */
function compiled(): string {
  cpSync(`${ROOT}test/mutation/papo_mutant.hpp`, `${FOLDER}native/papo_mutant.hpp`);
  const flags = ["-DCMAKE_BUILD_TYPE=Debug", "-DPAPO_WITH_CUDA=OFF", "-DPAPO_WERROR=OFF"];
  const options = "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -Wno-narrowing -w";
  const run = (...args: string[]) => execFileSync("cmake", args, { stdio: ["ignore", 2, 2] });
  run("-S", FOLDER, "-B", `${FOLDER}addon`, ...flags, options);
  run("--build", `${FOLDER}addon`, "--target", "papo", "--parallel", "2");
  return `${FOLDER}addon/papo.node`;
}
