/** How near each form comes to the machine's floor. */
import * as Plot from "@observablehq/plot";
import { formOf, formsOf } from "../report/compare.js";
import { grouped, percent, plural } from "../report/numbers.js";
import type { Part, Row } from "../result.js";
import { BLUE, framed, INK, NARROW, type Picture, SURFACE } from "./frame.js";

export function shares(part: Part): Picture | undefined {
  const rows = formsOf(part).filter(({ share }) => share !== undefined);
  const [first] = rows;
  if (first === undefined) return undefined;
  const share = (row: Row) => row.share as number;
  const line = (row: Row) => `${row.dtype}/${formOf(row)}`;
  // The name of a dtype stands in a line of its own above its forms.
  const groups = [...new Set(rows.map(({ dtype }) => dtype))];
  const lines = groups.flatMap((dtype) => [
    dtype,
    ...new Set(rows.filter((row) => row.dtype === dtype).map(line)),
  ]);
  const threads = [...new Set(rows.map((row) => row.threads))].sort((a, b) => a - b);
  const most = Math.max(...threads);
  const title = "Share of the machine's floor";
  const axis = { label: null, tickSize: 0, textAnchor: "start", tickPadding: 170 } as const;
  return framed({
    title,
    subtitle: `papo, ${grouped(first.rows)} × ${grouped(first.vocab)}; ○ ${plural(threads[0] as number, "thread")}${threads.length > 1 ? `, ● ${plural(most, "thread")}` : ""}`,
    description: `${title}: ${groups.map((dtype) => range(dtype, rows)).join(", ")}.`,
    plot: {
      ...NARROW,
      marginLeft: 178,
      marginRight: 18,
      marginTop: 20,
      marginBottom: 32,
      x: { domain: [0, Math.max(1.05, ...rows.map(high))], label: null },
      y: { domain: lines, label: null },
      marks: [
        Plot.axisX([0, 0.25, 0.5, 0.75, 1], { tickFormat: percent, tickSize: 0 }),
        Plot.gridX([0, 0.25, 0.5, 0.75]),
        Plot.axisY(groups, { ...axis, fontWeight: 600, fill: INK }),
        Plot.axisY(
          lines.filter((key) => key.includes("/")),
          { ...axis, tickFormat: (key: string) => key.split("/")[1] ?? "" },
        ),
        Plot.ruleX([1], { stroke: INK, strokeDasharray: "3 3" }),
        Plot.text(["floor"], { x: 1, frameAnchor: "top", dy: -14, fill: INK }),
        Plot.link(rows, { x1: low, x2: high, y: line, stroke: BLUE }),
        Plot.dot(rows, {
          x: share,
          y: line,
          r: 4,
          stroke: BLUE,
          strokeWidth: 1.6,
          fill: (row: Row) => (row.threads === most && threads.length > 1 ? BLUE : SURFACE),
        }),
      ],
    },
  });
}

const low = ({ share = 0, time }: Row): number => share * (1 - time.spread);
const high = ({ share = 0, time }: Row): number => share * (1 + time.spread);

function range(dtype: string, rows: readonly Row[]): string {
  const all = rows.filter((row) => row.dtype === dtype).map(({ share = 0 }) => share);
  return `${dtype} ${percent(Math.min(...all))} to ${percent(Math.max(...all))}`;
}
