/** What the tries of addons for other systems share: a runtime from npm, and the package as it would be installed. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { addonOf, missingOf, run, type Target, type Tool } from "./targets.js";

export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

/** Ends this process with a sentence for every tool that is missing. */
export function demand(command: string, tools: readonly Tool[]): void {
  const missing = new Set(missingOf(tools));
  for (const sentence of missing) console.error(`${command}: ${sentence}`);
  if (missing.size > 0) process.exit(1);
}

export function step(title: string): void {
  console.log(`\n=== ${title}`);
}

/** Compiles the C++ tests by the preset of a target, and says where they are. */
export function nativeTests(preset: string): string {
  run("cmake", ["--preset", preset, "-DPAPO_BUILD_TESTS=ON"]);
  run("cmake", ["--build", "--preset", preset, "--target", "papo_tests"]);
  return join(ROOT, "build", preset, "papo_tests");
}

/** Installs what `packaging/<name>` pins for another system into `build/<name>/runtime`, and says where. */
export function installRuntime(name: string, ...system: readonly string[]): string {
  const folder = join(ROOT, "build", name, "runtime");
  mkdirSync(folder, { recursive: true });
  for (const file of ["package.json", "package-lock.json"]) {
    cpSync(join(ROOT, "packaging", name, file), join(folder, file));
  }
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund"];
  run("npm", ["ci", ...quiet, ...system], { cwd: folder });
  return join(folder, "node_modules");
}

/** The package as npm would install it, with its one dependency, for programs in a folder. */
export interface App {
  readonly cli: string;
  /** A module: the first program of the README, and a look at what it computed, by which addon. */
  readonly tenLines: string;
}

/** Packs and unpacks into `build/<name>/app`. No local build is in the package, so it loads a prebuilt addon. */
export function unpackInto(name: string, target: Target, isas: readonly string[]): App {
  const app = join(ROOT, "build", name, "app");
  const folder = join(app, "node_modules", "papo");
  rmSync(app, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  run("npm", ["run", "--silent", "build:lib"]);
  run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", app]);
  const tarball = join(app, `papo-${manifest().version}.tgz`);
  run("tar", ["-xzf", tarball, "-C", folder, "--strip-components", "1"]);
  symlinkSync(join(ROOT, "node_modules", "commander"), join(app, "node_modules", "commander"));
  // Without them, a program beside would belong to this checkout, and import that (Bun goes by tsconfig.json, too).
  for (const name of ["package.json", "tsconfig.json"]) writeFileSync(join(app, name), "{}");
  const tenLines = join(app, "ten-lines.mjs");
  writeFileSync(tenLines, tenLinesFor(target, join(folder, addonOf(target)), isas));
  return { cli: join(folder, "dist", "cli", "main.js"), tenLines };
}

function tenLinesFor({ arch }: Target, addon: string, isas: readonly string[]): string {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const [, program = ""] = /^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  const look = `
    import { info } from "papo";
    const { isa, path } = info();
    const finite = Number.isFinite(loss) && gradLogits.data.every((it) => Number.isFinite(it));
    if (!finite) throw new Error(\`a loss of \${loss}, or its gradients, are not finite\`);
    if (path !== ${JSON.stringify(addon)}) throw new Error(\`loaded \${path}\`);
    if (process.arch !== "${arch}" || !${JSON.stringify(isas)}.includes(isa)) {
      throw new Error(\`ran on \${process.arch} by \${isa}\`);
    }
    console.log(\`\${path}, \${isa}\`);`;
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(program + look, { compilerOptions: options }).outputText;
}

export function manifest(): { readonly name: string; readonly version: string } {
  const { name, version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return { name, version };
}
