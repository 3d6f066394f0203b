/** The package managers: the npm at hand, and those of `test/package/runtimes`. */
import { execFileSync, type StdioOptions } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";
import { inRuntimes, pinnedVersions } from "./runtimes.js";

export interface Manager {
  readonly name: string;
  readonly atHand: boolean;
  readonly command: readonly string[];
  /** What is on PATH while it runs: the runtime, a shell, and itself. */
  readonly path: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Its sub-command that installs the tarball whose path follows. */
  readonly add: readonly string[];
  /** Its sub-command that installs what the lock file says, and nothing else. */
  readonly locked: readonly string[];
  /** Its sub-command that runs the program `papo`, whose arguments follow. */
  readonly execute: readonly string[];
  /** Its sub-command that builds native packages again. */
  readonly rebuild: readonly string[] | undefined;
}

const SHELL = "/bin/sh";

/** npm's settings: quiet about itself, and the cache of this machine, since its tarballs are the same. */
function npmEnvironment(): Record<string, string> {
  return {
    npm_config_update_notifier: "false",
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_prefer_offline: "true",
    ...npmSaid(),
  };
}

let said: Record<string, string> | undefined;

/** What this machine's npm is told of its registry and cache. */
function npmSaid(): Record<string, string> {
  said ??= Object.fromEntries(
    ["registry", "cache"].map((name) => [`npm_config_${name}`, npmPrints("config", "get", name)]),
  );
  return said;
}

function npmPrints(...args: readonly string[]): string {
  const [program = "", ...cli] = npmAtHand();
  const stdio: StdioOptions = ["ignore", "pipe", "ignore"];
  return execFileSync(program, [...cli, ...args], { encoding: "utf8", stdio }).trim();
}

/** `npm run` says which npm it is; else the one on PATH. */
function npmAtHand(): string[] {
  const own = process.env.npm_execpath;
  if (own && /npm-cli\.js$/.test(own)) return [process.execPath, own];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders.map((folder) => join(folder, "npm")).find((path) => existsSync(path));
  if (found === undefined) throw new Error("no npm on PATH");
  return [process.execPath, realpathSync(found)];
}

function npm(name: string, isAtHand: boolean, [node = "", cli = ""]: readonly string[]): Manager {
  return {
    name,
    atHand: isAtHand,
    command: [node, cli],
    path: [node, SHELL],
    env: npmEnvironment(),
    add: ["install"],
    locked: ["ci"],
    execute: ["exec", "--no", "--", "papo"],
    rebuild: ["rebuild"],
  };
}

let atHand: Manager | undefined;

export function managerAtHand(): Manager {
  atHand ??= npm(`npm ${npmPrints("--version")}, at hand`, true, npmAtHand());
  return atHand;
}

/** Package managers in the order of the table. */
export function managers(): Manager[] {
  const versions = pinnedVersions();
  const node = inRuntimes("node24", "bin", "node");
  const pnpm = inRuntimes("pnpm", "pnpm");
  const bun = inRuntimes("bun", "bin", "bun");
  const cli = (folder: string) => inRuntimes(folder, "bin", "npm-cli.js");
  return [
    managerAtHand(),
    npm(`npm ${versions.npm11}`, false, [inRuntimes("node20", "bin", "node"), cli("npm11")]),
    npm(`npm ${versions.npm12}`, false, [node, cli("npm12")]),
    {
      name: `pnpm ${versions.pnpm}`,
      atHand: false,
      command: [pnpm],
      path: [pnpm, node, SHELL],
      env: npmSaid(),
      add: ["add"],
      locked: ["install", "--frozen-lockfile"],
      execute: ["exec", "papo"],
      rebuild: ["rebuild"],
    },
    {
      name: `Bun ${versions.bun}`,
      atHand: false,
      command: [bun],
      path: [bun, SHELL],
      env: npmSaid(),
      add: ["add"],
      locked: ["install", "--frozen-lockfile"],
      // There is no Node for the first line of the program to find.
      execute: ["x", "--bun", "--no-install", "papo"],
      rebuild: undefined,
    },
  ];
}
