/** Adam with a bound on the gradient's norm, on all weights of a policy as one vector. */
import * as tf from "@tensorflow/tfjs-core";
import type { Policy } from "../policy/index.js";

/** Decay of the first and the second moment, and what is added to its root (arXiv 1412.6980). */
const [BETA1, BETA2, EPSILON] = [0.9, 0.99, 1e-8];

/** The optimiser as numbers; with the weights, all that a resumed run needs. */
export interface Moments {
  /** [size] */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Updates made. */
  readonly updates: number;
}

export interface Minimized {
  readonly loss: number;
  /** L2 norm of the gradient, before it was bounded. */
  readonly gradNorm: number;
}

/**
 * Adam. tf.train.adam is not used: its bias correction, a running product, comes back as a power after a restart, so that
 * a resumed run would differ from one without a break in the last bits.
 */
export class Optimizer {
  readonly #policy: Policy;
  readonly #weights: Float32Array;
  readonly #first: Float32Array;
  readonly #second: Float32Array;
  #updates = 0;

  constructor(policy: Policy, moments?: Moments) {
    this.#policy = policy;
    this.#weights = policy.weights().slice();
    this.#first = moments?.first.slice() ?? new Float32Array(policy.size);
    this.#second = moments?.second.slice() ?? new Float32Array(policy.size);
    this.#updates = moments?.updates ?? 0;
  }

  get moments(): Moments {
    return { first: this.#first, second: this.#second, updates: this.#updates };
  }

  /**
   * One step down the gradient of a loss that is computed on the tape.
   *
   * @throws Error where the gradient is not finite; the policy is then as it was
   */
  minimize(loss: () => tf.Scalar, learningRate: number, maxGradNorm: number): Minimized {
    const { value, grads } = tf.variableGrads(loss, [...this.#policy.variables]);
    const gradient = this.#flat(grads);
    const measured = value.dataSync()[0] ?? Number.NaN;
    tf.dispose([value, grads] as tf.TensorContainer);
    const gradNorm = clipNorm(gradient, maxGradNorm);
    if (!Number.isFinite(gradNorm)) {
      throw new Error(`expected a finite gradient, received one of norm ${gradNorm}`);
    }
    this.#step(gradient, learningRate);
    this.#policy.setWeights(this.#weights);
    return { loss: measured, gradNorm };
  }

  /** Gradients of all variables, in their order; 0 where a loss does not depend on one. */
  #flat(grads: tf.NamedTensorMap): Float32Array {
    const gradient = new Float32Array(this.#policy.size);
    let at = 0;
    for (const { name, size } of this.#policy.variables) {
      const own = grads[name];
      if (own) gradient.set(own.dataSync(), at);
      at += size;
    }
    return gradient;
  }

  #step(gradient: Float32Array, learningRate: number): void {
    const [weights, first, second] = [this.#weights, this.#first, this.#second];
    this.#updates++;
    const rate = learningRate / (1 - BETA1 ** this.#updates);
    const correction = 1 / (1 - BETA2 ** this.#updates);
    for (let i = 0; i < gradient.length; i++) {
      const slope = gradient[i] as number;
      const mean = BETA1 * (first[i] as number) + (1 - BETA1) * slope;
      const square = BETA2 * (second[i] as number) + (1 - BETA2) * slope * slope;
      first[i] = mean;
      second[i] = square;
      weights[i] =
        (weights[i] as number) - (rate * mean) / (Math.sqrt(square * correction) + EPSILON);
    }
  }
}

/** Scales a gradient down, in place, to an L2 norm of at most `most`; gives the norm that it had. */
export function clipNorm(gradient: Float32Array, most: number): number {
  const norm = Math.sqrt(gradient.reduce((sum, slope) => sum + slope * slope, 0));
  if (!(norm > most)) return norm;
  for (let i = 0; i < gradient.length; i++) gradient[i] = (gradient[i] as number) * (most / norm);
  return norm;
}
