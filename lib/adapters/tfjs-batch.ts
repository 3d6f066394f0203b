/** Batches of TensorFlow.js' tensors as batches of papo. */
import type * as tfjs from "@tensorflow/tfjs-core";
import type { Batch } from "../objective/batch.js";
import type { Evaluation } from "../objective/evaluation.js";
import type { EvaluateOptions } from "../objective/options.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { type DifferentiableName, type Fields, gradientName, isWide } from "./framework-batch.js";
import { TFJS, type Tfjs, toTfjs, viewsOf } from "./tfjs-memory.js";

interface BatchViews {
  readonly batch: Batch;
  /** Options that name memory on the heap for gradients. */
  readonly memory: EvaluateOptions;
  /** The same memory as tensors of TensorFlow.js. */
  readonly made: { readonly [K in DifferentiableName]?: tfjs.Tensor };
}

/** A batch of papo on TensorFlow.js' own memory, and memory there for the gradients in `inputs` where it can be had. */
export function viewsOfBatch(
  tf: Tfjs,
  where: string,
  fields: Fields,
  inputs: readonly (readonly [DifferentiableName, tfjs.Tensor])[],
): BatchViews {
  const batch: Record<string, unknown> = { ...fields };
  const tensors = Object.entries(fields).filter(([, value]) => TFJS.isArray(value));
  // First what is small and copied.
  for (const [name, value] of tensors as [string, tfjs.Tensor][]) {
    if (!isWide(name)) batch[name] = small(value.dataSync(), value);
  }
  const wide = tensors.filter(([name]) => isWide(name)) as [string, tfjs.Tensor][];
  const wanted = inputs.filter(([name]) => isWide(name));
  const views = viewsOf(
    tf,
    where,
    wide.map(([, each]) => each),
    wanted.map(([, { shape }]) => shape),
  );
  wide.forEach(([name], at) => {
    batch[name] = views.inputs[at];
  });
  const memory: Record<string, unknown> = {};
  const outputs: Partial<Record<DifferentiableName, tfjs.Tensor>> = {};
  wanted.forEach(([name], at) => {
    const output = views.outputTensors[at];
    if (output === undefined) return;
    outputs[name] = output;
    memory[gradientName(name)] = views.outputs[at];
  });
  return { batch: batch as unknown as Batch, memory, made: outputs };
}

/** A field of one number per token; tensors of papo keep [sequences, tokens]. */
export function small(
  data: Float32Array | Int32Array | Uint8Array,
  { dtype, shape }: tfjs.Tensor,
): typeof data | Tensor {
  if (dtype !== "float32" || shape.length === 0 || shape.length > 2) return data;
  return tensor(data as Float32Array, { shape: [...shape] });
}

/** The gradient in a field as a tensor of TensorFlow.js, where there is one. */
export function gradientOf(
  tf: Tfjs,
  evaluation: Evaluation,
  name: DifferentiableName,
): tfjs.Tensor | undefined {
  const gradient = evaluation[gradientName(name)];
  return gradient && toTfjs(tf, gradient);
}
