/** The installed package built from its own sources, without a network. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { copiedProject, installedProject, packageIn } from "./installed.js";
import { checkReadmeProgram } from "./readme.js";
import { ALL, reasonToSkip } from "./runtimes.js";
import { output, run } from "./sandbox.js";

export interface SourceColumn {
  readonly name: string;
  readonly sentence: string;
  readonly reason?: () => string | undefined;
  readonly attempt: () => Promise<void>;
}

const MAIN = join("dist", "cli", "main.js");

/** What a build is started with where the system can take the network away. */
function withoutNetwork(): string[] {
  return spawnSync("unshare", ["-rn", "true"]).status === 0 ? ["unshare", "-rn"] : [];
}

/** The programs of this machine, compilers among them, but for CUDA's, which would take half an hour. */
function everything(): Record<string, string> {
  return { PATH: process.env.PATH ?? "", CUDACXX: "none" };
}

/** Nothing to build with: one error that lists all that is missing, and nothing is changed. */
async function tryWithoutTools(): Promise<void> {
  const cwd = await installedProject();
  const root = packageIn(cwd);
  const args = [process.execPath, join(root, MAIN), "build"];
  const { code, stderr } = await run(args, { cwd, path: [process.execPath] });
  assert.notEqual(code, 0);
  for (const what of [/CMake 3\.22 or later/, /a C\+\+ compiler/, /make or ninja/]) {
    assert.match(stderr, what);
  }
  assert.ok(!existsSync(join(root, "build")), "something was made");
}

async function tryBuild(): Promise<void> {
  const cwd = await copiedProject();
  const root = packageIn(cwd);
  const args = [process.execPath, join(root, MAIN), "build", "--no-cuda", "--json"];
  const options = { cwd, path: [], env: everything() };
  const { path } = JSON.parse(await output([...withoutNetwork(), ...args], options));
  assert.equal(path, join(root, "build", "Release", "papo.node"));
  await checkBuilt(cwd);
}

/** The build is what is loaded now, before the prebuilt one. */
async function checkBuilt(cwd: string): Promise<void> {
  const options = { cwd, path: [process.execPath] };
  const loaded = JSON.parse(await output([process.execPath, "load.js"], options));
  assert.equal(loaded.path, join(packageIn(cwd), "build", "Release", "papo.node"));
  checkReadmeProgram(await output([process.execPath, "readme-esm.mjs"], options));
}

function withoutCompiler(): string | undefined {
  if (!ALL) return reasonToSkip();
  const missing = ["cmake", "c++"].filter((name) => !onPath(name));
  return missing.length > 0 ? `there is no ${missing.join(" and no ")} here` : undefined;
}

function onPath(name: string): boolean {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** In the order of the table's columns. */
export const FROM_SOURCE: readonly SourceColumn[] = [
  {
    name: "without tools",
    sentence: "says everything that a build is missing",
    attempt: tryWithoutTools,
  },
  {
    name: "papo build",
    sentence: "builds itself by papo build, offline, and loads what it built",
    reason: withoutCompiler,
    attempt: tryBuild,
  },
];
