/** The command in a package whose addon is broken: it still says what is wrong, and how to mend it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import test from "ava";
import { PLATFORM } from "../../lib/addon/candidates.js";
import { version } from "../../lib/index.js";
import { copied, write } from "../addon/broken-addons.js";
import { goldenPath } from "../support/golden.js";
import { fakeTools, GOOD } from "./fake-tools.js";
import type { Ran } from "./papo.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "papo-package-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the package's JavaScript, without an addon. */
function aPackage(name: string): string {
  const root = join(folder, name);
  cpSync(join(ROOT, "lib"), join(root, "lib"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  cpSync(join(ROOT, "package.json"), join(root, "package.json"));
  return root;
}

const local = (root: string): string => join(root, "build", "Release", "papo.node");

function node(
  root: string,
  args: readonly string[],
  env: Record<string, string> = {},
  tsx = "tsx",
): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd: root, env: { ...process.env, PAPO_ADDON_PATH: "", ...env } };
    execFile(process.execPath, [`--import=${tsx}`, ...args], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}
const papo = (root: string, ...args: string[]): Promise<Ran> =>
  node(root, ["lib/cli/main.ts", ...args]);

test("info prints every attempt and what to do, and ends with 4", async (t) => {
  const root = aPackage("broken");
  write(local(root), "");
  const { code, stdout, stderr } = await papo(root, "info");
  t.is(code, 4);
  t.is(stderr, `papo info: no addon for ${PLATFORM} loads\n`);
  const lines = stdout.split("\n").map((line) => line.replace(/^(\S+(?: \S+)*)? {2,}/, "$1: "));
  t.is(lines[0], `papo: ${version}`);
  t.regex(lines[1] ?? "", new RegExp(`^node: ${process.version}, ${PLATFORM}`));
  t.is(lines[2], "addon: none that loads");
  t.is(lines[3], `tried: ${local(root)}: damaged file: it is empty`);
  t.regex(lines[4] ?? "", /^: \S+prebuilds\S+: no prebuilt addon for /);
  t.regex(lines[5] ?? "", /^what to do: Install papo again/);
  t.regex(lines[6] ?? "", /^: Build the addon here, offline: npx papo build /);
});

test("info --json is one document with the same, and the error", async (t) => {
  const root = aPackage("broken-json");
  write(local(root), "no");
  const { code, stdout } = await papo(root, "info", "--json");
  t.is(code, 4);
  const document = JSON.parse(stdout);
  t.like(document, { version, platform: PLATFORM, addon: null });
  t.like(document.attempts[0], { path: local(root), problem: "damaged" });
  t.is(document.attempts.length, 2);
  t.true(document.advice.some((line: string) => line.includes("npx papo build")));
  t.like(document.error, { code: "ERR_UNSUPPORTED", exitCode: 4 });
});

test("the other commands work without an addon, or say what is wrong in one error", async (t) => {
  const root = aPackage("others");
  write(local(root), "");
  const [shown, built, loss] = await Promise.all([
    papo(root, "--version"),
    // No tools: what matters is that it comes so far.
    node(root, ["lib/cli/main.ts", "build", "--no-cuda"], { PATH: "" }),
    papo(root, "loss", goldenPath("tiny-plain-papo_g_3b")),
  ]);
  t.deepEqual([shown.code, shown.stdout], [0, `${version}\n`]);
  t.is(built.code, 4);
  t.regex(built.stderr, /^papo build: \S+ has no CMakeLists\.txt, .*: install papo again\n$/);
  t.is(loss.code, 4);
  t.true(loss.stderr.includes(`\n  ${local(root)}: damaged file: it is empty\n`), loss.stderr);
});

/** Such a package with the sources of an addon that is broken, and tools that only pretend to build it. */
function toBuild(name: string, build?: string) {
  const root = aPackage(name);
  write(local(root), "");
  for (const file of ["CMakeLists.txt", "native/addon/addon.cpp", "third-party/node-api/napi.h"]) {
    write(join(root, file), "");
  }
  return { root, ...fakeTools(join(folder, `${name}-tools`), GOOD, build) };
}
/** The tools are shell scripts. */
const withTools = process.platform === "win32" ? test.skip : test;
const BUILD = ["lib/cli/main.ts", "build", "--no-cuda", "--jobs", "2"];

withTools("build mends it, and says where the addon is", async (t) => {
  const { root, env, calls } = toBuild("mended");
  const built = await node(root, BUILD, env);
  t.is(built.code, 0, built.stderr);
  t.regex(built.stdout, /^addon {2}\S+build\/Release\/papo\.node\n +\S+, .+\ntook {3}\d+ s\n$/);
  t.regex(calls()[1] ?? "", / --parallel 2$/);
  const named = { ...env, PAPO_ADDON_PATH: "/another.node" };
  const { stdout, stderr } = await node(root, [...BUILD, "--json"], named);
  t.like(JSON.parse(stdout), { path: local(root), version });
  t.regex(stderr, /warning: PAPO_ADDON_PATH is set: papo loads \/another\.node, not this build\n$/);
});

withTools("Ctrl-C ends a build with 130 and one sentence", async (t) => {
  const { root, env, log } = toBuild("interrupted", "exec /bin/sleep 60");
  const options = { cwd: root, env: { ...process.env, ...env } };
  const running = spawn(process.execPath, ["--import=tsx", ...BUILD], options);
  let said = "";
  running.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const isCompiling = () => existsSync(log) && readFileSync(log, "utf8").includes("--build");
  while (!isCompiling()) await setTimeout(10);
  running.kill("SIGINT");
  t.deepEqual(await once(running, "close"), [130, null]);
  t.true(said.endsWith("papo build: interrupted; nothing was written\n"), said);
});

test("a reader that has gone away is no error", async (t) => {
  const root = aPackage("piped");
  const args = ["--import=tsx", "lib/cli/main.ts", "--help"];
  const running = spawn(process.execPath, args, { cwd: root });
  running.stdout.destroy();
  let said = "";
  running.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  t.deepEqual(await once(running, "close"), [0, null]);
  t.is(said, "");
});

test("importing the package needs no addon; the first call says why there is none", async (t) => {
  const root = aPackage("import");
  write(local(root), "");
  const file = join(root, "user.ts");
  writeFileSync(
    file,
    `import { info, PapoError, version } from "./lib/index.js";
    console.log(version);
    for (const _ of [1, 2]) {
      try { info(); } catch (error) {
        console.log(error instanceof PapoError, error.code, error.attempts.length);
      }
    }`,
  );
  const { stdout, stderr } = await node(root, [file]);
  t.is(stderr, "");
  t.is(stdout, `${version}\n${"true ERR_UNSUPPORTED 2\n".repeat(2)}`);
});

test("code that was taken out of the package still finds it, or does without its version", async (t) => {
  const root = aPackage("taken-out");
  rmSync(join(root, "package.json"));
  rmSync(join(root, "node_modules"));
  const file = join(root, "user.ts");
  writeFileSync(
    file,
    `import { PACKAGE_ROOT, version } from "./lib/addon/package-root.js";
    console.log(JSON.stringify([PACKAGE_ROOT, version]));`,
  );
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const found = async () => JSON.parse((await node(root, [file], {}, tsx)).stdout);
  t.deepEqual(await found(), [join(root, "lib", "addon"), "unknown"]);
  const home = join(root, "node_modules", "papo");
  write(join(home, "package.json"), JSON.stringify({ name: "papo", version: "1.2.3" }));
  t.deepEqual(await found(), [home, "1.2.3"]);
});

test("where another addon is loaded instead of a broken one, info and a warning say so", async (t) => {
  const root = aPackage("passed-over");
  write(local(root), "");
  const works = copied(join(root, "prebuilds", PLATFORM, "papo.node"));
  const { code, stdout, stderr } = await papo(root, "info");
  t.is(code, 0);
  t.regex(stdout, /addon {3,}\S+prebuilds\S+papo\.node\n/);
  t.true(stdout.includes(`passed over: ${local(root)}: damaged file: it is empty\n`), stdout);
  t.true(stderr.includes("[PAPO_ADDON_PASSED_OVER] Warning: "), stderr);
  const document = JSON.parse((await papo(root, "info", "--json")).stdout);
  t.is(document.addon.path, works);
  t.like(document.attempts[0], { path: local(root), problem: "damaged" });
  rmSync(local(root));
  const quiet = await papo(root, "info");
  t.is(quiet.stderr, "");
  t.false(quiet.stdout.includes("passed over"));
});
