/** The two-phase form: what cannot wait for papo is run again with its answer. */
import type * as tfjs from "@tensorflow/tfjs-core";
import { checkObject } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import type { Batch } from "../objective/batch.js";
import type { Objective } from "../objective/objective.js";
import type { EvaluateAsyncOptions } from "../objective/options.js";
import {
  type DifferentiableName,
  differentiable,
  type Evaluated,
  type Fields,
  isWide,
  type Outputs,
  withoutGradients,
} from "./framework-batch.js";
import { gradientOf, small } from "./tfjs-batch.js";
import { checkSameShape, over, readsCopies, TFJS, type Tfjs } from "./tfjs-memory.js";
import { onTape } from "./tfjs-tape.js";

/** Gradients by the name of the field; absent where the loss does not depend on it. Yours to dispose of. */
export type TfjsGradients = { readonly [K in DifferentiableName]?: tfjs.Tensor };
/** What `variableGrads`' forward pass gives: those fields of a batch that depend on the variables. */
export type TfjsOutputs = Outputs<tfjs.Tensor>;

/** Loss and gradients of a batch whose fields were checked. */
export async function evaluateAsync(
  tf: Tfjs,
  objective: Objective,
  fields: Fields,
  options: EvaluateAsyncOptions,
): Promise<{ readonly evaluation: Evaluated; readonly gradients: TfjsGradients }> {
  const inPlace = readsCopies(tf) && fields.logits !== undefined && options.gradients !== false;
  const read = await Promise.all(
    Object.entries(fields).map(async ([name, value]) => {
      if (!TFJS.isArray(value)) return [name, value] as const;
      const { shape } = value;
      const data = await value.data();
      return [name, isWide(name) ? over(data as Float32Array, shape) : small(data, value)];
    }),
  );
  const batch = Object.fromEntries(read) as unknown as Batch;
  // Copies that nobody else reads take the gradients.
  const result = await objective.evaluateAsync(batch, inPlace ? { ...options, inPlace } : options);
  const gradients: Partial<Record<DifferentiableName, tfjs.Tensor>> = {};
  for (const [name] of differentiable(fields, objective.spec, TFJS)) {
    const gradient = gradientOf(tf, result, name);
    if (gradient) gradients[name] = gradient;
  }
  return { evaluation: withoutGradients(result), gradients: gradients as TfjsGradients };
}

/** What a forward pass gave, in tensors of its own on the same memory: it may give a variable. */
export function clones(tf: Tfjs, where: string, outputs: TfjsOutputs): TfjsOutputs {
  const read = outputsOf(where, outputs).map(([name, each]) => [
    name,
    tf.reshape(each, each.shape),
  ]);
  return Object.fromEntries(read);
}

function outputsOf(where: string, outputs: TfjsOutputs): [string, tfjs.Tensor][] {
  checkObject(where, "what forward returns", outputs);
  return Object.entries(outputs).flatMap(([name, value]): [string, tfjs.Tensor][] => {
    if (value === undefined) return [];
    if (TFJS.isArray(value)) return [[name, value]];
    throw expected("ERR_ARGUMENT", where, `${name} to be ${TFJS.array}`, describe(value));
  });
}

/** A second forward pass, with the loss and the gradients of the first. */
export function replay(
  tf: Tfjs,
  where: string,
  outputs: TfjsOutputs,
  gradients: TfjsGradients,
  loss: number,
): tfjs.Scalar {
  const again = outputsOf(where, outputs).flatMap(([name, output]) => {
    const gradient = gradients[name as DifferentiableName];
    if (gradient === undefined) return [];
    checkSameShape(where, `${name} of the second forward pass`, output.shape, gradient.shape);
    return [{ output, gradient }];
  });
  return onTape(
    tf,
    again.map(({ output }) => output),
    () => ({ loss, gradients: again.map(({ gradient }) => gradient) }),
  );
}
