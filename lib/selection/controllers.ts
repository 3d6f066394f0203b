/** Coefficients that follow a measured quantity. They hold state and change no loss: callers pass on what they say. */
import { readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { finiteNumber, numberWithin, positiveNumber } from "../core/option-values.js";

/** State of an `AdaptiveEntropy`, plain JSON. */
export interface AdaptiveEntropyState {
  /** Marks the state. */
  readonly kind: "adaptive-entropy";
  /** Mean entropy per token to stay above, nats. */
  readonly target: number;
  /** What a step raises or lowers the coefficient by. */
  readonly delta: number;
  /** Smallest coefficient. */
  readonly min: number;
  /** Largest coefficient. */
  readonly max: number;
  /** What it has been raised and lowered to. */
  readonly coefficient: number;
  /** Whether the last entropy was at most the target: only then is the coefficient in force. */
  readonly active: boolean;
}

/** Options of an `AdaptiveEntropy`. */
export interface AdaptiveEntropyOptions {
  /** Mean entropy per token to stay above, nats, ≥ 0. Default 0.2. */
  readonly target?: number;
  /** Step of the coefficient, > 0. Default 0.005. */
  readonly delta?: number;
  /** Bounds of the coefficient, 0 ≤ min ≤ max. Defaults 0 and 1. */
  readonly min?: number;
  /** Largest coefficient, at least `min`. Default 1. */
  readonly max?: number;
  /** Coefficient at the start, within the bounds. Default `min`. */
  readonly coefficient?: number;
}

const ENTROPY_KEYS = ["target", "delta", "min", "max", "coefficient"] as const;

/**
 * An entropy bonus that is raised step by step while the policy's entropy is at most a target, and lowered while it is
 * above; above the target it is not applied at all.
 *
 * `update(entropy)` once per optimiser step, with the mean entropy of all tokens of the step; its answer is for the next.
 *
 * @see TRL grpo_trainer.py, `use_adaptive_entropy` (entropy_target 0.2, entropy_coef_delta 0.005, bounds 0 and 1);
 * Skywork-OR1 (arXiv 2505.22312)
 */
export class AdaptiveEntropy {
  /** Mean entropy per token to stay above, nats. */
  readonly target: number;
  /** What a step raises or lowers the coefficient by. */
  readonly delta: number;
  /** Smallest coefficient. */
  readonly min: number;
  /** Largest coefficient. */
  readonly max: number;
  #coefficient: number;
  #active = false;

  /** @throws PapoError ERR_ARGUMENT, ERR_RANGE */
  constructor(options: AdaptiveEntropyOptions = {}) {
    const where = "AdaptiveEntropy";
    const given = readOptions(where, options, ENTROPY_KEYS);
    const { target = 0.2, delta = 0.005, min = 0, max = 1, coefficient = min } = given;
    this.target = numberWithin(where, "target", target, 0);
    this.delta = positiveNumber(where, "delta", delta);
    this.min = numberWithin(where, "min", min, 0);
    this.max = numberWithin(where, "max", max, this.min);
    this.#coefficient = numberWithin(where, "coefficient", coefficient, this.min, this.max);
  }

  /**
   * A controller that goes on where `state` was taken.
   *
   * @throws PapoError ERR_ARGUMENT, ERR_RANGE for what is no complete state
   */
  static fromState(state: AdaptiveEntropyState): AdaptiveEntropy {
    const where = "AdaptiveEntropy.fromState";
    const given = readOptions(where, state, ["kind", ...ENTROPY_KEYS, "active"], "state");
    checkState(where, given, "adaptive-entropy", ENTROPY_KEYS);
    const { target, delta, min, max, coefficient, active } = given;
    if (typeof active !== "boolean") {
      throw expected("ERR_ARGUMENT", where, "state.active to be a boolean", describe(active));
    }
    const controller = new AdaptiveEntropy({ target, delta, min, max, coefficient });
    controller.#active = active;
    return controller;
  }

  /** Of the entropy bonus in force, ≥ 0: 0 until an entropy at or below the target was seen. */
  get coefficient(): number {
    return this.#active ? this.#coefficient : 0;
  }

  /** The same as papo's `entropyCoef`, which multiplies +H in the loss: a bonus is negative there. */
  get entropyCoef(): number {
    return this.coefficient === 0 ? 0 : -this.coefficient;
  }

  /**
   * The coefficient for the next step, after a step with this mean entropy.
   *
   * @param entropy  mean per token, nats
   * @throws PapoError ERR_ARGUMENT, ERR_RANGE for anything but a finite number
   */
  update(entropy: number): number {
    finiteNumber("AdaptiveEntropy.update", "entropy", entropy);
    this.#active = entropy <= this.target;
    const moved = this.#coefficient + (this.#active ? this.delta : -this.delta);
    this.#coefficient = Math.min(Math.max(moved, this.min), this.max);
    return this.coefficient;
  }

  /** Plain data that `fromState` takes. */
  state(): AdaptiveEntropyState {
    const { target, delta, min, max } = this;
    const [coefficient, active] = [this.#coefficient, this.#active];
    return { kind: "adaptive-entropy", target, delta, min, max, coefficient, active };
  }

  /** `state()`, for `JSON.stringify`. */
  toJSON(): AdaptiveEntropyState {
    return this.state();
  }
}

/** State of an `AdaptiveKl`, plain JSON. */
export interface AdaptiveKlState {
  /** Marks the state. */
  readonly kind: "adaptive-kl";
  /** KL to hold, nats. */
  readonly target: number;
  /** Steps over which a KL that is 20 % or more off changes the coefficient by about 20 %. */
  readonly horizon: number;
  /** Coefficient in force. */
  readonly coefficient: number;
}

/** Options of an `AdaptiveKl`. */
export interface AdaptiveKlOptions {
  /** Coefficient at the start, > 0. */
  readonly coefficient: number;
  /** KL to hold, nats, > 0. */
  readonly target: number;
  /** Steps over which a KL that is 20 % or more off changes the coefficient by about 20 %, > 0. Default 10 000. */
  readonly horizon?: number;
}

const KL_KEYS = ["coefficient", "target", "horizon"] as const;

/**
 * A KL coefficient that holds the KL at a target: coefficient ← coefficient · (1 + clip(KL/target − 1, ± 0.2) · n/horizon).
 *
 * @see Ziegler et al. (arXiv 1909.08593) §2.2; PAPO authors' core_algos.py:47; verl core_algos.py AdaptiveKLController
 */
export class AdaptiveKl {
  /** KL to hold, nats. */
  readonly target: number;
  /** Steps over which a KL that is 20 % or more off changes the coefficient by about 20 %. */
  readonly horizon: number;
  #coefficient: number;

  /** @throws PapoError ERR_ARGUMENT, ERR_RANGE */
  constructor(options: AdaptiveKlOptions) {
    const where = "AdaptiveKl";
    const given = readOptions(where, options, KL_KEYS);
    this.#coefficient = positiveNumber(where, "coefficient", given.coefficient);
    this.target = positiveNumber(where, "target", given.target);
    const { horizon = 10000 } = given;
    this.horizon = positiveNumber(where, "horizon", horizon);
  }

  /**
   * A controller that goes on where `state` was taken.
   *
   * @throws PapoError ERR_ARGUMENT, ERR_RANGE for what is no complete state
   */
  static fromState(state: AdaptiveKlState): AdaptiveKl {
    const where = "AdaptiveKl.fromState";
    const given = readOptions(where, state, ["kind", ...KL_KEYS], "state");
    checkState(where, given, "adaptive-kl", KL_KEYS);
    const { coefficient, target, horizon } = given;
    return new AdaptiveKl({ coefficient, target, horizon });
  }

  /** Of the KL term, > 0. */
  get coefficient(): number {
    return this.#coefficient;
  }

  /**
   * The coefficient for the next step, after one in which `steps` samples had this mean KL.
   *
   * @param steps  n above: PAPO and verl count sequences, 0 … horizon (more would let the coefficient change its sign)
   * @throws PapoError ERR_ARGUMENT, ERR_RANGE
   */
  update(kl: number, steps: number): number {
    const where = "AdaptiveKl.update";
    finiteNumber(where, "kl", kl);
    numberWithin(where, "steps", steps, 0, this.horizon);
    const error = Math.min(Math.max(kl / this.target - 1, -0.2), 0.2);
    this.#coefficient *= 1 + (error * steps) / this.horizon;
    return this.#coefficient;
  }

  /** Plain data that `fromState` takes. */
  state(): AdaptiveKlState {
    const { target, horizon } = this;
    return { kind: "adaptive-kl", target, horizon, coefficient: this.#coefficient };
  }

  /** `state()`, for `JSON.stringify`. */
  toJSON(): AdaptiveKlState {
    return this.state();
  }
}

/** A state without one of its numbers must not go on with the default of another run. */
function checkState<K extends string>(
  where: string,
  state: { readonly kind: unknown } & { readonly [P in K]: unknown },
  kind: string,
  numbers: readonly K[],
): void {
  if (state.kind !== kind) {
    throw expected("ERR_ARGUMENT", where, `state.kind to be "${kind}"`, describe(state.kind));
  }
  for (const name of numbers) finiteNumber(where, `state.${name}`, state[name]);
}
