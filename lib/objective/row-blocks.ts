/** An evaluation whose logits arrive in blocks of rows: only one block is in memory at a time. */
import { checkSignal, flag, readOptions } from "../core/arguments.js";
import { expected } from "../core/errors.js";
import { disposeAll, fillZero, fillZeroAsync } from "../tensor/gradient.js";
import type { Logits } from "../tensor/tensor.js";
import type { TokenRowData } from "./batch.js";
import { isExact } from "./coefficients.js";
import { composedBecause, coupledBecause } from "./demands.js";
import { type Evaluation, type EvaluationGradients, evaluationOf } from "./evaluation.js";
import { gradientMemory } from "./gradient-memory.js";
import { checkMeasured, inputsOfLogits, type Measured, measuredOf } from "./measured.js";
import type { ResolvedOptions } from "./options.js";
import { choosePlan, type Plan, type PlanArgs, runPlan, runPlanAsync } from "./plan.js";
import { inBatchRows, type RowBlock, readRowBlock } from "./row-block.js";
import { RowState } from "./row-state.js";
import type { ObjectiveSpec } from "./spec.js";

/** Gradients of one block. */
export type BlockGradients = Pick<EvaluationGradients, "gradLogits" | "gradMaskedLogits">;

/**
 * Takes blocks in any order, each row once; rows whose mask is 0 may be left out. The weights of all rows are known
 * from the start, so each block's gradients are final when `add` returns and its logits may be forgotten.
 *
 * A block that failed or was aborted counts as not added and may be added again, unless it was in place. What such a
 * block leaves in memory given for gradients is what `Objective.evaluate` leaves there.
 * With gradients there can be one block only, of all rows, where the gradient of a row depends on others: with a part
 * of the objective that looks at a sequence or the batch, and with `onInvalid: "skip"`, since an unusable row changes
 * the weights of every other one. (Find such rows first with `gradients: false`, then mask them.)
 */
export class RowBlockEvaluation {
  readonly #where: string;
  readonly #vocabSize: number;
  readonly #options: ResolvedOptions;
  /** The part of the objective that the fused op does not know, in words. */
  readonly #because: string | undefined;
  /** What makes the gradient of a row depend on other rows, in words. */
  readonly #coupled: string | undefined;
  readonly #state: RowState;
  /** Rows that were added, or are being added. */
  readonly #taken: Uint8Array;
  #hasMaskedLogits: boolean | undefined;
  #hasRefLogits: boolean | undefined;
  #measured: Measured | undefined;
  #running = 0;
  #finished = false;

  /**
   * Use `Objective.begin`.
   *
   * @internal
   */
  constructor(
    where: string,
    spec: ObjectiveSpec,
    data: TokenRowData,
    vocabSize: number,
    options: ResolvedOptions,
  ) {
    const { plan, skip } = options;
    this.#where = where;
    this.#vocabSize = vocabSize;
    this.#options = options;
    this.#state = new RowState(where, spec, data, options);
    const { coefficients } = this.#state;
    this.#because = composedBecause(spec, coefficients);
    this.#coupled = coupledBecause(spec, coefficients) ?? (skip ? 'onInvalid "skip"' : undefined);
    choosePlan(where, plan, skip, this.#because);
    this.#taken = new Uint8Array(data.layout.rows);
  }

  /**
   * What makes the gradient of a row depend on other rows, in words: then all rows have to come in one block, unless
   * `gradients` is false. Undefined where blocks may be cut anywhere.
   */
  get coupledBecause(): string | undefined {
    return this.#coupled;
  }

  /**
   * Evaluates one block.
   *
   * @returns its gradients; empty with `gradients: false`
   * @throws PapoError ERR_RANGE for rows outside the batch or added before, ERR_SHAPE, ERR_DTYPE and ERR_ARGUMENT for
   *         logits and memory that do not fit, ERR_NOT_FINITE naming the first unusable counted row of the batch
   */
  add(block: RowBlock): BlockGradients {
    const { start, plan, args } = this.#begin(block);
    try {
      this.#state.store(start, runPlan(plan, args));
      const { constantGradient } = args;
      if (constantGradient) {
        fillZero(this.#where, "gradMaskedLogits", constantGradient, rowsToClear(args));
      }
    } catch (error) {
      throw this.#failed(start, args, error);
    }
    this.#running--;
    return blockGradients(args);
  }

  /** The same off the event loop. Several may run at once; an abort rejects with the signal's reason. */
  async addAsync(
    block: RowBlock,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<BlockGradients> {
    const { signal } = readOptions(this.#where, options, ["signal"]);
    checkSignal(this.#where, signal);
    const { start, plan, args } = this.#begin(block);
    try {
      this.#state.store(start, await runPlanAsync(plan, args, signal));
      const { constantGradient } = args;
      if (constantGradient) {
        const only = rowsToClear(args);
        await fillZeroAsync(this.#where, "gradMaskedLogits", constantGradient, only, signal);
      }
    } catch (error) {
      throw this.#failed(start, args, error);
    }
    this.#running--;
    return blockGradients(args);
  }

  /**
   * The evaluation of all blocks, without their gradients.
   *
   * @throws PapoError ERR_ARGUMENT where a counted row was not added or a block is still running
   */
  finish(): Evaluation {
    const state = this.#state;
    const { rows } = state.data.layout;
    if (this.#finished || this.#running > 0) {
      const received = this.#finished ? "a second call" : `${this.#running} still running`;
      throw expected("ERR_ARGUMENT", this.#where, "finish once, after all blocks", received);
    }
    for (let row = 0; row < rows; row++) {
      if (this.#taken[row] === 0 && state.mask?.[row] !== 0) {
        const what = "every counted row to be added before finish";
        throw expected("ERR_ARGUMENT", this.#where, what, `no row ${row}`);
      }
    }
    this.#finished = true;
    const { gradients, perToken } = this.#options;
    // Blocks of a forward pass had no terms yet, or the weights of the rows that were left so far.
    if (this.#coupled !== undefined && !gradients) state.evaluateAll(this.#hasMasked());
    const measured = this.#measured ?? this.#measuredWith(false, false);
    return evaluationOf(state.results(measured, perToken), {});
  }

  /** Checks a block, notes its rows as taken and makes it ready to run. */
  #begin(block: RowBlock): { start: number; plan: Plan; args: PlanArgs } {
    const where = this.#where;
    const state = this.#state;
    const { rows } = state.data.layout;
    if (this.#finished) {
      throw expected("ERR_ARGUMENT", where, "blocks before finish", "one after it");
    }
    const given = readRowBlock(where, block, rows, this.#vocabSize);
    const { rowStart: start, logits, maskedLogits, refLogits } = given;
    const end = start + logits.rows;
    const again = this.#taken.subarray(start, end).indexOf(1);
    if (again >= 0) {
      throw expected("ERR_RANGE", where, "each row once", `row ${start + again} again`);
    }
    const { gradients, gradDType, gradScale, skip } = this.#options;
    if (this.#coupled !== undefined && gradients && logits.rows < rows) {
      const what = `all rows in one block with ${this.#coupled} and gradients`;
      throw expected("ERR_UNSUPPORTED", where, what, `${logits.rows} of ${rows}`);
    }
    const because = this.#because ?? (refLogits === undefined ? undefined : "refLogits");
    const plan = choosePlan(where, this.#options.plan, skip, because);
    const inPlace = flag(where, "inPlace", given.inPlace, false);
    if (inPlace && refLogits && isExact(state.spec.refKlEstimator)) {
      // The gradient of the exact KL to the reference is a second walk over the logits.
      const what = `gradients in other memory with refKlEstimator "${state.spec.refKlEstimator}"`;
      throw expected("ERR_UNSUPPORTED", where, what, "inPlace");
    }
    this.#checkBranches(maskedLogits !== undefined, refLogits !== undefined);
    const memory = gradientMemory(
      where,
      {
        logits,
        maskedLogits,
        refLogits,
        gradLogits: given.gradLogits,
        gradMaskedLogits: given.gradMaskedLogits,
        inPlace,
        gradsZeroed: flag(where, "gradsZeroed", given.gradsZeroed, false),
      },
      {
        gradients,
        differentiableMasked: state.spec.maskedBranch === "differentiable",
        dtype: gradDType,
      },
    );
    this.#taken.fill(1, start, end);
    this.#running++;
    // Spreads come last here and below: a field that is added after one takes microseconds.
    const args: PlanArgs = {
      where,
      logits,
      maskedLogits,
      refLogits,
      hasMasked: this.#hasMasked(),
      gradients,
      gradScale,
      statisticsOnly: this.#coupled !== undefined && !gradients,
      withoutInvalid: skip ? (invalid: Int32Array) => state.leaveOut(start, invalid) : undefined,
      ...memory,
      ...state.rows(start, end),
    };
    return { start, plan, args };
  }

  /** Logits of another policy come with every block or with none, and not beside its constant log-probs. */
  #checkBranches(hasMaskedLogits: boolean, hasRefLogits: boolean): void {
    const where = this.#where;
    const { spec, data, coefficients } = this.#state;
    if (hasMaskedLogits && data.maskedLogProbs !== undefined) {
      throw expected("ERR_ARGUMENT", where, "maskedLogits or maskedLogProbs", "both");
    }
    if (hasRefLogits && data.refLogProbs !== undefined) {
      throw expected("ERR_ARGUMENT", where, "refLogits or refLogProbs", "both");
    }
    checkSame(where, "maskedLogits", this.#hasMaskedLogits, hasMaskedLogits);
    checkSame(where, "refLogits", this.#hasRefLogits, hasRefLogits);
    const measured = this.#measured ?? this.#measuredWith(hasMaskedLogits, hasRefLogits);
    checkMeasured(where, spec, coefficients, measured, data.maskedLogProbs !== undefined);
    this.#measured = measured;
    this.#hasMaskedLogits = hasMaskedLogits;
    this.#hasRefLogits = hasRefLogits;
  }

  #measuredWith(hasMaskedLogits: boolean, hasRefLogits: boolean): Measured {
    const { spec, data } = this.#state;
    return measuredOf(spec, inputsOfLogits(data, hasMaskedLogits, hasRefLogits));
  }

  #hasMasked(): boolean {
    return this.#hasMaskedLogits === true || this.#state.data.maskedLogProbs !== undefined;
  }

  #failed(start: number, args: PlanArgs, error: unknown): unknown {
    this.#running--;
    this.#taken.fill(0, start, start + args.logits.rows);
    disposeAll(args.fresh);
    return inBatchRows(error, start);
  }
}

/** What came with one block comes with all. */
function checkSame(where: string, name: string, before: boolean | undefined, now: boolean): void {
  if (before === undefined || before === now) return;
  const received = now ? "them after blocks without" : "a block without";
  throw expected("ERR_ARGUMENT", where, `${name} in every block or in none`, received);
}

/** Those that do not hold zeros in the gradient of a constant branch; undefined for all. */
function rowsToClear({ gradsZeroed, responseMask }: PlanArgs): Int32Array | undefined {
  return gradsZeroed ? responseMask : undefined;
}

function blockGradients({ gradLogits, gradMaskedLogits }: PlanArgs): BlockGradients {
  return {
    ...(gradLogits ? { gradLogits: gradLogits as Logits } : {}),
    ...(gradMaskedLogits ? { gradMaskedLogits: gradMaskedLogits as Logits } : {}),
  };
}
