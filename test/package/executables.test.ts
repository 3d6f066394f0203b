/** Programs that are executables of their own, made by Bun and by Node: they need the prebuilt addons beside them, and say so. */
import { copyFileSync, cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { bundled } from "./support/bundles.js";
import { installedProject, packageIn } from "./support/installed.js";
import { checkReadmeProgram } from "./support/readme.js";
import { installRuntimes, type Runtime, reasonToSkip, runtimes } from "./support/runtimes.js";
import { newFolder, output } from "./support/sandbox.js";

const skipped = reasonToSkip();

/** Makes an executable of a program of the project, and gives its path. */
async function executable({ kind, file }: Runtime, program: string): Promise<string> {
  const cwd = await installedProject();
  const made = join(newFolder("made"), "program");
  const path = [file];
  if (kind === "bun") {
    await output([file, "build", "--compile", program, "--outfile", made], { cwd, path });
    return made;
  }
  const settings = `${made}.json`;
  const main = await bundled(program, "cjs", []);
  const disableExperimentalSEAWarning = true;
  writeFileSync(settings, JSON.stringify({ main, output: made, disableExperimentalSEAWarning }));
  await output([file, "--build-sea", settings], { cwd, path });
  return made;
}

if (skipped === undefined) test.before(installRuntimes);
else test.skip(`single executables: ${skipped}`, (t) => t.pass());

// Node makes them by itself from version 25.5 on.
const makers = runtimes().filter(
  ({ kind, major, atHand }) => !atHand && (kind === "bun" || (kind === "node" && major >= 26)),
);

for (const runtime of skipped === undefined ? makers : []) {
  test.serial(
    `an executable of ${runtime.name} runs beside a folder of prebuilt addons`,
    async (t) => {
      const folder = newFolder("executable");
      const program = join(folder, "program");
      copyFileSync(await executable(runtime, "readme.cjs"), program);
      const prebuilds = join(packageIn(await installedProject()), "prebuilds");
      cpSync(prebuilds, join(folder, "prebuilds"), { recursive: true });
      checkReadmeProgram(await output([program], { cwd: newFolder("elsewhere"), path: [] }));
      t.pass();
    },
  );

  test.serial(`an executable of ${runtime.name} without them says what it needs`, async (t) => {
    const program = join(newFolder("executable"), "program");
    copyFileSync(await executable(runtime, "load.js"), program);
    const printed = await output([program], { cwd: newFolder("elsewhere"), path: [] });
    const { code, message } = JSON.parse(printed);
    t.is(code, "ERR_UNSUPPORTED");
    t.regex(
      message,
      /This is a bundle without the package: .*the package's folder prebuilds beside it/,
    );
  });
}
