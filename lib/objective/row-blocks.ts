/** An evaluation whose logits arrive in blocks of rows: only one block is in memory at a time. */
import { checkSignal, flag, readOptions } from "../core/arguments.js";
import { expected } from "../core/errors.js";
import { innerLines, STATISTICS, TERMS } from "../ops/lines.js";
import { type ObjectiveAttributes, tokenObjective } from "../ops/token-objective.js";
import { disposeAll, fillZero } from "../tensor/gradient.js";
import type { Logits } from "../tensor/tensor.js";
import type { TokenRowData } from "./batch.js";
import { type Coefficients, numbersAt } from "./coefficients.js";
import { type Evaluation, type EvaluationGradients, evaluationOf } from "./evaluation.js";
import { gradientMemory } from "./gradient-memory.js";
import { checkMeasured, inputsOfLogits, type Measured, measuredOf } from "./measured.js";
import type { ResolvedOptions } from "./options.js";
import {
  choosePlan,
  type Plan,
  type PlanArgs,
  type PlanResult,
  runPlan,
  runPlanAsync,
} from "./plan.js";
import { inBatchRows, type RowBlock, readRowBlock } from "./row-block.js";
import type { ObjectiveSpec } from "./spec.js";
import { objectiveWeights } from "./weights.js";

/** Gradients of one block. */
export type BlockGradients = Pick<EvaluationGradients, "gradLogits" | "gradMaskedLogits">;

/**
 * Takes blocks in any order, each row once; rows whose mask is 0 may be left out. The weights of all rows are known
 * from the start, so each block's gradients are final when `add` returns and its logits may be forgotten.
 *
 * A block that failed or was aborted counts as not added and may be added again, unless it was in place.
 * With `onInvalid: "skip"` and gradients there can be one block only, of all rows: an unusable row changes the
 * weights of every other one. Find the rows first with `gradients: false`, then mask them.
 */
export class RowBlockEvaluation {
  readonly #where: string;
  readonly #spec: ObjectiveSpec;
  readonly #data: TokenRowData;
  readonly #vocabSize: number;
  readonly #options: ResolvedOptions;
  readonly #plan: Plan;
  readonly #coefficients: Coefficients;
  readonly #attributes: ObjectiveAttributes;
  /** Rows that were added, or are being added. */
  readonly #taken: Uint8Array;
  readonly #invalid: Int32Array;
  #mask: Int32Array | undefined;
  #weights: Float64Array;
  #entropyWeights: Float64Array;
  #statistics: Float64Array;
  #terms: Float64Array;
  #hasMaskedLogits: boolean | undefined;
  #measured: Measured | undefined;
  #running = 0;
  #finished = false;

  /** Use `Objective.begin`. */
  constructor(
    where: string,
    spec: ObjectiveSpec,
    data: TokenRowData,
    vocabSize: number,
    options: ResolvedOptions,
  ) {
    const { rows } = data.layout;
    this.#where = where;
    this.#spec = spec;
    this.#data = data;
    this.#vocabSize = vocabSize;
    this.#options = options;
    this.#plan = choosePlan(where, options.plan, options.skip);
    const { coefficients, attributes } = numbersAt(where, spec, options.step);
    this.#coefficients = coefficients;
    this.#attributes = attributes;
    this.#taken = new Uint8Array(rows);
    this.#invalid = new Int32Array(options.skip ? rows : 0);
    this.#mask = data.mask;
    const { denominators } = options;
    const [weights, entropyWeights] = objectiveWeights(where, spec, data, data.mask, denominators);
    this.#weights = weights;
    this.#entropyWeights = entropyWeights;
    this.#statistics = innerLines(STATISTICS, rows);
    this.#terms = innerLines(TERMS, rows);
  }

  /**
   * Evaluates one block.
   *
   * @returns its gradients; empty with `gradients: false`
   * @throws PapoError ERR_RANGE for rows outside the batch or added before, ERR_SHAPE, ERR_DTYPE and ERR_ARGUMENT for
   *         logits and memory that do not fit, ERR_NOT_FINITE naming the first unusable counted row of the batch
   */
  add(block: RowBlock): BlockGradients {
    const { start, args } = this.#begin(block);
    try {
      this.#store(start, runPlan(this.#plan, args));
    } catch (error) {
      throw this.#failed(start, args, error);
    }
    return this.#added(args);
  }

  /** The same off the event loop. Several may run at once; an abort rejects with the signal's reason. */
  async addAsync(
    block: RowBlock,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<BlockGradients> {
    const { signal } = readOptions(this.#where, options, ["signal"]);
    checkSignal(this.#where, signal);
    const { start, args } = this.#begin(block);
    try {
      this.#store(start, await runPlanAsync(this.#plan, args, signal));
    } catch (error) {
      throw this.#failed(start, args, error);
    }
    return this.#added(args);
  }

  /**
   * The evaluation of all blocks, without their gradients.
   *
   * @throws PapoError ERR_ARGUMENT where a counted row was not added or a block is still running
   */
  finish(): Evaluation {
    const { layout } = this.#data;
    if (this.#finished || this.#running > 0) {
      const state = this.#finished ? "a second call" : `${this.#running} still running`;
      throw expected("ERR_ARGUMENT", this.#where, "finish once, after all blocks", state);
    }
    for (let row = 0; row < layout.rows; row++) {
      if (this.#taken[row] === 0 && this.#mask?.[row] !== 0) {
        const what = "every counted row to be added before finish";
        throw expected("ERR_ARGUMENT", this.#where, what, `no row ${row}`);
      }
    }
    this.#finished = true;
    const skippedRows = this.#skippedRows();
    // Blocks of a forward pass were evaluated with the weights of the rows that were left so far.
    if (skippedRows && skippedRows.length > 0 && !this.#options.gradients) this.#evaluateAgain();
    return evaluationOf(
      {
        data: this.#data,
        mask: this.#mask,
        statistics: this.#statistics,
        terms: this.#terms,
        weights: this.#weights,
        entropyWeights: this.#entropyWeights,
        attributes: this.#attributes,
        coefficients: this.#coefficients,
        measured: this.#measured ?? this.#measuredWith(false),
        skippedRows,
        perToken: this.#options.perToken,
      },
      {},
    );
  }

  /** Checks a block, notes its rows as taken and makes it ready to run. */
  #begin(block: RowBlock): { start: number; args: PlanArgs } {
    const where = this.#where;
    const data = this.#data;
    const { rows } = data.layout;
    if (this.#finished) {
      throw expected("ERR_ARGUMENT", where, "blocks before finish", "one after it");
    }
    const given = readRowBlock(where, block, rows, this.#vocabSize);
    const { rowStart: start, logits, maskedLogits } = given;
    const end = start + logits.rows;
    const again = this.#taken.subarray(start, end).indexOf(1);
    if (again >= 0) {
      throw expected("ERR_RANGE", where, "each row once", `row ${start + again} again`);
    }
    const { gradients, gradDType, gradScale, skip } = this.#options;
    if (skip && gradients && logits.rows < rows) {
      const what = 'all rows in one block with onInvalid "skip" and gradients';
      throw expected("ERR_UNSUPPORTED", where, what, `${logits.rows} of ${rows}`);
    }
    this.#checkMaskedBranch(maskedLogits !== undefined);
    const memory = gradientMemory(
      where,
      {
        ...given,
        inPlace: flag(where, "inPlace", given.inPlace, false),
        gradsZeroed: flag(where, "gradsZeroed", given.gradsZeroed, false),
      },
      {
        gradients,
        differentiableMasked: this.#spec.maskedBranch === "differentiable",
        dtype: gradDType,
      },
    );
    this.#taken.fill(1, start, end);
    this.#running++;
    const { gradLogits, gradMaskedLogits, gradsZeroed, constantGradient, fresh } = memory;
    const { responseMask, weights, entropyWeights } = this.#masked(start, end);
    const args: PlanArgs = {
      gradLogits,
      gradMaskedLogits,
      gradsZeroed,
      constantGradient,
      fresh,
      where,
      logits,
      maskedLogits,
      tokenIds: part(data.tokenIds, start, end),
      oldLogProbs: data.oldLogProbs && part(data.oldLogProbs, start, end),
      refLogProbs: data.refLogProbs && part(data.refLogProbs, start, end),
      maskedLogProbs: data.maskedLogProbs && part(data.maskedLogProbs, start, end),
      advantages: part(data.advantages, start, end),
      responseMask,
      weights,
      entropyWeights,
      temperature: this.#spec.temperature,
      attributes: this.#attributes,
      hasMasked: maskedLogits !== undefined || data.maskedLogProbs !== undefined,
      gradients,
      gradScale,
      withoutInvalid: skip ? (invalid: Int32Array) => this.#leaveOut(start, invalid) : undefined,
    };
    return { start, args };
  }

  #masked(start: number, end: number) {
    return {
      responseMask: this.#mask && part(this.#mask, start, end),
      weights: part(this.#weights, start, end),
      entropyWeights: part(this.#entropyWeights, start, end),
    };
  }

  /** The masked logits come with every block or with none, and not beside constant masked log-probs. */
  #checkMaskedBranch(hasMaskedLogits: boolean): void {
    const where = this.#where;
    if (hasMaskedLogits && this.#data.maskedLogProbs !== undefined) {
      throw expected("ERR_ARGUMENT", where, "maskedLogits or maskedLogProbs", "both");
    }
    if (this.#hasMaskedLogits !== undefined && this.#hasMaskedLogits !== hasMaskedLogits) {
      const received = hasMaskedLogits ? "them after blocks without" : "a block without";
      throw expected("ERR_ARGUMENT", where, "maskedLogits in every block or in none", received);
    }
    const measured = this.#measured ?? this.#measuredWith(hasMaskedLogits);
    const constantMasked = this.#data.maskedLogProbs !== undefined;
    checkMeasured(where, this.#spec, this.#coefficients, measured, constantMasked);
    this.#measured = measured;
    this.#hasMaskedLogits = hasMaskedLogits;
  }

  #measuredWith(hasMaskedLogits: boolean): Measured {
    return measuredOf(this.#spec, inputsOfLogits(this.#data, hasMaskedLogits));
  }

  #store(start: number, { statistics, terms }: PlanResult): void {
    const { rows } = this.#data.layout;
    if (statistics.length === this.#statistics.length) {
      this.#statistics = statistics;
      this.#terms = terms;
    } else {
      copyLines(statistics, this.#statistics, STATISTICS.length, rows, start);
      copyLines(terms, this.#terms, TERMS.length, rows, start);
    }
  }

  /** Masks the rows of a block that were found unusable; the weights follow where gradients depend on them. */
  #leaveOut(start: number, invalid: Int32Array) {
    const end = start + invalid.length;
    if (invalid.includes(1)) {
      const mask = this.#mask?.slice() ?? new Int32Array(this.#data.layout.rows).fill(1);
      for (let i = 0; i < invalid.length; i++) {
        if (invalid[i] === 1) mask[start + i] = 0;
      }
      this.#mask = mask;
      this.#invalid.set(invalid, start);
      this.#weigh();
    }
    return this.#masked(start, end);
  }

  #weigh(): void {
    const { denominators } = this.#options;
    [this.#weights, this.#entropyWeights] = objectiveWeights(
      this.#where,
      this.#spec,
      this.#data,
      this.#mask,
      denominators,
    );
  }

  #evaluateAgain(): void {
    const { oldLogProbs, refLogProbs, advantages, maskedLogProbs } = this.#data;
    this.#terms = tokenObjective({
      where: this.#where,
      statistics: this.#statistics,
      hasMasked: this.#hasMaskedLogits === true || maskedLogProbs !== undefined,
      oldLogProbs,
      refLogProbs,
      advantages,
      ...this.#masked(0, this.#data.layout.rows),
      attributes: this.#attributes,
      gradients: false,
    }).terms;
  }

  #skippedRows(): readonly number[] | undefined {
    if (!this.#options.skip) return undefined;
    return [...this.#invalid.keys()].filter((row) => this.#invalid[row] === 1);
  }

  #added(args: PlanArgs): BlockGradients {
    this.#running--;
    if (args.constantGradient) {
      fillZero(args.constantGradient, args.gradsZeroed ? args.responseMask : undefined);
    }
    return blockGradients(args);
  }

  #failed(start: number, args: PlanArgs, error: unknown): unknown {
    this.#running--;
    this.#taken.fill(0, start, start + args.logits.rows);
    disposeAll(args.fresh);
    return inBatchRows(error, start);
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

function blockGradients({ gradLogits, gradMaskedLogits }: PlanArgs): BlockGradients {
  return {
    ...(gradLogits ? { gradLogits: gradLogits as Logits } : {}),
    ...(gradMaskedLogits ? { gradMaskedLogits: gradMaskedLogits as Logits } : {}),
  };
}
