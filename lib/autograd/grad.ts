/** Gradients: of a recorded loss into its leaves, or of a function as a function. */
import { describe, expected, PapoError } from "../core/errors.js";
import { showShape, sizeOf } from "../core/shape.js";
import { fillZero, gradientTensor } from "../tensor/gradient.js";
import { type Scalar, Tensor } from "../tensor/tensor.js";
import { deposit, type Sink } from "./sink.js";
import { isLeaf, type Step, stepsBack, withRecording } from "./tape.js";

/** What can be differentiated: float64, a scalar or one number per row. */
export type Differentiable = Tensor<"float64", 0 | 1>;

export interface BackwardOptions {
  /** d result / d loss: one number for all elements, or a tensor of the loss's shape. 1 if not said. */
  readonly gradLoss?: number | Differentiable;
}

export interface GradOptions {
  /** Memory for the gradients, in the order of the arguments; it is overwritten. Fresh where undefined. */
  readonly out?: readonly (Tensor | undefined)[];
}

export interface AsyncOptions {
  /** An abort stops at the next block of rows and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

type Inputs = readonly Tensor[];
/** A gradient has the shape of its argument, and its dtype or float32. */
export type Gradients<A extends Inputs> = {
  [K in keyof A]: A[K] extends Tensor<infer D, infer R> ? Tensor<D | "float32", R> : never;
};

/**
 * Gives each leaf that `loss` came from its gradient, in `leaf.grad`. Where one is there already the new one is added
 * to it, in place and in its dtype (the leaf's, or float32); if an op fails, such a gradient is left unfinished.
 *
 * @throws PapoError ERR_ARGUMENT where the loss has no history; ERR_SHAPE where it is no scalar and no `gradLoss` is
 * given; ERR_UNSUPPORTED while another backward is writing to one of the same leaves
 */
export function backward(loss: Differentiable, options: BackwardOptions = {}): void {
  checkHistory("backward", loss);
  walk("backward", loss, options.gradLoss, gatheringSink, giveToLeaves);
}

/** `backward` off the event loop. */
export async function backwardAsync(
  loss: Differentiable,
  options: BackwardOptions & AsyncOptions = {},
): Promise<void> {
  checkHistory("backwardAsync", loss);
  const { gradLoss, signal } = options;
  await walkAsync("backwardAsync", loss, gradLoss, gatheringSink, giveToLeaves, signal);
}

/**
 * A function that gives the value of `f` together with its gradient in every argument.
 * The arguments' own `grad` is left alone, and what `f` captures is constant.
 *
 * @param f  from tensors to a scalar; it sees other handles on the same memory
 */
export function valueAndGrad<A extends Inputs>(
  f: (...inputs: A) => Scalar,
  options: GradOptions = {},
): (...inputs: A) => [value: Scalar, gradients: Gradients<A>] {
  return (...inputs) => {
    const { leaves, sinkOf, gradients } = openArguments("valueAndGrad", inputs, options);
    const value = withRecording(true, () => f(...leaves));
    checkValue("valueAndGrad", value);
    walk("valueAndGrad", value, 1, sinkOf);
    return [value.alias(), gradients()];
  };
}

/** `valueAndGrad` off the event loop, of a function that may be asynchronous. */
export function valueAndGradAsync<A extends Inputs>(
  f: (...inputs: A) => Scalar | Promise<Scalar>,
  options: GradOptions & AsyncOptions = {},
): (...inputs: A) => Promise<[value: Scalar, gradients: Gradients<A>]> {
  return async (...inputs) => {
    const { leaves, sinkOf, gradients } = openArguments("valueAndGradAsync", inputs, options);
    const value = await withRecording(true, () => f(...leaves));
    checkValue("valueAndGradAsync", value);
    await walkAsync("valueAndGradAsync", value, 1, sinkOf, undefined, options.signal);
    return [value.alias(), gradients()];
  };
}

/** `valueAndGrad` without the value. */
export function grad<A extends Inputs>(
  f: (...inputs: A) => Scalar,
  options: GradOptions = {},
): (...inputs: A) => Gradients<A> {
  const both = valueAndGrad(f, options);
  return (...inputs) => both(...inputs)[1];
}

/** `valueAndGradAsync` without the value. */
export function gradAsync<A extends Inputs>(
  f: (...inputs: A) => Scalar | Promise<Scalar>,
  options: GradOptions & AsyncOptions = {},
): (...inputs: A) => Promise<Gradients<A>> {
  const both = valueAndGradAsync(f, options);
  return async (...inputs) => (await both(...inputs))[1];
}

/** Runs `f`, and what it awaits, without recording: its results have no history. */
export function noGrad<T>(f: () => T): T {
  return withRecording(false, f);
}

type SinkOf = (leaf: Tensor) => Sink | undefined;
type Finish = (sinks: ReadonlyMap<Tensor, Sink>) => void;

/** Leaves whose gradient some walk is writing: a second one would race with it for the same memory. */
const busy = new WeakSet<Tensor>();

function walk(
  where: string,
  loss: Differentiable,
  gradLoss: number | Differentiable | undefined,
  leafSink: SinkOf,
  finish?: Finish,
): void {
  const { steps, sinks, release } = begin(where, loss, gradLoss, leafSink);
  try {
    for (const { entry, cotangents, sinks } of steps()) entry.vjp(cotangents, sinks);
    finish?.(sinks);
  } finally {
    release();
  }
}

async function walkAsync(
  where: string,
  loss: Differentiable,
  gradLoss: number | Differentiable | undefined,
  leafSink: SinkOf,
  finish: Finish | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const { steps, sinks, release } = begin(where, loss, gradLoss, leafSink);
  try {
    for (const { entry, cotangents, sinks } of steps()) {
      await (entry.vjpAsync ?? entry.vjp)(cotangents, sinks, signal);
    }
    finish?.(sinks);
  } finally {
    release();
  }
}

function begin(
  where: string,
  loss: Differentiable,
  gradLoss: number | Differentiable | undefined,
  leafSink: SinkOf,
): { steps: () => Iterable<Step>; sinks: ReadonlyMap<Tensor, Sink>; release: () => void } {
  const seed = seedOf(where, loss, gradLoss);
  const sinks = new Map<Tensor, Sink>();
  const sinkOf = (tensor: Tensor): Sink | undefined => {
    const known = sinks.get(tensor);
    if (known !== undefined) return known;
    const sink = isLeaf(tensor) ? leafSink(tensor) : { buffer: undefined, accumulate: false };
    if (sink === undefined) return undefined;
    if (isLeaf(tensor)) claim(where, tensor);
    sinks.set(tensor, sink);
    return sink;
  };
  const steps = () => {
    const sink = sinkOf(loss);
    if (sink !== undefined) deposit(sink, loss, seed);
    return stepsBack(loss, sinkOf);
  };
  const release = () => {
    for (const tensor of sinks.keys()) busy.delete(tensor);
  };
  return { steps, sinks, release };
}

function claim(where: string, leaf: Tensor): void {
  if (busy.has(leaf)) {
    const message = `[${where}] another backward is writing the gradient of the same tensor: await it first`;
    throw new PapoError("ERR_UNSUPPORTED", message);
  }
  busy.add(leaf);
}

/** Of `backward`: a gradient that is there already is added to. */
function gatheringSink(leaf: Tensor): Sink {
  if (leaf.grad === undefined) return { buffer: undefined, accumulate: false };
  return { buffer: gradientTensor("backward", "grad", leaf, { out: leaf.grad }), accumulate: true };
}

function giveToLeaves(sinks: ReadonlyMap<Tensor, Sink>): void {
  for (const [tensor, { buffer }] of sinks) {
    if (buffer !== undefined && isLeaf(tensor)) tensor.grad = buffer;
  }
}

/** Handles of their own on the arguments' memory, and where their gradients go. */
function openArguments<A extends Inputs>(where: string, inputs: A, { out = [] }: GradOptions) {
  const leaves = inputs.map((input) => input.alias({ requiresGrad: true }));
  const sinks = new Map<Tensor, Sink>();
  leaves.forEach((leaf, i) => {
    const buffer = out[i] && gradientTensor(where, `out[${i}]`, leaf, { out: out[i] });
    if (buffer && out.indexOf(buffer) !== i) {
      const received = `that of out[${out.indexOf(buffer)}]`;
      throw expected("ERR_BUFFER", where, `out[${i}] to have memory of its own`, received);
    }
    sinks.set(leaf, { buffer, accumulate: false });
  });
  const gradients = () =>
    leaves.map((leaf) => {
      const { buffer, accumulate } = sinks.get(leaf) as Sink;
      if (buffer === undefined) return gradientTensor(where, "grad", leaf);
      if (!accumulate) fillZero(buffer);
      return buffer;
    }) as unknown as Gradients<A>;
  return { leaves: leaves as unknown as A, sinkOf: (leaf: Tensor) => sinks.get(leaf), gradients };
}

function seedOf(
  where: string,
  loss: Differentiable,
  gradLoss: number | Differentiable | undefined,
): Float64Array {
  const size = sizeOf(loss.shape);
  if (gradLoss instanceof Tensor) {
    if (gradLoss.dtype !== "float64" || showShape(gradLoss.shape) !== showShape(loss.shape)) {
      const what = `gradLoss to be float64 ${showShape(loss.shape)} like the loss`;
      throw expected("ERR_SHAPE", where, what, `${gradLoss.dtype} ${showShape(gradLoss.shape)}`);
    }
    return gradLoss.data.slice(0, size);
  }
  if (gradLoss === undefined && loss.shape.length !== 0) {
    throw expected("ERR_SHAPE", where, "a scalar loss, or gradLoss", showShape(loss.shape));
  }
  if (gradLoss !== undefined && typeof gradLoss !== "number") {
    throw expected(
      "ERR_ARGUMENT",
      where,
      "gradLoss to be a number or a Tensor",
      describe(gradLoss),
    );
  }
  return new Float64Array(size).fill(gradLoss ?? 1);
}

function checkHistory(where: string, loss: unknown): void {
  if (!(loss instanceof Tensor)) {
    throw expected("ERR_ARGUMENT", where, "a Tensor", describe(loss));
  }
  if (loss.dtype !== "float64" || loss.shape.length > 1) {
    const received = `${loss.dtype} ${showShape(loss.shape)}`;
    throw expected("ERR_ARGUMENT", where, "a loss of float64, a scalar or one per row", received);
  }
  if (!loss.requiresGrad) {
    const what = "a loss that came from a tensor with requiresGrad";
    throw expected("ERR_ARGUMENT", where, what, "one without history");
  }
}

function checkValue(where: string, value: unknown): asserts value is Scalar {
  if (value instanceof Tensor && value.dtype === "float64" && value.shape.length === 0) return;
  const received =
    value instanceof Tensor ? `${value.dtype} ${showShape(value.shape)}` : describe(value);
  throw expected("ERR_ARGUMENT", where, "the function to return a float64 scalar", received);
}
