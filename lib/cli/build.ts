/** `papo build`: the addon from source, offline. */
import { type Command, InvalidArgumentError } from "commander";
import { PACKAGE_ROOT } from "../addon/package-root.js";
import { type BuildOptions, buildAddon } from "./build-addon.js";
import { type Terminal, writeJson, writeNote, writeTable } from "./terminal.js";

interface Flags {
  readonly cuda?: boolean;
  readonly debug?: boolean;
  readonly jobs?: number;
  readonly json?: boolean;
}

/** Adds the sub-command to the program. */
export function addBuild(program: Command, terminal: Terminal): void {
  program
    .command("build")
    .summary("build the native addon from source")
    .description(
      "Builds the native addon from the sources in the package, without a network, and puts it where papo looks first: before the prebuilt one. Needs CMake and a C++ compiler, and says which of them is missing; CUDA is built in where there is an nvcc.",
    )
    .option("--cuda", "with CUDA; an error where there is no nvcc")
    .option("--no-cuda", "without CUDA, nvcc or not")
    .option("--debug", "with asserts and debug symbols")
    .option("--jobs <n>", "compile this many files at a time", jobsOf)
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
CXX and CUDACXX name compilers, CMAKE_GENERATOR what CMake drives. The result
replaces build/Release/papo.node in the package once it has been loaded; a build
that fails changes nothing.

Examples:
  $ papo build
  $ CXX=clang++ papo build --no-cuda --jobs 2`,
    )
    .action(async (flags: Flags) => {
      await build(flags, terminal);
    });
}

async function build(flags: Flags, terminal: Terminal): Promise<void> {
  const options: BuildOptions = {
    root: PACKAGE_ROOT,
    cuda: flags.cuda,
    debug: flags.debug === true,
    jobs: flags.jobs,
  };
  const begin = performance.now();
  const { path, binding } = await buildAddon(options, terminal);
  const seconds = Math.round((performance.now() - begin) / 1000);
  const { version, compiler, cuda } = binding.info();
  const explicit = terminal.env.PAPO_ADDON_PATH;
  if (explicit) {
    writeNote(
      terminal,
      "warning",
      `PAPO_ADDON_PATH is set: papo loads ${explicit}, not this build`,
    );
  }
  if (flags.json) {
    const { built, runtimeVersion } = cuda;
    writeJson(terminal, { path, version, compiler, cuda: { built, runtimeVersion }, seconds });
    return;
  }
  writeTable(terminal, "ll", [
    [{ text: "addon", style: "bold" }, path],
    ["", `${version}, ${compiler}, ${cuda.built ? `CUDA ${cuda.runtimeVersion}` : "no CUDA"}`],
    [{ text: "took", style: "bold" }, `${seconds} s`],
  ]);
}

function jobsOf(text: string): number {
  const jobs = /^\d+$/.test(text) ? Number(text) : 0;
  if (jobs < 1 || jobs > 1024) throw new InvalidArgumentError("It is no integer in 1…1024.");
  return jobs;
}
