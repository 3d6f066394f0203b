/** Calls of ops at the native door itself, described by name; nothing is checked on this side. */
import {
  type NativeMemory,
  type NativeStream,
  NUMBERS_OF_A_TENSOR,
} from "../../lib/addon/binding.js";
import { binding } from "../../lib/addon/load.js";
import { DTYPES, type DType } from "../../lib/core/dtype.js";

export interface NativeTensor {
  readonly data: NativeMemory;
  readonly byteOffset?: number;
  readonly dtype: DType;
  readonly rows: number;
  readonly columns: number;
  readonly rowPitch: number;
}

/** Names are the words of the op's spec. */
export type Tensors = Readonly<Record<string, NativeTensor | undefined>>;
export type Call = readonly [
  op: string,
  inputs: Tensors,
  outputs: Tensors,
  attributes: Readonly<Record<string, number | string>>,
];

/** The arguments that `run` takes. */
export interface RawCall {
  readonly op: number;
  readonly numbers: Float64Array;
  readonly memory: readonly NativeMemory[];
}

/** A call as it crosses the bridge; each tensor is a memory of its own. */
export function rawCall([op, inputs, outputs, attributes]: Call): RawCall {
  const { ops } = binding().info();
  const index = ops.findIndex(({ name }) => name === op);
  const spec = ops[index];
  if (spec === undefined) throw new Error(`no op ${op}`);
  const memory: NativeMemory[] = [];
  const described = ({ name }: { name: string }): number[] => {
    const tensor = inputs[name] ?? outputs[name];
    if (tensor === undefined) return [-1, ...Array(NUMBERS_OF_A_TENSOR - 1).fill(0)];
    const { data, byteOffset = 0, dtype, rows, columns, rowPitch } = tensor;
    const place = memory.push(data) - 1;
    return [place, byteOffset, DTYPES.indexOf(dtype), rows, columns, rowPitch];
  };
  const numbers = [...spec.inputs, ...spec.outputs].flatMap(described);
  for (const { name, choices, default: initial } of spec.attributes) {
    const value = attributes[name] ?? initial;
    numbers.push(typeof value === "string" ? choices.indexOf(value) : value);
  }
  return { op: index, numbers: Float64Array.from(numbers), memory };
}

/** token_stats of one policy as a call described in numbers; its memory is logits, tokenIds, statistics. */
export function statsNumbers(rows: number, vocab: number): Pick<RawCall, "op" | "numbers"> {
  const data = new Float32Array(0);
  const { op, numbers } = rawCall([
    "token_stats",
    {
      logits: { data, dtype: "float32", rows, columns: vocab, rowPitch: vocab },
      token_ids: { data, dtype: "int32", rows, columns: 1, rowPitch: 1 },
    },
    { statistics: { data, dtype: "float64", rows: 8, columns: rows, rowPitch: rows } },
    {},
  ]);
  return { op, numbers };
}

export function runNative(call: Call, stream?: NativeStream): void {
  const { op, numbers, memory } = rawCall(call);
  binding().run(op, numbers, stream, ...memory);
}

export function runNativeAsync(
  call: Call,
  cancel?: Int32Array,
  stream?: NativeStream,
): Promise<void> {
  const { op, numbers, memory } = rawCall(call);
  return binding().runAsync(op, numbers, stream, cancel, ...memory);
}
