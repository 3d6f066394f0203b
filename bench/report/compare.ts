/** Which rows belong beside each other, and what they are called. */
import type { Part, Row } from "../result.js";

/** papo as it ships, at work on nothing special: what peers are compared with and what curves are drawn of. */
export const isPlain = ({ padding, mode, distribution }: Row): boolean =>
  padding === 0 && mode === "sync" && distribution === "plain";

/** "forward", "forward + gradients", "forward + gradients, in place". */
export function formOf({ operation, outputs }: Pick<Row, "operation" | "outputs">): string {
  if (operation !== "gradients") return operation;
  return `forward + gradients${outputs === "in place" ? ", in place" : ""}`;
}

/** papo's plain rows that a form is a name of. */
export const formsOf = ({ rows }: Part): Row[] =>
  rows.filter((row) => row.contender === "papo" && row.operation !== "log-probs" && isPlain(row));

/** The largest error of a loss or of a number per row, nats. */
export function largestError({ errors = {} }: Row): number | undefined {
  const { gradients: _relative, ...nats } = errors;
  const known = Object.values(nats).filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/**
 * Plain float32 rows of each contender on as many threads as it was run with, papo's on every number, since each is some
 * peer's measure. papo first, then its other paths, then peers, cheapest first.
 */
export function peerRows(part: Part): Row[] {
  const rows = part.rows.filter((row) => isPlain(row) && row.dtype === "float32");
  const most = new Map<string, number>();
  for (const { contender, threads } of rows) {
    most.set(contender, Math.max(threads, most.get(contender) ?? 0));
  }
  const rank = ({ contender }: Row) =>
    contender === "papo" ? 0 : contender.startsWith("papo-") ? 1 : 2;
  return rows
    .filter(({ contender, threads }) => contender === "papo" || threads === most.get(contender))
    .sort((a, b) => rank(a) - rank(b) || a.nsPerLogit - b.nsPerLogit);
}
