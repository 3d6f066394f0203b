/** Units and words behind a number. */

/** Spellings of units, and of words that come with them, by the one that counts. */
const SPELLINGS: Readonly<Record<string, string>> = {
  mm: "mm millimeter millimeters millimetre millimetres",
  cm: "cm centimeter centimeters centimetre centimetres",
  m: "m meter meters metre metres",
  km: "km kilometer kilometers kilometre kilometres",
  in: "in inch inches",
  ft: "ft foot feet",
  mi: "mi mile miles",
  mg: "mg milligram milligrams",
  g: "g gram grams",
  kg: "kg kilogram kilograms",
  lb: "lb lbs pound pounds",
  ms: "ms millisecond milliseconds",
  s: "s sec second seconds",
  min: "min mins minute minutes",
  h: "h hr hrs hour hours",
  d: "day days",
  ml: "ml milliliter milliliters millilitre millilitres",
  l: "l L liter liters litre litres",
  N: "N newton newtons",
  J: "J joule joules",
  W: "W watt watts",
  V: "V volt volts",
  A: "A amp amps ampere amperes",
  Hz: "Hz hertz",
  Pa: "Pa pascal pascals",
  K: "K kelvin",
  mol: "mol mole moles",
  "¢": "cent cents",
  $: "dollar dollars",
};

const UNITS: ReadonlyMap<string, string> = new Map(
  Object.entries(SPELLINGS).flatMap(([unit, words]) =>
    words.split(" ").map((word) => [word, unit] as const),
  ),
);
const MATHEMATICAL = /^(?:sqrt|frac|ln|lg|log|exp|sin|cos|tan|cot|sec|csc|pi|inf|infty|and|or)$/;

/** 30^\\circ, 30°, 30 degrees; 25°C and 25 °F. */
const DEGREES =
  /^(.*\S)\s*(?:(?:\^\s*\\circ|\^\s*\{\s*\\circ\s*\}|°)\s*(?:\\text\s*\{)?\s*([CF]?)\s*\}?|(?:\\text\s*\{\s*)?degrees?\s*\}?)$/s;

export interface Measured {
  /** What is left of the text. */
  readonly amount: string;
  /** The known units in it, one after the other, "" where there are none; "%" and "°" stand for themselves. */
  readonly unit: string;
}

/** Splits a unit off the end: percent, degrees, \text{…}, known units, and words of three letters and more. */
export function splitUnit(text: string): Measured {
  const percent = /^(.*[^\\\s])\s*(?:\\%|%|percent)$/s.exec(text);
  if (percent) return { amount: percent[1] ?? "", unit: "%" };
  const degrees = DEGREES.exec(text);
  if (degrees && !/sin|cos|tan|cot|sec|csc/.test(text)) {
    return { amount: (degrees[1] ?? "").trimEnd(), unit: `°${degrees[2] ?? ""}` };
  }
  const at = unitStart(text);
  if (at === undefined) return { amount: text, unit: "" };
  return { amount: text.slice(0, at).trimEnd(), unit: unitName(text.slice(at)) };
}

/** Where the words at the end begin; undefined where there are none, or nothing comes before them. */
function unitStart(text: string): number | undefined {
  const marked = text.indexOf("\\text");
  if (marked > 0) {
    const rest = text.slice(marked).replace(/\\text\s*\{[^{}\d]*\}|\\cdot/g, "");
    return /^[\s/*{}a-zA-Z.-]*$/.test(withoutExponents(rest)) ? marked : undefined;
  }
  const word = /[\d)\]}]\s*([a-zA-Z])/g;
  for (let found = word.exec(text); found !== null; found = word.exec(text)) {
    const start = found.index + found[0].length - 1;
    const apart = found[0].length > 2;
    if (isUnit(text.slice(start), apart)) return start;
  }
  return undefined;
}

function isUnit(text: string, apart: boolean): boolean {
  if (/[()[\]+=<>,|\\\d]/.test(withoutExponents(text))) return false;
  const words = wordsOf(text);
  const known = (word: string) =>
    UNITS.has(word) ? apart || word.length > 1 : apart && word.length > 2;
  return words.length > 0 && words.every((word) => known(word) && !MATHEMATICAL.test(word));
}

/** cm^2, m^{-1}: the exponents belong to the unit. */
function withoutExponents(text: string): string {
  return text.replace(/\^\s*(?:\{\s*-?\d\s*\}|-?\d)/g, "");
}

function unitName(text: string): string {
  const units = wordsOf(text.replace(/\\text|\\cdot/g, " ")).map((word) => UNITS.get(word) ?? "");
  return units.filter((unit) => unit !== "").join(" ");
}

function wordsOf(text: string): string[] {
  return text.split(/[^a-zA-Z]+/).filter((word) => word !== "");
}
