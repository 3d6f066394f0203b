/** The walk back: vjps in their order, each leaf's gradient to its sink, and no two walks into one leaf. */
import { describe, expected, PapoError } from "../core/errors.js";
import { showShape, sizeOf } from "../core/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { deposit, type Sink } from "./sink.js";
import { isLeaf, type Step, stepsBack } from "./tape.js";

/** What can be differentiated: float64, a scalar or one number per row. */
export type Differentiable = Tensor<"float64", 0 | 1>;

export interface Walk {
  /** The public verb messages begin with. */
  readonly where: string;
  readonly loss: Differentiable;
  /** d result / d loss; 1 if not said, which only a scalar may leave unsaid. */
  readonly gradLoss?: number | Differentiable | undefined;
  /** Where a leaf's gradient goes; undefined for a leaf that gets none. */
  readonly sinkOfLeaf: (leaf: Tensor) => Sink | undefined;
  /** Told every sink once all gradients are there. */
  readonly finish?: (sinks: ReadonlyMap<Tensor, Sink>) => void;
}

/** Runs every vjp between the loss and its leaves. */
export function walk(options: Walk): void {
  for (const { entry, cotangents, sinks } of steps(options)) entry.vjp(cotangents, sinks);
}

/** `walk` with each op's asynchronous vjp, where it has one. */
export async function walkAsync(options: Walk, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  for (const { entry, cotangents, sinks } of steps(options)) {
    await (entry.vjpAsync ?? entry.vjp)(cotangents, sinks, signal);
  }
}

/** Leaves whose gradient some walk is writing: a second one would race with it for the same memory. */
const busy = new WeakSet<Tensor>();

/** The vjps in order. Leaves are busy from their first step until the last one, or until one throws. */
function* steps({ where, loss, gradLoss, sinkOfLeaf, finish }: Walk): Generator<Step> {
  const sinks = new Map<Tensor, Sink>();
  const sinkOf = (tensor: Tensor): Sink | undefined => {
    const known = sinks.get(tensor);
    if (known !== undefined) return known;
    const leaf = isLeaf(tensor);
    const sink = leaf ? sinkOfLeaf(tensor) : { buffer: undefined, accumulate: false };
    if (sink === undefined) return undefined;
    if (leaf) claim(where, tensor);
    sinks.set(tensor, sink);
    return sink;
  };
  loss.hostData(where, "the loss");
  const seed = seedOf(where, loss, gradLoss);
  try {
    const sink = sinkOf(loss);
    if (sink !== undefined) deposit(sink, loss, seed);
    yield* stepsBack(loss, sinkOf);
    finish?.(sinks);
  } finally {
    for (const tensor of sinks.keys()) busy.delete(tensor);
  }
}

function claim(where: string, leaf: Tensor): void {
  if (busy.has(leaf)) {
    const message = `[${where}] another backward is writing the gradient of the same tensor: await it first`;
    throw new PapoError("ERR_UNSUPPORTED", message);
  }
  busy.add(leaf);
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
    return gradLoss.hostData(where, "gradLoss").slice(0, size);
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
