/** Which of valgrind's reports are taken for ours, and how they read. */
import test from "ava";
import { problemsIn } from "./report.js";

const frame = (object: string, rest = "") =>
  `<frame><ip>0x4A5</ip><obj>${object}</obj>${rest}</frame>`;
const ADDON = "/home/me/build/valgrind/papo.node";
const NODE = "/usr/bin/node";

const error = (...frames: string[]) => `<error>
  <kind>InvalidRead</kind><what>Invalid read of size 4</what>
  <stack>${frames.join("")}</stack>
  <auxwhat>Address 0x5 is 0 bytes after a block of size 20 alloc'd</auxwhat>
  <stack>${frame(NODE)}</stack>
</error>`;
const report = (...errors: string[]) => `<valgrindoutput>${errors.join("")}</valgrindoutput>`;

test("a report is ours where one of its frames is, and names that by its line", (t) => {
  const own = frame(ADDON, "<fn>load&lt;float&gt;</fn><file>vec_avx2.hpp</file><line>31</line>");
  const { ours, others } = problemsIn(report(error(frame(NODE)), error(frame(NODE), own)));
  t.is(others, 1);
  t.deepEqual(ours, [
    [
      "Invalid read of size 4",
      "    0x4A5 (/usr/bin/node)",
      "    load<float> (vec_avx2.hpp:31)",
      "  Address 0x5 is 0 bytes after a block of size 20 alloc'd",
      "    0x4A5 (/usr/bin/node)",
    ].join("\n"),
  ]);
});

test("the C++ tests are ours, and what merely lies in a folder of our name is not", (t) => {
  t.is(problemsIn(report(error(frame("/x/papo_tests")))).ours.length, 1);
  t.is(problemsIn(report(error(frame("/x/papo/node_modules/sharp.node")))).ours.length, 0);
});

test("a report without its end is no report", (t) => {
  t.throws(() => problemsIn("<valgrindoutput>"), { message: /has no end/ });
});
