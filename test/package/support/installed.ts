/** A project with papo in it, installed from the tarball, and the programs that try it. */
import { cpSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Manager, managerAtHand } from "./managers.js";
import { packed, ROOT } from "./pack.js";
import { javaScript, writeReadmeProgram } from "./readme.js";
import { newFolder, type Ran, run } from "./sandbox.js";

const PROGRAMS = join(ROOT, "test", "package", "programs");

/** A folder with a manifest and the programs, and nothing installed yet. */
export function newProject(name: string): string {
  const folder = newFolder(name);
  const manifest = { name, version: "1.0.0", private: true, type: "module" };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  for (const file of readdirSync(PROGRAMS)) {
    const code = readFileSync(join(PROGRAMS, file), "utf8");
    writeFileSync(join(folder, `${basename(file, ".ts")}.js`), javaScript(code));
  }
  for (const form of ["esm", "cjs", "async"] as const) writeReadmeProgram(folder, form);
  return folder;
}

/** How a manager installed the tarball. */
export interface Installation {
  readonly folder: string;
  readonly ran: Ran;
}

const installations = new Map<string, Promise<Installation>>();

/** A project into which a manager installed the tarball; one for each manager. */
export function installationBy(manager: Manager): Promise<Installation> {
  const known = installations.get(manager.name);
  if (known !== undefined) return known;
  const made = install(manager);
  installations.set(manager.name, made);
  return made;
}

async function install({ command, add, path, env }: Manager): Promise<Installation> {
  const folder = newProject("project");
  const args = [...command, ...add, packed().path];
  return { folder, ran: await run(args, { cwd: folder, path, env }) };
}

/** The project of the manager at hand. */
export async function installedProject(): Promise<string> {
  const { folder, ran } = await installationBy(managerAtHand());
  if (ran.code !== 0) throw new Error(`npm install: exit code ${ran.code}\n${ran.stderr}`);
  return folder;
}

/** A copy of it, in a folder of its own. */
export async function copiedProject(): Promise<string> {
  const folder = newFolder("copied-project");
  cpSync(await installedProject(), folder, { recursive: true });
  return folder;
}

/** Where the package really lies in a project. */
export function packageIn(project: string): string {
  return dirname(realpathSync(join(project, "node_modules", "papo", "package.json")));
}
