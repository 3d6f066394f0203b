/** Numbers as they are written: 12, .5, 0.1\\overline{6}, 3\\frac{1}{2}, 3 1/2. */
import { ofRational, type Quantity, sum } from "./quantity.js";
import { rational } from "./rational.js";

export interface NumberLiteral {
  readonly value: Quantity;
  /** Where it ends. */
  readonly end: number;
}

const DIGITS = /[0-9]*\.?[0-9]*/y;
const BAR = /\\overline\{(\d{1,64})\}/y;
const FRACTION =
  /\s*\\frac\s*(?:\{(\d{1,9})\}|(\d))\s*(?:\{(\d{1,9})\}|(\d))|\s+(\d{1,9})\/(\d{1,9})(?![\d.])/y;

/** The number that begins at `start`; a proper fraction behind a whole number makes it a mixed one. */
export function numberAt(text: string, start: number): NumberLiteral | undefined {
  const digits = at(DIGITS, text, start)?.[0] ?? "";
  if (digits === "" || digits === ".") return undefined;
  const bar = at(BAR, text, start + digits.length);
  const value = decimal(digits, bar?.[1] ?? "");
  const end = start + digits.length + (bar?.[0].length ?? 0);
  const fraction = digits.includes(".") || bar ? null : at(FRACTION, text, end);
  if (fraction === null) return { value, end };
  const [top = "", bottom = ""] = fraction.slice(1).filter((group) => group !== undefined);
  if (Number(top) >= Number(bottom)) return { value, end };
  const part = ofRational(rational(BigInt(top), BigInt(bottom)));
  return { value: sum(value, part), end: end + fraction[0].length };
}

/** Digits, and those that repeat after them. */
function decimal(digits: string, repeated: string): Quantity {
  const [whole = "", places = ""] = digits.split(".");
  const scale = 10n ** BigInt(places.length);
  const value = ofRational(rational(BigInt(`${whole}${places}`), scale));
  if (repeated === "") return value;
  const period = 10n ** BigInt(repeated.length) - 1n;
  return sum(value, ofRational(rational(BigInt(repeated), scale * period)));
}

function at(pattern: RegExp, text: string, start: number): RegExpExecArray | null {
  pattern.lastIndex = start;
  return pattern.exec(text);
}
