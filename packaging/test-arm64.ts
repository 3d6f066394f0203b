/**
 * `npm run test:arm64`: the addon for Linux on Arm, tried on x86-64 under qemu: the C++ tests, the packed package with
 * the README's program in a real Node.js for Arm, and the tests of ops, functions, objectives and numbers.
 */
import { join } from "node:path";
import { demand, nativeTests, ROOT, step, unpackInto } from "./emulated.js";
import {
  compileTests,
  emulate,
  installNode,
  TARGET,
  TESTS,
  TOOLS,
  WITH_ADDON,
} from "./emulated-arm64.js";
import { run } from "./targets.js";

demand("test:arm64", [
  ...TOOLS,
  { needs: "/usr/include/doctest/doctest.h", package: "doctest-dev" },
]);

step("arm64: the addon, stripped as it ships");
run("npm", ["run", "--silent", "build:prebuilds", "--", "linux-arm64"]);

step("arm64: the C++ tests");
emulate([nativeTests("linux-arm64")]);

step("arm64: Node.js, from npm");
const node = installNode();

step("arm64: the packed package: a golden batch audited, and the README's program");
const { cli, tenLines } = unpackInto("arm64", TARGET, ["neon"]);
node([cli, "check", join(ROOT, "test", "golden", "odd-plain-papo_g_7b.safetensors")]);
node([tenLines]);

step("arm64: the tests of ops, functions, objectives and numbers");
compileTests();
node([join(ROOT, "node_modules", "ava", "entrypoints", "cli.mjs"), ...process.argv.slice(2)], {
  cwd: TESTS,
  env: WITH_ADDON,
});
