/** A reader's project: the tarball unpacked into its node_modules, and the compilers that it may have. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packed, ROOT } from "./pack.js";

const PROGRAMS = join(ROOT, "test", "package", "consumer");

/** What the programs import beside papo; it comes from the checkout's own node_modules. */
const BESIDE = ["expect-type", "@types/node", "@jax-js/jax", "@tensorflow/tfjs-core"];

const requireHere = createRequire(import.meta.url);
const modules = (path: string) => join(ROOT, "node_modules", path);

/**
 * Compilers by their release. The third is the one that are-the-types-wrong brings along: the library needs 5.2 or
 * later, for `Symbol.dispose`.
 */
export const COMPILERS: Readonly<Record<string, string>> = {
  "7.0": modules("@typescript/native/bin/tsc"),
  "6.0": modules("typescript/bin/tsc6"),
  "5.6": createRequire(requireHere.resolve("@arethetypeswrong/core")).resolve("typescript/bin/tsc"),
};

let made: string | undefined;

/** The tarball, unpacked; the folder goes with the process. */
export function unpacked(): string {
  return join(project(), "node_modules", "papo");
}

/** A project with the programs of `test/package/consumer/`. */
export function project(): string {
  made ??= install();
  return made;
}

function install(): string {
  const folder = mkdtempSync(join(tmpdir(), "papo-consumer-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  cpSync(PROGRAMS, folder, { recursive: true });
  const papo = join(folder, "node_modules", "papo");
  mkdirSync(papo, { recursive: true });
  execFileSync("tar", ["-xzf", packed().path, "-C", papo, "--strip-components", "1"]);
  for (const name of BESIDE) {
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(modules(name), link, "junction");
  }
  return folder;
}

/** What a compiler has against files of the project, with no options but these and `strict`; "" if nothing. */
export function complaints(
  compiler: string,
  files: readonly string[],
  options: Readonly<Record<string, unknown>>,
): string {
  const config = join(project(), `tsconfig.${configs++}.json`);
  const compilerOptions = { target: "es2022", strict: true, types: [], noEmit: true, ...options };
  writeFileSync(config, JSON.stringify({ compilerOptions, files }));
  const path = COMPILERS[compiler];
  if (path === undefined) throw new Error(`no compiler ${compiler}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, "-p", config], {
    cwd: project(),
    encoding: "utf8",
  });
  return status === 0 ? "" : stdout + stderr || `exit code ${status}`;
}

let configs = 0;
