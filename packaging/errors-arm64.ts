/**
 * `npm run bench:errors:arm64`: NEON's errors, measured under qemu on x86-64, into the tables of `npm run bench:errors`;
 * `-- --bounds` sets its bounds anew.
 */
import { join } from "node:path";
import { demand, ROOT, step } from "./emulated.js";
import { compileTests, installNode, TESTS, TOOLS, WITH_ADDON } from "./emulated-arm64.js";
import { run } from "./targets.js";

const MEASURED = join(ROOT, "build", "arm64", "errors.json");

demand("bench:errors:arm64", TOOLS);

step("arm64: the addon");
run("npm", ["run", "--silent", "build:prebuilds", "--", "linux-arm64"]);

step("arm64: Node.js, from npm");
const node = installNode();

step("arm64: errors of neon; every row of every vocabulary, a quarter of an hour");
compileTests();
const env = { ...WITH_ADDON, PAPO_CPU_ISA: "neon" };
node([join(TESTS, "bench", "errors.js"), "--child"], { cwd: TESTS, env, output: MEASURED });

step("tables and bounds");
const flags = ["--from", MEASURED, ...process.argv.slice(2)];
run("npm", ["run", "--silent", "bench:errors", "--", ...flags]);
