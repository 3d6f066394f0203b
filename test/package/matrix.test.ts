/** The installed package under every package manager and runtime; prints what was tried as tables. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "ava";
import { INSTALLS } from "./support/installs.js";
import { managers } from "./support/managers.js";
import { type Cell, type Column, drawn, RECORD, recordText, type Table } from "./support/matrix.js";
import { packed } from "./support/pack.js";
import { ALL, installRuntimes, RENEW, reasonToSkip, runtimes } from "./support/runtimes.js";
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
  const names = rows.map(({ name }) => name);
  tables.push({ title, rows: names, columns: columns.map(asSaid), cells });
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

function asSaid({ name, sentence }: Column): Column {
  return { name, sentence };
}

test.before((t) => {
  t.timeout(600_000);
  if (ALL && reasonToSkip() === undefined) installRuntimes();
});

table("Package managers", managers(), INSTALLS);
table("Runtimes", runtimes(), WAYS);
table("From source", [{ name: "The installed package", atHand: true }], FROM_SOURCE);

const isFailed = ({ outcome }: Cell) => outcome === "fail";

test.after.always(() => {
  console.log(`\n${drawn(tables)}\n`);
  if (!RENEW) return;
  const cells = tables.flatMap((one) => one.cells);
  const all = tables.map(({ rows, columns }) => rows.length * columns.length);
  if (cells.length !== all.reduce((a, b) => a + b) || cells.some(isFailed)) {
    console.log("Not recorded: not everything was tried, or something failed.");
    return;
  }
  const { version } = packed();
  const date = new Date().toISOString().slice(0, 10);
  const platform = `${process.platform}-${process.arch}`;
  writeFileSync(RECORD, recordText({ date, version, platform, tables }));
  console.log(
    `Recorded: ${fileURLToPath(RECORD)}; npm run docs makes docs/compatibility.md of it.`,
  );
});
