/** What `papo loss` prints: tables for people, one JSON document for programs. */
import {
  type Evaluation,
  type Metrics,
  type ObjectiveSpec,
  SPEC_DEFAULTS,
  SPEC_KEYS,
  type TokenValues,
} from "../index.js";
import type { BatchFile } from "../io/batch-file.js";
import type { ChosenObjective } from "./evaluation-options.js";
import { type Cell, showIndex, showNumber, type Terminal, writeTable } from "./terminal.js";

/** A batch file and what it evaluated to. */
export interface LossResult {
  readonly batch: BatchFile;
  readonly chosen: ChosenObjective;
  readonly evaluation: Evaluation;
  readonly tokenIds: ArrayLike<number | bigint>;
  readonly responseMask: ArrayLike<number> | undefined;
  /** The result file, where one was written. */
  readonly out: string | undefined;
}

interface Term {
  readonly value: number;
  /** With the sign it enters the loss with. */
  readonly coefficient: number;
  readonly contribution: number;
  /** Share in the gradient's magnitude, 0 to 1; absent where the term has no input. */
  readonly gradientShare?: number;
}

/** The terms of the loss, whose contributions add up to it. The perception KL is subtracted. */
function termsOf({ terms, coefficients, metrics }: Evaluation): Record<string, Term> {
  const term = (value: number, coefficient: number, share: number | undefined): Term => ({
    value,
    // Not −0 for a coefficient of 0.
    coefficient: coefficient === 0 ? 0 : coefficient,
    contribution: coefficient === 0 ? 0 : coefficient * value,
    ...(share === undefined ? {} : { gradientShare: share }),
  });
  const { refKl, perceptionKl, entropy, maskedEntropy, sft } = coefficients;
  return {
    surrogate: term(terms.surrogate, 1, metrics.gradShareSurrogate),
    refKl: term(terms.refKl, refKl, metrics.gradShareRefKl),
    perceptionKl: term(terms.perceptionKl, -perceptionKl, metrics.gradSharePerceptionKl),
    entropy: term(terms.entropy, entropy, metrics.gradShareEntropy),
    maskedEntropy: term(terms.maskedEntropy, maskedEntropy, metrics.gradShareMaskedEntropy),
    ...(terms.sft === undefined ? {} : { sft: term(terms.sft, sft, metrics.gradShareSft) }),
  };
}

/** Metrics without the shares, which stand with their terms. */
function metricsOf({ metrics }: Evaluation): [string, number][] {
  return Object.entries(metrics as Metrics & Record<string, number>).filter(
    ([name]) => !name.startsWith("gradShare"),
  );
}

/** The document of `--json`; numbers that are not finite are strings in it. */
export function lossDocument(result: LossResult, perToken: boolean): object {
  const { batch, chosen, evaluation, out } = result;
  return {
    file: batch.path,
    dtype: batch.dtype,
    shape: [...batch.shape, batch.vocabSize],
    objective: chosen.objective.spec,
    objectiveFrom: chosen.words,
    notes: chosen.notes,
    warnings: chosen.objective.warnings,
    loss: evaluation.loss,
    terms: termsOf(evaluation),
    metrics: Object.fromEntries(metricsOf(evaluation)),
    ...(perToken ? { tokens: tokensDocument(evaluation) } : {}),
    ...(out === undefined ? {} : { out }),
  };
}

function tokensDocument({ tokens }: Evaluation): Record<string, number[]> {
  const values = Object.entries((tokens ?? {}) as TokenValues);
  return Object.fromEntries(values.map(([name, { data }]) => [name, [...data]]));
}

/** The tables. */
export function writeLoss(terminal: Terminal, result: LossResult, perToken: boolean): void {
  const { batch, chosen, evaluation, out } = result;
  const { tokens, sequences } = evaluation.metrics;
  const shape = [...batch.shape, batch.vocabSize].join(", ");
  const counted = `${tokens} of ${batch.rows} tokens count, ${sequences} sequences`;
  writeTable(terminal, "ll", [
    ["batch", batch.path],
    ["", `${batch.dtype} [${shape}], ${counted}`],
    ["objective", chosen.words],
    ["", differencesOf(chosen.objective.spec)],
    ["loss", { text: showNumber(evaluation.loss, 9), style: "bold" }],
    ...(out === undefined ? [] : [["out", out]]),
  ]);
  writeSection(
    terminal,
    "lrrrr",
    ["term", "value", "coefficient", "contribution", "gradient"],
    [...termLines(evaluation)],
  );
  const metrics = metricsOf(evaluation).map(([name, value]) => [name, showNumber(value)]);
  const half = Math.ceil(metrics.length / 2);
  const pairs = metrics
    .slice(0, half)
    .map((left, i) => [...left, "", ...(metrics[half + i] ?? [])]);
  writeSection(terminal, "lrllr", ["metric", "value", "", "metric", "value"], pairs);
  if (perToken) writeTokens(terminal, result);
}

/** A table after an empty line. */
function writeSection(
  terminal: Terminal,
  columns: string,
  heading: readonly string[],
  lines: readonly (readonly Cell[])[],
): void {
  terminal.stdout.write("\n");
  const first = heading.map((text) => ({ text, style: "dim" }) as const);
  writeTable(terminal, columns, [first, ...lines]);
}

/** The keys that are not at their defaults. */
function differencesOf(spec: ObjectiveSpec): string {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const words = SPEC_KEYS.filter((key) => text(spec[key]) !== text(SPEC_DEFAULTS[key])).map(
    (key) => `${key} ${text(spec[key])}`,
  );
  return words.length === 0 ? "every key at its default" : words.join(", ");
}

function termLines(evaluation: Evaluation): Cell[][] {
  return Object.entries(termsOf(evaluation)).map(([name, term]) => {
    const { value, coefficient, contribution, gradientShare } = term;
    const share =
      gradientShare === undefined ? "no input" : `${(gradientShare * 100).toFixed(1)} %`;
    const line = [
      name,
      showNumber(value),
      showNumber(coefficient),
      showNumber(contribution),
      share,
    ];
    return coefficient === 0 ? line.map((text) => ({ text, style: "dim" }) as const) : line;
  });
}

function writeTokens(
  terminal: Terminal,
  { batch, evaluation, tokenIds, responseMask }: LossResult,
): void {
  const values = Object.entries((evaluation.tokens ?? {}) as TokenValues);
  const lines: string[][] = [];
  for (let row = 0; row < batch.rows; row++) {
    if (responseMask?.[row] === 0) continue;
    const numbers = values.map(([, { data }]) => showNumber(data[row] as number));
    lines.push([showIndex(row, batch.shape), String(tokenIds[row]), ...numbers]);
  }
  const names = values.map(([name]) => name);
  writeSection(terminal, `lr${"r".repeat(names.length)}`, ["token", "id", ...names], lines);
}
