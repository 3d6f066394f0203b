/** The one place in lib where reductions are defined: the weight of each token in the loss. */
import { numbersOf, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { innerArray } from "../core/slab.js";
import type { Layout } from "./layout.js";

/** Reductions that give one number. */
export const REDUCTIONS = [
  "token-mean",
  "seq-mean-token-mean",
  "seq-mean-token-sum",
  "seq-mean-token-sum-norm",
  "sum",
] as const;
/** How one number per token becomes one number; `REDUCTION_FORMULAS` has each with its formula. */
export type Reduction = (typeof REDUCTIONS)[number];

/** Whether a sequence without a counted token is one of those that a mean over sequences divides by (TRL) or not (verl). */
export const EMPTY_SEQUENCES = ["count", "skip"] as const;
/** Whether a sequence without a counted token is one of those that a mean over sequences divides by. */
export type EmptySequences = (typeof EMPTY_SEQUENCES)[number];

/**
 * Counts of the whole batch that a loss is divided by where this call sees only a part of it:
 * a micro-batch, a worker, a block. What is not said is counted here.
 */
export interface Denominators {
  /** Tokens that count, in the whole batch. */
  readonly tokens?: number;
  /** Sequences in the whole batch. */
  readonly sequences?: number;
  /** Of "seq-mean-token-sum-norm": the padded width of this call, or its longest packed sequence, if not said. */
  readonly maxLength?: number;
  /** [sequences of this call] tokens that count in each, where its rows are not all here. */
  readonly sequenceTokens?: ArrayLike<number>;
  /** Workers whose gradients will be averaged: weights are multiplied by it. */
  readonly worldSize?: number;
  /** Of an objective whose policyTokenMask divides by "kept": kept tokens of the whole batch. */
  readonly policyTokens?: number;
  /** Of an objective whose perceptionTokenMask divides by "kept": kept tokens of the whole batch. */
  readonly perceptionTokens?: number;
  /** Of an objective's sftCoef: counted tokens of correct sequences, in the whole batch. */
  readonly correctTokens?: number;
}

/**
 * d loss / d value of each token, [rows], so that loss = Σ weights · values; 0 where the mask is 0.
 *
 * With len_s the counted tokens of sequence s:
 * token-mean 1/(tokens + ε) · seq-mean-token-mean 1/(sequences · (len_s + ε)) · seq-mean-token-sum 1/sequences ·
 * seq-mean-token-sum-norm 1/(sequences · maxLength) · sum 1. An empty sequence adds 0 and is still one of `sequences`,
 * unless `emptySequences` is "skip" or `denominators` count them otherwise.
 *
 * @param epsilon  added to a count of tokens, ≥ 0
 * @throws PapoError ERR_ARGUMENT, ERR_RANGE, ERR_SHAPE
 */
export function rowWeights(
  where: string,
  layout: Layout,
  responseMask: Int32Array | undefined,
  reduction: Reduction,
  denominators: Denominators = {},
  epsilon = 1e-8,
  emptySequences: EmptySequences = "count",
): Float64Array {
  const counts = countsOf(layout, responseMask);
  const given = readDenominators(where, denominators);
  checkDenominators(where, given, layout, counts);
  checkCount(where, "denominatorEpsilon", epsilon, false);
  const weights = innerArray("float64", layout.rows);
  const here = emptySequences === "skip" ? counts.filter((count) => count > 0).length : undefined;
  const ofAll = { sequences: here ?? layout.sequences, ...given };
  const ofSequence = sequenceWeight(where, layout, counts, reduction, ofAll, epsilon);
  for (let s = 0; s < layout.sequences; s++) {
    if (counts[s] === 0) continue;
    const weight = (given.worldSize ?? 1) * ofSequence(s);
    const end = layout.offsets[s + 1] as number;
    for (let row = layout.offsets[s] as number; row < end; row++) {
      weights[row] = responseMask?.[row] === 0 ? 0 : weight;
    }
  }
  return weights;
}

/** Counted tokens of each sequence, [sequences]. */
export function countsOf(layout: Layout, responseMask: Int32Array | undefined): Float64Array {
  const { offsets, sequences } = layout;
  const counts = new Float64Array(sequences);
  for (let s = 0; s < sequences; s++) {
    const start = offsets[s] as number;
    const end = offsets[s + 1] as number;
    let count = end - start;
    if (responseMask) {
      for (let row = start; row < end; row++) if (responseMask[row] === 0) count--;
    }
    counts[s] = count;
  }
  return counts;
}

/** The weight of every counted token of sequence s. */
function sequenceWeight(
  where: string,
  layout: Layout,
  counts: Float64Array,
  reduction: Reduction,
  denominators: Denominators & { readonly sequences: number },
  epsilon: number,
): (s: number) => number {
  const { sequences } = denominators;
  switch (reduction) {
    case "token-mean": {
      const tokens = denominators.tokens ?? counts.reduce((sum, count) => sum + count, 0);
      return () => 1 / (tokens + epsilon);
    }
    case "seq-mean-token-mean": {
      const lengths = denominators.sequenceTokens ?? counts;
      return (s) => 1 / (sequences * ((lengths[s] as number) + epsilon));
    }
    case "seq-mean-token-sum":
      return () => 1 / sequences;
    case "seq-mean-token-sum-norm": {
      const maxLength = denominators.maxLength ?? layout.maxLength;
      return () => 1 / (sequences * maxLength);
    }
    case "sum":
      return () => 1;
    default:
      throw expected(
        "ERR_ARGUMENT",
        where,
        `reduction to be one of ${REDUCTIONS.join(", ")}`,
        describe(reduction),
      );
  }
}

const KEYS = [
  "tokens",
  "sequences",
  "maxLength",
  "sequenceTokens",
  "worldSize",
  "policyTokens",
  "perceptionTokens",
  "correctTokens",
] as const;

/** A copy of the denominators, each read once. */
export function readDenominators(where: string, denominators: Denominators): Denominators {
  const given = readOptions(where, denominators, KEYS, "denominators");
  if (given.sequenceTokens === undefined) return given;
  const name = "denominators.sequenceTokens";
  return { ...given, sequenceTokens: numbersOf(where, name, given.sequenceTokens) };
}

function checkDenominators(
  where: string,
  denominators: Denominators,
  layout: Layout,
  counts: Float64Array,
): void {
  // A worker without a counted token may well see a whole batch without one.
  const positive = counts.some((count) => count > 0);
  for (const key of ["tokens", "sequences", "maxLength"] as const) {
    checkCount(where, `denominators.${key}`, denominators[key], positive);
  }
  for (const key of ["policyTokens", "perceptionTokens", "correctTokens"] as const) {
    checkCount(where, `denominators.${key}`, denominators[key], false);
  }
  const { worldSize, sequenceTokens } = denominators;
  checkCount(where, "denominators.worldSize", worldSize, true);
  if (sequenceTokens === undefined) return;
  if (sequenceTokens.length !== layout.sequences) {
    const what = `denominators.sequenceTokens [${layout.sequences}]`;
    throw expected("ERR_SHAPE", where, what, `[${sequenceTokens.length}]`);
  }
  for (let s = 0; s < layout.sequences; s++) {
    const name = `denominators.sequenceTokens[${s}]`;
    checkCount(where, name, sequenceTokens[s], (counts[s] as number) > 0);
  }
}

function checkCount(where: string, name: string, count: unknown, positive: boolean): void {
  if (count === undefined) return;
  const fits = typeof count === "number" && Number.isFinite(count) && count >= 0;
  if (fits && (count > 0 || !positive)) return;
  const what = `${name} to be a ${positive ? "positive" : "non-negative"} number`;
  throw expected("ERR_RANGE", where, what, describe(count));
}
