/** `papo check`: recomputes what a batch file expects and says what holds. */
import type { Command } from "commander";
import { BatchFile } from "../io/batch-file.js";
import { checkBatch, type FileReport } from "./check-batch.js";
import { checkDocument, writeFileReport, writeSummary } from "./check-report.js";
import {
  addEvaluationOptions,
  type EvaluationFlags,
  KEYS_HELP,
  readEvaluationFlags,
} from "./evaluation-options.js";
import { EXIT, type Failure, FileError, failureOf } from "./exit.js";
import { GRADIENTS, SCALARS, TOKEN_VALUES } from "./quantities.js";
import { type Terminal, wrapped, writeError, writeJson, writeNote } from "./terminal.js";

interface CheckFlags extends EvaluationFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** A file that could be checked, or why it could not. */
export type Checked = FileReport | { readonly file: string; readonly failure: Failure };

/** Adds the sub-command to the program; `exitWith` takes the code of a check that does not hold. */
export function addCheck(
  program: Command,
  terminal: Terminal,
  exitWith: (code: number) => void,
): void {
  const command = program
    .command("check")
    .summary("recompute what batch files expect, and say what holds")
    .description(
      [
        "Recomputes every expected.NAME of batch files and says, per quantity, the largest error and whether it holds.",
        "A quantity holds where |error| <= 1e-5 · scale + 2e-8, scale being |expected| of a number and the largest expected magnitude of a tensor; for gradients of bfloat16 and float16 logits the first factor is 2^-8 and 2^-11. Per-token values are compared where the token counts. A gradient that does not flow counts as zeros.",
        "A name that papo does not know, and a quantity that the file has no input for, do not hold.",
      ].join("\n\n"),
    )
    .argument("<batch...>", "batch files with expected.* tensors");
  addEvaluationOptions(command)
    .option("-q, --quiet", "print only what does not hold, and the summary")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
${wrapped(`Names: ${[...SCALARS.keys(), ...TOKEN_VALUES.keys(), ...GRADIENTS].join(", ")}.`)}

${KEYS_HELP}

Exit code 0 if everything holds, 1 if a quantity does not, 3 if a file cannot be
checked; the others are checked all the same.

Examples:
  $ papo check batches/*.safetensors --quiet
  $ papo check batch.safetensors --preset papo-d-7b --json`,
    )
    .action(async (paths: string[], flags: CheckFlags) => {
      const choose = readEvaluationFlags(flags);
      const checked: Checked[] = [];
      for (const path of paths) {
        const one = await checkOne(path, flags, choose, terminal);
        checked.push(one);
        if (flags.json) continue;
        if ("failure" in one) writeError(terminal, "papo check", one.failure.message);
        else writeReport(terminal, one, flags.quiet === true);
      }
      if (flags.json) writeJson(terminal, checkDocument(checked));
      else writeSummary(terminal, checked);
      exitWith(exitCodeOf(checked));
    });
}

/** A file that cannot be checked does not keep the others from it; an interruption and a usage error end everything. */
async function checkOne(
  path: string,
  flags: CheckFlags,
  choose: ReturnType<typeof readEvaluationFlags>,
  { signal }: Terminal,
): Promise<Checked> {
  try {
    const batch = await BatchFile.open(path);
    try {
      return await checkBatch(batch, choose(batch), { ...flags, signal });
    } finally {
      await batch.close();
    }
  } catch (cause) {
    const error = new FileError(path, cause);
    const failure = failureOf(error, signal);
    if (failure.exitCode === EXIT.usage || failure.exitCode === EXIT.interrupted) throw error;
    return { file: path, failure };
  }
}

function writeReport(terminal: Terminal, report: FileReport, quiet: boolean): void {
  for (const note of report.notes) writeNote(terminal, "note", `${report.file}: ${note}`);
  if (!quiet || !report.holds) writeFileReport(terminal, report, quiet);
}

function exitCodeOf(checked: readonly Checked[]): number {
  const failures = checked.flatMap((one) => ("failure" in one ? [one.failure.exitCode] : []));
  if (failures.length > 0) return Math.max(...failures);
  return checked.every((one) => "holds" in one && one.holds) ? EXIT.ok : EXIT.failed;
}
