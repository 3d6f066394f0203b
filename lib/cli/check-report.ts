/** What `papo check` prints: a table for each file and a summary, or one JSON document. */
import type { Checked } from "./check.js";
import type { FileReport, QuantityReport } from "./check-batch.js";
import { type Cell, showIndex, showNumber, shown, type Terminal, writeTable } from "./terminal.js";

/** The document of `--json`; numbers that are not finite are strings in it. */
export function checkDocument(checked: readonly Checked[]): object {
  return {
    holds: checked.every((one) => "holds" in one && one.holds),
    summary: countsOf(checked),
    files: checked.map((one) => {
      if ("failure" in one) {
        const { code, message } = one.failure;
        return { file: one.file, holds: false, error: { code, message }, quantities: [] };
      }
      const { chosen, quantities, ...rest } = one;
      return {
        ...rest,
        objective: chosen.objective.spec,
        objectiveFrom: chosen.words,
        quantities: quantities.map(quantityDocument),
      };
    }),
  };
}

function quantityDocument({ name, holds, result, shape, reason }: QuantityReport): object {
  if (result === undefined) return { name, holds, reason };
  const { error, allowed, scale, compared, worst } = result;
  const at = worst && { ...worst, index: indexOf(worst.index, shape) };
  return { name, holds, error, allowed, scale, compared, ...(at ? { worst: at } : {}) };
}

function indexOf(index: number, shape: readonly number[]): number[] {
  return JSON.parse(showIndex(index, shape)) as number[];
}

/** The table of one file; with `quiet` only what does not hold. */
export function writeFileReport(terminal: Terminal, report: FileReport, quiet: boolean): void {
  const { stdout } = terminal;
  const title = shown(terminal, stdout, { text: report.file, style: "bold" });
  const shape = report.shape.join(", ");
  const words = shown(terminal, stdout, `objective: ${report.chosen.words}`);
  stdout.write(`${title}  ${report.dtype} [${shape}], ${words}\n`);
  const quantities = report.quantities.filter(({ holds }) => !quiet || !holds);
  const heading = ["quantity", "largest error", "allowed", ""];
  writeTable(
    terminal,
    "lrrl",
    [heading.map((text) => ({ text, style: "dim" }) as const), ...quantities.map(lineOf)],
    2,
  );
  stdout.write("\n");
}

function lineOf({ name, holds, result, shape, reason }: QuantityReport): Cell[] {
  const verdict = { text: holds ? "holds" : "FAILS", style: holds ? "green" : "red" } as const;
  if (result === undefined) {
    return [name, "", "", { ...verdict, text: `${verdict.text}  ${reason}` }];
  }
  const { error, allowed, compared, worst } = result;
  const numbers = [error === 0 ? "0" : error.toExponential(1), allowed.toExponential(1)];
  if (compared === 0) return [name, "", "", "no counted token"];
  if (holds || worst === undefined) return [name, ...numbers, verdict];
  const { index, expected, computed } = worst;
  const place = shape.length === 1 && shape[0] === 1 ? "" : `${showIndex(index, shape)} `;
  const values = `is ${showNumber(computed, 9)}, expected ${showNumber(expected, 9)}`;
  return [name, ...numbers, { ...verdict, text: `${verdict.text}  ${place}${values}` }];
}

/** `49 of 49 files hold, 718 of 718 quantities`. */
export function writeSummary(terminal: Terminal, checked: readonly Checked[]): void {
  const { files, quantities, unchecked } = countsOf(checked);
  const holds = files.hold === files.all;
  const verdict = `${files.hold} of ${files.all} files hold`;
  const label = shown(terminal, terminal.stdout, { text: verdict, style: holds ? "green" : "red" });
  const rest = unchecked === 0 ? "" : `; ${unchecked} could not be checked`;
  terminal.stdout.write(`${label}, ${quantities.hold} of ${quantities.all} quantities${rest}\n`);
}

interface Counts {
  readonly files: { readonly hold: number; readonly all: number };
  readonly quantities: { readonly hold: number; readonly all: number };
  readonly unchecked: number;
}

function countsOf(checked: readonly Checked[]): Counts {
  const reports = checked.filter((one) => "holds" in one);
  const quantities = reports.flatMap((report) => report.quantities);
  return {
    files: { hold: reports.filter(({ holds }) => holds).length, all: checked.length },
    quantities: { hold: quantities.filter(({ holds }) => holds).length, all: quantities.length },
    unchecked: checked.length - reports.length,
  };
}
