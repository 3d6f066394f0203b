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
  /** Undefined where CUDA is not wanted, or not there and not asked for. */
  readonly nvcc: string | undefined;
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
  system: System | undefined = thisSystem(),
): Tools | readonly string[] {
  const missing: Need[] = [];
  const version = versionOf("cmake", environment, /cmake version (\d[\d.]*)/);
  if (version === undefined)
    missing.push({ what: `CMake ${OLDEST.cmake} or later`, get: GET_CMAKE });
  else if (compareVersions(version, OLDEST.cmake) < 0) {
    const what = `CMake ${OLDEST.cmake} or later, this one is ${version}`;
    missing.push({
      what,
      get: { ...GET_CMAKE, debian: "pip install cmake", fedora: "pip install cmake" },
    });
  }
  const generator = environment.CMAKE_GENERATOR ? undefined : generatorOf(environment);
  // On Windows CMake looks for Visual Studio, which is not on PATH.
  if (system !== "windows") {
    missing.push(...compilerNeeds(environment));
    const byHand = environment.CMAKE_GENERATOR || generator;
    if (!byHand && versionOf("make", environment, /Make/) === undefined) {
      missing.push({ what: "make or ninja", get: GET_MAKE });
    }
  }
  const nvcc = cuda === false ? undefined : findNvcc(environment);
  const objection = cuda === false ? undefined : objectionToNvcc(nvcc, environment);
  if (cuda && objection) missing.push({ what: objection, get: GET_NVCC });
  if (missing.length > 0) return missing.map((need) => describe(need, system));
  return {
    cmake: "cmake",
    generator,
    nvcc: objection ? undefined : nvcc,
    note: objection && `built without CUDA, which needs ${objection}`,
  };
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

function generatorOf(environment: Environment): string | undefined {
  return versionOf("ninja", environment, /^(\d[\d.]*)/) === undefined ? undefined : "Ninja";
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

function describe({ what, get }: Need, system: System | undefined): string {
  if (typeof get === "string") return `${what}: ${get}`;
  if (system) return `${what}: ${get[system]}`;
  const all = Object.entries(NAMES).map(([key, name]) => `${get[key as System]} (${name})`);
  return `${what}: ${all.join(", ")}`;
}

/** By its package manager; undefined for a Linux that is none of these. */
function thisSystem(): System | undefined {
  if (process.platform === "darwin") return "macos";
  if (process.platform === "win32") return "windows";
  try {
    const release = readFileSync("/etc/os-release", "utf8");
    const ids = [...release.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap((match) =>
      (match[1] as string).split(" "),
    );
    const known = {
      debian: "debian",
      ubuntu: "debian",
      fedora: "fedora",
      rhel: "fedora",
      alpine: "alpine",
    } as const;
    return ids.map((id) => known[id as keyof typeof known]).find((it) => it !== undefined);
  } catch {
    return undefined;
  }
}
