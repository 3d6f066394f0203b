/** An evaluation whose memory is bound: checked once, then run at every step at the price of one call of the engine. */
import { flag, readOptions } from "../core/arguments.js";
import { expected } from "../core/errors.js";
import type { Denominators } from "../functional/row-weights.js";
import { repeatedPapoLoss } from "../ops/papo-loss.js";
import type { RepeatedOp } from "../ops/run-op.js";
import { lossOfTerms } from "../ops/token-objective.js";
import { disposeAll, fillZero, fillZeroAsync } from "../tensor/gradient.js";
import type { Logits, Tensor } from "../tensor/tensor.js";
import type { LogitsBatch } from "./batch.js";
import { BoundRows } from "./bound-rows.js";
import { type CoefficientsInput, isConstant, numbersAt, type SpecNumbers } from "./coefficients.js";
import { composedBecause } from "./demands.js";
import { type Evaluation, evaluationOf } from "./evaluation.js";
import { gradientMemory } from "./gradient-memory.js";
import { checkMeasured, inputsOfLogits, type Measured, measuredOf } from "./measured.js";
import {
  type BindOptions,
  type BoundRunAsyncOptions,
  type BoundRunOptions,
  type ResolvedOptions,
  readRunOptions,
} from "./options.js";
import type { ObjectiveSpec } from "./spec.js";
import { type ObjectiveWeights, objectiveWeights } from "./weights.js";

/** No version of the rows. */
const NEVER = -1;

type Gradients = { -readonly [K in "gradLogits" | "gradMaskedLogits"]?: Logits };

interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

/**
 * One evaluation of one batch's memory, to be run at every step: what `Objective.bind` gives.
 *
 * A run reads everything as it is then: the logits, and every array of the batch, the mask and the row offsets among
 * them. It writes the gradients into the same memory every time. What was settled when it was bound is which inputs
 * there are, their shapes and dtypes, and the options. One run at a time: a second one is refused until the first has
 * settled.
 *
 * It keeps arrays and tensors of the batch alive as long as it lives; it owns none, so there is nothing to dispose of
 * but device memory that was made for gradients.
 */
export class BoundEvaluation {
  /** Where each run writes d loss / d logits; absent with `gradients: false`. */
  readonly gradLogits: Logits | undefined;
  /** The same of the masked logits; absent where the masked branch is constant. */
  readonly gradMaskedLogits: Logits | undefined;
  readonly #spec: ObjectiveSpec;
  readonly #options: ResolvedOptions;
  readonly #rows: BoundRows;
  readonly #op: RepeatedOp;
  readonly #measured: Measured;
  /** Logits and gradients, that of a constant branch among them. */
  readonly #tensors: readonly NamedTensor[];
  readonly #constantGradient: Tensor | undefined;
  /** The caller's word that rows that do not count hold zeros. */
  readonly #gradsZeroed: boolean;
  /** What the op was told last. */
  #numbers: SpecNumbers | undefined;
  #gradScale: number;
  #leftAlone = false;
  /** Of the rows as they were weighed last. */
  #weights: ObjectiveWeights;
  /** The version of the rows that the weights are of, with the denominators of `#options`. */
  #weighed = NEVER;
  /** That of the last gradients: where it is another, rows that left the mask since hold old ones. */
  #written: number;
  #running = false;
  /** The numbers of the last run, where it succeeded. */
  #last: SpecNumbers | undefined;

  /**
   * Use `Objective.bind`.
   *
   * @internal
   */
  constructor(
    where: string,
    spec: ObjectiveSpec,
    batch: LogitsBatch,
    said: BindOptions,
    options: ResolvedOptions,
  ) {
    const { logits, maskedLogits, refLogits } = batch;
    if (refLogits !== undefined) {
      throw expected("ERR_UNSUPPORTED", where, "a batch of at most two logits", "refLogits");
    }
    const rows = new BoundRows(where, batch);
    if (maskedLogits !== undefined && rows.maskedLogProbs !== undefined) {
      throw expected("ERR_ARGUMENT", where, "maskedLogits or maskedLogProbs", "both");
    }
    this.#spec = spec;
    this.#options = options;
    this.#rows = rows;
    this.#written = rows.version;
    this.#measured = measuredOf(spec, inputsOfLogits(rows, maskedLogits !== undefined));
    this.#gradScale = options.gradScale;
    this.#gradsZeroed = flag(where, "gradsZeroed", said.gradsZeroed, false);
    const first = this.#numbersAt(where, isConstant(spec) ? undefined : 0);
    if (isConstant(spec)) this.#numbers = first;
    if (spec.perceptionWeighting !== "all" && rows.accuracies === undefined) {
      const what = `accuracies, since perceptionWeighting is "${spec.perceptionWeighting}"`;
      throw expected("ERR_ARGUMENT", where, what, "none");
    }
    this.#weights = this.#weigh(where, undefined);
    const memory = gradientMemory(
      where,
      {
        ...said,
        logits,
        maskedLogits,
        inPlace: flag(where, "inPlace", said.inPlace, false),
        gradsZeroed: this.#gradsZeroed,
      },
      {
        gradients: options.gradients,
        differentiableMasked: spec.maskedBranch === "differentiable",
        dtype: options.gradDType,
      },
    );
    const { gradLogits, gradMaskedLogits } = memory;
    this.gradLogits = gradLogits as Logits | undefined;
    this.gradMaskedLogits = gradMaskedLogits as Logits | undefined;
    this.#constantGradient = memory.constantGradient;
    const matrices = { logits, maskedLogits, gradLogits, gradMaskedLogits };
    const written = { ...matrices, gradMaskedLogits: gradMaskedLogits ?? memory.constantGradient };
    this.#tensors = Object.entries(written).flatMap(([name, tensor]) =>
      tensor === undefined ? [] : [{ name, tensor }],
    );
    try {
      const { gradScale } = options;
      const { temperature } = spec;
      const { attributes } = first;
      this.#op = repeatedPapoLoss(
        {
          ...matrices,
          tokenIds: rows.tokenIds,
          responseMask: rows.mask,
          oldLogProbs: rows.oldLogProbs,
          refLogProbs: rows.refLogProbs,
          maskedLogProbs: rows.maskedLogProbs,
          advantages: rows.advantages,
          weights: rows.weights,
          entropyWeights: rows.entropyWeights,
          perceptionWeights: rows.perceptionWeights,
          where,
          temperature,
          gradScale,
          attributes,
        },
        rows,
      );
    } catch (error) {
      disposeAll(memory.fresh);
      throw error;
    }
    Object.freeze(this);
  }

  /**
   * Evaluates the memory as it is now and writes the gradients. After unusable logits (ERR_NOT_FINITE for a row of them or
   * its KL) they hold nothing of use, and with `inPlace` neither do the logits; any other error leaves them as they were.
   *
   * @returns the loss
   * @throws PapoError ERR_NOT_FINITE, ERR_RANGE naming the first counted row with unusable data; ERR_DISPOSED where
   *         memory was disposed of, detached or transferred since; ERR_ARGUMENT while another run is under way and for
   *         a schedule without `step`; ERR_RANGE, ERR_SHAPE for other options and arrays that do not fit any more
   */
  run(options?: BoundRunOptions): number {
    const where = "BoundEvaluation.run";
    const said = options === undefined ? undefined : readRunOptions(where, options);
    this.#start(where);
    try {
      const numbers = this.#prepare(where, said);
      if (this.#rows.tokenIds.length > 0) this.#op.run(where);
      const constant = this.#constantGradient;
      if (constant) fillZero(where, "gradMaskedLogits", constant, this.#rowsToClear());
      return this.#done(numbers);
    } finally {
      this.#running = false;
    }
  }

  /**
   * `run` off the event loop. The memory of logits and gradients must neither be written nor transferred until it
   * settles; all other data was copied when the call returned.
   *
   * @param options.signal  an abort stops at the next block of rows and rejects with its reason; gradients hold nothing of
   *        use then
   */
  async runAsync(options?: BoundRunAsyncOptions): Promise<number> {
    const where = "BoundEvaluation.runAsync";
    const said = options === undefined ? undefined : readRunOptions(where, options, ["signal"]);
    const signal = said?.signal;
    signal?.throwIfAborted();
    this.#start(where);
    try {
      const numbers = this.#prepare(where, said);
      if (this.#rows.tokenIds.length > 0) await this.#op.runAsync(where, signal);
      const constant = this.#constantGradient;
      if (constant) {
        const only = this.#rowsToClear();
        await fillZeroAsync(where, "gradMaskedLogits", constant, only, signal);
      }
      return this.#done(numbers);
    } finally {
      this.#running = false;
    }
  }

  /**
   * All that `Objective.evaluate` would have given for the last run: terms, coefficients, metrics, and `tokens` with
   * `perToken`. Its gradients are the bound memory, which the next run writes again; everything else is its own.
   *
   * @param options.perToken  that of `bind` if not said
   * @throws PapoError ERR_ARGUMENT before the first run, while one is under way, and after one that failed
   */
  evaluation(options: { readonly perToken?: boolean | undefined } = {}): Evaluation {
    const where = "BoundEvaluation.evaluation";
    const said = readOptions(where, options, ["perToken"]);
    const perToken = flag(where, "perToken", said.perToken, this.#options.perToken);
    if (this.#last === undefined) {
      const state = this.#running ? "one under way" : "none";
      throw expected("ERR_ARGUMENT", where, "the last run to have succeeded", state);
    }
    const rows = this.#rows;
    const { coefficients, attributes } = this.#last;
    const gradients: Gradients = {};
    if (this.gradLogits) gradients.gradLogits = this.gradLogits;
    if (this.gradMaskedLogits) gradients.gradMaskedLogits = this.gradMaskedLogits;
    return evaluationOf(
      {
        spec: this.#spec,
        data: rows,
        mask: rows.mask,
        statistics: rows.statistics,
        terms: rows.terms,
        ratios: undefined,
        weights: this.#weights,
        selected: undefined,
        attributes,
        coefficients,
        measured: this.#measured,
        skippedRows: undefined,
        perToken,
      },
      gradients,
    );
  }

  #start(where: string): void {
    if (this.#running) {
      throw expected("ERR_ARGUMENT", where, "one run at a time", "another while one is under way");
    }
    this.#running = true;
    this.#last = undefined;
  }

  /** Reads what may have changed, and tells the op. */
  #prepare(where: string, said: BoundRunOptions | undefined): SpecNumbers {
    const numbers = this.#numbersAt(where, said?.step, said?.coefficients);
    const gradScale = said?.gradScale ?? this.#options.gradScale;
    const rows = this.#rows;
    rows.read(where);
    if (said?.denominators !== undefined) this.#weigh(where, said.denominators);
    else if (this.#weighed !== rows.version) this.#weigh(where, undefined);
    const leftAlone = this.#gradsZeroed && this.#written === rows.version;
    const isNews = gradScale !== this.#gradScale || leftAlone !== this.#leftAlone;
    if (isNews || numbers !== this.#numbers) {
      this.#op.set(where, { gradScale, gradsZeroed: leftAlone, ...numbers.attributes });
      this.#numbers = numbers;
      this.#gradScale = gradScale;
      this.#leftAlone = leftAlone;
    }
    for (const { name, tensor } of this.#tensors) {
      if (tensor.disposed) tensor.toNative(where, name);
    }
    return numbers;
  }

  /** The numbers of a step, once the terms that they ask for are known to have their inputs. */
  #numbersAt(
    where: string,
    step: number | undefined,
    coefficients?: CoefficientsInput,
  ): SpecNumbers {
    const spec = this.#spec;
    const numbers = numbersAt(where, spec, step, coefficients);
    if (numbers === this.#numbers) return numbers;
    const because = composedBecause(spec, numbers.coefficients);
    if (because !== undefined) {
      const what = "an objective that one op computes (evaluate takes every objective)";
      throw expected("ERR_UNSUPPORTED", where, what, because);
    }
    const constantMasked = this.#rows.maskedLogProbs !== undefined;
    checkMeasured(where, spec, numbers.coefficients, this.#measured, constantMasked);
    return numbers;
  }

  /** Weights by the denominators of one run, or by those of `#options`. */
  #weigh(where: string, denominators: Denominators | undefined): ObjectiveWeights {
    const rows = this.#rows;
    this.#weighed = NEVER;
    const { denominators: first } = this.#options;
    const own = denominators === undefined ? first : denominators;
    // Of the terms that the fused op knows, no weight depends on a coefficient.
    const { coefficients } = this.#numbers ?? numbersAt(where, this.#spec, 0);
    const made = objectiveWeights(where, this.#spec, coefficients, rows, rows.mask, own);
    const { weights, entropyWeights, perceptionWeights = weights } = made;
    rows.weights.set(weights);
    rows.entropyWeights.set(entropyWeights);
    rows.perceptionWeights?.set(perceptionWeights);
    this.#weights = made;
    if (denominators === undefined) this.#weighed = rows.version;
    return made;
  }

  #rowsToClear(): Int32Array | undefined {
    return this.#leftAlone ? this.#rows.mask : undefined;
  }

  /** What is left to do once the op has run and the gradients are written. */
  #done(numbers: SpecNumbers): number {
    const rows = this.#rows;
    this.#written = rows.version;
    this.#last = numbers;
    const { weights, entropyWeights, perceptionWeights } = rows;
    const { attributes } = numbers;
    return lossOfTerms(rows.terms, { weights, entropyWeights, perceptionWeights, attributes });
  }
}
