/** The judgement of `npm run coverage`, whose run takes minutes: it fails where it should. */
import test from "ava";
import { judged, tableOf } from "../coverage/uncovered.js";

const COUNTS = [
  { file: "lib/core/slab.ts", total: 40, covered: 38 },
  { file: "lib/index.ts", total: 10, covered: 10 },
];

test("uncovered lines beyond the list, a missing reason and a file that is gone are problems", (t) => {
  t.deepEqual(
    judged(COUNTS, { "lib/core/slab.ts": { lines: 2, why: "memory that runs out" } }),
    [],
  );
  t.deepEqual(judged(COUNTS, { "lib/core/slab.ts": { lines: 1, why: "memory" } }), [
    "lib/core/slab.ts has 2 uncovered lines, 1 are listed",
  ]);
  t.is(judged(COUNTS, {}).length, 1);
  t.deepEqual(judged(COUNTS, { "lib/core/slab.ts": { lines: 3, why: " " } }), [
    "lib/core/slab.ts is listed without a reason",
  ]);
  t.regex(judged([], { "lib/gone.ts": { lines: 1, why: "it was" } }).join(), /not there/);
});

test("the table adds up folders and trees", (t) => {
  const table = tableOf(COUNTS);
  t.true(table.includes("| lib/core/ | 40 | 2 | 95.0 % |"));
  t.true(table.includes("| lib/ in all | 50 | 2 | 96.0 % |"));
});
