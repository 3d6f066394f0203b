/** The addon's own exports, as anybody reaches them who loads papo.node: every op in several forms, and all the rest. */
import {
  type NativeOpSpec,
  type NativeTensorSpec,
  NUMBERS_OF_A_TENSOR,
} from "../../lib/addon/binding.js";
import { binding } from "../../lib/addon/load.js";
import { DTYPES, type DType } from "../../lib/core/dtype.js";
import { Random } from "../support/inputs.js";
import type { Fields } from "../support/valid-calls.js";
import type { Door } from "./doors.js";

interface Form {
  readonly rows: number;
  readonly vocab: number;
  readonly dtype: DType;
  /** Whether tensors that may be left out are there. */
  readonly full: boolean;
  /** Elements between rows. */
  readonly gap: number;
}

/** Around a block of lanes and of rows: a row shorter than a vector, one with a tail, and none at all. */
const FORMS: Readonly<Record<string, Form>> = {
  small: { rows: 3, vocab: 5, dtype: "float32", full: true, gap: 0 },
  required: { rows: 2, vocab: 33, dtype: "float32", full: false, gap: 3 },
  bfloat16: { rows: 5, vocab: 77, dtype: "bfloat16", full: true, gap: 1 },
  float16: { rows: 1, vocab: 130, dtype: "float16", full: true, gap: 0 },
  long: { rows: 2, vocab: 1029, dtype: "float32", full: true, gap: 5 },
  empty: { rows: 0, vocab: 4, dtype: "float32", full: true, gap: 0 },
};
const CLASSES = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float64: Float64Array,
  int32: Int32Array,
} as const;
const NUMBERS = ["memory", "byteOffset", "dtype", "rows", "columns", "rowPitch"] as const;
/** Attributes whose default would be refused beside the rest of the call. */
const SAID: Readonly<Record<string, number>> = { clip_dual: 3, has_masked: 1, kl_limit: 10 };

function isThere(op: NativeOpSpec, { name, required }: NativeTensorSpec, { full }: Form): boolean {
  // The loss takes the masked policy's logits or its log-probs, and gradients of what it has.
  if (op.name === "papo_loss" && name === "masked_log_probs") return false;
  return required || full;
}

/** Numbers that an op takes for what the tensor is called. */
function data(
  spec: NativeTensorSpec,
  dtype: DType,
  length: number,
  random: Random,
  { vocab, full }: Form,
) {
  const array = new CLASSES[dtype](length);
  const inHalf = array instanceof Uint16Array;
  for (let i = 0; i < length; i++) {
    if (spec.name === "token_ids") array[i] = random.below(vocab);
    else if (spec.name === "response_mask") array[i] = random.below(4) > 0 ? 1 : 0;
    // Bits of some number around one.
    else if (inHalf) array[i] = (dtype === "float16" ? 0x3a00 : 0x3f40) + random.below(512);
    else if (spec.name.endsWith("weights")) array[i] = random.uniform();
    else array[i] = random.normal();
  }
  return spec.name.endsWith("states") ? states(array as Float64Array, full) : array;
}

/** Lines of states: references, then sums and products, the largest uncovered logit, and the chosen one. */
function states(array: Float64Array, masked: boolean): Float64Array {
  const rows = array.length / 12;
  const lines = [0, 0, 4, masked ? 4 : 0, 1, 1, 1, 1, -Infinity, -Infinity, -0.5, -0.5];
  return array.map((_, i) => lines[Math.floor(i / rows)] as number);
}

function fieldsOf(op: NativeOpSpec, index: number, form: Form): Fields {
  const random = new Random(index + form.vocab);
  const memory: Fields = {};
  const numbers: Fields = {};
  for (const spec of [...op.inputs, ...op.outputs]) {
    const isMatrix = spec.shape[1] === "vocab";
    const isLines = spec.shape.length === 2 && !isMatrix;
    const rows = isLines ? Number(spec.shape[0]) : form.rows;
    const columns = isMatrix ? form.vocab : isLines ? form.rows : 1;
    const rowPitch = columns + (isMatrix ? form.gap : 0);
    const dtype = isMatrix ? form.dtype : (spec.dtypes[0] as DType);
    const there = isThere(op, spec, form);
    const place = there ? Object.keys(memory).length : -1;
    if (there) memory[spec.name] = data(spec, dtype, rows * rowPitch, random, form);
    const said = [place, 0, DTYPES.indexOf(dtype), rows, columns, rowPitch];
    NUMBERS.forEach((name, i) => {
      numbers[`${spec.name} ${name}`] = said[i];
    });
  }
  for (const { name, choices, default: initial } of op.attributes) {
    const number = typeof initial === "string" ? choices.indexOf(initial) : initial;
    numbers[name] = form.full ? (SAID[name] ?? number) : number;
  }
  return { op: index, numbers, stream: undefined, memory };
}

type Memory = Readonly<Record<string, Float64Array>>;

function copies(memory: Memory): Fields {
  return Object.fromEntries(Object.entries(memory).map(([name, array]) => [name, array.slice()]));
}

/** The array that the addon takes; what is no object of numbers goes as it is. */
function packed(numbers: unknown): unknown {
  if (typeof numbers !== "object" || numbers === null || ArrayBuffer.isView(numbers))
    return numbers;
  if (Object.getPrototypeOf(numbers) !== Object.prototype) return numbers;
  const values = Object.values(numbers);
  return Float64Array.from(values, (value) => (typeof value === "number" ? value : Number.NaN));
}

function listed(memory: unknown): unknown[] {
  if (ArrayBuffer.isView(memory) || typeof memory !== "object" || memory === null) return [memory];
  return Object.values(memory).slice(0, 100);
}

type Untyped = Record<string, (...args: unknown[]) => unknown>;
/** Looked up at every call: the fuzzer counts calls of `run`. */
const door = () => binding() as unknown as Untyped;

function opDoors(): [string, Door][] {
  return binding()
    .info()
    .ops.flatMap((op, index) =>
      Object.entries(FORMS).flatMap(([name, form]): [string, Door][] => {
        const outputs = new Set(op.outputs.map(({ name }) => `memory.${name}`));
        const common = { raw: true, writes: (place: string) => outputs.has(place) } as const;
        const once = fieldsOf(op, index, form);
        const valid = () => ({ ...once, memory: copies(once.memory as Memory) });
        const run: Door = {
          ...common,
          valid,
          call: ({ op, numbers, stream, memory }) =>
            door().run?.(op, packed(numbers), stream, ...listed(memory)),
        };
        const runAsync: Door = {
          ...common,
          valid: () => ({ ...valid(), cancel: new Int32Array(1) }),
          call: ({ op, numbers, stream, cancel, memory }) =>
            door().runAsync?.(op, packed(numbers), stream, cancel, ...listed(memory)),
        };
        return [
          [`addon.run ${op.name} ${name}`, run],
          ...(name === "required" || name === "bfloat16"
            ? ([[`addon.runAsync ${op.name} ${name}`, runAsync]] as [string, Door][])
            : []),
        ];
      }),
    );
}

const area = () => ({ data: new Float32Array(8), byteOffset: 0, pitchBytes: 16 });
const device = "cuda:0";
/** Arguments of everything else: mostly of devices, which are not there where these tests run. */
const OTHERS: Readonly<Record<string, () => unknown[]>> = {
  configure: () => [2],
  info: () => [],
  watchEnd: () => [],
  asyncCallsElsewhere: () => [],
  allocate: () => [device, 16],
  wrapPointer: () => [device, 4096n, 16, {}],
  bufferInfo: () => [{}],
  free: () => [{}],
  allocatePinned: () => [16],
  memoryInfo: () => [device],
  copy: () => [area(), area(), 2, 16, undefined],
  copyAsync: () => [area(), area(), 2, 16, undefined],
  clear: () => [area(), 2, 16, undefined],
  createStream: () => [device],
  wrapStream: () => [device, 0n, {}],
  streamInfo: () => [{}],
  destroyStream: () => [{}],
  synchronize: () => [device, undefined],
  synchronizeAsync: () => [device, undefined],
  createEvent: () => [device],
  recordEvent: () => [{}, undefined],
  waitEvent: () => [undefined, {}],
  queryEvent: () => [{}],
  synchronizeEvent: () => [{}],
  synchronizeEventAsync: () => [{}],
  elapsed: () => [{}, {}],
  destroyEvent: () => [{}],
};

function otherDoors(): [string, Door][] {
  return Object.entries(OTHERS).map(([name, args]) => [
    `addon.${name}`,
    {
      raw: true,
      any: true,
      valid: () => ({ ...args() }),
      call: (fields) => door()[name]?.(...Object.values(fields)),
    },
  ]);
}

/** Numbers that describe a tensor, as `binding.ts` counts them. */
if (NUMBERS.length !== NUMBERS_OF_A_TENSOR) throw new Error("a tensor has other numbers");

export const RAW_DOORS: Readonly<Record<string, Door>> = Object.fromEntries([
  ...opDoors(),
  ...otherDoors(),
]);
