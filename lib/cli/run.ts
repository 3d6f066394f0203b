/** The command line as a function: arguments and streams in, exit code out. */
import { Command, CommanderError } from "commander";
import { version } from "../index.js";
import { addBuild } from "./build.js";
import { addCheck } from "./check.js";
import { EXIT, failureOf } from "./exit.js";
import { addInfo } from "./info.js";
import { addLoss } from "./loss.js";
import { hasColors, type Terminal, wrapped, writeError, writeJson } from "./terminal.js";

const EXIT_HELP = `Exit codes: ${EXIT.ok} ok, ${EXIT.failed} a check does not hold, ${EXIT.usage} usage, ${EXIT.input} bad file or batch, ${EXIT.unavailable} device or engine not available, ${EXIT.internal} internal error.`;

/**
 * Runs one command. Never throws and never ends the process.
 *
 * @param args  what stands after `papo`
 * @returns the exit code, one of `EXIT`. An error is one sentence on stderr; with `--json` it is the document on stdout too.
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = programOf(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    // Help that nobody asked for has been printed; it says more than a sentence.
    if (error instanceof CommanderError && error.code === "commander.help") return EXIT.usage;
    const { exitCode: code, message, ...rest } = failureOf(error, terminal.signal);
    const name = program.commands.find((command) => command.name() === args[0])?.name();
    writeError(terminal, name === undefined ? "papo" : `papo ${name}`, message);
    if (args.includes("--json"))
      writeJson(terminal, { error: { ...rest, message, exitCode: code } });
    return code;
  }
}

function programOf(terminal: Terminal, exitWith: (code: number) => void): Command {
  const { stdout, stderr } = terminal;
  const program = new Command("papo")
    .description("Losses of Perception-Aware Policy Optimization, from files of logits.")
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      // Errors are printed in one place, in one form.
      outputError: () => undefined,
      getOutHelpWidth: () => 80,
      getErrHelpWidth: () => 80,
      getOutHasColors: () => hasColors(terminal, stdout),
      getErrHasColors: () => hasColors(terminal, stderr),
    })
    .addHelpText(
      "after",
      `
${wrapped(EXIT_HELP)}

Examples:
  $ papo info
  $ papo loss batch.safetensors --preset papo-g-7b --out result.safetensors
  $ papo check batches/*.safetensors`,
    );
  addInfo(program, terminal, exitWith);
  addBuild(program, terminal);
  addLoss(program, terminal);
  addCheck(program, terminal, exitWith);
  return program;
}
