/** Hinges on the mean entropy of a call, where a spec bounds that and not every token's. */
import { line, STATISTICS, type StatisticName, TERMS, type TermName } from "../ops/lines.js";
import type { ObjectiveAttributes } from "../ops/token-objective.js";
import type { AlgebraArgs } from "./algebra.js";

/** What the hinges make of both entropies. */
export interface BoundedMeans {
  /** The coefficients times the slopes of the hinges. */
  readonly coefficients: Pick<ObjectiveAttributes, "entropyCoef" | "maskedEntropyCoef">;
  /** Gives every counted token the value of the hinge, so that the term is its sum over weights. */
  setTerms(terms: Float64Array): void;
}

/**
 * The hinges max(0, low − H) + max(0, H − high) of the mean entropies, by the weights of the entropies; undefined where
 * the spec bounds every token or none.
 */
export function boundedMeans(args: AlgebraArgs): BoundedMeans | undefined {
  const { spec, attributes, responseMask: mask } = args;
  const bounds = spec.entropyBounds;
  if (bounds?.level !== "batch") return undefined;
  const exact = spec.entropyEstimator === "exact";
  const hinge = (mean: number) => {
    if (bounds.low !== null && mean < bounds.low) return { value: bounds.low - mean, slope: -1 };
    if (bounds.high !== null && mean > bounds.high) return { value: mean - bounds.high, slope: 1 };
    return { value: 0, slope: 0 };
  };
  const own = hinge(meanEntropy(args, exact ? "entropy" : "logProbs"));
  const masked = hinge(meanEntropy(args, exact ? "maskedEntropy" : "maskedLogProbs"));
  const set = (terms: Float64Array, name: TermName, value: number) => {
    const values = line(terms, TERMS, name);
    for (let row = 0; row < values.length; row++) values[row] = mask?.[row] === 0 ? 0 : value;
  };
  return {
    coefficients: {
      entropyCoef: own.slope * attributes.entropyCoef,
      maskedEntropyCoef: masked.slope * attributes.maskedEntropyCoef,
    },
    setTerms(terms) {
      set(terms, "entropy", own.value);
      if (args.hasMasked) set(terms, "maskedEntropy", masked.value);
    },
  };
}

/** Mean by the weights of the entropies; 0 where nothing counts. An impossible token counts 0. */
function meanEntropy({ statistics, entropyWeights }: AlgebraArgs, name: StatisticName): number {
  const values = line(statistics, STATISTICS, name);
  const sign = name === "entropy" || name === "maskedEntropy" ? 1 : -1;
  let [sum, total] = [0, 0];
  for (let row = 0; row < values.length; row++) {
    const weight = entropyWeights[row] as number;
    if (weight === 0) continue;
    total += weight;
    const value = values[row] as number;
    if (value !== Number.NEGATIVE_INFINITY) sum += weight * sign * value;
  }
  return total === 0 ? 0 : sum / total;
}
