/** The tensor: a typed view of the caller's memory with a shape, and the two fields autograd keeps on it. */
import type { NativeTensor } from "../addon/binding.js";
import { checkText, readOptions } from "../core/arguments.js";
import { type Device, parseDevice } from "../core/device.js";
import { type ArrayOf, type DType, dtypeOf, type LogitsDType } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { checkShape, type Shape, showShape, sizeOf } from "../core/shape.js";
import { typedArrayLength } from "../core/typed-array.js";
import { checkDevice, HostStorage } from "./storage.js";

/** A shape whose number of dimensions is known to the compiler. */
export type ShapeOfRank<R extends number> = Shape & { readonly length: R };

/** Logits [rows, vocab] or [sequences, tokens, vocab]. */
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

const FACTS = ["dtype", "shape", "rows", "columns", "rowPitch", "device"] as const;
const LASTING: PropertyDescriptor = { writable: false, configurable: false };

/**
 * A view of memory: it copies nothing, so what is written to `data` is what the next op reads.
 *
 * `D` and `R` are its dtype and its rank (0 to 3), so that a wrong one does not compile.
 * Rank 2 and 3 are rows of `columns` numbers, `rowPitch` elements apart; what lies between them is neither read nor written.
 */
export class Tensor<D extends DType = DType, R extends number = number> {
  readonly dtype: D;
  readonly shape: ShapeOfRank<R>;
  /** Product of all dimensions but the last; of a vector its length, of a scalar 1. */
  readonly rows: number;
  /** The last dimension; 1 for a vector or a scalar. */
  readonly columns: number;
  /** Elements from the start of one row to the start of the next, at least `columns`. */
  readonly rowPitch: number;
  readonly device: Device;
  /** Whether ops on this tensor are recorded and `backward` gives it a gradient. */
  requiresGrad: boolean;
  /** The gradient `backward` left here; where one is already here, `backward` adds to it. */
  grad: Tensor<DType, R> | undefined = undefined;
  readonly #storage: HostStorage<D>;

  /** Use `tensor()`, whose result knows its dtype and rank. */
  constructor(where: string, data: unknown, init: TensorInit) {
    checkText("Tensor", "where", where);
    const { dtype, device, shape, rowPitch, requiresGrad } = readOptions(
      where,
      init,
      TENSOR_OPTIONS,
    );
    this.dtype = dtypeOf(where, "data", data, dtype) as D;
    this.device = parseDevice(where, device);
    checkDevice(where, this.device);
    this.shape = checkShape(where, "shape", shape) as ShapeOfRank<R>;
    const matrix = this.shape.length >= 2;
    this.columns = matrix ? (this.shape.at(-1) as number) : 1;
    this.rows = matrix ? sizeOf(this.shape.slice(0, -1)) : sizeOf(this.shape);
    this.rowPitch = checkRowPitch(where, rowPitch, this.columns, matrix);
    this.#storage = new HostStorage<D>(where, "data", data as ArrayOf<D>);
    checkLength(where, this, typedArrayLength(data as ArrayOf<D>));
    this.requiresGrad = checkRequiresGrad(where, requiresGrad, this.dtype);
    // Nobody checks them again, so they stay what they were checked to be, in plain JavaScript too.
    for (const fact of FACTS) Object.defineProperty(this, fact, LASTING);
  }

  /** A tensor is what has its memory: neither a proxy of one nor an object of its prototype has. */
  static [Symbol.hasInstance](value: unknown): value is Tensor {
    if (typeof value !== "object" || value === null || !(#storage in value)) return false;
    // biome-ignore lint/complexity/noThisInStatic: a subclass asks about itself
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /** Number of elements that count. */
  get size(): number {
    return this.rows * this.columns;
  }

  /** The caller's own array. Throws ERR_DISPOSED after `dispose()` or where its buffer was detached. */
  get data(): ArrayOf<D> {
    return this.#storage.data("Tensor.data", "the tensor");
  }

  /** The one number of a tensor of one element; float16 and bfloat16 give their bits where they are bits. */
  item(): number {
    if (this.size !== 1) {
      throw expected("ERR_SHAPE", "Tensor.item", "one element", `shape ${showShape(this.shape)}`);
    }
    return this.data[0] as number;
  }

  /** Another tensor over the same memory, with a gradient of its own and no history. */
  alias(options: { readonly requiresGrad?: boolean } = {}): Tensor<D, R> {
    const { dtype, shape, device, data } = this;
    const rowPitch = shape.length >= 2 ? this.rowPitch : undefined;
    const { requiresGrad } = readOptions("Tensor.alias", options, ["requiresGrad"]);
    return new Tensor<D, R>("Tensor.alias", data, { dtype, shape, rowPitch, device, requiresGrad });
  }

  get disposed(): boolean {
    return this.#storage.disposed;
  }

  /** Lets go of the memory; every later use throws ERR_DISPOSED. A host tensor's array stays the caller's. */
  dispose(): void {
    this.#storage.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The tensor as it crosses the bridge; `name` is the argument's public name. */
  toNative(where: string, name: string): NativeTensor {
    const { dtype, rows, columns, rowPitch } = this;
    return { data: this.#storage.data(where, name), dtype, rows, columns, rowPitch };
  }
}

function checkRowPitch(
  where: string,
  rowPitch: number | undefined,
  columns: number,
  matrix: boolean,
): number {
  if (rowPitch === undefined) return columns;
  if (!matrix) {
    throw expected("ERR_ARGUMENT", where, "rowPitch only with rank 2 or 3", describe(rowPitch));
  }
  if (!Number.isSafeInteger(rowPitch) || rowPitch < columns) {
    const what = `rowPitch to be an integer of at least ${columns} elements`;
    throw expected("ERR_SHAPE", where, what, describe(rowPitch));
  }
  return rowPitch;
}

function checkLength(where: string, tensor: Tensor, length: number): void {
  const { rows, columns, rowPitch, shape } = tensor;
  const needed = rows === 0 || columns === 0 ? 0 : (rows - 1) * rowPitch + columns;
  if (length >= needed) return;
  const pitch = rowPitch === columns ? "" : ` with rowPitch ${rowPitch}`;
  const what = `at least ${needed} elements for shape ${showShape(shape)}${pitch}`;
  throw expected("ERR_SHAPE", where, what, `${length}`);
}

function checkRequiresGrad(where: string, value: unknown, dtype: DType): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") {
    throw expected("ERR_ARGUMENT", where, "requiresGrad to be a boolean", describe(value));
  }
  if (value && dtype === "int32") {
    throw expected("ERR_DTYPE", where, "a floating-point dtype for requiresGrad", dtype);
  }
  return value;
}
