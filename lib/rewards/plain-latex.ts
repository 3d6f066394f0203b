/** One spelling for what LaTeX and plain text spell in many ways, and nothing that only looks. */

/** Replaced in this order; none of the patterns looks back over what it has passed. */
const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/\\?[$€£]/g, ""],
  [/^\s*(?:\\approx|≈)/, ""],
  [/(?<!\\)\\[()]/g, ""],
  [/(?<!\\)\\\[|(?<!\\)\\\](?=\s*$)/g, ""],
  [/\\(?:left|right|[bB]ig+[lr]?)(?![a-zA-Z])\s*\.?/g, ""],
  [/\\(?:displaystyle|textstyle|limits|nolimits|quad|qquad)(?![a-zA-Z])/g, " "],
  [/(\d)(?:\\[,!]|\{,\})(?=\d{3}(?!\d))/g, "$1"],
  [/(?<!\\)\\[,;:! ]|~|[\u00a0\u2009\u202f]/g, " "],
  [/\\[dtc]frac(?![a-zA-Z])/g, "\\frac"],
  [
    /\\(?:mathrm|textrm|textnormal|textbf|textit|mathbf|mathit|mathsf|mbox|rm|operatorname)\s*\{/g,
    "\\text{",
  ],
  [/\\lbrace(?![a-zA-Z])/g, "\\{"],
  [/\\rbrace(?![a-zA-Z])/g, "\\}"],
  [/\\(?:lvert|rvert|vert|mid)(?![a-zA-Z])/g, "|"],
  [/[−–—]/g, "-"],
  [/×|⋅|·/g, "\\cdot "],
  [/÷/g, "\\div "],
  [/√/g, "\\sqrt"],
  [/π/g, "\\pi "],
  [/∞/g, "\\infty "],
  [/±/g, "\\pm "],
  [/∪/g, "\\cup "],
  [/∈/g, "\\in "],
  [/≤|\\leqslant(?![a-zA-Z])|\\leq(?![a-zA-Z])|<=/g, "\\le "],
  [/≥|\\geqslant(?![a-zA-Z])|\\geq(?![a-zA-Z])|>=/g, "\\ge "],
  [/≠|\\neq(?![a-zA-Z])/g, "\\ne "],
  [/∅|\\(?:emptyset|varnothing)(?![a-zA-Z])/g, "\\{\\}"],
  [/ℝ|\\mathbb\s*(?:\{\s*R\s*\}|R)/g, "(-\\infty,\\infty)"],
  [/\\langle(?![a-zA-Z])/g, "("],
  [/\\rangle(?![a-zA-Z])/g, ")"],
  [/\\lt(?![a-zA-Z])/g, "<"],
  [/\\gt(?![a-zA-Z])/g, ">"],
  [/²/g, "^2"],
  [/³/g, "^3"],
  [/½/g, "\\frac{1}{2}"],
  [/¼/g, "\\frac{1}{4}"],
  [/¾/g, "\\frac{3}{4}"],
  [/(\d)[eE]([+-]?\d{1,3})(?![\d.a-zA-Z])/g, "$1\\cdot 10^{$2}"],
];

/** The same answer in one spelling; never longer than the text by more than its replacements are. */
export function plainLatex(text: string): string {
  let plain = text;
  for (const [pattern, replacement] of REPLACEMENTS) plain = plain.replace(pattern, replacement);
  plain = withoutOuter(plain.replace(/\s+/g, " ").trim());
  return endingOf(plain);
}

/** Without a point at the end, unless it belongs to a number like "5."; that one goes too. */
function endingOf(text: string): string {
  return text.endsWith(".") ? text.slice(0, -1).trimEnd() : text;
}

/** Without a \boxed{}, \text{} or bare braces around all of it. */
function withoutOuter(text: string): string {
  for (const command of ["", "\\boxed", "\\text", "\\fbox"]) {
    const open = text.startsWith(command) ? text.indexOf("{", command.length) : -1;
    if (open < 0 || text.slice(command.length, open).trim() !== "") continue;
    if (closingBrace(text, open) === text.length - 1)
      return withoutOuter(text.slice(open + 1, -1).trim());
  }
  return text;
}

/** Where the brace at `open` is closed, −1 where it is not. Escaped braces are signs of their own. */
export function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

/** Parts of `text` between separators that no bracket encloses; separators are left out. */
export function splitOutside(text: string, separator: RegExp): string[] {
  const parts: string[] = [];
  const sticky = new RegExp(separator.source, "y");
  let [depth, start, at] = [0, 0, 0];
  while (at < text.length) {
    const found = depth === 0 ? lengthAt(sticky, text, at) : 0;
    if (found > 0) {
      parts.push(text.slice(start, at).trim());
      at += found;
      start = at;
      continue;
    }
    const width = text[at] === "\\" && /[{}]/.test(text[at + 1] ?? "") ? 2 : 1;
    const bracket = text[at + width - 1] ?? "";
    if ("([{".includes(bracket)) depth++;
    else if (")]}".includes(bracket)) depth = Math.max(depth - 1, 0);
    at += width;
  }
  parts.push(text.slice(start).trim());
  return parts;
}

function lengthAt(sticky: RegExp, text: string, at: number): number {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0].length ?? 0;
}
