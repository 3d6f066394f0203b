/** The [rows] data of a bound evaluation: memory of its own, filled again from the caller's arrays before every run. */
import { expected } from "../core/errors.js";
import { OwnSlab } from "../core/slab.js";
import { typedArrayClass, typedArrayLength } from "../core/typed-array.js";
import {
  advantageRows,
  maskRows,
  type NumbersInput,
  numberRows,
  tokenIdRows,
} from "../functional/inputs.js";
import { type Layout, layoutOf } from "../functional/layout.js";
import { STATISTICS, TERMS } from "../ops/lines.js";
import { accuraciesOf, type LogitsBatch, type TokenRowData, tokenRowData } from "./batch.js";

/**
 * What is copied is neither written nor moved by anybody while a run is under way, on whatever thread, so what was
 * checked is what is used. Which inputs there are, and how many rows, is settled when it is made; their numbers are
 * those of the last `read`.
 */
export class BoundRows implements TokenRowData {
  readonly shape: TokenRowData["shape"];
  readonly mask: Int32Array | undefined;
  readonly tokenIds: Int32Array;
  readonly oldLogProbs: Float64Array | undefined;
  readonly refLogProbs: Float64Array | undefined;
  readonly rolloutLogProbs: Float64Array | undefined;
  readonly maskedLogProbs: Float64Array | undefined;
  readonly advantages: Float64Array;
  readonly accuracies: Float64Array | undefined;
  /** For the op and the weights, filled by others. */
  readonly statistics: Float64Array;
  readonly terms: Float64Array;
  readonly weights: Float64Array;
  readonly entropyWeights: Float64Array;
  /** Where the batch has accuracies, by which the perception term may be weighed. */
  readonly perceptionWeights: Float64Array | undefined;
  readonly #batch: LogitsBatch;
  #layout: Layout;
  #version = 0;

  /** Reads the batch, whose fields were read once, for the first time. Throws as `tokenRowData`. */
  constructor(where: string, batch: LogitsBatch) {
    const data = tokenRowData(where, batch, batch.logits.shape.slice(0, -1));
    const { rows } = data.layout;
    this.#batch = batch;
    this.#layout = data.layout;
    this.shape = data.shape;
    // Besides both matrices: three weights, the advantages, and four kinds of log-probs.
    const slab = new OwnSlab((STATISTICS.length + TERMS.length + 8) * rows, 2 * rows);
    const copyOf = (values: Float64Array | undefined) => {
      if (values === undefined) return undefined;
      const copy = slab.float64(rows);
      copy.set(values);
      return copy;
    };
    this.statistics = slab.float64(STATISTICS.length * rows);
    this.terms = slab.float64(TERMS.length * rows);
    this.weights = slab.float64(rows);
    this.entropyWeights = slab.float64(rows);
    this.perceptionWeights = data.accuracies && slab.float64(rows);
    this.accuracies = data.accuracies?.slice();
    this.advantages = copyOf(data.advantages) as Float64Array;
    this.oldLogProbs = copyOf(data.oldLogProbs);
    this.refLogProbs = copyOf(data.refLogProbs);
    this.rolloutLogProbs = copyOf(data.rolloutLogProbs);
    this.maskedLogProbs = copyOf(data.maskedLogProbs);
    this.tokenIds = slab.int32(rows);
    this.tokenIds.set(data.tokenIds);
    this.mask = data.mask && slab.int32(rows);
    this.mask?.set(data.mask as Int32Array);
  }

  get layout(): Layout {
    return this.#layout;
  }

  /** Another number whenever the mask, the rows of a sequence or its accuracy have changed: what was made of them is stale. */
  get version(): number {
    return this.#version;
  }

  /**
   * Reads all of the batch again, as it is now.
   *
   * @throws PapoError as the constructor, also where an array is not what it was: ERR_DISPOSED for a detached one
   */
  read(where: string): void {
    const batch = this.#batch;
    this.#readLayout(where);
    this.#readMask(where);
    this.#readAccuracies(where);
    this.#readTokenIds(where);
    // One by one: a loop over their names would look each of them up by its name.
    readNumbers(where, "oldLogProbs", batch.oldLogProbs, this.oldLogProbs);
    readNumbers(where, "refLogProbs", batch.refLogProbs, this.refLogProbs);
    readNumbers(where, "rolloutLogProbs", batch.rolloutLogProbs, this.rolloutLogProbs);
    readNumbers(where, "maskedLogProbs", batch.maskedLogProbs, this.maskedLogProbs);
    const { advantages } = this;
    if (!copyNumbers(where, "advantages", batch.advantages, advantages)) {
      advantages.set(advantageRows(where, batch.advantages, this.#layout));
    }
  }

  #readLayout(where: string): void {
    const { cuSeqlens } = this.#batch;
    if (cuSeqlens === undefined) return;
    checkAttached(where, "cuSeqlens", cuSeqlens, this.#layout.sequences + 1);
    const layout = layoutOf(where, this.shape, cuSeqlens);
    if (sameNumbers(layout.offsets, this.#layout.offsets)) return;
    this.#version++;
    this.#layout = layout;
  }

  #readMask(where: string): void {
    const { mask } = this;
    const source = this.#batch.responseMask;
    if (mask === undefined || source === undefined) return;
    checkAttached(where, "responseMask", source, mask.length);
    if (isInt32(source, mask.length) && sameNumbers(source, mask)) return;
    const now = maskRows(where, "responseMask", source, mask.length) as Int32Array;
    if (sameNumbers(now, mask)) return;
    this.#version++;
    mask.set(now);
  }

  #readAccuracies(where: string): void {
    const { accuracies } = this;
    const source = this.#batch.accuracies;
    if (accuracies === undefined || source === undefined) return;
    checkAttached(where, "accuracies", source, accuracies.length);
    const now = accuraciesOf(where, source, this.#layout) as Float64Array;
    if (sameNumbers(now, accuracies)) return;
    this.#version++;
    accuracies.set(now);
  }

  #readTokenIds(where: string): void {
    const { tokenIds, mask } = this;
    const source = this.#batch.tokenIds;
    const { length } = tokenIds;
    checkAttached(where, "tokenIds", source, length);
    if (!isInt32(source, length)) {
      tokenIds.set(tokenIdRows(where, source, length, mask));
      return;
    }
    for (let row = 0; row < length; row++) {
      tokenIds[row] = mask !== undefined && mask[row] === 0 ? 0 : (source[row] as number);
    }
  }
}

function readNumbers(
  where: string,
  name: string,
  source: NumbersInput | undefined,
  values: Float64Array | undefined,
): void {
  if (source === undefined || values === undefined) return;
  if (copyNumbers(where, name, source, values)) return;
  values.set(numberRows(where, name, source, values.length));
}

/** Copies a Float64Array of as many numbers; anything else is left to the general reader. */
function copyNumbers(
  where: string,
  name: string,
  source: NumbersInput,
  values: Float64Array,
): boolean {
  checkAttached(where, name, source, values.length);
  if (typedArrayClass(source) !== "Float64Array") return false;
  const numbers = source as Float64Array;
  if (typedArrayLength(numbers) !== values.length) return false;
  for (let row = 0; row < values.length; row++) values[row] = numbers[row] as number;
  return true;
}

function isInt32(source: unknown, length: number): source is Int32Array {
  return typedArrayClass(source) === "Int32Array" && typedArrayLength(source as object) === length;
}

/** A typed array that had elements and has none any more was detached, or its resizable buffer was cut. */
function checkAttached(where: string, name: string, source: unknown, rows: number): void {
  if (rows === 0 || typedArrayClass(source) === undefined) return;
  if (typedArrayLength(source as object) > 0) return;
  const what = `${name} to hold its memory`;
  throw expected("ERR_DISPOSED", where, what, "a detached buffer");
}

function sameNumbers<A extends Int32Array | Float64Array>(a: A, b: A): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
