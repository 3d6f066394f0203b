/** Tables of the page: grouped heads, and small pictures of intervals. */
import type { Estimate } from "../experiment/statistics.js";
import { escaped } from "./numbers.js";

export interface Column {
  readonly title: string;
  /** Columns of one group that stand side by side have a common head. */
  readonly group?: string;
}

/** HTML of a cell; plain text is to be escaped before. An empty one is something that is not there. */
export type Cell = string;

export interface Row {
  /** Plain text. */
  readonly name: string;
  readonly cells: readonly Cell[];
  /** The row that others are compared with. */
  readonly base?: boolean;
}

/** `corner` heads the names; `columns` the cells. */
export function table(corner: string, columns: readonly Column[], rows: readonly Row[]): string {
  const grouped = columns.some(({ group }) => group !== undefined);
  const titles = columns.map(({ title }) => `<th scope="col">${escaped(title)}</th>`).join("");
  const first = `<th scope="col"${grouped ? ' rowspan="2"' : ""}>${escaped(corner)}</th>`;
  const head = grouped
    ? `<tr>${first}${groupHeads(columns)}</tr><tr>${titles}</tr>`
    : `<tr>${first}${titles}</tr>`;
  const body = rows.map(({ name, cells, base }) => {
    const filled = cells.map(
      (cell) => `<td>${cell === "" ? '<span class="none">–</span>' : cell}</td>`,
    );
    return `<tr${base ? ' class="base"' : ""}><th scope="row">${escaped(name)}</th>${filled.join("")}</tr>`;
  });
  return `<div class="table"><table><thead>${head}</thead><tbody>${body.join("")}</tbody></table></div>`;
}

function groupHeads(columns: readonly Column[]): string {
  const groups: { name: string; span: number }[] = [];
  for (const { group = "" } of columns) {
    const last = groups.at(-1);
    if (last?.name === group) last.span += 1;
    else groups.push({ name: group, span: 1 });
  }
  return groups
    .map(
      ({ name, span }) =>
        `<th scope="colgroup" class="group" colspan="${span}">${escaped(name)}</th>`,
    )
    .join("");
}

const BAR = { width: 100, height: 14, margin: 4 } as const;

/** Half the width of a common scale for intervals: the furthest end of any of them. */
export function reachOf(estimates: readonly (Estimate | undefined)[]): number {
  const ends = estimates.flatMap((estimate) =>
    estimate === undefined ? [] : [estimate.mean, estimate.low, estimate.high],
  );
  return Math.max(0, ...ends.filter(Number.isFinite).map(Math.abs)) || 1;
}

/** A difference with its interval about zero, as a picture; red or green where it excludes zero. */
export function intervalBar(estimate: Estimate | undefined, reach: number): Cell {
  if (estimate === undefined) return "";
  const { width, height, margin } = BAR;
  const x = (value: number): string =>
    (width / 2 + (value / reach) * (width / 2 - margin)).toFixed(1);
  const { mean, low, high } = estimate;
  const colour = low > 0 ? "better" : high < 0 ? "worse" : "even";
  const line = Number.isFinite(low) ? `<path d="M${x(low)} ${height / 2}H${x(high)}"/>` : "";
  return `<svg class="interval ${colour}" viewBox="0 0 ${width} ${height}" aria-hidden="true"><path class="zero" d="M${width / 2} 0V${height}"/>${line}<circle cx="${x(mean)}" cy="${height / 2}" r="3"/></svg>`;
}
