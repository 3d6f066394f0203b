/** What is known of every row of a batch of logits while its blocks come in. */
import { innerArray } from "../core/slab.js";
import { innerLines, STATISTICS, TERMS } from "../ops/lines.js";
import type { ObjectiveAttributes } from "../ops/token-objective.js";
import { objectiveOfStatistics } from "./algebra.js";
import type { TokenRowData } from "./batch.js";
import { type Coefficients, isExact, numbersAt } from "./coefficients.js";
import type { RowResults } from "./evaluation.js";
import type { Measured } from "./measured.js";
import type { ResolvedOptions } from "./options.js";
import type { MaskAndWeights, PlanArgs, PlanResult } from "./plan.js";
import { uniformFor } from "./random.js";
import type { ObjectiveSpec } from "./spec.js";
import { type ObjectiveWeights, objectiveWeights } from "./weights.js";

/** What a plan takes of some rows. */
export type StateRows = MaskAndWeights &
  Pick<
    PlanArgs,
    | "spec"
    | "sftCoef"
    | "attributes"
    | "temperature"
    | "random"
    | "offsets"
    | "tokenIds"
    | "oldLogProbs"
    | "refLogProbs"
    | "rolloutLogProbs"
    | "maskedLogProbs"
    | "advantages"
  >;

/** The mask and the weights of all rows, and the statistics and terms of those that were evaluated. */
export class RowState {
  readonly #where: string;
  readonly #options: ResolvedOptions;
  /** Rows that were found unusable, 0 and 1; empty unless they are skipped. */
  readonly #invalid: Int32Array;
  readonly spec: ObjectiveSpec;
  readonly data: TokenRowData;
  readonly coefficients: Coefficients;
  readonly attributes: ObjectiveAttributes;
  /** The caller's, without the rows that were skipped. */
  mask: Int32Array | undefined;
  weights: ObjectiveWeights;
  statistics: Float64Array;
  terms: Float64Array;
  /** The ratio that the surrogate works with, where that is not the line of the terms. */
  ratios: Float64Array | undefined;
  /** Of the reference's logits: log-probs, or the exact KL where that is the estimator. */
  reference: Float64Array | undefined;
  /** Tokens and weights that all rows together chose. */
  selected: PlanResult["selected"];

  constructor(where: string, spec: ObjectiveSpec, data: TokenRowData, options: ResolvedOptions) {
    const { rows } = data.layout;
    this.#where = where;
    this.#options = options;
    this.#invalid = innerArray("int32", options.skip ? rows : 0);
    this.spec = spec;
    this.data = data;
    const { coefficients, attributes } = numbersAt(where, spec, options.step, options.coefficients);
    this.coefficients = coefficients;
    this.attributes = attributes;
    this.mask = data.mask;
    this.weights = this.#weights();
    this.statistics = innerLines(STATISTICS, rows);
    this.terms = innerLines(TERMS, rows);
  }

  #weights(): ObjectiveWeights {
    const { spec, coefficients, data, mask } = this;
    const { denominators } = this.#options;
    return objectiveWeights(this.#where, spec, coefficients, data, mask, denominators);
  }

  /** Rows `start` to `end` of what the ops take. */
  rows(start: number, end: number): StateRows {
    const { data } = this;
    const of = (rows: Float64Array | undefined) => rows && part(rows, start, end);
    const isAll = end - start === data.layout.rows;
    return {
      spec: this.spec,
      sftCoef: this.coefficients.sft,
      attributes: this.attributes,
      temperature: this.spec.temperature,
      random: uniformFor(this.#where, this.spec.surrogate, this.#options.seed),
      // Where rows come in several blocks, no part of the objective looks at sequences.
      offsets: isAll ? data.layout.offsets : Int32Array.of(0, end - start),
      tokenIds: part(data.tokenIds, start, end),
      oldLogProbs: of(data.oldLogProbs),
      refLogProbs: isExact(this.spec.refKlEstimator) ? undefined : of(data.refLogProbs),
      rolloutLogProbs: of(data.rolloutLogProbs),
      maskedLogProbs: of(data.maskedLogProbs),
      advantages: part(data.advantages, start, end),
      ...this.weighted(start, end),
    };
  }

  /** Mask and weights of rows `start` to `end`. */
  weighted(start: number, end: number): MaskAndWeights {
    const { weights, entropyWeights, surrogateWeights, perceptionWeights, sftWeights, ofKept } =
      this.weights;
    return {
      responseMask: this.mask && part(this.mask, start, end),
      weights: part(weights, start, end),
      entropyWeights: part(entropyWeights, start, end),
      surrogateWeights: part(surrogateWeights, start, end),
      perceptionWeights: perceptionWeights && part(perceptionWeights, start, end),
      sftWeights: sftWeights && part(sftWeights, start, end),
      ofKept,
    };
  }

  /** Takes the results of the rows from `start` on. */
  store(start: number, { statistics, terms, ratios, reference, selected }: PlanResult): void {
    const { rows } = this.data.layout;
    if (statistics.length === this.statistics.length) {
      this.statistics = statistics;
      this.terms = terms;
      this.ratios = ratios;
      this.reference = reference;
      this.selected = selected;
      return;
    }
    copyLines(statistics, this.statistics, STATISTICS.length, rows, start);
    copyLines(terms, this.terms, TERMS.length, rows, start);
    if (ratios) {
      this.ratios ??= innerArray("float64", rows);
      this.ratios.set(ratios, start);
    }
    if (reference) {
      this.reference ??= innerArray("float64", rows);
      this.reference.set(reference, start);
    }
  }

  /** Masks the rows of a block that were found unusable; all weights follow. */
  leaveOut(start: number, invalid: Int32Array): MaskAndWeights {
    if (invalid.includes(1)) {
      const mask = this.mask?.slice() ?? new Int32Array(this.data.layout.rows).fill(1);
      for (let i = 0; i < invalid.length; i++) {
        if (invalid[i] === 1) mask[start + i] = 0;
      }
      this.mask = mask;
      this.#invalid.set(invalid, start);
      this.weights = this.#weights();
    }
    return this.weighted(start, start + invalid.length);
  }

  /** All that is known of the rows. */
  results(measured: Measured, perToken: boolean): RowResults {
    return {
      spec: this.spec,
      data: this.data,
      mask: this.mask,
      statistics: this.statistics,
      terms: this.terms,
      ratios: this.ratios,
      weights: this.weights,
      selected: this.selected,
      attributes: this.attributes,
      coefficients: this.coefficients,
      measured,
      skippedRows: this.skippedRows(),
      perToken,
    };
  }

  /** Rows that were left out, in order; undefined unless that was asked for. */
  skippedRows(): readonly number[] | undefined {
    if (!this.#options.skip) return undefined;
    return [...this.#invalid.keys()].filter((row) => this.#invalid[row] === 1);
  }

  /** Terms of all rows from their statistics, without gradients. */
  evaluateAll(hasMasked: boolean): void {
    const { statistics, reference } = this;
    const isRefKl = isExact(this.spec.refKlEstimator);
    const call = {
      where: this.#where,
      statistics,
      hasMasked,
      gradients: false,
      ...this.rows(0, this.data.layout.rows),
      ...(reference && { [isRefKl ? "refKl" : "refLogProbs"]: reference }),
    };
    this.store(0, { statistics, reference, ...objectiveOfStatistics(call) });
  }
}

/** Rows `start` to `end` of a [rows] array, which is itself where that is all of it. */
function part<A extends Float64Array | Int32Array>(rows: A, start: number, end: number): A {
  return end - start === rows.length ? rows : (rows.subarray(start, end) as A);
}

function copyLines(
  block: Float64Array,
  whole: Float64Array,
  lines: number,
  rows: number,
  start: number,
): void {
  const count = block.length / lines;
  for (let k = 0; k < lines; k++) {
    whole.set(block.subarray(k * count, (k + 1) * count), k * rows + start);
  }
}
