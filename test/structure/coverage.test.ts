/** The judgement of `npm run coverage`, whose run takes minutes: it fails where it should. */
import test from "ava";
import { judged, tableOf } from "../coverage/uncovered.js";

const COUNTS = [
  { file: "lib/core/slab.ts", total: 40, covered: 38 },
  { file: "lib/index.ts", total: 10, covered: 10 },
];

test("uncovered lines beyond the list, a missing reason and a file that is gone are problems", (t) => {
  const slab = (lines: number, path = "lib/core/") => ({
    reasons: { [path]: "memory that runs out" },
    lines: { "lib/core/slab.ts": lines },
  });
  t.deepEqual(judged(COUNTS, slab(2)), []);
  t.deepEqual(judged(COUNTS, slab(1)), ["lib/core/slab.ts has 2 uncovered lines, 1 are listed"]);
  t.is(judged(COUNTS, { reasons: {}, lines: {} }).length, 1);
  t.deepEqual(judged(COUNTS, slab(3, "lib/io/")), ["lib/core/slab.ts is listed without a reason"]);
  t.regex(judged([], slab(2)).join(), /not there/);
});

test("the table adds up folders and trees", (t) => {
  const table = tableOf(COUNTS);
  t.true(table.includes("| lib/core/ | 40 | 2 | 95.0 % |"));
  t.true(table.includes("| lib/ in all | 50 | 2 | 96.0 % |"));
});
