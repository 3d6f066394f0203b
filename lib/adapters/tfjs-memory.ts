/** Where the numbers of TensorFlow.js' tensors lie, and how much of the way to papo is a copy. */
import type * as tfjs from "@tensorflow/tfjs-core";
import { describe, expected, PapoError } from "../core/errors.js";
import { sameShape, showShape } from "../core/shape.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Framework, hasForm } from "./framework-batch.js";

const NEEDED = [
  "backend",
  "customGrad",
  "dispose",
  "engine",
  "getBackend",
  "keep",
  "mul",
  "reshape",
  "scalar",
  "tensor",
  "tidy",
  "variableGrads",
  "zeros",
] as const;

/** What is used of TensorFlow.js: `import * as tf` of `@tensorflow/tfjs`, of `tfjs-core` or of `tfjs-node`. */
export type Tfjs = Pick<typeof tfjs, (typeof NEEDED)[number]>;

export const TFJS: Framework<tfjs.Tensor> = {
  array: "a tf.Tensor",
  // By its form, not by its class: a program may hold two copies of the library, whose engine is one.
  isArray: (value): value is tfjs.Tensor =>
    hasForm(value, "dataId", ["data", "dataSync", "dispose"]),
  isAlive: ({ isDisposed }) => !isDisposed,
};

/** Throws ERR_ARGUMENT for what is not TensorFlow.js. */
export function checkTfjs(where: string, tf: unknown): asserts tf is Tfjs {
  const given = typeof tf === "object" && tf !== null ? (tf as Record<string, unknown>) : {};
  if (NEEDED.every((name) => typeof given[name] === "function")) return;
  const what = 'tf to be TensorFlow.js (`import * as tf from "@tensorflow/tfjs"`)';
  throw expected("ERR_ARGUMENT", where, what, describe(tf));
}

/** The two methods of the WASM backend that kernels of its own are written with. */
interface WasmBackend {
  makeOutput(shape: number[], dtype: "float32"): tfjs.TensorInfo;
  typedArrayFromHeap(info: tfjs.TensorInfo): Float32Array;
}

function wasmBackend(tf: Tfjs): WasmBackend | undefined {
  const backend = tf.backend() as unknown as Partial<WasmBackend>;
  const known = typeof backend.makeOutput === "function" && "typedArrayFromHeap" in backend;
  return tf.getBackend() === "wasm" && known ? (backend as WasmBackend) : undefined;
}

/** Whether reading a tensor gives a copy that is the reader's own, and nobody's cache. */
export function readsCopies(tf: Tfjs): boolean {
  return wasmBackend(tf) !== undefined;
}

/** Whether the tensors of the backend lie where this thread can read one number at once. */
export function liesOnHost(tf: Tfjs): boolean {
  return ["cpu", "wasm", "tensorflow"].includes(tf.getBackend());
}

/** What papo reads, and where it writes: views that hold until TensorFlow.js allocates again. */
export interface Views {
  readonly inputs: readonly Tensor<"float32", 2 | 3>[];
  /** Empty where papo has to make memory of its own. */
  readonly outputs: readonly Tensor<"float32", 2 | 3>[];
  /** The same as tensors of TensorFlow.js. */
  readonly outputTensors: readonly tfjs.Tensor[];
}

/**
 * Views of `inputs`, and memory for results of the given shapes.
 *
 * On WASM both lie on its heap and nothing is copied. Results come first, as they may make the heap grow, which detaches
 * every view of it; the inputs are touched before the views are made, as one that lies on another backend moves then.
 * Elsewhere an input is what `dataSync` gives: on the cpu backend the tensor's own memory.
 */
export function viewsOf(
  tf: Tfjs,
  where: string,
  inputs: readonly tfjs.Tensor[],
  shapes: readonly number[][],
): Views {
  const wasm = wasmBackend(tf);
  if (wasm === undefined) {
    const read = inputs.map((input) => over(input.dataSync<"float32">(), input.shape));
    return { inputs: read, outputs: [], outputTensors: [] };
  }
  const engine = tf.engine();
  const outputTensors = shapes.map((shape) =>
    engine.makeTensorFromTensorInfo(wasm.makeOutput(shape, "float32")),
  );
  for (const input of inputs) wasm.typedArrayFromHeap(input);
  const view = (each: tfjs.Tensor) => over(wasm.typedArrayFromHeap(each), each.shape);
  if (outputTensors.some((each) => wasm.typedArrayFromHeap(each).byteOffset === 0)) {
    const message = `[${where}] expected room for the gradients on the WASM heap, received none: it ends at 4 GiB`;
    throw new PapoError("ERR_OUT_OF_MEMORY", message);
  }
  return { inputs: inputs.map(view), outputs: outputTensors.map(view), outputTensors };
}

/** A tensor of papo over memory that belongs to TensorFlow.js. */
export function over(data: Float32Array, shape: readonly number[]): Tensor<"float32", 2 | 3> {
  return tensor(data, { shape: [...shape] }) as Tensor<"float32", 2 | 3>;
}

/** A tensor of TensorFlow.js with the numbers of one of papo; the cpu backend takes the memory itself. */
export function toTfjs(tf: Tfjs, { data, shape }: Tensor): tfjs.Tensor {
  const numbers = data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
  return tf.tensor(numbers, [...shape], "float32");
}

/** Throws ERR_SHAPE unless the two are equal. */
export function checkSameShape(
  where: string,
  name: string,
  shape: readonly number[],
  other: readonly number[],
): void {
  if (sameShape(shape, other)) return;
  throw expected("ERR_SHAPE", where, `${name} ${showShape(other)}`, showShape(shape));
}
