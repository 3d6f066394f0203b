/** What docs/compatibility.md tells was tried with the versions that are pinned, and with the columns that there are. */
import test from "ava";
import { stored } from "../../docs/compatibility-page.js";
import { INSTALLS } from "../package/support/installs.js";
import { recordText } from "../package/support/matrix.js";
import { pinnedVersions } from "../package/support/runtimes.js";
import { FROM_SOURCE } from "../package/support/source.js";
import { WAYS } from "../package/support/ways.js";

const { tables } = stored();
const HINT = "PAPO_PACKAGE_MATRIX=record npm run test:package, then npm run docs";

test("every pinned version is in the record", (t) => {
  const rows = tables.flatMap((table) => table.rows).filter((row) => !/at hand/.test(row));
  const recorded = rows.flatMap((row) => /^\S+ (\d\S*)$/.exec(row)?.[1] ?? []);
  const sorted = (versions: readonly string[]) => [...new Set(versions)].sort();
  t.deepEqual(sorted(recorded), sorted(Object.values(pinnedVersions())), HINT);
});

test("everything that is tried is in the record, and nothing in it failed", (t) => {
  const said = [INSTALLS, WAYS, FROM_SOURCE].map((columns) =>
    columns.map(({ name, sentence }) => ({ name, sentence })),
  );
  t.deepEqual(
    tables.map(({ columns }) => columns),
    said,
    HINT,
  );
  for (const { rows, columns, cells } of tables) {
    t.is(cells.length, rows.length * columns.length);
    t.true(cells.every(({ outcome }) => outcome !== "fail"));
  }
});

test("the record's text is what it is read from", (t) => {
  t.deepEqual(JSON.parse(recordText(stored())), stored());
});
