/** Gradients: of a recorded loss into its leaves, or of a function as a function. */

import { checkFunction, checkSignal, flag, readOptions } from "../core/arguments.js";
import { listLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { showShape } from "../core/shape.js";
import { fillZero, fillZeroAsync, gradientTensor } from "../tensor/gradient.js";
import { type Scalar, Tensor } from "../tensor/tensor.js";
import type { Sink } from "./sink.js";
import { isLeaf, withRecording } from "./tape.js";
import { type Differentiable, type Walk, walk, walkAsync } from "./walk.js";

export type { Differentiable };

/** Options of `backward`. */
export interface BackwardOptions {
  /** d result / d loss: one number for all elements, or a tensor of the loss's shape. 1 if not said. */
  readonly gradLoss?: number | Differentiable;
}

/** Options of `grad` and `valueAndGrad`. */
export interface GradOptions {
  /**
   * Memory for the gradients, in the order of the arguments; it is overwritten, and holds nothing of use where the way back
   * fails or is aborted. Fresh where undefined.
   */
  readonly out?: readonly (Tensor | undefined)[];
  /**
   * The memory in `out` is all zero already. Rows that the function masks are then not touched at all, and of padding
   * no page is. false.
   */
  readonly gradsZeroed?: boolean | undefined;
}

/** What every asynchronous form takes besides. */
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
  const where = "backward";
  const { gradLoss } = readOptions(where, options, ["gradLoss"]);
  checkHistory(where, loss);
  walk({ where, loss, gradLoss, ...GATHERING });
}

/** `backward` off the event loop. */
export async function backwardAsync(
  loss: Differentiable,
  options: BackwardOptions & AsyncOptions = {},
): Promise<void> {
  const where = "backwardAsync";
  const { gradLoss, signal } = readOptions(where, options, ["gradLoss", "signal"]);
  checkSignal(where, signal);
  checkHistory(where, loss);
  await walkAsync({ where, loss, gradLoss, ...GATHERING }, signal);
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
  return differentiate("valueAndGrad", f, options);
}

/** `valueAndGrad` off the event loop, of a function that may be asynchronous. */
export function valueAndGradAsync<A extends Inputs>(
  f: (...inputs: A) => Scalar | Promise<Scalar>,
  options: GradOptions & AsyncOptions = {},
): (...inputs: A) => Promise<[value: Scalar, gradients: Gradients<A>]> {
  return differentiateAsync("valueAndGradAsync", f, options);
}

/** `valueAndGrad` without the value. */
export function grad<A extends Inputs>(
  f: (...inputs: A) => Scalar,
  options: GradOptions = {},
): (...inputs: A) => Gradients<A> {
  const both = differentiate("grad", f, options);
  return (...inputs) => both(...inputs)[1];
}

/** `valueAndGradAsync` without the value. */
export function gradAsync<A extends Inputs>(
  f: (...inputs: A) => Scalar | Promise<Scalar>,
  options: GradOptions & AsyncOptions = {},
): (...inputs: A) => Promise<Gradients<A>> {
  const both = differentiateAsync("gradAsync", f, options);
  return async (...inputs) => (await both(...inputs))[1];
}

/** Runs `f`, and what it awaits, without recording: its results have no history. */
export function noGrad<T>(f: () => T): T {
  checkFunction("noGrad", "f", f);
  return withRecording(false, f);
}

function differentiate<A extends Inputs>(
  where: string,
  f: (...inputs: A) => Scalar,
  options: GradOptions,
): (...inputs: A) => [value: Scalar, gradients: Gradients<A>] {
  checkFunction(where, "f", f);
  const given = readOptions(where, options, ["out", "gradsZeroed"]);
  checkOut(where, given);
  return (...inputs) => {
    const { leaves, sinkOfLeaf, stale, gradients } = openArguments(where, inputs, given);
    const loss = withRecording(true, () => f(...leaves));
    checkValue(where, loss);
    walk({ where, loss, sinkOfLeaf });
    for (const { name, buffer } of stale()) fillZero(where, name, buffer);
    return [loss.alias(), gradients()];
  };
}

function differentiateAsync<A extends Inputs>(
  where: string,
  f: (...inputs: A) => Scalar | Promise<Scalar>,
  options: GradOptions & AsyncOptions,
): (...inputs: A) => Promise<[value: Scalar, gradients: Gradients<A>]> {
  checkFunction(where, "f", f);
  const { signal, ...given } = readOptions(where, options, ["out", "gradsZeroed", "signal"]);
  checkOut(where, given);
  checkSignal(where, signal);
  return async (...inputs) => {
    const { leaves, sinkOfLeaf, stale, gradients } = openArguments(where, inputs, given);
    const loss = await withRecording(true, () => f(...leaves));
    checkValue(where, loss);
    await walkAsync({ where, loss, sinkOfLeaf }, signal);
    for (const { name, buffer } of stale()) {
      await fillZeroAsync(where, name, buffer, undefined, signal);
    }
    return [loss.alias(), gradients()];
  };
}

/** Of `backward`: a gradient that is there already is added to, and all are left in their leaves. */
const GATHERING: Pick<Walk, "sinkOfLeaf" | "finish"> = {
  sinkOfLeaf: (leaf) => {
    if (leaf.grad === undefined) return { buffer: undefined, accumulate: false };
    const buffer = gradientTensor("backward", "grad", leaf, { out: leaf.grad });
    return { buffer, accumulate: true };
  },
  finish: (sinks) => {
    for (const [tensor, { buffer }] of sinks) {
      if (buffer !== undefined && isLeaf(tensor)) tensor.grad = buffer;
    }
  },
};

/** Handles of their own on the arguments' memory, and where their gradients go. */
function openArguments<A extends Inputs>(
  where: string,
  inputs: A,
  { out = [], gradsZeroed: zeroed = false }: GradOptions,
) {
  const leaves = inputs.map((input, i) => {
    if (!(input instanceof Tensor)) {
      throw expected("ERR_ARGUMENT", where, `argument ${i} to be a Tensor`, describe(input));
    }
    if (input.dtype === "int32") {
      const what = `argument ${i} to be a Tensor of floating-point numbers`;
      throw expected("ERR_DTYPE", where, what, input.dtype);
    }
    input.toNative(where, `argument ${i}`);
    return input.alias({ requiresGrad: true });
  });
  const sinks = new Map<Tensor, Sink>();
  // Read once, and no further than there are arguments.
  const memory = leaves.map((_, i) => out[i]);
  leaves.forEach((leaf, i) => {
    const given = memory[i];
    const buffer =
      given === undefined ? undefined : gradientTensor(where, `out[${i}]`, leaf, { out: given });
    if (buffer && memory.indexOf(buffer) !== i) {
      const received = `that of out[${memory.indexOf(buffer)}]`;
      throw expected("ERR_BUFFER", where, `out[${i}] to have memory of its own`, received);
    }
    sinks.set(leaf, { buffer, accumulate: false, zeroed: zeroed && buffer !== undefined });
  });
  const sinkOf = (leaf: Tensor) => sinks.get(leaf) as Sink;
  /** Memory given for gradients that no op wrote to. */
  const stale = () =>
    leaves.flatMap((leaf, i) => {
      const { buffer, accumulate } = sinkOf(leaf);
      if (buffer === undefined || accumulate || zeroed) return [];
      return [{ name: `out[${i}]`, buffer }];
    });
  const gradients = () =>
    leaves.map(
      (leaf) => sinkOf(leaf).buffer ?? gradientTensor(where, "grad", leaf),
    ) as unknown as Gradients<A>;
  return {
    leaves: leaves as unknown as A,
    sinkOfLeaf: (leaf: Tensor) => sinks.get(leaf),
    stale,
    gradients,
  };
}

/** More than any engine passes to a function. */
const MOST_ARGUMENTS = 2 ** 16;

function checkOut(where: string, { out, gradsZeroed }: GradOptions): void {
  const length = out === undefined ? 0 : listLength(out);
  if (length === undefined) {
    throw expected("ERR_ARGUMENT", where, "out to be an array of Tensors", describe(out));
  }
  // Holes take their time, too: an array of the largest length kept this busy for minutes.
  if (length > MOST_ARGUMENTS) {
    const what = `out for at most ${MOST_ARGUMENTS} arguments`;
    throw expected("ERR_ARGUMENT", where, what, describe(out));
  }
  const said = flag(where, "gradsZeroed", gradsZeroed, false);
  // Its length was read; a proxy may say another one next time.
  const isGiven = Array.from({ length }, (_, i) => out?.[i]).some((given) => given !== undefined);
  if (said && !isGiven) {
    throw expected("ERR_ARGUMENT", where, "gradsZeroed only with memory in out", "none");
  }
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
