/** What a command writes to: two streams, colours where they are wanted, aligned tables, numbers, JSON. */
import { styleText } from "node:util";
import { printable, printableLines } from "../core/printable.js";

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** Everything a command has of the outside; tests bring their own. */
export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** An abort ends the command; files it was writing are removed. */
  readonly signal?: AbortSignal | undefined;
}

export type Style = "bold" | "dim" | "green" | "red" | "yellow";

/** Whether `output` shows colours: a terminal, and nobody said NO_COLOR (https://no-color.org). */
export function hasColors(terminal: Terminal, output: Output): boolean {
  return output.isTTY === true && !terminal.env.NO_COLOR && terminal.env.TERM !== "dumb";
}

/** A text with its style. */
export interface Styled {
  readonly text: string;
  readonly style: Style | undefined;
}
export type Cell = string | Styled;

/** A cell, with escape codes where `output` shows them, and no others: names out of a file may hold anything. */
export function shown(terminal: Terminal, output: Output, cell: Cell): string {
  const text = printable(textOf(cell));
  const style = typeof cell === "string" ? undefined : cell.style;
  if (style === undefined || text === "" || !hasColors(terminal, output)) return text;
  return styleText(style, text, { validateStream: false });
}

/**
 * Lines of cells on stdout, each column as wide as its widest cell.
 *
 * @param columns  "l" or "r" for each: where its cells stand; the last one needs no room on its right
 * @param indent   spaces before each line
 */
export function writeTable(
  terminal: Terminal,
  columns: string,
  lines: readonly (readonly Cell[])[],
  indent = 0,
): void {
  const widthOf = (cell: Cell = "") => printable(textOf(cell)).length;
  const widths = [...columns].map((_, column) =>
    lines.reduce((width, line) => Math.max(width, widthOf(line[column])), 0),
  );
  for (const line of lines) {
    const cells = line.map((cell, column) => {
      const gap = " ".repeat((widths[column] as number) - widthOf(cell));
      const styled = shown(terminal, terminal.stdout, cell);
      return columns[column] === "r" ? gap + styled : styled + gap;
    });
    terminal.stdout.write(`${" ".repeat(indent)}${cells.join("  ").trimEnd()}\n`);
  }
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

/** A number to `digits` significant digits, as short as that allows. */
export function showNumber(value: number, digits = 6): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits)));
}

/** Where element `index` of a tensor is: `[1, 3, 42]`. */
export function showIndex(index: number, shape: readonly number[]): string {
  let rest = index;
  const position = [...shape].reverse().map((size) => {
    const at = rest % size;
    rest = (rest - at) / size;
    return at;
  });
  return `[${position.reverse().join(", ")}]`;
}

/** A long line of words in lines of at most 80 columns, for help texts. */
export function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > 80) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join("\n");
}

/** A remark on stderr, which is not part of the result. */
export function writeNote(terminal: Terminal, kind: "note" | "warning", text: string): void {
  const label = shown(terminal, terminal.stderr, { text: `${kind}:`, style: "yellow" });
  terminal.stderr.write(`${label} ${printableLines(text)}\n`);
}

/** An error, as one sentence on stderr. */
export function writeError(terminal: Terminal, who: string, sentence: string): void {
  const label = shown(terminal, terminal.stderr, { text: `${who}:`, style: "red" });
  terminal.stderr.write(`${label} ${printableLines(sentence)}\n`);
}

/** The one JSON document of a command. JSON has no infinities: they, and NaN, are strings of that name. */
export function writeJson(terminal: Terminal, document: object): void {
  const text = JSON.stringify(
    document,
    (_, value: unknown) =>
      typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
    2,
  );
  // The escapes of unprintable characters are JSON's own: the document is the same.
  terminal.stdout.write(`${printableLines(text)}\n`);
}
