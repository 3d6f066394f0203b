/** `papo loss`: the loss of a batch file, its terms and metrics, and a result file with the gradients. */
import { realpath } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Device, Evaluation } from "../index.js";
import { BatchFile } from "../io/batch-file.js";
import { evaluateFile } from "./evaluate-file.js";
import {
  addEvaluationOptions,
  type ChosenObjective,
  type EvaluationFlags,
  KEYS_HELP,
  readEvaluationFlags,
} from "./evaluation-options.js";
import { FileError, UsageError } from "./exit.js";
import { type LossResult, lossDocument, writeLoss } from "./loss-report.js";
import { ResultFile } from "./result-file.js";
import { type Terminal, wrapped, writeJson, writeNote } from "./terminal.js";

interface LossFlags extends EvaluationFlags {
  readonly out?: string;
  readonly gradDtype?: "float32";
  readonly gradScale?: number;
  readonly perToken?: boolean;
  readonly json?: boolean;
}

const RESULT_HELP =
  "The result file has loss, terms, clip fractions and tokens.* in float64 and the gradients in the dtype of the logits, under the names that a batch file has them under expected.NAME; its metadata are objective and grad_scale. It has no grad_masked_logits where the masked branch is constant.";

/** Adds the sub-command to the program. */
export function addLoss(program: Command, terminal: Terminal): void {
  const command = program
    .command("loss")
    .summary("loss, terms and metrics of a batch file")
    .description(
      [
        "Evaluates a batch file (.safetensors) and prints its loss, terms and metrics.",
        "The objective is the preset's, else the one in the file's metadata, else the defaults; every --set changes one key of it. Logits are read in blocks of rows, so files may be larger than memory.",
      ].join("\n\n"),
    )
    .argument("<batch>", "batch file: logits, token_ids, advantages, …");
  addEvaluationOptions(command)
    .option(
      "--out <file>",
      "write gradients, per-token values, loss and terms to a .safetensors file",
    )
    .addOption(
      new Option(
        "--grad-dtype <dtype>",
        "of the gradients in --out, if not that of the logits",
      ).choices(["float32"]),
    )
    .option("--grad-scale <x>", "multiplies the gradients in --out before they are rounded", scale)
    .option("--per-token", "print the values of every counted token too")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
${KEYS_HELP}

Tensors of a batch file, S sequences of L tokens over V tokens of vocabulary:
  logits, masked_logits  F32 BF16 F16     [S, L, V], or packed [rows, V]
  token_ids              I32 I64          [S, L] or [rows]
  advantages             F32 F64          the same, or [S]
  old_log_probs, ref_log_probs, rollout_log_probs,
  masked_log_probs (instead of masked_logits)
                         F32 F64          [S, L] or [rows], nats
  accuracies             F32 F64          [S]
  response_mask          F32 I32 U8 BOOL  [S, L] or [rows], 1 where it counts
  cu_seqlens             I32              [S + 1], row offsets where packed
Only logits, token_ids and advantages are required.

${wrapped(RESULT_HELP)}

Examples:
  $ papo loss batch.safetensors --preset papo-g-7b --set refKlCoef=0.02
  $ papo loss batch.safetensors --out gradients.safetensors --grad-dtype float32 --json`,
    )
    .action(async (path: string, flags: LossFlags) => {
      const result = await evaluate(path, flags, terminal);
      if (flags.json) writeJson(terminal, lossDocument(result, flags.perToken === true));
      else writeLoss(terminal, result, flags.perToken === true);
    });
}

async function evaluate(path: string, flags: LossFlags, terminal: Terminal): Promise<LossResult> {
  const { out, gradScale, gradDtype } = flags;
  if (out === undefined && (gradScale !== undefined || gradDtype !== undefined)) {
    throw new UsageError("--grad-dtype and --grad-scale are about the gradients in --out");
  }
  const choose = readEvaluationFlags(flags);
  try {
    const batch = await BatchFile.open(path);
    try {
      if (out !== undefined) await checkApart(path, out);
      const chosen = choose(batch);
      if (!flags.json) writeNotes(terminal, chosen);
      const rowData = await batch.readRowData();
      const evaluation = await evaluateInto(out, batch, rowData, chosen, flags, terminal);
      const { tokenIds, responseMask } = rowData;
      return { batch, chosen, evaluation, tokenIds, responseMask, out };
    } finally {
      await batch.close();
    }
  } catch (error) {
    throw error instanceof UsageError ? error : new FileError(path, error);
  }
}

/** Evaluates a batch and writes the result file, if one is wanted; after an error there is none. */
async function evaluateInto(
  out: string | undefined,
  batch: BatchFile,
  rowData: Awaited<ReturnType<BatchFile["readRowData"]>>,
  { objective }: ChosenObjective,
  { device, blockRows, step, seed, gradScale = 1, gradDtype }: LossFlags,
  { signal }: Terminal,
): Promise<Evaluation> {
  const options = { device: device as Device, blockRows, step, seed, signal };
  if (out === undefined) return await evaluateFile(batch, rowData, objective, options);
  const result = await ResultFile.create(out, batch, {
    spec: objective.spec,
    gradDType: gradDtype ?? batch.dtype,
    gradScale,
    step,
  });
  try {
    const evaluation = await evaluateFile(batch, rowData, objective, {
      ...options,
      gradients: {
        dtype: gradDtype,
        scale: gradScale,
        take: (block) => result.writeGradients(block),
      },
    });
    await result.finish(evaluation);
    return evaluation;
  } finally {
    await result.abandon();
  }
}

/** The batch would be replaced by its result. */
async function checkApart(path: string, out: string): Promise<void> {
  const target = await realpath(out).catch(() => undefined);
  if (target !== undefined && target === (await realpath(path))) {
    throw new UsageError("--out names the batch file itself");
  }
}

function writeNotes(terminal: Terminal, { notes, objective }: ChosenObjective): void {
  for (const note of notes) writeNote(terminal, "note", note);
  for (const warning of objective.warnings) writeNote(terminal, "warning", warning);
}

function scale(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It is no finite number.");
}
