/** A copy of the repository in which every mutant is built in, behind a switch. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { filesBelow, ROOT } from "../structure/files.js";
import { digest } from "./learned.js";
import type { Mutant } from "./mutant.js";
import { nativeMutants } from "./native-mutants.js";
import { typescriptMutants } from "./typescript-mutants.js";

export interface Tree {
  readonly folder: string;
  readonly mutants: readonly Mutant[];
  /** The instrumented one; where no native file was asked for, that of the repository. */
  readonly addon: string;
  readonly isNative: boolean;
  /** Stands for everything that the tests run on: another one, and what was learned no longer holds. */
  readonly key: string;
}

const FOLDER = `${ROOT}build/mutation/`;
const SINGLE = ["package.json", "tsconfig.json", "CMakeLists.txt"];
const COPIED = /^(lib|native)\/|^test\/(?!(native|device|examples|bench|package|docs|mutation)\/)/;

/** Makes the copy with all mutants of `files`, and compiles its addon if some of them are native. */
export function makeTree(files: readonly string[]): Tree {
  const mutants: Mutant[] = [];
  const changed = new Map<string, string>();
  for (const file of files) {
    const instrument = file.endsWith(".ts") ? typescriptMutants : nativeMutants;
    const { source, mutants: own } = instrument(file, text(`${ROOT}${file}`), mutants.length);
    changed.set(file, source);
    mutants.push(...own);
  }
  changed.set("native/papo_mutant.hpp", text(`${ROOT}test/mutation/papo_mutant.hpp`));

  const wanted = ["lib/", "native/", "test/"]
    .flatMap(filesBelow)
    .filter((file) => COPIED.test(file));
  const copy = new Set([...wanted, ...changed.keys()]);
  for (const old of filesBelow("build/mutation/")) {
    const file = old.slice("build/mutation/".length);
    if (COPIED.test(file) && !copy.has(file)) rmSync(`${FOLDER}${file}`);
  }
  const sources: string[] = [];
  for (const file of [...copy].sort()) {
    const source = changed.get(file) ?? text(`${ROOT}${file}`);
    renew(`${FOLDER}${file}`, source);
    if (!file.startsWith("test/")) sources.push(file, source);
  }
  for (const name of SINGLE) renew(`${FOLDER}${name}`, text(`${ROOT}${name}`));
  linkPackages();
  const isNative = files.some((file) => file.startsWith("native/"));
  const addon = isNative ? compiled() : `${ROOT}build/Release/papo.node`;
  return { folder: FOLDER.slice(0, -1), mutants, addon, isNative, key: digest(sources) };
}

/** Byte by byte, whatever the file holds. */
function text(path: string): string {
  return readFileSync(path, path.endsWith(".safetensors") ? "latin1" : "utf8");
}

/** What is as it was keeps its time, so that nothing is compiled that need not be. */
function renew(path: string, source: string): void {
  if (existsSync(path) && text(path) === source) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, source, path.endsWith(".safetensors") ? "latin1" : "utf8");
}

/** Every package but AVA, which is a file of this folder instead. */
function linkPackages(): void {
  rmSync(`${FOLDER}node_modules`, { recursive: true, force: true });
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
  const flags = ["-DCMAKE_BUILD_TYPE=Debug", "-DPAPO_WITH_CUDA=OFF", "-DPAPO_WERROR=OFF"];
  const options = "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -Wno-narrowing -w";
  const run = (...args: string[]) => execFileSync("cmake", args, { stdio: ["ignore", 2, 2] });
  run("-S", FOLDER, "-B", `${FOLDER}addon`, ...flags, options);
  run("--build", `${FOLDER}addon`, "--target", "papo", "--parallel", "2");
  return `${FOLDER}addon/papo.node`;
}
