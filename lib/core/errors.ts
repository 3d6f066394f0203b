/** The one error class of the package and the one form of its messages. */
import { types } from "node:util";
import { classOfAnotherCopy } from "./copies.js";
import { printable, printableLines } from "./printable.js";
import { typedArrayClass, typedArrayLength } from "./typed-array.js";

/**
 * What went wrong, by kind. Stable: programs may branch on it.
 *
 * - `ERR_ARGUMENT`            a value of the wrong kind, or an unknown option
 * - `ERR_SHAPE`               shapes or lengths that do not fit together
 * - `ERR_DTYPE`               a data type the op does not take
 * - `ERR_RANGE`               a number outside its range (token ids, coefficients, temperature, ...)
 * - `ERR_NOT_FINITE`          NaN or Infinity where the computation needs a finite number; `row` names the first one
 * - `ERR_DISPOSED`            a tensor used after `dispose()`, or a buffer that was detached
 * - `ERR_BUFFER`              a resizable or shared buffer, or one that is not memory we may write
 * - `ERR_DEVICE_MISMATCH`     tensors on different devices, or one on a device where host memory is needed
 * - `ERR_DEVICE_UNAVAILABLE`  the device asked for is not there; the message says why
 * - `ERR_UNSUPPORTED`         a combination that has no meaning or is not built
 * - `ERR_FILE`                a file that cannot be read as what it should be
 * - `ERR_CUDA`                the CUDA runtime refused
 * - `ERR_OUT_OF_MEMORY`       an allocation failed
 * - `ERR_INTERNAL`            a bug in papo
 */
export type PapoErrorCode =
  | "ERR_ARGUMENT"
  | "ERR_SHAPE"
  | "ERR_DTYPE"
  | "ERR_RANGE"
  | "ERR_NOT_FINITE"
  | "ERR_DISPOSED"
  | "ERR_BUFFER"
  | "ERR_DEVICE_MISMATCH"
  | "ERR_DEVICE_UNAVAILABLE"
  | "ERR_UNSUPPORTED"
  | "ERR_FILE"
  | "ERR_CUDA"
  | "ERR_OUT_OF_MEMORY"
  | "ERR_INTERNAL";

/** Every error papo throws on purpose. The message reads `[papoLoss] expected …, received …`. */
export class PapoError extends Error {
  /** Always "PapoError". */
  override readonly name = "PapoError";
  /** What kind of error it is, for programs. */
  readonly code: PapoErrorCode;
  /** First row the error speaks of, where it speaks of one. */
  readonly row: number | undefined;

  constructor(code: PapoErrorCode, message: string, options?: ErrorOptions & { row?: number }) {
    // Also what the system says, which names files as they are.
    super(printableLines(typeof message === "string" ? message : describe(message)), options);
    this.code = code;
    this.row = options?.row;
  }
}

/** `[where] expected EXPECTED, received RECEIVED` as a PapoError. */
export function expected(
  code: PapoErrorCode,
  where: string,
  what: string,
  received: string,
): PapoError {
  return new PapoError(code, `[${where}] expected ${what}, received ${received}`);
}

/** A short, safe description of any JavaScript value for an error message; never runs the value's own code. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "string":
      return value.length > 40 ? `"${printable(value.slice(0, 40))}…"` : `"${printable(value)}"`;
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "bigint":
      // Longer ones take their time to become decimal.
      return BigInt.asIntN(64, value) === value ? `${value}n` : "a bigint of more than 64 bits";
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    default:
      break;
  }
  if (types.isProxy(value)) return "a proxy";
  const arrayClass = typedArrayClass(value);
  if (arrayClass !== undefined) return `${arrayClass} of ${typedArrayLength(value)} elements`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const foreign = classOfAnotherCopy(value as object);
  if (foreign !== undefined) {
    return `a ${foreign} of another copy of papo (two are installed: npm ls papo)`;
  }
  return "an object";
}
