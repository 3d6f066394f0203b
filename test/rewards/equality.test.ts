/** Mathematical equality on a list of nasty answers, in both directions, and on numbers at random. */
import test from "ava";
import fc from "fast-check";
import { mathEqual } from "../../lib/rewards/index.js";
import { ANSWER_PAIRS } from "./answer-pairs.js";

for (const [what, pairs] of Object.entries(ANSWER_PAIRS)) {
  test(`answers: ${what}`, (t) => {
    for (const [answer, reference, same] of pairs) {
      t.is(mathEqual(answer, reference), same, `${answer} for ${reference}`);
      t.is(mathEqual(reference, answer), same, `${reference} for ${answer}`);
    }
  });
}

test("every answer with text in it is itself, in a box and between dollars too", (t) => {
  for (const [answer] of Object.values(ANSWER_PAIRS).flat()) {
    if (answer === "") continue;
    t.true(mathEqual(answer, answer), answer);
    if (!/[$.;]|^\(\(\(|\{$|\\[()]/.test(answer)) {
      t.true(mathEqual(` $ ${answer} $ `, answer), `$${answer}$`);
      t.true(mathEqual(`\\boxed{${answer}}`, answer), `\\boxed{${answer}}`);
    }
  }
});

test("fractions are equal exactly where their cross products are", (t) => {
  const whole = fc.integer({ min: -10000, max: 10000 });
  const positive = fc.integer({ min: 1, max: 10000 });
  const property = fc.property(whole, positive, whole, positive, (a, b, c, d) => {
    t.is(mathEqual(`\\frac{${a}}{${b}}`, `${c}/${d}`), a * d === c * b);
    t.true(mathEqual(`\\dfrac{${a * d}}{${b * d}}`, `(${a})/${b}`));
    t.false(mathEqual(`\\frac{${a}}{${b}}`, `\\frac{${a * 10000 + 1}}{${b * 10000}}`));
  });
  fc.assert(property, { seed: 7, numRuns: 200 });
});

test("decimals are what they say, to any length", (t) => {
  const digits = fc.stringMatching(/^\d{1,40}$/);
  const property = fc.property(digits, digits, (whole, places) => {
    const value = `${whole}.${places}`;
    t.true(mathEqual(value, `\\frac{${whole}${places}}{10^{${places.length}}}`));
    t.false(mathEqual(value, `${value}1`));
    t.true(mathEqual(value, `${value}0`));
  });
  fc.assert(property, { seed: 3, numRuns: 100 });
});

test("square roots take their squares out", (t) => {
  for (let n = 2; n <= 30; n++) {
    for (let k = 2; k <= 7; k++) {
      t.true(mathEqual(`\\sqrt{${n * k * k}}`, `${k}\\sqrt{${n}}`));
      t.true(mathEqual(`\\frac{${k}}{\\sqrt{${n}}}`, `\\frac{${k}\\sqrt{${n}}}{${n}}`));
      t.is(mathEqual(`\\sqrt{${n}}`, `\\sqrt{${n + 1}}`), false);
    }
  }
});

test("a tolerance is relative to the reference, and allows nothing but numbers to differ", (t) => {
  t.true(mathEqual("3.14", "\\pi", { tolerance: 1e-2 }));
  t.false(mathEqual("3.14", "\\pi", { tolerance: 1e-4 }));
  t.true(mathEqual("(0.33, 1)", "(\\frac13, 1)", { tolerance: 0.02 }));
  t.true(mathEqual("101", "100", { tolerance: 0.01 }));
  t.false(mathEqual("100", "0", { tolerance: 0.5 }));
  t.false(mathEqual("A", "B", { tolerance: 1 }));
});

test("an answer that is longer than any answer is equal to itself alone", (t) => {
  const long = "1".repeat(4001);
  t.true(mathEqual(long, long));
  t.false(mathEqual(`${long}.0`, long));
});

test("no answer takes long", (t) => {
  const long = (piece: string) => piece.repeat(Math.floor(3900 / piece.length));
  const pieces = [
    "(",
    "{",
    "\\frac",
    "\\sqrt{",
    "-",
    "2^",
    "9!",
    "sin ",
    " ",
    "\\text{ a} ",
    "1,234",
  ];
  const texts = [
    ...[...pieces, "x,", "|", "\\pm 1", "\\cup ", "a b ", "1=", "\\begin{matrix}", "5 cm/"].map(
      long,
    ),
    "9999999999^9999999999",
    "400!^{400!}",
    `${"\\sqrt{".repeat(60)}2${"}".repeat(60)}`,
    `\\frac{${"7".repeat(1200)}}{${"3".repeat(1200)}}`,
    "((((((((((9^9)^9)^9)^9)^9)^9)^9)^9)^9)^9)",
    `${"(1\\pm ".repeat(30)}1${")".repeat(30)}`,
  ];
  for (const text of texts) {
    const before = performance.now();
    mathEqual(text, `${text} + 1`);
    mathEqual(`1${text}`, "x");
    t.true(performance.now() - before < 1000, text.slice(0, 40));
  }
});
