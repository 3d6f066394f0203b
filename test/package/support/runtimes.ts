/** The runtimes that the package is tried in: the one at hand, and those of `test/package/runtimes`. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./pack.js";
import { output, type RunOptions } from "./sandbox.js";

export interface Runtime {
  readonly name: string;
  readonly kind: "node" | "bun" | "deno";
  /** Its executable. */
  readonly file: string;
  /** The first number of its version. */
  readonly major: number;
  /** Whether it is the one that the tests run in. */
  readonly atHand: boolean;
}

/** Whether what came of it is to be recorded. */
export const RENEW: boolean = process.env.PAPO_PACKAGE_MATRIX === "record";

/** Whether everything is to be tried, not only what is at hand. */
export const ALL: boolean = RENEW || process.env.PAPO_PACKAGE_MATRIX === "all";

const FOLDER = join(ROOT, "test", "package", "runtimes");

/** Why what comes with `test/package/runtimes` is not tried; undefined where it is. */
export function reasonToSkip(): string | undefined {
  if (!ALL) return "PAPO_PACKAGE_MATRIX=all tries it";
  const platform = `${process.platform}-${process.arch}`;
  if (platform !== "linux-x64") return `test/package/runtimes has nothing for ${platform}`;
  return undefined;
}

/** The versions that are pinned, by the names of their folders. */
export function pinnedVersions(): Record<string, string> {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(FOLDER, "package.json"), "utf8"),
  ) as Record<string, Record<string, string>>;
  const all = Object.entries({ ...dependencies, ...optionalDependencies });
  return Object.fromEntries(all.map(([name, said]) => [name, said.split("@").at(-1) as string]));
}

/** A file of `test/package/runtimes`, after `installRuntimes`. */
export function inRuntimes(...path: readonly string[]): string {
  return join(FOLDER, "node_modules", ...path);
}

/** Installs what is pinned, without running any script, where it is not there yet. */
export function installRuntimes(): void {
  const there = Object.entries(pinnedVersions()).every(([name, version]) => {
    const manifest = inRuntimes(name, "package.json");
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === version;
  });
  if (there) return;
  const args = ["ci", "--prefix", FOLDER, "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", args, { cwd: FOLDER, stdio: ["ignore", "ignore", "inherit"] });
}

/** Runtimes in the order of the table. */
export function runtimes(): Runtime[] {
  const pinned = pinnedVersions();
  const node = Object.keys(pinned).filter((name) => /^node\d+$/.test(name));
  return [
    {
      name: `Node ${process.versions.node}, at hand`,
      kind: "node",
      file: process.execPath,
      major: Number(process.versions.node.split(".")[0]),
      atHand: true,
    },
    ...node.map((name) => ofRuntimes(name, "Node", inRuntimes(name, "bin", "node"))),
    ofRuntimes("bun", "Bun", inRuntimes("bun", "bin", "bun")),
    ofRuntimes("deno", "Deno", inRuntimes("deno", "deno")),
  ];
}

function ofRuntimes(folder: string, name: "Node" | "Bun" | "Deno", file: string): Runtime {
  const version = pinnedVersions()[folder] as string;
  const kind = name.toLowerCase() as Runtime["kind"];
  const major = Number(version.split(".")[0]);
  return { name: `${name} ${version}`, kind, file, major, atHand: false };
}

/** A runtime's options for a program that may do everything. */
const FREELY = { node: [], bun: ["run", "--no-install"], deno: ["run", "-A", "--no-lock"] };

/** Runs a program of the folder in a runtime, with nothing else on PATH, and gives what it prints. */
export function runProgram(
  { kind, file }: Runtime,
  program: readonly string[],
  options: Omit<RunOptions, "path"> & { readonly flags?: readonly string[] },
): Promise<string> {
  const { flags = FREELY[kind], ...rest } = options;
  return output([file, ...flags, ...program], { path: [file], ...rest });
}
