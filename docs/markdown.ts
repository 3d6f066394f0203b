/** Pieces of GitHub-flavoured Markdown from the plain texts of the tables. */

/** What the first line of a page says that is made. */
export const MADE =
  "<!-- Made by `npm run docs` from what the code and its measurements hold; changes by hand are lost, and a test fails. -->";

/** Paragraphs and blocks, an empty line between them; empty ones are left out. */
export function blocks(...parts: readonly (string | readonly string[])[]): string {
  return parts
    .flat()
    .filter((part) => part !== "")
    .join("\n\n");
}

/** A table; cells are Markdown already. None where it has no line. */
export function table(
  header: readonly string[],
  lines: readonly (readonly string[])[],
  numeric: readonly number[] = [],
): string {
  if (lines.length === 0) return "";
  const row = (cells: readonly string[]) => `| ${cells.map(inCell).join(" | ")} |`;
  const rule = header.map((_, column) => (numeric.includes(column) ? "---:" : "---"));
  return [row(header), `| ${rule.join(" | ")} |`, ...lines.map(row)].join("\n");
}

const inCell = (cell: string): string => cell.replaceAll("|", "\\|").replaceAll("\n", " ");

/** A list; none where it has no item. */
export function bullets(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join("\n");
}

/** What opens at a click. */
export function details(summary: string, body: string): string {
  return `<details>\n<summary>${summary}</summary>\n\n${body}\n\n</details>`;
}

/** Labelled formulas in one block of code, a line for each of their clauses. */
export function formulaBlock(labelled: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(labelled).map((label) => label.length));
  const lines = Object.entries(labelled).flatMap(([label, formula]) =>
    clauses(formula).map((clause, i) => (i === 0 ? label : "").padEnd(width + 3) + clause),
  );
  return ["```text", ...lines, "```"].join("\n");
}

/** Longest line of a formula that is left in one piece. */
const MOST_COLUMNS = 96;

/** A formula cut at its semicolons; what is still long, before its definitions, and then between words. */
function clauses(formula: string): string[] {
  return formula.split(/(?<=;) /).flatMap((clause) => {
    if (clause.length <= MOST_COLUMNS) return [clause];
    return clause.split(/(?<=,) (?=\S+ = )/).flatMap(wrapped);
  });
}

/** Lines of at most MOST_COLUMNS, the later ones indented. */
function wrapped(clause: string): string[] {
  const lines: string[] = [];
  for (const word of clause.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(word);
    else if (line.length + word.length < MOST_COLUMNS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines;
}

/** Words in quotes, papers, files and identifiers in a plain text; and what Markdown would misread. */
const MARKED = new RegExp(
  [
    "(?<code>`[^`]*`)",
    String.raw`"(?<word>[\w@+-]+)"`,
    String.raw`(?:arXiv )?\b(?<paper>\d{4}\.\d{5})\b`,
    String.raw`(?<file>[\w{}*.-]*(?:/[\w{}*.-]+)*\.(?:py|sh|yaml|md|ts)(?::\d+(?:-\d*)?(?:, \d+(?:-\d*)?)*)?)`,
    String.raw`(?<name>\b[a-z][a-zA-Z0-9]*(?:\.[a-z]+)*(?:[._][a-zA-Z0-9*]+)*_[a-zA-Z0-9*]+\b|\b[A-Z]+(?:_[A-Z]+)+\b|\b[a-z]{2,}[a-z0-9]*[A-Z][A-Za-z0-9]*\b(?:\.[a-z]\w+)*)`,
    String.raw`(?<emphasis>\*\w+\*)`,
    String.raw`(?<special>\*|\\|<(?=[a-z/]))`,
  ].join("|"),
  "g",
);

/** Words in camel case that are no identifiers. */
const WORDS = new Set(["arXiv"]);

/** A plain text as Markdown: words in quotes, identifiers and files as code, papers as links. */
export function prose(text: string): string {
  return text.replaceAll(MARKED, (whole, ...rest) => {
    const { word, paper, file, name, special } = rest.at(-1) as Record<string, string | undefined>;
    if (word !== undefined) return `\`${word}\``;
    if (paper !== undefined) return `[${whole}](https://arxiv.org/abs/${paper})`;
    if (special !== undefined) return special === "<" ? "&lt;" : `\\${special}`;
    if (name !== undefined && WORDS.has(name)) return whole;
    return file !== undefined || name !== undefined ? `\`${whole}\`` : whole;
  });
}

/** A value of a spec or a parameter, as JSON in code. */
export function literal(value: unknown): string {
  return `\`${JSON.stringify(value)}\``;
}

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
