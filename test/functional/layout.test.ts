/** How rows make up sequences, and what is refused. */
import test from "ava";
import { layoutOf } from "../../lib/functional/layout.js";

test("padded rows are sequences of equal width", (t) => {
  t.deepEqual(layoutOf("f", [2, 3]), {
    rows: 6,
    sequences: 2,
    offsets: Int32Array.of(0, 3, 6),
    maxLength: 3,
  });
  t.is(layoutOf("f", [0, 3]).sequences, 0);
});

test("rows without offsets are one sequence", (t) => {
  t.deepEqual(layoutOf("f", [5]), {
    rows: 5,
    sequences: 1,
    offsets: Int32Array.of(0, 5),
    maxLength: 5,
  });
});

test("packed rows are sequences of their own lengths, empty ones included", (t) => {
  const packed = { rows: 5, sequences: 3, offsets: Int32Array.of(0, 2, 2, 5), maxLength: 3 };
  t.deepEqual(layoutOf("f", [5], [0, 2, 2, 5]), packed);
  t.deepEqual(layoutOf("f", [5], Int32Array.of(0, 2, 2, 5)), packed);
  t.is(layoutOf("f", [0], [0, 0, 0]).maxLength, 0);
});

test("offsets that do not rise from 0 to the rows are refused by index", (t) => {
  const refused = (offsets: unknown, message: string, code = "ERR_RANGE") =>
    t.throws(() => layoutOf("f", [5], offsets as number[]), {
      code,
      message: `[f] expected ${message}`,
    });
  refused([1, 5], "cuSeqlens[0] to be 0, received 1");
  refused([0, 3, 2, 5], "cuSeqlens[2] to be in 3…5, received 2");
  refused([0, 6, 5], "cuSeqlens[1] to be in 0…5, received 6");
  refused([0, 1.5, 5], "cuSeqlens[1] to be in 0…5, received 1.5");
  refused([0, 4], "cuSeqlens[1] to be 5, the number of rows, received 4");
  refused([0], "cuSeqlens[0] to be 5, the number of rows, received 0");
  refused([], "cuSeqlens [sequences + 1], received no elements", "ERR_SHAPE");
  refused(
    "0,5",
    'cuSeqlens to be an Int32Array or an array of numbers, received "0,5"',
    "ERR_ARGUMENT",
  );
});

test("rows that no offset can count, and sequences that nothing bounds, are refused", (t) => {
  t.throws(() => layoutOf("f", [2 ** 16, 2 ** 15]), {
    code: "ERR_SHAPE",
    message: "[f] expected at most 2147483647 rows, received [65536, 32768]",
  });
  t.throws(() => layoutOf("f", [2 ** 40, 0]), {
    code: "ERR_SHAPE",
    message: "[f] expected at most 1048576 sequences without tokens, received [1099511627776, 0]",
  });
  t.is(layoutOf("f", [3, 0]).sequences, 3);
  // As many as may be, and one more.
  const most = 2 ** 31 - 1;
  t.is(layoutOf("f", [most]).rows, most);
  t.is(layoutOf("f", [most], [0, most]).rows, most);
  t.throws(() => layoutOf("f", [most + 1]), { code: "ERR_SHAPE" });
  t.throws(() => layoutOf("f", [most + 1], [0, most + 1]), { code: "ERR_SHAPE" });
  t.is(layoutOf("f", [2 ** 20, 0]).sequences, 2 ** 20);
  t.throws(() => layoutOf("f", [2 ** 20 + 1, 0]), { code: "ERR_SHAPE" });
});

test("offsets go with rows, not with padded sequences", (t) => {
  t.throws(() => layoutOf("f", [2, 3], [0, 6]), {
    code: "ERR_ARGUMENT",
    message:
      "[f] expected cuSeqlens only with logits [rows, vocab], received sequences and tokens [2, 3]",
  });
  t.throws(() => layoutOf("f", []), { code: "ERR_SHAPE" });
  t.throws(() => layoutOf("f", [1, 2, 3]), { code: "ERR_SHAPE" });
});
