/** What an answer is: one expression, several, a tuple, a set, an interval, a relation, or words. */
import type { Expression } from "./expression.js";
import { parseExpression } from "./parse-expression.js";
import { plainLatex, splitOutside } from "./plain-latex.js";
import { splitUnit } from "./units.js";

export type Answer =
  | { readonly kind: "expression"; readonly expression: Expression; readonly unit: string }
  /** Bare items have no brackets: "" and "". A matrix has "matrix" and is a list of rows. */
  | {
      readonly kind: "list";
      readonly open: string;
      readonly close: string;
      readonly items: readonly Answer[];
    }
  | { readonly kind: "union"; readonly parts: readonly Answer[] }
  | {
      readonly kind: "relation";
      readonly operators: readonly string[];
      readonly sides: readonly Answer[];
      /** Of "x = …", "x ∈ …" and "a < x ≤ b": what it says of x, an interval for the last. */
      readonly said: Answer | undefined;
    }
  | { readonly kind: "words"; readonly words: string };

const MOST_DEPTH = 8;
const THOUSANDS = /^([+-]?\s*\d{1,3})((?:,\d{3})+)(\.\d+)?(?![\d,])/;
/** 1 234 567 */
const SPACED = /^[+-]?\d{1,3}(?: \d{3})+(?:\.\d+)?$/;
const RELATION = /\\le(?![a-zA-Z])|\\ge(?![a-zA-Z])|\\ne(?![a-zA-Z])|\\in(?![a-zA-Z])|[=<>]/;
const LISTED = /,|;|\s(?:and|or)\s|\\text\s*\{\s*(?:and|or)\s*\}/;

/** Reads an answer as a whole; with `thousands`, 1,234 is one number, otherwise two. */
export function readAnswer(text: string, thousands: boolean): Answer {
  const plain = plainLatex(text).replace(SPACED, (number) => number.replace(/ /g, ""));
  return read(thousands ? withoutThousands(plain) : plain, 0);
}

/** Whether a text can be read in two ways. */
export function hasThousands(text: string): boolean {
  return THOUSANDS.test(plainLatex(text));
}

/** A number with its groups of three put together. */
function withoutThousands(text: string): string {
  return text.replace(THOUSANDS, (_, first: string, groups: string, places = "") => {
    return `${first}${groups.replace(/,/g, "")}${places}`;
  });
}

function read(text: string, depth: number): Answer {
  const words: Answer = { kind: "words", words: wordsOf(text) };
  if (depth > MOST_DEPTH) return words;
  return (
    readUnion(text, depth) ??
    readRelation(text, depth) ??
    readMatrix(text, depth) ??
    readBare(text, depth) ??
    readBracketed(text, depth) ??
    readBoth(text, depth) ??
    readExpression(text) ??
    words
  );
}

/** Letters and amount in lower case, with one space between words and without the commands around them. */
function wordsOf(text: string): string {
  const bare = text.replace(/\\text\s*\{|[{}]/g, " ");
  return bare.replace(/\s+/g, "").toLowerCase();
}

function readUnion(text: string, depth: number): Answer | undefined {
  const parts = splitOutside(text, /\\cup(?![a-zA-Z])|U(?=\s*[([])/);
  if (parts.length < 2 || parts.includes("")) return undefined;
  return { kind: "union", parts: parts.map((part) => read(part, depth + 1)) };
}

function readRelation(text: string, depth: number): Answer | undefined {
  const pieces = splitOutside(text, RELATION);
  if (pieces.length < 2 || pieces.includes("")) return undefined;
  // "x = 1, x = 2" is a list of relations.
  if (splitOutside(text, LISTED).filter((part) => RELATION.test(part)).length > 1) return undefined;
  const operators = operatorsOf(text, pieces);
  const sides = pieces.map((piece) => read(piece, depth + 1));
  const [first = ""] = pieces;
  const says = pieces.length === 2 && /^(?:=|\\in)$/.test(operators[0] ?? "") && isName(first);
  const said = says ? sides[1] : intervalOf(operators, sides);
  return { kind: "relation", operators, sides, said };
}

/** x, x_1, f(x), AB, \angle ABC, \text{Area}: what stands for a quantity on the left of an equation. */
function isName(text: string): boolean {
  const bare = text.replace(/_(?:\{\w+\}|\w)/g, "");
  return /^[a-zA-Z\\][a-zA-Z\\\s{}()]*$/.test(bare) && !/\\(?:frac|sqrt)/.test(bare);
}

/** "a < x ≤ b" and "x > a" as intervals, from either end. */
function intervalOf(operators: readonly string[], sides: readonly Answer[]): Answer | undefined {
  const turned = operators.every((operator) => operator === ">" || operator === "\\ge");
  if (!turned && !operators.every((operator) => operator === "<" || operator === "\\le")) {
    return undefined;
  }
  const [signs, places] = turned
    ? [[...operators].reverse(), [...sides].reverse()]
    : [operators, sides];
  const at = places.findIndex((side) => side.kind === "expression" && isLetter(side.expression));
  if (at < 0 || places.length > 3 || (places.length === 3 && at !== 1)) return undefined;
  const [low, high] = [places[at - 1], places[at + 1]];
  return {
    kind: "list",
    open: low && /e/.test(signs[at - 1] ?? "") ? "[" : "(",
    close: high && /e/.test(signs[at] ?? "") ? "]" : ")",
    items: [low ?? readAnswer("-\\infty", false), high ?? readAnswer("\\infty", false)],
  };
}

function isLetter(expression: Expression): boolean {
  return expression.kind === "letter";
}

/** What stands between the pieces. */
function operatorsOf(text: string, pieces: readonly string[]): string[] {
  let at = 0;
  const operators: string[] = [];
  for (let i = 0; i + 1 < pieces.length; i++) {
    const end = text.indexOf(pieces[i] ?? "", at) + (pieces[i] ?? "").length;
    at = text.indexOf(pieces[i + 1] ?? "", end + 1);
    operators.push(text.slice(end, at).trim());
  }
  return operators;
}

function readMatrix(text: string, depth: number): Answer | undefined {
  const found = /^\\begin\{([pbvB]?matrix|array)\}(?:\{[lcr|]+\})?(.*)\\end\{\1\}$/s.exec(text);
  if (found === null) return undefined;
  const rows = splitOutside((found[2] ?? "").trim(), /\\\\/).filter((row) => row !== "");
  const list = (items: readonly Answer[]): Answer => {
    return { kind: "list", open: "matrix", close: "matrix", items };
  };
  return list(
    rows.map((row) => list(splitOutside(row, /&/).map((entry) => read(entry, depth + 1)))),
  );
}

/** Items side by side without brackets. */
function readBare(text: string, depth: number): Answer | undefined {
  const items = splitOutside(text, LISTED).filter((item) => item !== "");
  return items.length < 2 ? undefined : bare(items.map((item) => read(item, depth + 1)));
}

function bare(items: readonly Answer[]): Answer {
  const flat = items.flatMap((item) =>
    item.kind === "list" && item.open === "" ? item.items : [item],
  );
  return { kind: "list", open: "", close: "", items: flat };
}

/** (a, b), [a, b), \{a, b\}: what is in brackets is read item by item, and no comma in it separates thousands. */
function readBracketed(text: string, depth: number): Answer | undefined {
  const set = text.startsWith("\\{") && text.endsWith("\\}");
  const [open = "", close = ""] = set ? ["{", "}"] : [text[0], text.at(-1)];
  if (!set && !(/[([]/.test(open) && /[)\]]/.test(close))) return undefined;
  const inside = set ? text.slice(2, -2) : text.slice(1, -1);
  if (!enclosed(inside)) return undefined;
  const items = splitOutside(inside, /,|;/);
  if (items.length < 2 && !set) return undefined;
  const known = items.filter((item) => item !== "").map((item) => read(item, depth + 1));
  return { kind: "list", open, close, items: known };
}

/** Whether the brackets of a text close one another, so that those around it belong together. */
function enclosed(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if ("([".includes(character)) depth++;
    if (")]".includes(character) && --depth < 0) return false;
  }
  return depth === 0;
}

/** "2 \pm \sqrt{3}" is two answers; where several signs are there, the upper ones belong together. */
function readBoth(text: string, depth: number): Answer | undefined {
  if (!/\\pm|\\mp/.test(text)) return undefined;
  const upper = text.replace(/\\pm/g, "+").replace(/\\mp/g, "-");
  const lower = text.replace(/\\pm/g, "-").replace(/\\mp/g, "+");
  return bare([read(upper, depth + 1), read(lower, depth + 1)]);
}

function readExpression(text: string): Answer | undefined {
  const { amount, unit } = splitUnit(text);
  // A word is no product of letters: what is letters only is an expression if it is one letter.
  const word = /^[a-zA-Z]{2,}$/.test(amount.replace(/\\text\s*\{|[{}\s]/g, ""));
  if (word && !/^(?:pi|inf)$/.test(amount)) return undefined;
  const expression = parseExpression(amount);
  return expression && { kind: "expression", expression, unit };
}
