/** The judgement of `npm run coverage`, whose run takes minutes: it fails where it should. */
import test from "ava";
import { blanked } from "../coverage/code.js";
import { idleIn, judged, tableOf, updated } from "../coverage/uncovered.js";
import { addRun, linesOf } from "../coverage/v8.js";

const COUNTS = [
  { file: "lib/core/slab.ts", total: 40, uncovered: [12, 7] },
  { file: "lib/index.ts", total: 10, uncovered: [] },
];

test("uncovered lines beyond the list, a missing reason and a file that is gone are problems", (t) => {
  const slab = (lines: number, path = "lib/core/") => ({
    reasons: { [path]: "memory that runs out" },
    lines: { "lib/core/slab.ts": lines },
  });
  t.deepEqual(judged(COUNTS, slab(2)), []);
  t.deepEqual(judged(COUNTS, slab(1)), [
    "lib/core/slab.ts has 2 uncovered lines, 1 are listed: 7, 12",
  ]);
  t.is(judged(COUNTS, { reasons: {}, lines: {} }).length, 1);
  t.deepEqual(judged(COUNTS, slab(3, "lib/io/")), ["lib/core/slab.ts is listed without a reason"]);
  t.regex(judged([], slab(2)).join(), /not there/);
});

test("counts of now leave the reasons as they are, and what is new among them has none", (t) => {
  const before = { reasons: { "lib/io/": "a disk that is full" }, lines: { "lib/io/disk.ts": 3 } };
  const now = updated(before, COUNTS);
  t.deepEqual(now, { reasons: before.reasons, lines: { "lib/core/slab.ts": 2 } });
  t.deepEqual(judged(COUNTS, now), ["lib/core/slab.ts is listed without a reason"]);
  t.deepEqual(idleIn(before), []);
  t.deepEqual(idleIn(now), ["the reason for lib/io/ explains nothing that is listed"]);
});

test("the table adds up folders and trees, and C++ also without what runs on GPUs", (t) => {
  const kernel = { file: "native/cuda/a.cu", total: 6, uncovered: [1, 2, 3] };
  const core = { file: "native/core/a.hpp", total: 4, uncovered: [9] };
  const table = tableOf([...COUNTS, kernel, core]);
  t.true(table.includes("| native/ in all | 10 | 4 | 60.0 % |"));
  t.true(table.includes("| native/ without cuda/ | 4 | 1 | 75.0 % |"));
  t.true(table.includes("| lib/core/ | 40 | 2 | 95.0 % |"));
  t.true(table.includes("| lib/ in all | 50 | 2 | 96.0 % |"));
});

test("lines count by their code: neither types nor comments nor braces do, and ran in any report is ran", (t) => {
  const source = [
    "/** Odd or not. */",
    "interface Named {",
    "  readonly name: string;",
    "}",
    "export function odd(n: number): string {",
    "  if (n % 2 === 1) {",
    "    return 'odd';",
    "  } // even",
    "",
    "  return String(",
    "    n,",
    "  ) as string;",
    "}",
    "",
  ].join("\n");
  const javascript = blanked(source, "odd.ts");
  t.is(javascript.length, source.length);
  const of = (text: string, count: number) => {
    const startOffset = source.indexOf(text);
    return { startOffset, endOffset: startOffset + text.length, count };
  };
  const report = (...dead: string[]) => ({
    url: "file:///odd.ts",
    functions: [
      { ranges: [{ startOffset: 0, endOffset: source.length, count: 1 }] },
      { ranges: [of(source.slice(source.indexOf("export")), 3), ...dead.map((x) => of(x, 0))] },
    ],
  });
  const taken = source.slice(source.indexOf("{\n    return"), source.indexOf(" // even"));
  const rest = source.slice(source.indexOf("  return String"));
  const ran = new Uint8Array(source.length);
  t.deepEqual(linesOf(javascript, ran), { total: 5, uncovered: [5, 6, 7, 10, 11] });
  addRun(ran, report(taken, rest));
  t.deepEqual(linesOf(javascript, ran).uncovered, [7, 10, 11]);
  addRun(ran, report(taken));
  t.deepEqual(linesOf(javascript, ran).uncovered, [7]);
  addRun(ran, report(rest));
  t.deepEqual(linesOf(javascript, ran).uncovered, []);
});
