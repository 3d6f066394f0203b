/** LaTeX and plain text of an expression into a tree. */
import type { Expression, Operation } from "./expression.js";
import { numberAt } from "./number-literal.js";
import * as quantity from "./quantity.js";

/** The expression that the whole of `text` is, prepared by `plainLatex`; undefined where it is none. */
export function parseExpression(text: string): Expression | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  const parser = new Parser(text);
  try {
    const expression = parser.sum();
    return parser.atEnd ? expression : undefined;
  } catch (error) {
    if (error instanceof NoExpression) return undefined;
    throw error;
  }
}

const MOST_CHARACTERS = 2000;
const MOST_DEPTH = 64;

class NoExpression extends Error {}

const FUNCTIONS: readonly string[] = ["ln", "exp", "sin", "cos", "tan", "cot", "sec", "csc"];
const ARCS: readonly string[] = ["arcsin", "arccos", "arctan"];
/** Names that are read with and without a backslash, longest first. */
const NAMES = [...ARCS, "sqrt", "binom", "infty", "frac", "log", "exp", "sin", "cos", "tan", "cot"]
  .concat(["sec", "csc", "inf", "ln", "lg", "pi"])
  .sort((a, b) => b.length - a.length);
/** Other commands that stand for a letter. */
const GREEK = /^\\(alpha|beta|gamma|delta|theta|lambda|mu|phi|omega|sigma|rho|tau|varphi|epsilon)/;
const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

const operation = (name: Operation, ...operands: Expression[]): Expression => ({
  kind: "operation",
  operation: name,
  operands,
});
const number = (value: quantity.Quantity): Expression => ({ kind: "number", value });
const integer = (value: bigint): Expression => number(quantity.ofInteger(value));
const PI = number(quantity.rounded(Math.PI, 2 ** -53));
const DEGREE = operation("divide", PI, integer(180n));

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#text.length;
  }

  /** Terms with signs between them. */
  sum(): Expression {
    if (++this.#depth > MOST_DEPTH) throw new NoExpression();
    let left = this.#signed();
    for (;;) {
      if (this.#take("+")) left = operation("add", left, this.#signed());
      else if (this.#take("-")) left = operation("subtract", left, this.#signed());
      else break;
    }
    this.#depth--;
    return left;
  }

  #signed(): Expression {
    if (this.#take("-"))
      return operation(
        "negate",
        this.#deeper(() => this.#signed()),
      );
    if (this.#take("+")) return this.#deeper(() => this.#signed());
    return this.#term();
  }

  /** Factors, with or without a sign of multiplication, from left to right. */
  #term(): Expression {
    let left = this.#power();
    for (;;) {
      if (this.#take("\\cdot") || this.#take("\\times") || this.#take("*")) {
        left = operation("multiply", left, this.#factor());
      } else if (this.#take("\\div") || this.#take("/")) {
        left = operation("divide", left, this.#factor());
      } else if (this.#beginsFactor()) {
        left = operation("multiply", left, this.#power());
      } else return left;
    }
  }

  /** A factor behind a sign of multiplication may have one of its own. */
  #factor(): Expression {
    return this.#take("-") ? operation("negate", this.#power()) : this.#power();
  }

  #power(): Expression {
    return this.#deeper(() => {
      let base = this.#primary();
      for (;;) {
        if (this.#take("^\\circ") || this.#take("^{\\circ}") || this.#take("°")) {
          base = operation("multiply", base, DEGREE);
        } else if (this.#take("!")) base = operation("factorial", base);
        else if (this.#take("\\%") || this.#take("%"))
          base = operation("divide", base, integer(100n));
        else break;
      }
      if (!this.#take("^") && !this.#take("**")) return base;
      return operation("power", base, this.#exponent());
    });
  }

  #exponent(): Expression {
    if (this.#peek() === "{" || this.#peek() === "(") return this.#argument();
    // Plain text: 2^-3 and 2^10, where LaTeX would take one digit.
    return this.#take("-") ? operation("negate", this.#power()) : this.#power();
  }

  #primary(): Expression {
    this.#skipSpace();
    const next = this.#peek();
    if (/[0-9.]/.test(next)) return this.#number();
    if (next === "(" || next === "[" || next === "{") return this.#group();
    if (next === "|") return this.#absolute();
    return this.#named() ?? this.#letter();
  }

  #group(): Expression {
    const open = this.#peek();
    this.#at++;
    const inside = this.sum();
    if (!this.#take(CLOSING[open] ?? ")")) throw new NoExpression();
    return inside;
  }

  #absolute(): Expression {
    this.#take("|");
    const inside = this.sum();
    if (!this.#take("|")) throw new NoExpression();
    return operation("absolute", inside);
  }

  #number(): Expression {
    const found = numberAt(this.#text, this.#at);
    if (found === undefined) throw new NoExpression();
    this.#at = found.end;
    return { kind: "number", value: found.value };
  }

  /** A function, a constant or a fraction, with or without a backslash. */
  #named(): Expression | undefined {
    const start = this.#at;
    const slash = this.#text[start] === "\\";
    const rest = this.#text.slice(start + (slash ? 1 : 0), start + 8);
    const name = NAMES.find((candidate) => rest.startsWith(candidate));
    if (name === undefined) return undefined;
    this.#at += name.length + (slash ? 1 : 0);
    switch (name) {
      case "pi":
        return PI;
      case "infty":
      case "inf":
        return number(quantity.INFINITE);
      case "frac":
        return operation("divide", this.#argument(), this.#argument());
      case "binom":
        return operation("choose", this.#argument(), this.#argument());
      case "sqrt":
        return operation(
          "root",
          this.#take("[") ? this.#until("]") : integer(2n),
          this.#argument(),
        );
      case "log":
      case "lg": {
        const base = this.#take("_") ? this.#argument() : integer(10n);
        return operation("log", base, this.#operand());
      }
      default:
        return this.#function(name);
    }
  }

  #function(name: string): Expression {
    const exponent = this.#take("^") ? this.#exponent() : undefined;
    const inverse = exponent !== undefined && isMinusOne(exponent) && !ARCS.includes(name);
    const called = inverse && ARCS.includes(`arc${name}`) ? `arc${name}` : name;
    const result = operation(called as Operation, this.#operand());
    if (exponent === undefined || called !== name) return result;
    return operation("power", result, exponent);
  }

  /** What a function without braces takes: a group, or the factors up to the next sign. */
  #operand(): Expression {
    this.#skipSpace();
    if (/[({[]/.test(this.#peek())) return this.#power();
    let operand = this.#power();
    while (this.#beginsFactor() && !/[({[]/.test(this.#peek()) && !this.#nextFunction()) {
      operand = operation("multiply", operand, this.#power());
    }
    return operand;
  }

  #nextFunction(): string | undefined {
    this.#skipSpace();
    const rest = this.#text.slice(this.#at, this.#at + 8).replace("\\", "");
    return [...ARCS, ...FUNCTIONS, "log"].find((name) => rest.startsWith(name));
  }

  /** What a LaTeX command takes: a group, or one digit or letter. */
  #argument(): Expression {
    this.#skipSpace();
    const next = this.#peek();
    if (next === "{" || next === "(") return this.#deeper(() => this.#group());
    if (/[0-9]/.test(next)) {
      this.#at++;
      return integer(BigInt(next));
    }
    return this.#named() ?? this.#letter();
  }

  #until(close: string): Expression {
    const inside = this.sum();
    if (!this.#take(close)) throw new NoExpression();
    return inside;
  }

  /** A letter, perhaps with an index; e is Euler's number. */
  #letter(): Expression {
    const greek = GREEK.exec(this.#text.slice(this.#at, this.#at + 12))?.[0];
    const name = greek ?? this.#peek();
    if (greek === undefined && !/[a-zA-Z]/.test(name)) throw new NoExpression();
    this.#at += name.length;
    const index = /_(\{\w{1,8}\}|\w)/y;
    index.lastIndex = this.#at;
    const subscript = index.exec(this.#text);
    this.#at += subscript?.[0].length ?? 0;
    if (name === "e" && subscript === null) return number(quantity.rounded(Math.E, 2 ** -53));
    return { kind: "letter", name: `${name}${(subscript?.[1] ?? "").replace(/[{}]/g, "")}` };
  }

  #beginsFactor(): boolean {
    const next = this.#next();
    return (
      /[0-9.a-zA-Z({[\\]/.test(next) && !/^\\(cdot|times|div|%)/.test(this.#text.slice(this.#at))
    );
  }

  #deeper(parse: () => Expression): Expression {
    if (++this.#depth > MOST_DEPTH) throw new NoExpression();
    const expression = parse();
    this.#depth--;
    return expression;
  }

  #take(symbol: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(symbol, this.#at)) return false;
    this.#at += symbol.length;
    return true;
  }

  #next(): string {
    this.#skipSpace();
    return this.#peek();
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #skipSpace(): void {
    while (this.#text[this.#at] === " ") this.#at++;
  }
}

function isMinusOne(expression: Expression): boolean {
  if (expression.kind !== "operation" || expression.operation !== "negate") return false;
  const [one] = expression.operands;
  return one?.kind === "number" && one.value.value === 1;
}
