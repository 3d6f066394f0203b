/** Tables in Markdown. */
import type { Part } from "../result.js";
import { tableFrom } from "./table.js";

export function markdownTable(
  header: readonly string[],
  lines: readonly (readonly string[])[],
  left: readonly boolean[] = [true],
): string {
  const row = (cells: readonly string[]) => `| ${cells.map(escaped).join(" | ")} |`;
  const rule = header.map((_, column) => (left[column] ? "---" : "---:"));
  return [row(header), row(rule), ...lines.map(row)].join("\n");
}

const escaped = (cell: string): string => cell.replaceAll("|", "\\|");

/** A part in full, under a heading of its own. */
export function markdownPart(part: Part): string {
  const { title, heading, header, lines, left, below } = tableFrom(part);
  return [
    `## ${title}`,
    ...(heading === "" ? [] : [`${heading[0]?.toUpperCase()}${heading.slice(1)}.`]),
    markdownTable(header, lines, left),
    below.map((sentence) => `- ${sentence}`).join("\n"),
  ].join("\n\n");
}
