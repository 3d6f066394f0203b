/** The tensor: typed memory with a shape, on the host or a device, and the two fields autograd keeps on it. */
/// <reference lib="esnext.disposable" preserve="true" />
import { checkText, readOptions } from "../core/arguments.js";
import { markClass } from "../core/copies.js";
import { type Device, parseDevice } from "../core/device.js";
import { type ArrayOf, type DType, dtypeOf, type LogitsDType } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, type Shape, showShape } from "../core/shape.js";
import { checkDevice } from "../cuda/devices.js";
import { checkStream, type Stream } from "../cuda/stream.js";
import { copyRows, copyRowsAsync, type TensorArgument } from "./copy.js";
import { overlapOf } from "./overlap.js";
import { DeviceStorage, HostStorage, type Span } from "./storage.js";
import { checkOut, checkRequiresGrad, extentOf, saidDType } from "./tensor-checks.js";
import { FRESH, rowsOfStorage, storageFor, type TensorStorage } from "./tensor-memory.js";

export type { TensorArgument };

/** A shape whose number of dimensions is known to the compiler. */
export type ShapeOfRank<R extends number> = Shape & {
  /** The number of dimensions. */
  readonly length: R;
};

/** Logits [rows, vocab] or [sequences, tokens, vocab], on the host or on a device, where ops then run. */
export type Logits = Tensor<LogitsDType, 2 | 3>;
/** One float64 number per row. */
export type Rows = Tensor<"float64", 1>;
/** One float64 number. */
export type Scalar = Tensor<"float64", 0>;

export interface TensorInit {
  readonly shape: Shape;
  readonly dtype?: DType | undefined;
  readonly rowPitch?: number | undefined;
  readonly device?: Device | "cuda" | undefined;
  readonly requiresGrad?: boolean | undefined;
}

/** Names of what a tensor may be told. */
export const TENSOR_OPTIONS: readonly (keyof TensorInit)[] = [
  "shape",
  "dtype",
  "rowPitch",
  "device",
  "requiresGrad",
];

/** What a slice of rows of a tensor of rank `R` is: rows of numbers, or a shorter vector. */
export type SliceRank<R extends number> = number extends R ? number : R extends 1 ? 1 : 2;

/** Options of a copy. */
export interface CopyOptions {
  /**
   * Memory to copy to, on the device that is named: same shape and dtype, any pitch. It holds nothing of use where the copy
   * itself fails. Fresh and without gaps if not said.
   */
  readonly out?: Tensor | undefined;
  /** The stream to copy in; if not said the one in force, else the default stream of the device that it is copied from or to. */
  readonly stream?: Stream | undefined;
}

/**
 * Typed memory with a shape. `D` and `R` are its dtype and its rank (0 to 3), so that a wrong one does not compile.
 * Rank 2 and 3 are rows of `columns` numbers, `rowPitch` elements apart; what lies between them is neither read nor written.
 *
 * On the host (`"cpu"`) it is a view of the caller's array: what is written to `data` is what the next op reads, and the
 * array stays the caller's.
 *
 * On a CUDA device it has memory there, which JavaScript does not see: `to("cpu")` copies it. The tensor that made the
 * memory frees it, with `dispose()` or at the end of its `using` block; its aliases and slices end with it. What nobody
 * disposed of is freed once it is collected, which may be late. Ops take such logits, and put gradients beside them;
 * everything of one number per token stays on the host. An op is done when its call returns or its promise settles.
 */
export class Tensor<D extends DType = DType, R extends number = number> {
  /** Element type. */
  readonly dtype: D;
  /** Sizes of the dimensions, outermost first; empty for a scalar. */
  readonly shape: ShapeOfRank<R>;
  /** Product of all dimensions but the last; of a vector its length, of a scalar 1. */
  readonly rows: number;
  /** The last dimension; 1 for a vector or a scalar. */
  readonly columns: number;
  /** Elements from the start of one row to the start of the next, at least `columns`. */
  readonly rowPitch: number;
  /** Where its memory lies. */
  readonly device: Device;
  #requiresGrad: boolean;
  #grad: Tensor<DType, R> | undefined = undefined;
  readonly #storage: TensorStorage<D>;

  /**
   * Use `tensor()`, whose result knows its dtype and rank.
   *
   * @internal
   */
  constructor(where: string, data: unknown, init: TensorInit) {
    checkText("Tensor", "where", where);
    const { dtype, device, shape, rowPitch, requiresGrad } = readOptions(
      where,
      init,
      TENSOR_OPTIONS,
    );
    const made = DeviceStorage.is(data) ? data : undefined;
    const isArray = data !== FRESH && made === undefined;
    this.dtype = (isArray ? dtypeOf(where, "data", data, dtype) : saidDType(where, dtype)) as D;
    this.device = made?.device ?? parseDevice(where, device);
    checkDevice(where, this.device);
    this.shape = checkShape(where, "shape", shape) as ShapeOfRank<R>;
    const extent = extentOf(where, this.shape, rowPitch);
    this.rows = extent.rows;
    this.columns = extent.columns;
    this.rowPitch = extent.rowPitch;
    this.#requiresGrad = checkRequiresGrad(where, requiresGrad, this.dtype);
    this.#storage = made ?? storageFor<D>(where, data, this);
    // Nobody checks its facts again, so they stay what they were checked to be, in plain JavaScript too.
    Object.freeze(this);
  }

  /** A tensor is what has its memory: neither a proxy of one nor an object of its prototype has. */
  static [Symbol.hasInstance](value: unknown): value is Tensor {
    if (typeof value !== "object" || value === null || !(#storage in value)) return false;
    // biome-ignore lint/complexity/noThisInStatic: a subclass asks about itself
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /** Whether ops on this tensor are recorded and `backward` gives it a gradient. */
  get requiresGrad(): boolean {
    // A forged tensor has none of its own, and is for the checks to refuse.
    return #requiresGrad in this && this.#requiresGrad;
  }

  /** Switches recording on or off. */
  set requiresGrad(value: boolean) {
    this.#requiresGrad = value;
  }

  /** The gradient `backward` left here; where one is already here, `backward` adds to it. */
  get grad(): Tensor<DType, R> | undefined {
    return #grad in this ? this.#grad : undefined;
  }

  /** Replaces it, or takes it away. */
  set grad(value: Tensor<DType, R> | undefined) {
    this.#grad = value;
  }

  /** Number of elements that count. */
  get size(): number {
    return this.rows * this.columns;
  }

  /**
   * The caller's own array. Throws ERR_DISPOSED after `dispose()` or where its buffer was detached, ERR_DEVICE_MISMATCH
   * for a tensor on a device.
   */
  get data(): ArrayOf<D> {
    return this.#host("Tensor.data", "the tensor").data("Tensor.data", "the tensor");
  }

  /** The one number of a tensor of one element; float16 and bfloat16 give their bits where they are bits. */
  item(): number {
    if (this.size !== 1) {
      throw expected("ERR_SHAPE", "Tensor.item", "one element", `shape ${showShape(this.shape)}`);
    }
    return this.hostData("Tensor.item", "the tensor")[0] as number;
  }

  /**
   * Address of the first element on its device, for other native code; the memory stays this tensor's. What is written
   * there by somebody else's work is read by ops in the same stream, or in any after a wait for it.
   *
   * @throws PapoError ERR_DEVICE_MISMATCH for a tensor on the host, ERR_DISPOSED
   */
  get devicePointer(): bigint {
    const where = "Tensor.devicePointer";
    const storage = this.#storage;
    if (storage instanceof DeviceStorage) return storage.pointer(where, "the tensor");
    throw expected("ERR_DEVICE_MISMATCH", where, "the tensor on a CUDA device", "one on cpu");
  }

  /** Another tensor over the same memory, with a gradient of its own and no history. */
  alias(options: { readonly requiresGrad?: boolean } = {}): Tensor<D, R> {
    const where = "Tensor.alias";
    const { shape, rows } = this;
    const { requiresGrad } = readOptions(where, options, ["requiresGrad"]);
    return this.#view<R>(where, shape, [0, rows], requiresGrad);
  }

  /**
   * Rows `start` … `end − 1` over the same memory, with a gradient of their own and no history: [end − start, columns], or
   * [end − start] of a vector.
   *
   * @throws PapoError ERR_SHAPE for a scalar, ERR_RANGE, ERR_DISPOSED
   */
  sliceRows(start: number, end: number = this.rows): Tensor<D, SliceRank<R>> {
    const where = "Tensor.sliceRows";
    const { shape, rows, columns } = this;
    if (shape.length === 0) {
      throw expected("ERR_SHAPE", where, "a tensor with rows", showShape(shape));
    }
    const fits = Number.isSafeInteger(start) && Number.isSafeInteger(end);
    if (!fits || start < 0 || start > end || end > rows) {
      const received = `${describe(start)} to ${describe(end)}`;
      throw expected("ERR_RANGE", where, `start to end within rows 0 to ${rows}`, received);
    }
    const sliced = shape.length === 1 ? [end - start] : [end - start, columns];
    return this.#view<SliceRank<R>>(where, sliced, [start, end]);
  }

  /**
   * The tensor on another device: a copy that is done when this returns, without history. Of a tensor that is there
   * already it is the tensor itself, unless `out` is given.
   *
   * @throws PapoError ERR_DEVICE_UNAVAILABLE with the reason, ERR_OUT_OF_MEMORY naming sizes, ERR_DEVICE_MISMATCH for `out`
   *         or a stream elsewhere, ERR_SHAPE, ERR_DTYPE, ERR_BUFFER for `out` that does not fit, ERR_DISPOSED
   */
  to(device: Device | "cuda", options: CopyOptions = {}): Tensor<D, R> {
    const where = "Tensor.to";
    const { from, to, result, isFresh, stream } = this.#copyTo(where, device, options);
    try {
      if (to) copyRows(where, from, to, stream);
      return result;
    } catch (error) {
      if (isFresh) result.dispose();
      throw error;
    }
  }

  /**
   * `to` off the event loop; neither side's memory may be written or transferred until it settles. From and to `pinned`
   * memory the device copies by itself.
   */
  async toAsync(device: Device | "cuda", options: CopyOptions = {}): Promise<Tensor<D, R>> {
    const where = "Tensor.toAsync";
    const { to, result, isFresh, stream } = this.#copyTo(where, device, options);
    try {
      if (to) {
        const now = () =>
          [this.toNative(where, "the tensor"), result.toNative(where, "out")] as const;
        await copyRowsAsync(where, now, stream);
      }
      return result;
    } catch (error) {
      if (isFresh) result.dispose();
      throw error;
    }
  }

  /** Whether its memory was given up. */
  get disposed(): boolean {
    return this.#storage.disposed;
  }

  /**
   * Lets go of the memory; every later use throws ERR_DISPOSED. A host tensor's array stays the caller's; memory of a device
   * is freed, once no call is running on it, if this tensor made it, and stays if this is an alias or a slice.
   */
  dispose(): void {
    this.#storage.dispose();
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * The tensor as it crosses the bridge; `name` is the argument's public name. Throws ERR_DISPOSED.
   *
   * @internal
   */
  toNative(where: string, name: string): TensorArgument {
    const { dtype, rows, columns, rowPitch, device } = this;
    const { data, byteOffset } = this.#storage.native(where, name);
    return { data, byteOffset, dtype, rows, columns, rowPitch, device };
  }

  /** The memory of an argument that must lie on the host, as an array. Throws ERR_DEVICE_MISMATCH, ERR_DISPOSED. */
  hostData(where: string, name: string): ArrayOf<D> {
    return this.#host(where, name).plain(where, name);
  }

  #host(where: string, name: string): HostStorage<D> {
    const storage = this.#storage;
    if (storage instanceof HostStorage) return storage;
    const what = `${name} in host memory (copy it there with .to("cpu"))`;
    throw expected("ERR_DEVICE_MISMATCH", where, what, `a tensor on ${this.device}`);
  }

  /**
   * The bytes it lies on, to find overlaps. Throws ERR_DISPOSED.
   *
   * @internal
   */
  span(where: string, name: string): Span {
    return this.#storage.span(where, name);
  }

  #view<S extends number>(
    where: string,
    shape: Shape,
    range: readonly [start: number, end: number],
    requiresGrad?: boolean,
  ): Tensor<D, S> {
    const { dtype, device } = this;
    const data = rowsOfStorage(where, this.#storage, this, range);
    const rowPitch = shape.length >= 2 ? this.rowPitch : undefined;
    return new Tensor<D, S>(where, data, { dtype, shape, rowPitch, device, requiresGrad });
  }

  #copyTo(where: string, device: unknown, options: CopyOptions) {
    const { out, stream } = readOptions(where, options, ["out", "stream"]);
    if (stream !== undefined) checkStream(where, stream);
    const target = parseDevice(where, device);
    checkDevice(where, target);
    const from = this.toNative(where, "the tensor");
    const isThere = target === this.device;
    if (out !== undefined) {
      if (!(out instanceof Tensor)) {
        throw expected("ERR_ARGUMENT", where, "out to be a Tensor", describe(out));
      }
      checkOut(where, this, target, out);
    }
    const isFresh = out === undefined && !isThere;
    const { dtype, shape } = this;
    const result = isFresh
      ? new Tensor<D, R>(where, FRESH, { dtype, shape, device: target })
      : ((out ?? this) as Tensor<D, R>);
    const isSame = !isFresh && isThere && overlapOf(where, this, result) === "same";
    const to = isSame ? undefined : result.toNative(where, "out");
    return { from, to, result, isFresh, stream };
  }
}

markClass(Tensor);
