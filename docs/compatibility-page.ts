/** docs/compatibility.md: under which package managers and runtimes the installed package was tried, and how. */
import { readFileSync } from "node:fs";
import type { Cell, MatrixRecord, Table } from "../test/package/support/matrix.js";
import { RECORD } from "../test/package/support/matrix.js";
import { blocks, bullets, MADE, table } from "./markdown.js";

export function compatibilityPage(record: MatrixRecord = stored()): string {
  const sections = record.tables.flatMap((one) => [`## ${one.title}`, ...sectionOf(one)]);
  return `${blocks(MADE, "# Compatibility", introduction(record), sections, HINTS)}\n`;
}

/** The record in the repository. */
export function stored(): MatrixRecord {
  return JSON.parse(readFileSync(RECORD, "utf8")) as MatrixRecord;
}

function introduction({ date, version, platform }: MatrixRecord): string {
  return `\
The tarball of papo ${version} on ${platform}, installed into empty folders with nothing on PATH but a runtime, a shell and the package
manager: no compiler, no CMake, no Python. \`npm run test:package\` tries what is at hand and runs in the gate;
\`PAPO_PACKAGE_MATRIX=all npm run test:package\` tries everything, with the versions that test/package/runtimes pins. These tables are of
its run of ${date}. Node 20.19 is the oldest that the package says it runs on; prebuilt binaries of other platforms are not in this table.`;
}

function sectionOf({ rows, columns, cells }: Table): string[] {
  const reasons = [...new Set(cells.flatMap(({ reason }) => reason ?? []))];
  const find = (row: string, column: string) =>
    cells.find((cell) => cell.row === row && cell.column === column);
  const lines = rows.map((row) => [
    row,
    ...columns.map(({ name }) => wordOf(find(row, name), reasons)),
  ]);
  return [
    table(["", ...columns.map(({ name }) => name)], lines),
    reasons.map((reason, i) => `(${i + 1}) ${reason}.`).join(" "),
    bullets(columns.map(({ name, sentence }) => `**${name}**: ${sentence}`)),
  ];
}

function wordOf(cell: Cell | undefined, reasons: readonly string[]): string {
  if (cell === undefined) return "not tried";
  if (cell.outcome === "skip") return `– (${reasons.indexOf(cell.reason as string) + 1})`;
  return cell.outcome === "ok" ? "✓" : "fails";
}

const HINTS = `\
## What to know

- **No install script.** Nothing is built, downloaded or approved at installation, under any of the package managers; \`--ignore-scripts\` changes
  nothing. Building is a command of its own: \`npx papo build\`.
- **ES modules**, and \`require("papo")\` wherever the runtime can require those: every Node that the package runs on, Bun, Deno.
- **Permissions.** Node wants \`--permission --allow-addons --allow-fs-read=…\` (the folder of the project; Node 20 says \`--experimental-permission\`).
  Deno wants \`--allow-read\` and \`--allow-ffi\` for the folder and \`--allow-env=PAPO_ADDON_PATH,PAPO_NUM_THREADS\`. Without the one for addons the error
  says so.
- **Bundles.** Leave papo out of a bundle (\`esbuild --external:papo\`) and install it beside it. With papo bundled in, it still finds the installed
  package that it came from, or a folder \`prebuilds\` of the package copied beside the bundle, or what \`PAPO_ADDON_PATH\` names.
- **Worker threads** share one thread pool per addon; a worker that is terminated in the middle of a call takes nothing with it.
- **Two copies** of the package in one process work side by side, but a tensor of one is none of the other's: \`npm ls papo\` shows them.`;
