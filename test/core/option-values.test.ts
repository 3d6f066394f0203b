/** Single values of options: both ends of a range are in it, and what is next to them is not. */
import test from "ava";
import { finiteNumber, numberWithin, positiveNumber } from "../../lib/core/option-values.js";

test("a number within a range may be either end", (t) => {
  t.is(numberWithin("f", "x", 0.25, 0.25, 1), 0.25);
  t.is(numberWithin("f", "x", 1, 0.25, 1), 1);
  t.is(numberWithin("f", "x", 1e300, 0), 1e300);
  for (const x of [0.25 - 2 ** -54, 1 + 2 ** -52]) {
    t.throws(() => numberWithin("f", "x", x, 0.25, 1), {
      code: "ERR_RANGE",
      message: `[f] expected x to be a number from 0.25 to 1, received ${x}`,
    });
  }
  const message = "[f] expected x to be a number from 0 up, received -5e-324";
  t.throws(() => numberWithin("f", "x", -5e-324, 0), { code: "ERR_RANGE", message });
});

test("0 is not positive, and the smallest number is", (t) => {
  t.is(positiveNumber("f", "x", 5e-324), 5e-324);
  const message = "[f] expected x to be a positive number, received 0";
  t.throws(() => positiveNumber("f", "x", 0), { code: "ERR_RANGE", message });
  t.throws(() => positiveNumber("f", "x", -0), { code: "ERR_RANGE", message });
});

test("what is no number is another error than a number of no use", (t) => {
  t.throws(() => finiteNumber("f", "x", "1"), {
    code: "ERR_ARGUMENT",
    message: '[f] expected x to be a number, received "1"',
  });
  t.throws(() => finiteNumber("f", "x", Number.NaN), {
    code: "ERR_RANGE",
    message: "[f] expected x to be a finite number, received NaN",
  });
});
