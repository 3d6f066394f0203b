/** Estimates over the seeds of an arm, and paired differences between two arms. */
import {
  type BySeed,
  type Estimate,
  estimate,
  pairedDifference,
} from "../experiment/statistics.js";
import { curveOf, type Measure, type ReadingName } from "./measures.js";
import { type Laboratory, type Runs, runsOf } from "./runs.js";

/** Mean over the seeds of an arm; undefined without a run that has it. */
export function meanOf(
  laboratory: Laboratory,
  arm: string,
  measure: Measure,
): Estimate | undefined {
  const values = [...bySeed(runsOf(laboratory, arm), measure).values()];
  return values.length === 0 ? undefined : estimate(values);
}

/** `arm − base` over the seeds that both have. */
export function differenceOf(
  laboratory: Laboratory,
  arm: string,
  base: string,
  measure: Measure,
): Estimate | undefined {
  return pairedDifference(
    bySeed(runsOf(laboratory, arm), measure),
    bySeed(runsOf(laboratory, base), measure),
  );
}

export interface CurvePoint {
  readonly batch: number;
  readonly estimate: Estimate;
}

/** A learning curve over seeds, at the batches where every seed was evaluated. */
export function meanCurve(laboratory: Laboratory, arm: string, name: ReadingName): CurvePoint[] {
  return acrossSeeds(
    [...runsOf(laboratory, arm).values()].map((run) => new Map(curveOf(run, name))),
  );
}

function acrossSeeds(curves: readonly ReadonlyMap<number, number>[]): CurvePoint[] {
  const [first] = curves;
  return [...(first?.keys() ?? [])].flatMap((batch) => {
    const values = curves.flatMap((curve) => curve.get(batch) ?? []);
    return values.length < curves.length ? [] : [{ batch, estimate: estimate(values) }];
  });
}

/** `arm − base` at the batches where every common seed has both. */
export function differenceCurve(
  laboratory: Laboratory,
  arm: string,
  base: string,
  name: ReadingName,
): CurvePoint[] {
  const [of, against] = [runsOf(laboratory, arm), runsOf(laboratory, base)];
  const curves = [...of].flatMap(([seed, run]) => {
    const other = against.get(seed);
    if (other === undefined) return [];
    const heights = new Map(curveOf(other, name));
    return [
      new Map(
        curveOf(run, name).flatMap(([batch, value]): [number, number][] => {
          const height = heights.get(batch);
          return height === undefined ? [] : [[batch, value - height]];
        }),
      ),
    ];
  });
  return acrossSeeds(curves);
}

/** What an interval says of a difference; with one seed there is no interval, and it says nothing. */
export type Sign = "above" | "below" | "none";

export function signOf({ low, high }: Estimate): Sign {
  if (low > 0) return "above";
  return high < 0 ? "below" : "none";
}

function bySeed(runs: Runs, measure: Measure): BySeed {
  return new Map(
    [...runs].flatMap(([seed, run]): [number, number][] => {
      const value = measure(run);
      return value === undefined ? [] : [[seed, value]];
    }),
  );
}
