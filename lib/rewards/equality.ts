/** Whether two answers are mathematically equal. */
import { type Answer, hasThousands, readAnswer } from "./answer.js";
import { type Expression, type Operation, proportional, sameExpression } from "./expression.js";
import { plainLatex } from "./plain-latex.js";
import { ofInteger } from "./quantity.js";

const LONGEST = 4000;
const CHOICE = /^(?:(?:option|choice|answer)\s*:?\s*)?[([]?([a-zA-Z])(?:[)\].:](?:\s.*)?|\s*)$/is;

/**
 * Whether `answer` says what `reference` says. Neither is converted or executed; what cannot be read as mathematics is
 * compared as words.
 *
 * @param tolerance  largest difference of two numbers relative to the reference; 0 for exact equality
 */
export function sameAnswer(answer: string, reference: string, tolerance: number): boolean {
  const [given, wanted] = [answer.trim(), reference.trim()];
  if (given === "" || wanted === "") return false;
  if (given === wanted) return true;
  if (given.length > LONGEST || wanted.length > LONGEST) return false;
  if (plainLatex(given) === plainLatex(wanted)) return plainLatex(given) !== "";
  const [chosen, correct] = [choiceOf(given), choiceOf(wanted)];
  if (chosen !== undefined && correct !== undefined) return chosen === correct;
  if (same(readAnswer(given, true), readAnswer(wanted, true), tolerance)) return true;
  // "1,234" may be two numbers after all.
  if (!hasThousands(given) && !hasThousands(wanted)) return false;
  return same(readAnswer(given, false), readAnswer(wanted, false), tolerance);
}

/** The letter of a choice: A, (A), A., \text{(A)}, Option A, "(A) 5 cm". */
function choiceOf(text: string): string | undefined {
  const bare = plainLatex(text).replace(/\\(?:text|textbf|mathrm|mathbf|boxed)\s*\{|[{}$]/g, " ");
  return CHOICE.exec(bare.replace(/\s+/g, " ").trim())?.[1]?.toUpperCase();
}

function same(a: Answer, b: Answer, tolerance: number): boolean {
  if (a.kind === "relation" && b.kind === "relation") return sameRelation(a, b, tolerance);
  if (a.kind === "relation") return a.said !== undefined && same(a.said, b, tolerance);
  if (b.kind === "relation") return b.said !== undefined && same(a, b.said, tolerance);
  if (a.kind === "expression" && b.kind === "expression") return sameMeasured(a, b, tolerance);
  if (a.kind === "list" && b.kind === "list") return sameList(a, b, tolerance);
  if (a.kind === "union" && b.kind === "union") return matched(a.parts, b.parts, tolerance);
  return a.kind === "words" && b.kind === "words" && a.words === b.words && a.words !== "";
}

type Of<K extends Answer["kind"]> = Extract<Answer, { readonly kind: K }>;

/** Numbers with units: two different known units are a difference, one alone is not. */
function sameMeasured(a: Of<"expression">, b: Of<"expression">, tolerance: number): boolean {
  if (a.unit !== "" && b.unit !== "" && a.unit !== b.unit) return false;
  if (sameExpression(a.expression, b.expression, tolerance)) return true;
  if (a.unit === b.unit) return false;
  const [x, y] = [scaledByUnit(a), scaledByUnit(b)];
  return sameExpression(x, y, tolerance);
}

/** 50 % as 1/2, 30° as π/6; everything else as it is. */
function scaledByUnit({ expression, unit }: Of<"expression">): Expression {
  if (unit === "%") return operation("divide", expression, integer(100n));
  if (unit !== "°") return expression;
  const straight = operation("multiply", integer(4n), operation("arctan", integer(1n)));
  return operation("divide", operation("multiply", expression, straight), integer(180n));
}

function operation(name: Operation, ...operands: Expression[]): Expression {
  return { kind: "operation", operation: name, operands };
}

function integer(value: bigint): Expression {
  return { kind: "number", value: ofInteger(value) };
}

/** Brackets have to be the same, unless one side has none; order counts within ( ), [ ] and matrices. */
function sameList(a: Of<"list">, b: Of<"list">, tolerance: number): boolean {
  const bare = a.open === "" || b.open === "";
  if (!bare && (a.open !== b.open || a.close !== b.close)) return false;
  if (a.items.length !== b.items.length) return false;
  const brackets = a.open === "" ? b.open : a.open;
  if (brackets === "" || brackets === "{") return matched(a.items, b.items, tolerance);
  return a.items.every((item, i) => same(item, b.items[i] as Answer, tolerance));
}

/** Whether the items are the same in some order. */
function matched(a: readonly Answer[], b: readonly Answer[], tolerance: number): boolean {
  if (a.length !== b.length) return false;
  const left = [...b];
  return a.every((item) => {
    const at = left.findIndex((other) => same(item, other, tolerance));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

const TURNED: Readonly<Record<string, string>> = { ">": "<", "\\ge": "\\le" };

/** Relations side by side, read from either end; an equation also up to a factor. */
function sameRelation(a: Of<"relation">, b: Of<"relation">, tolerance: number): boolean {
  const [first, second] = [a.operators.join(), b.operators.join()];
  if (a.said && b.said && first === second && (first === "=" || first === "\\in")) {
    return same(a.sides[0] as Answer, b.sides[0] as Answer, 0) && same(a.said, b.said, tolerance);
  }
  const [x, y] = [ascending(a), ascending(b)];
  const alike =
    x.operators.join() === y.operators.join() &&
    x.sides.every((side, i) => same(side, y.sides[i] as Answer, tolerance));
  if (alike) return true;
  const [p, q] = [differenceOf(a), differenceOf(b)];
  return p !== undefined && q !== undefined && proportional(p, q);
}

/** With all signs of order pointing upwards. */
function ascending({ operators, sides }: Of<"relation">): {
  operators: readonly string[];
  sides: readonly Answer[];
} {
  if (!operators.every((operator) => operator in TURNED)) return { operators, sides };
  return {
    operators: operators.map((operator) => TURNED[operator] ?? operator).reverse(),
    sides: [...sides].reverse(),
  };
}

/** Left minus right of an equation. */
function differenceOf({ operators, sides }: Of<"relation">): Expression | undefined {
  const [left, right] = sides;
  if (operators.join() !== "=" || left?.kind !== "expression" || right?.kind !== "expression") {
    return undefined;
  }
  return operation("subtract", left.expression, right.expression);
}
