/** The only caller of native ops: names in camelCase to numbers in the order of the spec, errors back as PapoErrors. */

import { raisedBy } from "../addon/aborts.js";
import {
  type NativeAttributeSpec,
  type NativeMemory,
  type NativeStream,
  type NativeTensorSpec,
  NUMBERS_OF_A_TENSOR,
} from "../addon/binding.js";
import { inDeviceTurn } from "../addon/device-turns.js";
import { binding } from "../addon/load.js";
import { papoErrorOf } from "../addon/native-error.js";
import { turns } from "../addon/turns.js";
import type { CudaDevice } from "../core/device.js";
import { DTYPES } from "../core/dtype.js";
import { describe, expected } from "../core/errors.js";
import { placeOf } from "../core/slab.js";
import { nativeStream } from "../cuda/current.js";
import { type TensorArgument, tensorArgument } from "../tensor/copy.js";

type Tensors = Readonly<Record<string, TensorArgument | undefined>>;
type Attributes = Readonly<Record<string, number | string | boolean | undefined>>;

/** One call of a native op; names of arguments and attributes are those of its spec, in camelCase. */
export interface OpCall {
  readonly op: string;
  /** The public verb that called, which messages begin with. */
  readonly where: string;
  readonly inputs: Tensors;
  readonly outputs: Tensors;
  /** One that is not said has its native default. */
  readonly attributes: Attributes;
}

/** Runs an op on this thread (and the pool's), or on the device its tensors lie on; it has finished when this returns. */
export function runOp(call: OpCall): void {
  runPacked(call.where, packed(call));
}

/**
 * Runs an op off the event loop, in its turn. Its tensors' memory must neither be written nor transferred until the
 * promise settles.
 *
 * An abort stops it at the next block of rows and rejects with `signal.reason`; outputs are then unfinished. One that
 * still waits for its turn never begins.
 */
export async function runOpAsync(call: OpCall, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await runPackedAsync(call.where, packed(call), signal);
}

/**
 * An op that is run again and again on tensors that stay where they are: packed once, and then at the price of the call
 * of the addon alone, which looks every time whether the memory is still there.
 */
export class RepeatedOp {
  readonly #attributes: readonly Attribute[];
  readonly #packed: PackedCall;
  readonly #device: CudaDevice | undefined;

  constructor(call: OpCall) {
    const { tensors, attributes } = opNamed(call);
    const { inputs, outputs } = call;
    const devices = tensors.map(({ name, isInput }) => (isInput ? inputs : outputs)[name]?.device);
    this.#device = devices.find((device) => device !== undefined && device !== "cpu") as
      | CudaDevice
      | undefined;
    this.#attributes = attributes;
    const once = packed(call);
    this.#packed = { ...once, numbers: once.numbers.slice() };
  }

  /** Changes attributes from the next run on; those that are not said stay as they are. */
  set(where: string, attributes: Attributes): void {
    const { numbers } = this.#packed;
    const first = numbers.length - this.#attributes.length;
    this.#attributes.forEach((attribute, i) => {
      const value = attributes[attribute.name];
      if (value !== undefined) numbers[first + i] = numberOf(where, attribute, value);
    });
  }

  run(where: string): void {
    runPacked(where, this.#current(where));
  }

  /** As `runOpAsync`. */
  runAsync(where: string, signal?: AbortSignal): Promise<void> {
    return runPackedAsync(where, this.#current(where), signal);
  }

  /** In the stream that is in force now. */
  #current(where: string): PackedCall {
    const device = this.#device;
    return device ? { ...this.#packed, stream: nativeStream(where, device) } : this.#packed;
  }
}

function runPacked(where: string, { index, numbers, stream, memory }: PackedCall): void {
  try {
    binding().run(index, numbers, stream, ...memory);
  } catch (error) {
    throw papoErrorOf(where, error);
  }
}

async function runPackedAsync(
  where: string,
  call: PackedCall,
  signal: AbortSignal | undefined,
): Promise<void> {
  let kept = call;
  // Whoever waits keeps its numbers, which the next call overwrites.
  const onWait = () => {
    kept = { ...call, numbers: call.numbers.slice() };
  };
  const run = () => runNowAsync(where, kept, signal);
  if (call.onDevice) await inDeviceTurn([...call.memory, call.stream], run, { signal, onWait });
  else await turns.take({ worker: "host", numbers: call.size, signal, onWait }, run);
}

async function runNowAsync(
  where: string,
  { index, numbers, stream, memory }: PackedCall,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const { flag, drop } = raisedBy(signal);
  try {
    await binding().runAsync(index, numbers, stream, flag, ...memory);
  } catch (error) {
    signal?.throwIfAborted();
    throw papoErrorOf(where, error);
  } finally {
    drop();
  }
  signal?.throwIfAborted();
}

/** A `[rows]` array as a native tensor. */
export function rowsTensor(data: Float64Array | Int32Array): TensorArgument;
export function rowsTensor(data: Float64Array | Int32Array | undefined): TensorArgument | undefined;
export function rowsTensor(
  data: Float64Array | Int32Array | undefined,
): TensorArgument | undefined {
  if (data === undefined) return undefined;
  const dtype = data instanceof Int32Array ? "int32" : "float64";
  const place = placeOf(data);
  return tensorArgument(place.data, place.byteOffset, dtype, data.length, 1, 1);
}

/** An attribute of an op, and its default as a number. */
interface Attribute {
  readonly name: string;
  readonly choices: readonly string[];
  readonly initial: number;
}

/** An op's spec in the words of this side. */
interface Op {
  readonly index: number;
  readonly tensors: readonly { readonly name: string; readonly isInput: boolean }[];
  readonly attributes: readonly Attribute[];
  /** Of the call that is being made: the addon reads them before it does anything else. */
  readonly numbers: Float64Array;
}

let ops: ReadonlyMap<string, Op> | undefined;

function opNamed({ op, where }: OpCall): Op {
  ops ??= new Map(
    binding()
      .info()
      .ops.map((spec, index) => [camelCase(spec.name), opOf(spec, index)]),
  );
  const found = ops.get(op);
  if (found === undefined)
    throw expected("ERR_INTERNAL", where, "an op of the addon", describe(op));
  return found;
}

function opOf(
  spec: {
    readonly inputs: readonly NativeTensorSpec[];
    readonly outputs: readonly NativeTensorSpec[];
    readonly attributes: readonly NativeAttributeSpec[];
  },
  index: number,
): Op {
  const named = (isInput: boolean) => (tensor: NativeTensorSpec) => ({
    name: camelCase(tensor.name),
    isInput,
  });
  const tensors = [...spec.inputs.map(named(true)), ...spec.outputs.map(named(false))];
  const attributes = spec.attributes.map(({ name, choices, default: initial }) => ({
    name: camelCase(name),
    choices,
    initial: typeof initial === "string" ? choices.indexOf(initial) : initial,
  }));
  const numbers = new Float64Array(NUMBERS_OF_A_TENSOR * tensors.length + attributes.length);
  return { index, tensors, attributes, numbers };
}

/** A call as it crosses the bridge; see `Binding.run`. */
interface PackedCall {
  readonly index: number;
  readonly numbers: Float64Array;
  readonly stream: NativeStream | undefined;
  readonly memory: readonly NativeMemory[];
  readonly onDevice: boolean;
  /** Numbers of all its tensors. */
  readonly size: number;
}

/** Packs a call; its numbers are good until the next one is packed. */
function packed(call: OpCall): PackedCall {
  const { where, inputs, outputs } = call;
  const { index, tensors, attributes, numbers } = opNamed(call);
  const memory: NativeMemory[] = [];
  let stream: NativeStream | undefined;
  let onDevice = false;
  let size = 0;
  let at = 0;
  for (const { name, isInput } of tensors) {
    const tensor = (isInput ? inputs : outputs)[name];
    if (tensor === undefined) {
      numbers[at] = -1;
    } else {
      const { data, device } = tensor;
      const known = memory.indexOf(data);
      numbers[at] = known < 0 ? memory.push(data) - 1 : known;
      numbers[at + 1] = tensor.byteOffset;
      numbers[at + 2] = DTYPES.indexOf(tensor.dtype);
      numbers[at + 3] = tensor.rows;
      numbers[at + 4] = tensor.columns;
      numbers[at + 5] = tensor.rowPitch;
      size += tensor.rows * tensor.columns;
      // The stream in force on the device of the call, if its tensors lie on one.
      if (device !== "cpu") {
        onDevice = true;
        stream ??= nativeStream(where, device);
      }
    }
    at += NUMBERS_OF_A_TENSOR;
  }
  for (const attribute of attributes) {
    numbers[at++] = numberOf(where, attribute, call.attributes[attribute.name]);
  }
  return { index, numbers, stream, memory, onDevice, size };
}

function numberOf(where: string, attribute: Attribute, value: Attributes[string]): number {
  const { name, choices, initial } = attribute;
  if (value === undefined) return initial;
  if (choices.length === 0) {
    if (typeof value === "number" || typeof value === "boolean") return Number(value);
    throw expected("ERR_ARGUMENT", where, `${name} to be a number`, describe(value));
  }
  const choice = choices.indexOf(value as string);
  if (choice >= 0) return choice;
  const words = choices.map((word) => `"${word}"`).join(", ");
  throw expected("ERR_ARGUMENT", where, `${name} to be one of ${words}`, describe(value));
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
