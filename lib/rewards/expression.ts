/** Expressions of numbers and letters as a tree, and their value. */

import * as quantity from "./quantity.js";
import { NOT_A_QUANTITY, type Quantity } from "./quantity.js";

export type Expression =
  | { readonly kind: "number"; readonly value: Quantity }
  | { readonly kind: "letter"; readonly name: string }
  | {
      readonly kind: "operation";
      readonly operation: Operation;
      readonly operands: readonly Expression[];
    };

export type Operation =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "negate"
  | "power"
  | "root"
  | "absolute"
  | "factorial"
  | "choose"
  | "log"
  | Smooth;

/** Functions of one operand that have a slope. */
export type Smooth =
  | "ln"
  | "exp"
  | "sin"
  | "cos"
  | "tan"
  | "cot"
  | "sec"
  | "csc"
  | "arcsin"
  | "arccos"
  | "arctan";

type Compute = (first: Quantity, second: Quantity) => Quantity;

const { applied } = quantity;
const ONE = quantity.ofInteger(1n);
const arcSlope = (x: number) => 1 / Math.sqrt(Math.max(1 - x * x, 2 ** -40));

/** What a node can do with its operands. */
const OPERATIONS: Readonly<Record<Operation, Compute>> = {
  add: quantity.sum,
  subtract: (a, b) => quantity.sum(a, quantity.negated(b)),
  multiply: quantity.product,
  divide: quantity.quotient,
  negate: quantity.negated,
  power: quantity.raised,
  // n, and what the n-th root is taken of.
  root: (n, x) => quantity.raised(x, quantity.quotient(ONE, n)),
  absolute: (a) => (a.value < 0 ? quantity.negated(a) : a),
  factorial,
  choose,
  // The base, and the argument.
  log: (base, x) => quantity.quotient(ln(x), ln(base)),
  ln,
  exp: (a) => applied(a, Math.exp, Math.exp),
  sin: (a) => applied(a, Math.sin, () => 1),
  cos: (a) => applied(a, Math.cos, () => 1),
  tan: (a) => applied(a, Math.tan, (x) => 1 + Math.tan(x) ** 2),
  cot: (a) => quantity.quotient(ONE, OPERATIONS.tan(a, a)),
  sec: (a) => quantity.quotient(ONE, OPERATIONS.cos(a, a)),
  csc: (a) => quantity.quotient(ONE, OPERATIONS.sin(a, a)),
  arcsin: (a) => applied(a, Math.asin, arcSlope),
  arccos: (a) => applied(a, Math.acos, arcSlope),
  arctan: (a) => applied(a, Math.atan, () => 1),
};

const MOST_FACTORIAL = 400n;

function ln(x: Quantity): Quantity {
  if (x.exact && x.exact.numerator === x.exact.denominator) return quantity.ofInteger(0n);
  return applied(x, Math.log, (value) => 1 / value);
}

function wholeOf(x: Quantity): bigint | undefined {
  if (x.exact === undefined || x.exact.denominator !== 1n) return undefined;
  const whole = x.exact.numerator;
  return whole >= 0n && whole <= MOST_FACTORIAL ? whole : undefined;
}

function factorial(x: Quantity): Quantity {
  const n = wholeOf(x);
  if (n === undefined) return NOT_A_QUANTITY;
  let result = 1n;
  for (let i = 2n; i <= n; i++) result *= i;
  return quantity.ofInteger(result);
}

function choose(from: Quantity, many: Quantity): Quantity {
  const [n, k] = [wholeOf(from), wholeOf(many)];
  if (n === undefined || k === undefined) return NOT_A_QUANTITY;
  if (k > n) return quantity.ofInteger(0n);
  let result = 1n;
  for (let i = 1n; i <= k; i++) result = (result * (n - k + i)) / i;
  return quantity.ofInteger(result);
}

/** The value with letters replaced; a letter without a value makes it NaN. */
export function evaluate(expression: Expression, letters: ReadonlyMap<string, Quantity>): Quantity {
  switch (expression.kind) {
    case "number":
      return expression.value;
    case "letter":
      return letters.get(expression.name) ?? NOT_A_QUANTITY;
    case "operation": {
      const [first, second] = expression.operands.map((operand) => evaluate(operand, letters));
      return OPERATIONS[expression.operation](first ?? NOT_A_QUANTITY, second ?? NOT_A_QUANTITY);
    }
  }
}

/** The letters an expression depends on, into `names`. */
export function lettersOf(expression: Expression, names: Set<string> = new Set()): Set<string> {
  if (expression.kind === "letter") names.add(expression.name);
  if (expression.kind === "operation") {
    for (const operand of expression.operands) lettersOf(operand, names);
  }
  return names;
}

/** Places at which expressions in letters are compared. */
const PLACES = 8;

/**
 * Whether two expressions are equal: as numbers, or at eight fixed places of both signs for their letters, of which those
 * count where both have a value, at least two.
 */
export function sameExpression(a: Expression, b: Expression, tolerance: number): boolean {
  const names = [...lettersOf(b, lettersOf(a))].sort();
  if (names.length === 0) return sameAt(a, b, new Map(), tolerance) === true;
  const verdicts = places(names).map((place) => sameAt(a, b, place, tolerance));
  const known = verdicts.filter((verdict) => verdict !== undefined);
  return known.length >= 2 && known.every((verdict) => verdict);
}

/** Whether a = k · b for a constant k other than 0, for equations; at the same places. */
export function proportional(a: Expression, b: Expression): boolean {
  const names = [...lettersOf(b, lettersOf(a))].sort();
  const ratios = places(names)
    .map((place) => quantity.quotient(evaluate(a, place), evaluate(b, place)))
    .filter(({ value }) => Number.isFinite(value) && value !== 0);
  const [first] = ratios;
  return (
    first !== undefined &&
    ratios.length >= 2 &&
    ratios.every((ratio) => quantity.sameQuantity(ratio, first, 0))
  );
}

function sameAt(
  a: Expression,
  b: Expression,
  place: ReadonlyMap<string, Quantity>,
  tolerance: number,
): boolean | undefined {
  const [x, y] = [evaluate(a, place), evaluate(b, place)];
  if (Number.isNaN(x.value) || Number.isNaN(y.value)) return undefined;
  return quantity.sameQuantity(x, y, tolerance);
}

/** Values in −1.5 … 2.5 spread evenly by two irrational steps, so that no two letters or places agree. */
function places(names: readonly string[]): ReadonlyMap<string, Quantity>[] {
  return Array.from({ length: PLACES }, (_, place) => {
    const spread = (letter: number) => {
      const turn = (letter + 1) * 0.6180339887498949 + (place + 1) * 0.7548776662466927;
      return quantity.rounded(4 * (turn % 1) - 1.5, 0);
    };
    return new Map(names.map((name, letter) => [name, spread(letter)]));
  });
}
