/** What a build from source needs of the system: what is there, what is missing or too old, and how to get it. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { compareVersions } from "../addon/diagnosis.js";
import type { Terminal } from "./terminal.js";

type Environment = Terminal["env"];
type System = "debian" | "fedora" | "alpine" | "macos" | "windows";

/** The tools of a build. */
export interface Tools {
  readonly cmake: string;
  /** `Ninja` where it is there, else what CMake takes by itself. */
  readonly generator: string | undefined;
  readonly nvcc: string | undefined;
  /** What `PAPO_WITH_CUDA` is; AUTO has the binary say that there was no nvcc, not that it was switched off. */
  readonly cuda: "ON" | "OFF" | "AUTO";
  /** Why there is no CUDA, where it was neither asked for nor refused. */
  readonly note: string | undefined;
}

/** Something that is missing, and for each system how to get it. */
interface Need {
  readonly what: string;
  readonly get: Readonly<Record<System, string>> | string;
}

/** The oldest that build papo; CMakeLists.txt says the first, and why nvcc's is what it is. */
export const OLDEST = { cmake: "3.22", gcc: "11", clang: "14", nvcc: "12.8" } as const;

const GET_CMAKE = {
  debian: "apt-get install cmake",
  fedora: "dnf install cmake",
  alpine: "apk add cmake",
  macos: "brew install cmake",
  windows: "winget install Kitware.CMake",
};
const GET_COMPILER = {
  debian: "apt-get install g++ make",
  fedora: "dnf install gcc-c++ make",
  alpine: "apk add g++ make",
  macos: "xcode-select --install",
  windows: 'the Visual Studio Build Tools with "Desktop development with C++" and its Clang',
};
const GET_MAKE = { ...GET_COMPILER, debian: "apt-get install make", fedora: "dnf install make" };
const GET_NVCC = `the CUDA toolkit ${OLDEST.nvcc} or later (https://developer.nvidia.com/cuda-downloads), then put nvcc on PATH or set CUDACXX`;
const NAMES: Readonly<Record<System, string>> = {
  debian: "Debian, Ubuntu",
  fedora: "Fedora, RHEL",
  alpine: "Alpine",
  macos: "macOS",
  windows: "Windows",
};

/**
 * Looks for everything at once, so that nobody installs one tool to hear of the next.
 *
 * @param cuda  true: it must be built; false: it must not; undefined: where there is an nvcc
 * @returns the tools, or a line for everything that is missing
 */
export function findTools(
  environment: Environment,
  cuda: boolean | undefined,
  system: System | "unknown" = thisSystem(),
): Tools | readonly string[] {
  const generator = versionOf("ninja", environment, /^(\d[\d.]*)/) && "Ninja";
  const said = environment.CMAKE_GENERATOR;
  const missing = [...cmakeNeeds(environment)];
  // On Windows CMake looks for Visual Studio, which is not on PATH.
  if (system !== "windows") {
    missing.push(...compilerNeeds(environment));
    if (!said && !generator && versionOf("make", environment, /Make/) === undefined) {
      missing.push({ what: "make or ninja", get: GET_MAKE });
    }
  }
  const nvcc = cuda === false ? undefined : findNvcc(environment);
  const objection = cuda === false ? undefined : objectionToNvcc(nvcc, environment);
  if (cuda && objection) missing.push({ what: objection, get: GET_NVCC });
  if (missing.length > 0) return missing.map((need) => describe(need, system));
  const common = { cmake: "cmake", generator: said ? undefined : generator };
  if (cuda === false) return { ...common, cuda: "OFF", nvcc: undefined, note: undefined };
  if (!objection) return { ...common, cuda: "ON", nvcc, note: undefined };
  const note = `built without CUDA, which needs ${objection}`;
  return { ...common, cuda: nvcc ? "OFF" : "AUTO", nvcc: undefined, note };
}

function cmakeNeeds(environment: Environment): Need[] {
  const version = versionOf("cmake", environment, /cmake version (\d[\d.]*)/);
  const what = `CMake ${OLDEST.cmake} or later`;
  if (version === undefined) return [{ what, get: GET_CMAKE }];
  if (compareVersions(version, OLDEST.cmake) >= 0) return [];
  // The system's own package is what is too old.
  const get = { ...GET_CMAKE, debian: "pip install cmake", fedora: "pip install cmake" };
  return [{ what: `${what}, this one is ${version}`, get }];
}

function compilerNeeds(environment: Environment): Need[] {
  const candidates = environment.CXX ? [environment.CXX] : ["c++", "g++", "clang++"];
  for (const candidate of candidates) {
    const said = outputOf(candidate, ["--version"], environment);
    if (said === undefined) continue;
    const family = /clang/i.test(said) ? "clang" : "gcc";
    const version = /(\d+(?:\.\d+)+)/.exec(said.replace(/\([^)]*\)/g, ""))?.[1];
    // Apple counts its own way; what is unknown is CMake's to judge.
    if (version === undefined || /Apple/.test(said)) return [];
    if (compareVersions(version, OLDEST[family]) >= 0) return [];
    const what = `${compilers()}, ${candidate} is ${family} ${version}; where a newer one is installed, set CXX`;
    return [{ what, get: GET_COMPILER }];
  }
  const said = environment.CXX ? `, CXX says ${environment.CXX}, which does not run` : "";
  return [{ what: `a C++ compiler, ${compilers()}${said}`, get: GET_COMPILER }];
}

function compilers(): string {
  return `gcc ${OLDEST.gcc} or clang ${OLDEST.clang} or later`;
}

/** As CMake looks for it, and where CUDA's own installer puts it. */
function findNvcc(environment: Environment): string | undefined {
  const { CUDACXX, CUDA_PATH } = environment;
  if (CUDACXX) return CUDACXX;
  const name = process.platform === "win32" ? "nvcc.exe" : "nvcc";
  const folders = [
    ...(environment.PATH ?? "").split(delimiter).filter((folder) => folder !== ""),
    ...(CUDA_PATH ? [join(CUDA_PATH, "bin")] : []),
    "/usr/local/cuda/bin",
  ];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function objectionToNvcc(nvcc: string | undefined, environment: Environment): string | undefined {
  const what = `nvcc ${OLDEST.nvcc} or later`;
  if (nvcc === undefined) return `${what}, and there is none`;
  const version = versionOf(nvcc, environment, /release (\d+\.\d+)/);
  if (version === undefined) return `${what}, and ${nvcc} does not run`;
  return compareVersions(version, OLDEST.nvcc) < 0 ? `${what}, ${nvcc} is ${version}` : undefined;
}

function versionOf(command: string, environment: Environment, form: RegExp): string | undefined {
  const found = form.exec(outputOf(command, ["--version"], environment) ?? "");
  return found ? (found[1] ?? "") : undefined;
}

/** What a command prints; its first word is the program (`ccache g++`). Undefined where it does not run. */
function outputOf(
  command: string,
  args: readonly string[],
  environment: Environment,
): string | undefined {
  // A path with spaces is one word.
  const [program, ...first] = existsSync(command) ? [command] : command.split(" ");
  const options = { env: environment as NodeJS.ProcessEnv, encoding: "utf8" as const };
  const { status, stdout } = spawnSync(program as string, [...first, ...args], options);
  return status === 0 ? stdout : undefined;
}

function describe({ what, get }: Need, system: System | "unknown"): string {
  if (typeof get === "string") return `${what}: ${get}`;
  if (system !== "unknown") return `${what}: ${get[system]}`;
  const all = Object.entries(NAMES).map(([key, name]) => `${get[key as System]} (${name})`);
  return `${what}: ${all.join(", ")}`;
}

/** By its package manager. */
function thisSystem(): System | "unknown" {
  if (process.platform === "darwin") return "macos";
  if (process.platform === "win32") return "windows";
  try {
    const release = readFileSync("/etc/os-release", "utf8");
    // Its own name, and those of what it descends from.
    const names = [...release.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap(
      (match) => match[1]?.split(" ") ?? [],
    );
    const known = { debian: ["debian", "ubuntu"], fedora: ["fedora", "rhel"], alpine: ["alpine"] };
    for (const [system, own] of Object.entries(known)) {
      if (own.some((name) => names.includes(name))) return system as System;
    }
    return "unknown";
  } catch {
    return "unknown";
  }
}
