/** The installed package under every package manager and runtime; prints what was tried as tables. */
import test from "ava";
import { INSTALLS } from "./support/installs.js";
import { managers } from "./support/managers.js";
import { type Cell, drawn, type Table } from "./support/matrix.js";
import { ALL, installRuntimes, reasonToSkip, runtimes } from "./support/runtimes.js";
import { FROM_SOURCE } from "./support/source.js";
import { WAYS } from "./support/ways.js";

const tables: (Table & { readonly cells: Cell[] })[] = [];

/** A test for every row and column; what is not tried says why in its title. */
function table<Row extends { readonly name: string; readonly atHand: boolean }>(
  title: string,
  rows: readonly Row[],
  columns: readonly {
    readonly name: string;
    readonly sentence: string;
    readonly reason?: (row: Row) => string | undefined;
    readonly attempt: (row: Row) => Promise<void>;
  }[],
): void {
  const cells: Cell[] = [];
  const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
  tables.push({ title, rows: names(rows), columns: names(columns), cells });
  for (const row of rows) {
    const absent = row.atHand ? undefined : reasonToSkip();
    if (absent !== undefined) test.skip(`${title}, ${row.name}: ${absent}`, (t) => t.pass());
    for (const { name, sentence, reason, attempt } of columns) {
      const own = { row: row.name, column: name };
      const skipped = absent ?? reason?.(row);
      if (skipped !== undefined) {
        cells.push({ ...own, outcome: "skip", ms: 0, reason: skipped });
        if (!absent) test.skip(`${row.name} ${sentence}: ${skipped}`, (t) => t.pass());
        continue;
      }
      test.serial(`${row.name} ${sentence}`, async (t) => {
        const begin = performance.now();
        let outcome: Cell["outcome"] = "fail";
        try {
          await attempt(row);
          outcome = "ok";
          t.pass();
        } finally {
          cells.push({ ...own, outcome, ms: Math.round(performance.now() - begin) });
        }
      });
    }
  }
}

test.before((t) => {
  t.timeout(600_000);
  if (ALL && reasonToSkip() === undefined) installRuntimes();
});

table("Package managers", managers(), INSTALLS);
table("Runtimes", runtimes(), WAYS);
table("From source", [{ name: "The installed package", atHand: true }], FROM_SOURCE);

test.after.always(() => {
  console.log(`\n${drawn(tables)}\n`);
});
