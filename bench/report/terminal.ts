/** A part as people read it in a terminal. */
import type { Part } from "../result.js";
import { type Table, tableFrom } from "./table.js";

const NARROWEST = 100;
const WIDEST = 160;

/** Columns lined up; a part with too many of them gets its errors merged. */
export function tableOf(part: Part): string {
  const full = aligned(tableFrom(part));
  return full.width > WIDEST ? aligned(tableFrom(part, { merged: true })).text : full.text;
}

function aligned({ title, heading, header, lines, left, below }: Table) {
  const widths = header.map((_, column) =>
    Math.max(...[header, ...lines].map((line) => (line[column] as string).length)),
  );
  const row = (line: readonly string[]) =>
    line
      .map((cell, column) => {
        const width = widths[column] as number;
        return left[column] ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  const width = widths.reduce((sum, each) => sum + each + 2, -2);
  const rule = "─".repeat(Math.max(width, NARROWEST));
  const text = [
    heading === "" ? title : `${title} (${heading})`,
    rule,
    row(header),
    rule,
    ...lines.map(row),
    rule,
    ...below.flatMap((sentence) => wrapped(sentence, rule.length)),
  ];
  return { text: text.join("\n"), width };
}

/** Lines of at most so many characters; those after the first are indented. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(word);
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`    ${word}`);
  }
  return lines;
}
