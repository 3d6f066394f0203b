/** Programs bundled by esbuild, with papo in the bundle or left outside. */
import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { installedProject, packageIn } from "./installed.js";
import { checkReadmeProgram } from "./readme.js";
import { type Runtime, runProgram } from "./runtimes.js";
import { newFolder } from "./sandbox.js";

const made = new Map<string, Promise<string>>();

/** The bundle of one of the project's programs, in the project's folder `out`. */
export function bundled(
  program: string,
  format: "esm" | "cjs",
  external: readonly string[],
): Promise<string> {
  const key = [program, format, ...external].join(" ");
  const known = made.get(key);
  if (known !== undefined) return known;
  const making = bundle(program, format, external);
  made.set(key, making);
  return making;
}

async function bundle(
  program: string,
  format: "esm" | "cjs",
  external: readonly string[],
): Promise<string> {
  const project = await installedProject();
  const suffix = `${external.length > 0 ? "-external" : ""}${format === "esm" ? ".mjs" : ".cjs"}`;
  const outfile = join(project, "out", program.replace(/\.\w+$/, suffix));
  const { warnings } = await build({
    absWorkingDir: project,
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: "node",
    format,
    external: [...external],
    logLevel: "silent",
  });
  assert.deepEqual(
    warnings.map(({ text }) => text),
    [],
  );
  return outfile;
}

/** The bundles of README's program where the project's `node_modules` is in reach. */
export async function tryBundleInProject(runtime: Runtime): Promise<void> {
  const cwd = await installedProject();
  for (const [format, program] of FORMS) {
    for (const external of [["papo"], []]) {
      const file = await bundled(program, format, external);
      checkReadmeProgram(await runProgram(runtime, [file], { cwd }));
    }
  }
}

/** The bundles with papo in them, in a folder with the package's prebuilt addons. */
export async function tryBundleBesidePrebuilds(runtime: Runtime): Promise<void> {
  const cwd = newFolder("deployed");
  const prebuilds = join(packageIn(await installedProject()), "prebuilds");
  cpSync(prebuilds, join(cwd, "prebuilds"), { recursive: true });
  for (const [format, program] of FORMS) {
    const file = join(cwd, `program.${format === "esm" ? "mjs" : "cjs"}`);
    copyFileSync(await bundled(program, format, []), file);
    checkReadmeProgram(await runProgram(runtime, [file], { cwd }));
  }
}

/** The same bundles with nothing beside them. */
export async function tryBundleAlone(runtime: Runtime): Promise<void> {
  const cwd = newFolder("alone");
  for (const format of ["esm", "cjs"] as const) {
    const from = await bundled("load.js", format, []);
    const folder = join(cwd, format);
    mkdirSync(folder);
    copyFileSync(from, join(folder, basename(from)));
    const printed = await runProgram(runtime, [basename(from)], { cwd: folder });
    const { code, message } = JSON.parse(printed) as Record<string, string>;
    assert.equal(code, "ERR_UNSUPPORTED", printed);
    assert.match(message as string, /This is a bundle without the package: .*--external:papo/);
  }
}

const FORMS = [
  ["esm", "readme-esm.mjs"],
  ["cjs", "readme.cjs"],
] as const;
