/** An objective: a spec that evaluates batches to loss, gradients and metrics. */
import { expected, PapoError } from "../core/errors.js";
import { checkLogits } from "../functional/logits.js";
import {
  type Batch,
  type LogitsBatch,
  type RowBlocksBatch,
  readBatch,
  readBlocksBatch,
  tokenRowData,
} from "./batch.js";
import { BoundEvaluation } from "./bound.js";
import type { Evaluation } from "./evaluation.js";
import { evaluateLogProbs } from "./log-prob-form.js";
import {
  type BindOptions,
  type EvaluateAsyncOptions,
  type EvaluateOptions,
  type ResolvedOptions,
  type RowBlockOptions,
  readBindOptions,
  readBlockOptions,
  readEvaluateOptions,
  resolveOptions,
} from "./options.js";
import type { RowBlock } from "./row-block.js";
import { RowBlockEvaluation } from "./row-blocks.js";
import { type ObjectiveSpec, type ObjectiveSpecInput, validateSpec } from "./spec.js";
import { warnings } from "./warnings.js";

/**
 * Evaluates one loss: `objective("papo-g-7b").build()` or `new Objective(spec)`. Holds no state but its spec, so one
 * objective may be used for any number of batches, concurrently too.
 */
export class Objective {
  /** What it computes, complete and frozen; plain JSON. */
  readonly spec: ObjectiveSpec;

  /** @throws PapoError as `validateSpec` */
  constructor(spec: ObjectiveSpecInput) {
    this.spec = validateSpec(spec);
    Object.freeze(this);
  }

  /** Numbers of the spec that are known to end badly or to do nothing, as sentences; data only, nothing is printed. */
  get warnings(): readonly string[] {
    return warnings(this.spec);
  }

  /**
   * Loss, gradients and metrics of a batch, on this thread (and the pool's), or on the device that its logits lie on.
   *
   * A batch of logits gives gradients in the logits, one of log-probs in the statistics that were given. Everything
   * else (old, reference and constant masked log-probs, advantages) is constant. With `denominators` of the whole
   * batch, the losses and gradients of its parts add up to its own, however it is cut, padded or packed; with
   * `worldSize` too, those of the workers average to it.
   *
   * What is refused leaves memory given for gradients as it was. After unusable logits (ERR_NOT_FINITE for a row of them or
   * its KL) it holds nothing of use, but for rows that `gradsZeroed` leaves alone, and with `inPlace` the logits are gone;
   * `plan: "composed"` finds them before it writes.
   *
   * @throws PapoError ERR_ARGUMENT, ERR_SHAPE, ERR_DTYPE, ERR_RANGE for what does not fit, a term without its input and
   *         a schedule without `step` among it; ERR_NOT_FINITE naming the first counted row with an unusable number
   * @see PAPO, arXiv 2507.06448 v5, Eq. 2 and 3, with the signs of ObjectiveSpec
   */
  evaluate(batch: Batch, options: EvaluateOptions = {}): Evaluation {
    const where = "Objective.evaluate";
    const said = readEvaluateOptions(where, options);
    const resolved = resolveOptions(where, said);
    const given = readBatch(where, batch);
    if ("logProbs" in given) return this.#ofLogProbs(where, given, said, resolved);
    const [evaluation, block] = this.#whole(where, given, said, resolved);
    const gradients = evaluation.add(block);
    return Object.assign(evaluation.finish(), gradients);
  }

  /**
   * `evaluate` off the event loop. The logits' memory must neither be written nor transferred until it settles; all
   * other data was copied when the call returned.
   *
   * @param options.signal  an abort stops at the next block of rows and rejects with its reason; memory given for
   *        gradients holds nothing of use then, unless the call still waited
   */
  async evaluateAsync(batch: Batch, options: EvaluateAsyncOptions = {}): Promise<Evaluation> {
    const where = "Objective.evaluateAsync";
    const { signal, ...said } = readEvaluateOptions(where, options, ["signal"]);
    const resolved = resolveOptions(where, said);
    signal?.throwIfAborted();
    const given = readBatch(where, batch);
    if ("logProbs" in given) return this.#ofLogProbs(where, given, said, resolved);
    const [evaluation, block] = this.#whole(where, given, said, resolved);
    const gradients = await evaluation.addAsync(block, { signal });
    return Object.assign(evaluation.finish(), gradients);
  }

  /**
   * Begins an evaluation whose logits arrive in blocks of rows, such as from a file larger than memory.
   *
   * @param batch  everything of [rows], and the size of the vocabulary
   * @throws PapoError as `evaluate`
   */
  begin(batch: RowBlocksBatch, options: RowBlockOptions = {}): RowBlockEvaluation {
    const where = "Objective.begin";
    const resolved = resolveOptions(where, readBlockOptions(where, options));
    const { given, shape } = readBlocksBatch(where, batch);
    const data = tokenRowData(where, given, shape);
    return new RowBlockEvaluation("RowBlockEvaluation", this.spec, data, given.vocabSize, resolved);
  }

  /**
   * Binds the memory of a batch of logits: everything that does not change from step to step is checked here, once, and
   * a run costs little more than its arithmetic. Gradients go where `options` say, or into memory that is made here.
   *
   * Only for objectives that the fused op computes; any other is refused (ERR_UNSUPPORTED), naming the part of it that is
   * not, such as a surrogate other than "ppo-clip".
   *
   * Runs read the batch as it is at the time, so a trainer fills the same arrays at every step. With `inPlace` a run
   * consumes the logits: fill them again before the next.
   *
   * @param batch    logits, and one number per token in any form; Float64Array and Int32Array are read fastest
   * @param options  `gradsZeroed` is given for every run; the rows of a mask that changes are cleared all the same
   * @throws PapoError as `evaluate`
   */
  bind(batch: LogitsBatch, options: BindOptions = {}): BoundEvaluation {
    const where = "Objective.bind";
    const said = readBindOptions(where, options);
    const resolved = resolveOptions(where, said);
    const given = readBatch(where, batch);
    if ("logProbs" in given) {
      throw expected("ERR_UNSUPPORTED", where, "a batch with logits", "one of log-probs");
    }
    checkLogits(where, given.logits, given.maskedLogits);
    return new BoundEvaluation(where, this.spec, given, said, resolved);
  }

  /** A batch of logits is one block of all its rows. */
  #whole(
    where: string,
    batch: LogitsBatch,
    options: EvaluateOptions,
    resolved: ResolvedOptions,
  ): [RowBlockEvaluation, RowBlock] {
    const { logits, maskedLogits, refLogits } = batch;
    checkLogits(where, logits, maskedLogits);
    const data = tokenRowData(where, batch, logits.shape.slice(0, -1));
    const { gradLogits, gradMaskedLogits, inPlace, gradsZeroed } = options;
    const memory = { gradLogits, gradMaskedLogits, inPlace, gradsZeroed };
    const block = { rowStart: 0, logits, maskedLogits, refLogits, ...memory };
    return [new RowBlockEvaluation(where, this.spec, data, logits.columns, resolved), block];
  }

  #ofLogProbs(
    where: string,
    batch: Parameters<typeof evaluateLogProbs>[2],
    options: EvaluateOptions,
    resolved: ResolvedOptions,
  ): Evaluation {
    const { gradLogits, gradMaskedLogits, inPlace, gradsZeroed } = options;
    const given = gradLogits ?? gradMaskedLogits;
    if (given !== undefined || inPlace === true || gradsZeroed === true) {
      const message = `[${where}] expected memory for gradients only with logits, received it with log-probs`;
      throw new PapoError("ERR_ARGUMENT", message);
    }
    return evaluateLogProbs(where, this.spec, batch, resolved);
  }
}
