/** The only caller of native ops: camelCase in, snake_case across, and errors back as PapoError. */
import type { NativeStream, NativeTensor } from "../addon/binding.js";
import { binding } from "../addon/load.js";
import { callNative, papoErrorOf } from "../addon/native-error.js";
import { nativeStream } from "../cuda/current.js";
import type { TensorArgument } from "../tensor/tensor.js";

/** One call of a native op; names of arguments and attributes are those of its spec, in camelCase. */
export interface OpCall {
  readonly op: string;
  /** The public verb that called, which messages begin with. */
  readonly where: string;
  readonly inputs: Readonly<Record<string, TensorArgument | undefined>>;
  readonly outputs: Readonly<Record<string, TensorArgument | undefined>>;
  readonly attributes: Readonly<Record<string, number | string | boolean>>;
}

/** Runs an op on this thread (and the pool's), or on the device its tensors lie on; it has finished when this returns. */
export function runOp(call: OpCall): void {
  const stream = streamOf(call);
  callNative(call.where, () => binding().run(...bridgeArguments(call), stream));
}

/**
 * Runs an op off the event loop. Its tensors' memory must neither be written nor transferred until the promise settles.
 *
 * An abort stops it at the next block of rows and rejects with `signal.reason`; outputs are then unfinished.
 */
export async function runOpAsync(call: OpCall, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  const stream = streamOf(call);
  const cancel = signal && new Int32Array(1);
  const onAbort = () => cancel?.fill(1);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await binding().runAsync(...bridgeArguments(call), cancel, stream);
  } catch (error) {
    signal?.throwIfAborted();
    throw papoErrorOf(call.where, error);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  signal?.throwIfAborted();
}

/** A `[rows]` array as a native tensor. */
export function rowsTensor(data: Float64Array | Int32Array): NativeTensor;
export function rowsTensor(data: Float64Array | Int32Array | undefined): NativeTensor | undefined;
export function rowsTensor(data: Float64Array | Int32Array | undefined): NativeTensor | undefined {
  if (data === undefined) return undefined;
  const dtype = data instanceof Int32Array ? "int32" : "float64";
  return { data, dtype, rows: data.length, columns: 1, rowPitch: 1 };
}

/** The stream in force on the device of the call, if its tensors lie on one. */
function streamOf({ where, inputs, outputs }: OpCall): NativeStream | undefined {
  for (const tensors of [inputs, outputs]) {
    for (const name in tensors) {
      const device = tensors[name]?.device;
      if (device !== undefined && device !== "cpu") return nativeStream(where, device);
    }
  }
  return undefined;
}

function bridgeArguments({ op, inputs, outputs, attributes }: OpCall) {
  return [
    snakeCase(op),
    snakeKeys(inputs),
    snakeKeys(outputs),
    snakeKeys(attributes, (value) => (typeof value === "boolean" ? Number(value) : value)),
  ] as const;
}

function snakeKeys<T, U = T>(
  record: Readonly<Record<string, T>>,
  convert: (value: T) => U = (value) => value as unknown as U,
): Record<string, U> {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [snakeCase(key), convert(value)]),
  );
}

/** The few names there are, each spelled out once: at one row of 32 the spelling was 8 % of an evaluation. */
const spelled = new Map<string, string>();

function snakeCase(name: string): string {
  let snake = spelled.get(name);
  if (snake === undefined) {
    snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    spelled.set(name, snake);
  }
  return snake;
}
