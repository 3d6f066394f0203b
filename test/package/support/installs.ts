/** What every package manager is put through. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { installationBy, newProject, packageIn } from "./installed.js";
import type { Manager } from "./managers.js";
import { PREBUILT, packed } from "./pack.js";
import { checkReadmeProgram } from "./readme.js";
import { output, run } from "./sandbox.js";

export interface InstallColumn {
  readonly name: string;
  readonly sentence: string;
  readonly reason?: (manager: Manager) => string | undefined;
  readonly attempt: (manager: Manager) => Promise<void>;
}

/** What a package manager says of scripts that it ran or left out, and of anything that went wrong. */
const NOISE = /warn|err|script|build|gyp|compil|approve|block|trust|deprecat/i;

/** Silent, all files there, nothing made. */
async function tryInstall(manager: Manager): Promise<void> {
  const { folder, ran } = await installationBy(manager);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.doesNotMatch(ran.stdout + ran.stderr, NOISE);
  const root = packageIn(folder);
  for (const { path } of packed().files) assert.ok(existsSync(join(root, path)), path);
  assert.ok(!existsSync(join(root, "build")), "something was built");
}

/** By the manager's own Node, or by the manager itself where it is a runtime. */
async function tryProgram(manager: Manager): Promise<void> {
  const { folder: cwd } = await installationBy(manager);
  const { path } = manager;
  const runtime = path.find((file) => /\/(node|bun)$/.test(file)) as string;
  checkReadmeProgram(await output([runtime, "readme-esm.mjs"], { cwd, path }));
}

/** From the lock file that the first installation wrote. */
async function tryLocked(manager: Manager): Promise<void> {
  const { command, locked, path, env } = manager;
  const { folder: cwd } = await installationBy(manager);
  rmSync(join(cwd, "node_modules"), { recursive: true });
  const ran = await run([...command, ...locked], { cwd, path, env });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.doesNotMatch(ran.stdout + ran.stderr, /frozen.*(fail|outdated)|warn|script|gyp|block/i);
  await tryProgram(manager);
}

async function tryExecute(manager: Manager): Promise<void> {
  const { command, execute, path, env } = manager;
  const { folder: cwd } = await installationBy(manager);
  const args = [...command, ...execute, "info", "--json"];
  const printed = await output(args, { cwd, path, env });
  const { addon } = JSON.parse(printed.slice(printed.indexOf("{")));
  assert.equal(addon.path, join(packageIn(cwd), PREBUILT));
}

/** The package can be built, and nobody asked for it. */
async function tryRebuild(manager: Manager): Promise<void> {
  const { command, rebuild, path, env } = manager;
  const { folder: cwd } = await installationBy(manager);
  await output([...command, ...(rebuild as string[])], { cwd, path, env });
  assert.ok(!existsSync(join(packageIn(cwd), "build")), "something was built");
}

/** Two packages of a workspace depend on papo and get the same files. */
async function tryWorkspace(manager: Manager): Promise<void> {
  const { command, path, env } = manager;
  const cwd = newProject("workspace");
  const tarball = `file:${packed().path}`;
  const isPnpm = path.some((file) => file.endsWith("pnpm"));
  const names = ["first", "second"];
  const workspaces = names.map((name) => `packages/${name}`);
  const manifest = { name: "workspace", version: "1.0.0", private: true };
  const own = isPnpm ? manifest : { ...manifest, workspaces };
  writeFileSync(join(cwd, "package.json"), JSON.stringify(own));
  if (isPnpm) writeFileSync(join(cwd, "pnpm-workspace.yaml"), "packages:\n  - packages/*\n");
  for (const name of names) {
    const folder = join(cwd, "packages", name);
    mkdirSync(folder, { recursive: true });
    const dependencies = { papo: tarball };
    const part = { name, version: "1.0.0", private: true, type: "module", dependencies };
    writeFileSync(join(folder, "package.json"), JSON.stringify(part));
    const project = readdirSync(cwd).filter((file) => /\.(mjs|cjs|js)$/.test(file));
    for (const file of project) copyFileSync(join(cwd, file), join(folder, file));
  }
  const ran = await run([...command, "install"], { cwd, path, env });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.doesNotMatch(ran.stdout + ran.stderr, NOISE);
  const runtime = path.find((file) => /\/(node|bun)$/.test(file)) as string;
  for (const name of names) {
    const folder = join(cwd, "packages", name);
    checkReadmeProgram(await output([runtime, "readme-esm.mjs"], { cwd: folder, path }));
  }
  const where = `process.stdout.write(require.resolve("papo"))`;
  const options = (name: string) => ({ cwd: join(cwd, "packages", name), path });
  const resolved = await Promise.all(
    names.map((name) => output([runtime, "-e", where], options(name))),
  );
  assert.equal(realpathSync(resolved[0] as string), realpathSync(resolved[1] as string));
}

/** In the order of the table's columns. */
export const INSTALLS: readonly InstallColumn[] = [
  {
    name: "install",
    sentence: "installs the tarball in silence, without compiler, CMake and Python",
    attempt: tryInstall,
  },
  { name: "program", sentence: "has installed what README's program needs", attempt: tryProgram },
  { name: "command", sentence: "runs the installed command papo", attempt: tryExecute },
  { name: "locked", sentence: "installs the same from its lock file", attempt: tryLocked },
  {
    name: "rebuild",
    sentence: "rebuilds native packages and leaves papo as it is",
    reason: ({ rebuild }) => (rebuild ? undefined : "it has no such command"),
    attempt: tryRebuild,
  },
  {
    name: "workspace",
    sentence: "gives two packages of a workspace the same papo",
    attempt: tryWorkspace,
  },
];
