/**
 * papo as it ships: the compiled JavaScript in `dist/`, with the types of its sources.
 *
 * What runs TypeScript directly here names every closure anew whenever it is made, which a small call would feel.
 */
type Papo = typeof import("../../lib/index.js");
type Op = typeof import("../../lib/ops/token-stats.js");

const dist = (file: string) => new URL(`../../dist/${file}`, import.meta.url).href;

export const papo: Papo = await import(dist("index.js"));
const op: Op = await import(dist("ops/token-stats.js"));
export const tokenStatsOp: Op["tokenStats"] = op.tokenStats;
