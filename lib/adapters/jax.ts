/**
 * `papo/jax`: objectives for jax-js, whose `vjp` takes their gradients back to the parameters.
 *
 * @module papo/jax
 */
import { checkFunction, checkObject, checkSignal, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import type { Batch } from "../objective/batch.js";
import type { Objective } from "../objective/objective.js";
import { tensor } from "../tensor/create.js";
import {
  checkObjective,
  type DifferentiableName,
  differentiable,
  type Evaluated,
  type Fields,
  FRAMEWORK_OPTIONS,
  type Framework,
  type FrameworkArray,
  type FrameworkBatch,
  type FrameworkOptions,
  gradientName,
  hasForm,
  type Outputs,
  type Rest,
  readFields,
  withOutputs,
  withoutGradients,
} from "./framework-batch.js";

export type { DifferentiableName, Evaluated };

/** What is used of a jax-js array. Using one consumes it; `ref` keeps it for another use. */
export interface JaxArray extends FrameworkArray {
  /** How many owners it has; 0 once it was consumed. */
  readonly refCount: number;
  /** Its numbers, read back; consumes the array. */
  data(): Promise<ArrayLike<number>>;
  /** Gives up one reference. */
  dispose(): void;
}

/** A `Float32Array` over memory of its own, in words that compilers before TypeScript 5.7 understand too. */
type FreshFloat32Array = ReturnType<Float32ArrayConstructor["of"]>;

/** What is used of jax-js: `import * as jax from "@jax-js/jax"`, 0.1.25 or later. */
export interface Jax<A extends JaxArray> {
  /** Forward pass and its way back, as `jax.vjp`. */
  readonly vjp: (forward: never, primals: never) => unknown;
  /** How gradients become arrays of jax-js. */
  readonly numpy: {
    /** A new array over a copy of the numbers. */
    array(values: FreshFloat32Array, options: { shape: number[] }): A;
    /** A new array of zeros. */
    zeros(shape: number[]): A;
  };
}

type Vjp<A> = <P>(
  forward: (parameters: P) => Outputs<A>,
  primals: readonly [P],
) => [Outputs<A>, ((cotangents: Outputs<A>) => [P]) & { dispose(): void }];

/** A batch whose logits (or log-probs) are a jax-js array; every other field may be one. */
export type JaxBatch<A> = FrameworkBatch<A>;

/** Options of `JaxObjective.evaluateAsync`; `valueAndGrad` takes all but `gradients`. */
export interface JaxOptions extends FrameworkOptions {
  /** An abort stops at the next block of rows and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Gradients by the name of the field; absent where the loss does not depend on it. */
export type JaxGradients<A> = { readonly [K in DifferentiableName]?: A };

/** Made by `jaxObjective`. Arrays handed over are consumed, as by any function of jax-js, also where it fails. */
export interface JaxObjective<A> {
  /**
   * Loss and gradients in the parameters: `vjp` through the forward pass, papo off the event loop, and back.
   *
   * Gradients flow through logits and, where `maskedBranch` is "differentiable", masked logits (of log-probs: through them
   * and their exact statistics). A constant masked branch belongs in `batch`, where it costs no way back.
   *
   * @param forward     the outputs that depend on the parameters, by the names that they have in a batch; may be `jit`ted
   * @param parameters  any tree of arrays
   * @param batch       the other fields
   * @returns gradients in a tree like `parameters`
   * @throws PapoError ERR_DTYPE for anything but float32, ERR_SHAPE for logits that are not [rows, vocab] or [sequences,
   *         tokens, vocab], ERR_DISPOSED, and as `Objective.evaluateAsync`
   */
  valueAndGrad<P>(
    forward: (parameters: P) => Outputs<A>,
    parameters: P,
    batch: Rest<A>,
    options?: Omit<JaxOptions, "gradients">,
  ): Promise<{
    /** Loss, terms and metrics. */
    readonly evaluation: Evaluated;
    /** d loss / d parameter, in a tree like `parameters`. */
    readonly gradients: P;
  }>;
  /** Loss, and gradients in the arrays of the batch, to hand to a `vjp` of your own. */
  evaluateAsync(
    batch: JaxBatch<A>,
    options?: JaxOptions,
  ): Promise<{
    /** Loss, terms and metrics. */
    readonly evaluation: Evaluated;
    /** d loss / d array of the batch. */
    readonly gradients: JaxGradients<A>;
  }>;
}

const JAX: Framework<JaxArray> = {
  array: "a jax-js array",
  isArray: (value): value is JaxArray => hasForm(value, "refCount", ["data", "dispose"]),
  isAlive: ({ refCount }) => refCount > 0,
};

/**
 * An objective for jax-js.
 *
 * @param jax  the library as the program imported it, after its `init()`: nothing is imported here
 * @throws PapoError ERR_ARGUMENT
 */
export function jaxObjective<A extends JaxArray>(
  jax: Jax<A>,
  objective: Objective,
): JaxObjective<A> {
  checkJax("jaxObjective", jax);
  checkObjective("jaxObjective", objective);
  const known = [...FRAMEWORK_OPTIONS, "signal"] as const;
  return Object.freeze({
    async valueAndGrad<P>(
      forward: (parameters: P) => Outputs<A>,
      parameters: P,
      batch: Rest<A>,
      options: Omit<JaxOptions, "gradients"> = {},
    ) {
      const where = "JaxObjective.valueAndGrad";
      checkFunction(where, "forward", forward);
      checkObject(where, "the batch", batch);
      const read: JaxOptions = options;
      const said = readOptions(
        where,
        read,
        known.filter((name) => name !== "gradients"),
      );
      checkSignal(where, said.signal);
      const vjp = jax.vjp as unknown as Vjp<A>;
      const [outputs, pull] = vjp(forward, [parameters]);
      try {
        // The shapes now: reading an array consumes it.
        const shapes = outputsOf(where, outputs).map(([name, { shape }]) => [name, shape] as const);
        const all = withOutputs(batch, outputs);
        const { evaluation, gradients } = await evaluate(jax, where, objective, all, said);
        const cotangents = shapes.map(([name, shape]) => [
          name,
          gradients[name as DifferentiableName] ?? jax.numpy.zeros([...shape]),
        ]);
        const [slopes] = pull(Object.fromEntries(cotangents));
        return { evaluation, gradients: slopes };
      } finally {
        pull.dispose();
      }
    },
    async evaluateAsync(batch: JaxBatch<A>, options: JaxOptions = {}) {
      const where = "JaxObjective.evaluateAsync";
      const said = readOptions(where, options, known);
      checkSignal(where, said.signal);
      return evaluate(jax, where, objective, batch, said);
    },
  });
}

async function evaluate<A extends JaxArray>(
  jax: Jax<A>,
  where: string,
  objective: Objective,
  given: object,
  options: JaxOptions,
): Promise<{ readonly evaluation: Evaluated; readonly gradients: JaxGradients<A> }> {
  checkObject(where, "the batch", given);
  const fields = fieldsOf(where, given);
  const names = differentiable(fields, objective.spec, JAX).map(([name]) => name);
  const batch = await readArrays(fields);
  // What was read is a copy that nobody else has: it takes the gradients.
  const inPlace = fields.logits !== undefined && options.gradients !== false;
  const result = await objective.evaluateAsync(batch, inPlace ? { ...options, inPlace } : options);
  const gradients: Partial<Record<DifferentiableName, A>> = {};
  for (const name of names) {
    const gradient = result[gradientName(name)];
    if (gradient === undefined) continue;
    const { data, shape } = gradient;
    const numbers = data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
    const memory = numbers as Float32Array<ArrayBuffer>;
    gradients[name] = jax.numpy.array(memory, { shape: [...shape] });
  }
  return { evaluation: withoutGradients(result), gradients };
}

/** The fields of a batch, checked; what is refused is consumed all the same. */
function fieldsOf(where: string, given: object): Fields {
  try {
    const fields = readFields(where, given, JAX);
    checkReferences(where, fields);
    return fields;
  } catch (error) {
    consume(Object.values(given));
    throw error;
  }
}

/** An array that stands in two fields is consumed twice. */
function checkReferences(where: string, fields: Fields): void {
  const uses = new Map<JaxArray, number>();
  for (const [name, value] of Object.entries(fields)) {
    if (!JAX.isArray(value)) continue;
    const used = (uses.get(value) ?? 0) + 1;
    uses.set(value, used);
    if (used <= value.refCount) continue;
    const what = `${name} to be a reference of its own (array.ref)`;
    throw expected("ERR_DISPOSED", where, what, "an array that another field has");
  }
}

function consume(values: readonly unknown[]): void {
  for (const value of values) if (JAX.isArray(value) && JAX.isAlive(value)) value.dispose();
}

/** What a forward pass gave, by name. */
function outputsOf<A extends JaxArray>(where: string, outputs: Outputs<A>): [string, A][] {
  checkObject(where, "what forward returns", outputs);
  const entries: [string, unknown][] = JAX.isArray(outputs)
    ? [["what forward returns", undefined]]
    : Object.entries(outputs);
  for (const [name, value] of entries) {
    if (JAX.isArray(value)) continue;
    consume([outputs, ...Object.values(outputs)]);
    const what = "forward to return arrays by name, such as { logits, maskedLogits }";
    throw expected("ERR_ARGUMENT", where, what, `${name}: ${describe(value)}`);
  }
  return entries as [string, A][];
}

/** A batch of papo with copies of the arrays' numbers; consumes them. */
async function readArrays(fields: Fields): Promise<Batch> {
  const read = await Promise.all(
    Object.entries(fields).map(async ([name, value]) => {
      if (!JAX.isArray(value)) return [name, value] as const;
      const { shape, dtype } = value;
      const data = await value.data();
      if (dtype !== "float32" || shape.length === 0) return [name, data] as const;
      return [name, tensor(data as Float32Array, { shape: [...shape] })] as const;
    }),
  );
  return Object.fromEntries(read) as unknown as Batch;
}

function checkJax(where: string, jax: unknown): void {
  const { vjp, numpy } = (jax ?? {}) as Partial<Record<"vjp" | "numpy", unknown>>;
  const { array, zeros } = (numpy ?? {}) as Partial<Record<"array" | "zeros", unknown>>;
  if ([vjp, array, zeros].every((each) => typeof each === "function")) return;
  const what = 'jax to be jax-js (`import * as jax from "@jax-js/jax"`)';
  throw expected("ERR_ARGUMENT", where, what, describe(jax));
}
