/** How the values of tokens become one number: the weight of every row in the loss. */
import { checkObject, numbersOf } from "../core/arguments.js";
import { allocate } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { MOST_EMPTY_SEQUENCES } from "../core/shape.js";
import { checkCount, checkNumber, checkNumbers, checkWord, countedRows } from "./checks.js";
import { readOnce } from "./read-once.js";

/**
 * Reductions, in verl's words:
 *
 * - `"token-mean"`              Σ / tokens
 * - `"seq-mean-token-mean"`     mean over sequences of each one's token mean
 * - `"seq-mean-token-sum"`      mean over sequences of each one's token sum
 * - `"seq-mean-token-sum-norm"` Σ / (sequences · maxLength), Dr. GRPO (arXiv 2503.20783)
 * - `"sum"`                     Σ
 */
export const REDUCTIONS = [
  "token-mean",
  "seq-mean-token-mean",
  "seq-mean-token-sum",
  "seq-mean-token-sum-norm",
  "sum",
] as const;
/** How one number per token becomes one number. */
export type Reduction = (typeof REDUCTIONS)[number];

/** How rows form sequences: `sequences` equal ones, or packed ones by their offsets; else all rows are one. */
export interface Layout {
  /** Rows there are, counted or not. */
  readonly rows: number;
  /** Padded layout [sequences, rows / sequences]. */
  readonly sequences?: number | undefined;
  /** Packed layout: [sequences + 1] row offsets, from 0 to `rows`. */
  readonly cuSeqlens?: ArrayLike<number> | undefined;
}

/** Counts of a larger batch, of which this one is a part; what is absent is counted here. */
export interface Denominators {
  /** Counted tokens. */
  readonly tokens?: number | undefined;
  /** Sequences, empty ones included. */
  readonly sequences?: number | undefined;
  /** Length that `"seq-mean-token-sum-norm"` divides by; the padded length, or the longest packed one, by default. */
  readonly maxLength?: number | undefined;
  /** [sequences] counted tokens of each sequence here, where parts of it are elsewhere. */
  readonly sequenceTokens?: ArrayLike<number> | undefined;
  /** Factor of all weights, for gradients that are averaged over so many workers; 1 by default. */
  readonly worldSize?: number | undefined;
}

export interface RowWeightsOptions extends Layout {
  /** [rows] of 0 and 1; all rows count where it is absent. */
  readonly responseMask?: ArrayLike<number> | undefined;
  /** Which one. */
  readonly reduction: Reduction;
  /** Counts of the whole batch where this is a part of it. */
  readonly denominators?: Denominators | undefined;
  /** Added to every count of tokens that divides; 1e-8 by default. */
  readonly denominatorEpsilon?: number | undefined;
  /** Whether sequences without counted tokens are among those that means divide by: "count" (default) or "skip". */
  readonly emptySequences?: EmptySequences | undefined;
}

export const EMPTY_SEQUENCES = ["count", "skip"] as const;
export type EmptySequences = (typeof EMPTY_SEQUENCES)[number];

/** [sequences + 1] row offsets of the sequences. */
export function sequenceOffsets(where: string, { rows, sequences, cuSeqlens }: Layout): Int32Array {
  checkCount(where, "rows", rows);
  if (cuSeqlens !== undefined) {
    const given = numbersOf(where, "cuSeqlens", cuSeqlens);
    const offsets = Int32Array.from(given);
    const rising = offsets.every(
      (offset, s) => offset === given[s] && (s === 0 || offset >= (offsets[s - 1] as number)),
    );
    if (!rising || offsets[0] !== 0 || offsets.at(-1) !== rows) {
      const received = `[${given.subarray(0, 12).join(", ")}${given.length > 12 ? ", …" : ""}]`;
      throw expected("ERR_RANGE", where, `cuSeqlens to rise from 0 to the ${rows} rows`, received);
    }
    return offsets;
  }
  const count = sequences ?? 1;
  checkCount(where, "sequences", count);
  if (count === 0 ? rows > 0 : rows % count !== 0 || count > rows + MOST_EMPTY_SEQUENCES) {
    throw expected(
      "ERR_SHAPE",
      where,
      `${rows} rows to form ${count} sequences of equal length`,
      describe(rows / count),
    );
  }
  return Int32Array.from({ length: count + 1 }, (_, s) => (count === 0 ? 0 : (s * rows) / count));
}

/**
 * [rows] ∂loss/∂(value of the row), so that loss = Σ weight·value; 0 for rows that do not count.
 *
 * A sequence without counted tokens adds nothing, and counts among the sequences unless `emptySequences` is "skip".
 *
 * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_RANGE
 */
export function rowWeights(options: RowWeightsOptions): Float64Array {
  const where = "reference.rowWeights";
  options = readOnce(where, options);
  const { rows, responseMask, reduction, denominators = {}, denominatorEpsilon = 1e-8 } = options;
  const { emptySequences = "count" } = options;
  checkWord(where, "reduction", reduction, REDUCTIONS);
  checkWord(where, "emptySequences", emptySequences, EMPTY_SEQUENCES);
  checkObject(where, "denominators", denominators);
  checkCount(where, "rows", rows);
  const counted = countedRows(where, responseMask, rows);
  const offsets = sequenceOffsets(where, options);
  const sequencesHere = offsets.length - 1;
  const lengthOf = (s: number): number => (offsets[s + 1] as number) - (offsets[s] as number);
  const tokensOf = (s: number): number =>
    counted.slice(offsets[s], offsets[s + 1]).filter(Boolean).length;
  if (denominators.sequenceTokens !== undefined) {
    const { sequenceTokens } = denominators;
    checkNumbers(where, "denominators.sequenceTokens", sequenceTokens, sequencesHere);
  }

  const tokens = denominators.tokens ?? counted.filter(Boolean).length;
  let ofMean = sequencesHere;
  if (emptySequences === "skip") {
    ofMean = 0;
    for (let s = 0; s < sequencesHere; s++) if (tokensOf(s) > 0) ofMean++;
  }
  const sequences = denominators.sequences ?? ofMean;
  const worldSize = denominators.worldSize ?? 1;
  let longest = 0;
  for (let s = 0; s < sequencesHere; s++) longest = Math.max(longest, lengthOf(s));
  const maxLength = denominators.maxLength ?? longest;
  for (const [name, value] of Object.entries({ tokens, sequences, maxLength, worldSize })) {
    checkNumber(where, `denominators.${name}`, value, "finite and not negative", isCount);
  }
  checkNumber(where, "denominatorEpsilon", denominatorEpsilon, "finite and not negative", isCount);

  const weights = allocate("float64", rows);
  for (let s = 0; s < sequencesHere; s++) {
    const sequenceTokens = denominators.sequenceTokens?.[s] ?? tokensOf(s);
    const weight = {
      "token-mean": 1 / (tokens + denominatorEpsilon),
      "seq-mean-token-mean": 1 / (sequences * (sequenceTokens + denominatorEpsilon)),
      "seq-mean-token-sum": 1 / sequences,
      "seq-mean-token-sum-norm": 1 / (sequences * maxLength),
      sum: 1,
    }[reduction];
    for (let row = offsets[s] as number; row < (offsets[s + 1] as number); row++) {
      if (counted[row]) weights[row] = weight * worldSize;
    }
  }
  return weights;
}

function isCount(value: number): boolean {
  return value >= 0 && value < Infinity;
}
