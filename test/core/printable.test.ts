/** Text from outside in messages: a terminal obeys nothing of it. */
import test from "ava";
import fc from "fast-check";
import { describe, PapoError } from "../../lib/core/errors.js";
import { printable, printableLines } from "../../lib/core/printable.js";
import { show } from "../../lib/io/safetensors-format.js";

/** What a terminal obeys, or shows elsewhere than it stands. */
const OBEYED = new RegExp(
  [
    "0000-001f",
    "007f-009f",
    "2028-2029",
    "200e-200f",
    "061c-061c",
    "202a-202e",
    "2066-2069",
    "feff-feff",
  ]
    .map((range) => `[${range.replaceAll(/[^-]+/g, "\\u$&")}]`)
    .join("|"),
);

const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom("\u001b[31m", "\u009b2J", "\u0007", "\r", "\n", "\u202e", "\u2066", "\u2028"),
    fc.constantFrom("\ud800", "\udfff", "😀", "é", "\\", '"', "\u007f", "\0", "\ufeff"),
    fc.string({ unit: "binary", maxLength: 3 }),
  ),
});

test("whatever is described, shown or thrown, no terminal obeys it", (t) => {
  fc.assert(
    fc.property(text, (hostile) => {
      for (const said of [printable(hostile), describe(hostile), show(hostile)]) {
        t.notRegex(said, OBEYED);
        t.true(Buffer.from(said).toString() === said, "whole characters only");
      }
      const { message } = new PapoError("ERR_FILE", hostile);
      t.notRegex(message.replaceAll("\n", ""), OBEYED);
      t.is(message, printableLines(hostile));
    }),
    { numRuns: 500 },
  );
});

test("other text stays as it is", (t) => {
  for (const plain of ["C:\\batch", "größe 😀 大 ✓", "a\u200db", "π ≈ 3", ""])
    t.is(printable(plain), plain);
  t.is(printable("\u001b[2J"), "\\u001b[2J");
  t.is(printableLines("one\n\ttwo"), "one\n\\u0009two");
});
