/** What was tried and what came of it: rows, columns, and how long each cell took. */

export interface Cell {
  readonly row: string;
  readonly column: string;
  readonly outcome: "ok" | "fail" | "skip";
  /** Milliseconds; of a skipped one 0. */
  readonly ms: number;
  /** Of a skip. */
  readonly reason?: string;
}

export interface Column {
  readonly name: string;
  /** What it says of a row that is ok, behind the row's name. */
  readonly sentence: string;
}

export interface Table {
  readonly title: string;
  /** Names, in their order. */
  readonly rows: readonly string[];
  readonly columns: readonly Column[];
  readonly cells: readonly Cell[];
}

/** The last run of everything, in which nothing failed. */
export interface MatrixRecord {
  /** Its day, as 2026-11-21. */
  readonly date: string;
  /** Of papo. */
  readonly version: string;
  /** The machine's, as `linux-x64`. */
  readonly platform: string;
  readonly tables: readonly Table[];
}

/** Where the record lies. */
export const RECORD: URL = new URL("../results.json", import.meta.url);

/** The record as JSON, a line for each row, column and cell. */
export function recordText({ tables, ...rest }: MatrixRecord): string {
  const list = (items: readonly object[]) =>
    items.map((item) => `      ${JSON.stringify(item)}`).join(",\n");
  const texts = tables.map(
    ({ title, rows, columns, cells }) => `    {
      "title": ${JSON.stringify(title)},
      "rows": ${JSON.stringify(rows)},
      "columns": [\n${list(columns)}\n      ],
      "cells": [\n${list(cells)}\n      ]
    }`,
  );
  const head = JSON.stringify(rest, undefined, 2).slice(0, -2);
  return `${head},\n  "tables": [\n${texts.join(",\n")}\n  ]\n}\n`;
}

/** The tables as text, with the reasons of skipped cells below. */
export function drawn(tables: readonly Table[]): string {
  return tables.map(drawnTable).join("\n\n");
}

function drawnTable({ title, rows, columns, cells }: Table): string {
  const reasons = [...new Set(cells.flatMap(({ reason }) => reason ?? []))];
  const untried = rows.filter((row) => reasonForAll(cells, row) !== undefined);
  const tried = rows.filter((row) => !untried.includes(row));
  const names = columns.map(({ name }) => name);
  const lines = [[title, ...names], ...tried.map((row) => drawnRow(row, names, cells, reasons))];
  const widths = [title, ...names].map((_, i) =>
    Math.max(...lines.map((line) => (line[i] as string).length)),
  );
  const table = lines.map((line) =>
    line
      .map((word, i) => word.padEnd(widths[i] as number))
      .join("  ")
      .trimEnd(),
  );
  const shown = reasons.filter((reason) =>
    table.some((line) => line.includes(noteOf(reasons, reason))),
  );
  return [
    ...table,
    ...shown.map((reason) => `${noteOf(reasons, reason)}: ${reason}`),
    ...untried.map((row) => `skip ${row}: ${reasonForAll(cells, row)}`),
  ].join("\n");
}

function drawnRow(
  row: string,
  columns: readonly string[],
  cells: readonly Cell[],
  reasons: readonly string[],
): string[] {
  const words = columns.map((column) => {
    const cell = cells.find((one) => one.row === row && one.column === column);
    if (cell === undefined) return "–";
    if (cell.outcome !== "skip") return `${cell.outcome} ${cell.ms} ms`;
    return noteOf(reasons, cell.reason as string);
  });
  return [row, ...words];
}

function noteOf(reasons: readonly string[], reason: string): string {
  return `skip ${reasons.indexOf(reason) + 1}`;
}

/** The one reason for which nothing of a row was tried. */
function reasonForAll(cells: readonly Cell[], row: string): string | undefined {
  const own = cells.filter((cell) => cell.row === row);
  const [first] = own;
  return own.every(({ reason }) => reason !== undefined && reason === first?.reason)
    ? first?.reason
    : undefined;
}
