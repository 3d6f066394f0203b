/** Names of the lines of the `[k, rows]` matrices that pass between ops. */
import { allocate } from "../core/dtype.js";
import { innerArray, placeOf } from "../core/slab.js";
import { type TensorArgument, tensorArgument } from "../tensor/copy.js";

/** Lines of `statistics` [8, rows], nats; the first six are those an objective may differentiate. */
export const STATISTICS = [
  "logProbs",
  "maskedLogProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
  "logSumExp",
  "maskedLogSumExp",
] as const;
export type StatisticName = (typeof STATISTICS)[number];

/** Lines of `cotangents` [6, rows]: d loss / d statistic. */
export const COTANGENTS = [
  "logProbs",
  "maskedLogProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
] as const;
export type CotangentName = (typeof COTANGENTS)[number];

/**
 * Lines of `states` [12, rows]: what the logits of a part of the vocabulary say about a token, mergeable. Sums over the
 * part of e = exp(z − reference), of e · (z − reference), and of e times the difference of both policies.
 */
export const STATES = [
  "reference",
  "maskedReference",
  "sum",
  "maskedSum",
  "dot",
  "maskedDot",
  "cross",
  "maskedCross",
  "uncovered",
  "maskedUncovered",
  "chosen",
  "maskedChosen",
] as const;

/**
 * Lines of `terms` [12, rows]: the value of each term (no coefficient, no weight); the importance ratio;
 * which clip fired (0 none, 1 low, 2 high, 3 dual); and per term the sum of |cotangent|, coefficient and weight included.
 */
export const TERMS = [
  "surrogate",
  "refKl",
  "perceptionKl",
  "entropy",
  "maskedEntropy",
  "ratio",
  "clip",
  "gradSurrogate",
  "gradRefKl",
  "gradPerceptionKl",
  "gradEntropy",
  "gradMaskedEntropy",
] as const;
export type TermName = (typeof TERMS)[number];

/** Line `name` of `matrix`, as a view [rows]. */
export function line<Name extends string>(
  matrix: Float64Array,
  names: readonly Name[],
  name: Name,
): Float64Array {
  const rows = matrix.length / names.length;
  const first = names.indexOf(name) * rows;
  return matrix.subarray(first, first + rows);
}

/** A fresh matrix of `lines` lines. */
export function newLines(names: readonly string[], rows: number): Float64Array {
  return allocate("float64", names.length * rows);
}

/** The same for a matrix that never leaves the library; see `innerArray`. */
export function innerLines(names: readonly string[], rows: number): Float64Array {
  return innerArray("float64", names.length * rows);
}

/** The matrix as a native tensor [lines, rows]. */
export function linesTensor(matrix: Float64Array, names: readonly string[]): TensorArgument;
export function linesTensor(
  matrix: Float64Array | undefined,
  names: readonly string[],
): TensorArgument | undefined;
export function linesTensor(
  matrix: Float64Array | undefined,
  names: readonly string[],
): TensorArgument | undefined {
  if (matrix === undefined) return undefined;
  const columns = matrix.length / names.length;
  const { data, byteOffset } = placeOf(matrix);
  return tensorArgument(data, byteOffset, "float64", names.length, columns, columns);
}
