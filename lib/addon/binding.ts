/** The contract between the two banks: what `native/addon` exports, written by hand. */
import type { DType, TensorArray } from "../core/dtype.js";

/**
 * A tensor as it crosses the bridge. Dimension 0 is rows, dimension 1 (if any) the vocabulary;
 * `rowPitch` counts elements from one row to the next and is at least the last dimension.
 */
export interface NativeTensor {
  readonly data: TensorArray;
  readonly dtype: DType;
  readonly rows: number;
  /** Columns that count; 1 for tensors of rank 1. */
  readonly columns: number;
  readonly rowPitch: number;
}

/** Names of arguments and attributes are the snake_case words of the op's spec. */
export type NativeTensors = Readonly<Record<string, NativeTensor | undefined>>;
export type NativeAttributes = Readonly<Record<string, number | string | undefined>>;

export interface NativeTensorSpec {
  readonly name: string;
  readonly dtypes: readonly DType[];
  /** What the dimensions are: `["rows", "vocab"]`, `["rows"]`, or a fixed count of named lines such as `["8", "rows"]`. */
  readonly shape: readonly string[];
  readonly required: boolean;
  /** Names of the lines of a `[k, rows]` matrix. */
  readonly lines: readonly string[];
}

export interface NativeAttributeSpec {
  readonly name: string;
  readonly kind: "number" | "choice";
  readonly choices: readonly string[];
  readonly default: number | string;
}

export interface NativeOpSpec {
  readonly name: string;
  readonly inputs: readonly NativeTensorSpec[];
  readonly outputs: readonly NativeTensorSpec[];
  readonly attributes: readonly NativeAttributeSpec[];
}

export interface NativeDeviceInfo {
  readonly device: string;
  readonly name: string;
}

export interface NativeInfo {
  readonly version: string;
  readonly napiVersion: number;
  readonly compiler: string;
  /** Active instruction set and all those this binary and this processor share, best first. */
  readonly isa: string;
  readonly isas: readonly string[];
  /** Threads the pool uses, the caller's included. */
  readonly threads: number;
  readonly devices: readonly NativeDeviceInfo[];
  /** Why there is no CUDA device; empty where there is one. */
  readonly cudaUnavailable: string;
  readonly ops: readonly NativeOpSpec[];
}

/** What the `.node` file exports. Errors it throws carry `code` (a PapoErrorCode) and, where they name one, `row`. */
export interface Binding {
  /** Once per process, before the first op: size of the thread pool. Later calls do nothing. Returns the size in force. */
  configure(threads: number): number;
  info(): NativeInfo;
  run(
    op: string,
    inputs: NativeTensors,
    outputs: NativeTensors,
    attributes: NativeAttributes,
  ): void;
  /**
   * The same off the event loop. The memory of every tensor must stay attached until the promise settles.
   * `cancel[0]` set to non-zero makes it stop at the next block of rows and reject with code `"ERR_ABORTED"`.
   */
  runAsync(
    op: string,
    inputs: NativeTensors,
    outputs: NativeTensors,
    attributes: NativeAttributes,
    cancel: Int32Array | undefined,
  ): Promise<void>;
}
