/**
 * `npm run test:musl`: the addon for musl, tried on Debian with the loader of its package musl: the C++ tests, and the
 * packed package with the README's program in Bun's build for musl.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { demand, installRuntime, nativeTests, ROOT, step, unpackInto } from "./emulated.js";
import { run, TARGETS, type Target } from "./targets.js";

const TARGET = TARGETS["linux-x64-musl"] as Target;
const LIBRARIES = join(ROOT, "build", "musl", "lib");
const GOLDEN = join(ROOT, "test", "golden");

demand("test:musl", [
  ...(TARGET.cross?.tools ?? []),
  { needs: "/lib/ld-musl-x86_64.so.1", package: "musl" },
  { needs: "/usr/include/doctest/doctest.h", package: "doctest-dev" },
]);

step("musl: the addon, stripped as it ships");
run("npm", ["run", "--silent", "build:prebuilds", "--", "linux-x64-musl"]);

step("musl: the C++ tests");
onMusl([nativeTests("linux-x64-musl")]);

step("musl: Bun, from npm");
const modules = installRuntime("musl", "--os", "linux", "--cpu", "x64", "--libc", "musl");
const bun = join(modules, "@oven", "bun-linux-x64-musl", "bin", "bun");

step("musl: the packed package: golden batches audited, and the README's program");
const { cli, tenLines } = unpackInto("musl", TARGET, ["avx512_bf16", "avx512", "avx2", "scalar"]);
for (const name of readdirSync(GOLDEN).filter((file) => file.startsWith("odd-plain-papo_"))) {
  onMusl([bun, cli, "check", join(GOLDEN, name)]);
}
onMusl([bun, tenLines]);

function onMusl(args: readonly string[]): void {
  const preloaded = ["dl-find-object.so", "libgcc_s.so.1"].map((name) => join(LIBRARIES, name));
  const settings = [`LD_LIBRARY_PATH=${LIBRARIES}`, `LD_PRELOAD=${preloaded.join(":")}`];
  // Not for this process's own environment: a program of glibc's would not start with it.
  run("env", [...settings, ...args]);
}
