/** Bars against other engines, on a logarithmic scale: without gradients on the left, with them on the right. */
import * as Plot from "@observablehq/plot";
import { peerRows } from "../report/compare.js";
import { digits, grouped, plural, times } from "../report/numbers.js";
import type { Part, Row } from "../result.js";
import { BLUE, framed, INK, MUTED, type Picture } from "./frame.js";

const WIDTH = 840;
const BAR = 21;
/** Room for the words at the ends of the bars, pixels. */
const CAPTION = 86;
/** Of a letter, about, pixels: names need so much room on the left. */
const LETTER = 6;
const TITLES: Partial<Record<Row["operation"], string>> = {
  forward: "forward",
  gradients: "forward + gradients",
};

export function peers(part: Part): Picture | undefined {
  const rows = peerRows(part).filter(({ operation }) => operation in TITLES);
  if (new Set(rows.map(({ contender }) => contender)).size < 2) return undefined;
  const name = ({ label, threads }: Row) => `${label}, ${plural(threads, "thread")}`;
  const cost = (row: Row) => row.nsPerLogit;
  const names = [...new Set(rows.map(name))];
  // papo's own floor is everybody's: it is the same work.
  const floorOf = (row: Row): number | undefined => {
    const own = rows.find(
      ({ contender, operation, threads }) =>
        contender === "papo" && operation === row.operation && threads === row.threads,
    );
    return own?.floor && (own.nsPerLogit * own.floor) / own.time.median;
  };
  const floored = rows.filter((row) => floorOf(row) !== undefined);
  const from = 0.5 * Math.min(...rows.map(cost), ...floored.map((row) => floorOf(row) as number));
  const to = Math.max(...rows.map(cost));
  const marginLeft = 16 + LETTER * Math.max(...names.map((each) => each.length));
  // Two panels, a little less than half of the rest each.
  const panel = 0.45 * (WIDTH - marginLeft);
  const title = "Cost of a logit, against other engines";
  const place = { y: name, fx: ({ operation }: Row) => TITLES[operation] };
  return framed({
    title,
    subtitle: `ns per logit, logarithmic; ${conditions(rows)}; ×: times papo's on as many threads; dashed: the floor`,
    description: describe(title, rows),
    plot: {
      width: WIDTH,
      height: 58 + BAR * names.length,
      marginLeft,
      marginRight: 8,
      marginTop: 26,
      marginBottom: 32,
      x: {
        type: "log",
        domain: [from, to * (to / from) ** (CAPTION / (panel - CAPTION))],
        label: null,
        ticks: decades(from, to),
        tickFormat: (value: number) => String(value),
        tickSize: 0,
      },
      y: { domain: names, label: null, tickSize: 0, padding: 0.3 },
      fx: { domain: Object.values(TITLES), axis: null, padding: 0.06 },
      marks: [
        Plot.text(Object.values(TITLES), {
          fx: String,
          text: String,
          frameAnchor: "top-left",
          dy: -18,
          fill: INK,
          fontWeight: 600,
        }),
        Plot.gridX(decades(from, to), {}),
        Plot.barX(rows, {
          ...place,
          x1: from,
          x2: cost,
          fill: ({ contender }: Row) => (contender.startsWith("papo") ? BLUE : MUTED),
          fillOpacity: ({ contender }: Row) => (contender === "papo" ? 1 : 0.55),
        }),
        Plot.tickX(floored, {
          ...place,
          x: floorOf,
          stroke: INK,
          strokeDasharray: "2 2",
          inset: -3,
        }),
        Plot.link(rows, {
          y: name,
          fx: place.fx,
          x1: (row: Row) => cost(row) * (1 - row.time.spread),
          x2: (row: Row) => cost(row) * (1 + row.time.spread),
          stroke: INK,
        }),
        Plot.text(rows, {
          ...place,
          x: (row: Row) => cost(row) * (1 + row.time.spread),
          text: (row: Row) => caption(row),
          textAnchor: "start",
          dx: 5,
          fill: INK,
        }),
      ],
    },
  });
}

function caption({ relative, nsPerLogit }: Row): string {
  const cost = digits(nsPerLogit);
  return relative === undefined ? cost : `${times(relative.time.median)}  (${cost})`;
}

function conditions(rows: readonly Row[]): string {
  const [first] = rows as [Row, ...Row[]];
  return `${first.dtype}, V = ${grouped(Math.max(...rows.map(({ vocab }) => vocab)))}`;
}

function decades(from: number, to: number): number[] {
  const all: number[] = [];
  for (let power = Math.ceil(Math.log10(from)); 10 ** power <= to * 1.5; power++) {
    all.push(Number(`1e${power}`));
  }
  return all;
}

function describe(title: string, rows: readonly Row[]): string {
  const slower = rows
    .filter(({ contender }) => !contender.startsWith("papo"))
    .flatMap((row) => (row.relative ? { row, ratio: row.relative.time.median } : []))
    .sort((a, b) => a.ratio - b.ratio);
  const [nearest, farthest] = [slower[0], slower.at(-1)];
  if (nearest === undefined || farthest === undefined) return `${title}.`;
  const said = ({ row, ratio }: typeof nearest) =>
    `${times(ratio)} (${row.label}, ${TITLES[row.operation]})`;
  return `${title}: they cost between ${said(nearest)} and ${said(farthest)} of papo's on as many threads.`;
}
