/** A loss computed outside TensorFlow.js as a scalar of its tape. */
import type * as tfjs from "@tensorflow/tfjs-core";
import { liesOnHost, type Tfjs } from "./tfjs-memory.js";

/** A loss, and its gradient in each input; an absent one is zero. */
export interface Outcome {
  readonly loss: number;
  readonly gradients: readonly (tfjs.Tensor | undefined)[];
}

/**
 * The loss as a scalar of the tape, whose gradients in the inputs are those of the outcome.
 *
 * @param compute  called once, at once: a tape cannot wait. It is told whether gradients are wanted, which is whether a
 *                 tape records; tensors that it makes live until the tape has asked for them
 */
export function onTape(
  tf: Tfjs,
  inputs: readonly tfjs.Tensor[],
  compute: (gradients: boolean) => Outcome,
): tfjs.Scalar {
  if (inputs.length === 0) return tf.scalar(compute(false).loss);
  const engine = tf.engine();
  release(engine);
  const recording = engine.isTapeOn();
  const loss = tf.customGrad<tfjs.Scalar>(() => {
    const { loss, gradients } = compute(recording);
    const entry = { tape: engine.state.activeTape, gradients: gradients.filter(isTensor) };
    for (const gradient of entry.gradients) tf.keep(gradient);
    waitingOf(engine).add(entry);
    const gradFunc = (gradLoss: tfjs.Scalar): tfjs.Tensor[] => {
      const factor = liesOnHost(tf) ? gradLoss.dataSync()[0] : undefined;
      const results = inputs.map((input, at) => {
        const gradient = gradients[at];
        if (gradient === undefined) return tf.zeros(input.shape);
        // Another tensor on the same memory; a clone would copy it on WASM.
        return factor === 1 ? tf.reshape(gradient, input.shape) : tf.mul(gradient, gradLoss);
      });
      // A tape within another one is asked again.
      if (engine.state.gradientDepth === 0) drop(engine, entry);
      return results;
    };
    return { value: tf.scalar(loss), gradFunc };
  });
  return loss(...inputs);
}

type Engine = ReturnType<Tfjs["engine"]>;

/**
 * Gradients that their tape has not asked for yet. `save`, which TensorFlow.js has for them, clones, and on WASM a clone is a
 * copy. So they are kept by hand: a tape that never asks, because it failed or its result does not depend on the loss,
 * leaves them to the next call.
 */
interface Entry {
  readonly tape: unknown;
  readonly gradients: readonly tfjs.Tensor[];
}

const waiting = new WeakMap<Engine, Set<Entry>>();

function waitingOf(engine: Engine): Set<Entry> {
  const entries = waiting.get(engine) ?? new Set();
  waiting.set(engine, entries);
  return entries;
}

/** Disposes of what belongs to tapes that are over. */
function release(engine: Engine): void {
  for (const entry of waitingOf(engine)) {
    if (entry.tape !== engine.state.activeTape) drop(engine, entry);
  }
}

function drop(engine: Engine, entry: Entry): void {
  waitingOf(engine).delete(entry);
  for (const gradient of entry.gradients) gradient.dispose();
}

function isTensor(gradient: tfjs.Tensor | undefined): gradient is tfjs.Tensor {
  return gradient !== undefined;
}
