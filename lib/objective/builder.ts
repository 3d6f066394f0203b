/** The fluent way to an objective: every step returns a new builder, none changes one. */
import type { EmptySequences, Reduction } from "../functional/row-weights.js";
import type { KlEstimator } from "../ops/token-objective.js";
import type { RolloutCorrectionInput } from "../rollout/rules.js";
import { Objective } from "./objective.js";
import { ownValues } from "./plain-object.js";
import { type PresetForm, type PresetId, preset } from "./presets.js";
import type { Coefficient } from "./schedule.js";
import {
  type EntropyEstimator,
  type EntropyReduction,
  type MaskedBranch,
  type ObjectiveSpec,
  type ObjectiveSpecInput,
  type RefKlEstimator,
  readSpecValue,
  type SpecKey,
  validateSpec,
} from "./spec.js";
import type {
  AdvantageShaping,
  EntropyAnnealing,
  EntropyBounds,
  OffPolicyMask,
  PartInput,
  PerceptionWeighting,
  PolicyTokenMask,
  TokenMask,
} from "./spec-parts.js";
import type { SurrogateInput } from "./surrogate-spec.js";

const WHERE = "objective";

/** Clip bounds of the importance ratio; what is absent stays as it was. */
export interface ClipOptions {
  /** ε below: the ratio is held at 1 − low; a fraction of one. */
  readonly low?: number;
  /** ε above: the ratio is held at 1 + high; a fraction of one. */
  readonly high?: number;
  /** 0 switches the dual clip off. */
  readonly dual?: number;
}

/** The term of the KL to the reference; what is absent stays as it was. */
export interface RefKlOptions {
  /** β, added. */
  readonly coef?: Coefficient;
  /** The exact ones need the reference's logits, or exact KLs with log-probs. */
  readonly estimator?: RefKlEstimator;
}

/** The perception term; what is absent stays as it was. */
export interface PerceptionKlOptions {
  /** γ, subtracted. */
  readonly coef?: Coefficient;
  /** Which estimator, of the sampled token or exact. */
  readonly estimator?: KlEstimator;
  /** Bound on the exact KL, nats; null = none. */
  readonly exactLimit?: number | null;
  /** Bounds on a token's value, nats; null = none. */
  readonly min?: number | null;
  /** Upper bound on a token's value, nats; null = none. */
  readonly max?: number | null;
  /** Weights of sequences; all but "all" need accuracies. */
  readonly weighting?: PerceptionWeighting;
  /** A sequence with an accuracy above it is correct. */
  readonly correctThreshold?: number;
  /** Of incorrect sequences with "accuracy-weighted". */
  readonly incorrectWeight?: number;
  /** The term on its top tokens; null = on all. */
  readonly tokenMask?: PartInput<TokenMask> | null;
}

/** The two entropy terms; what is absent stays as it was. */
export interface EntropyOptions {
  /** η of the policy's entropy, added. */
  readonly coef?: Coefficient;
  /** η of the masked policy's entropy, added. */
  readonly maskedCoef?: Coefficient;
  /** Of both entropies. */
  readonly estimator?: EntropyEstimator;
  /** Both as hinges; null = plain. */
  readonly bounds?: PartInput<EntropyBounds> | null;
  /** Whether the coefficients follow the schedule of the perception term. */
  readonly annealing?: EntropyAnnealing;
}

/** What is done with the surrogate of each token; null switches a part off. */
export interface PolicyOptions {
  /** The surrogate on its top tokens. */
  readonly tokenMask?: PartInput<PolicyTokenMask> | null;
  /** Factors of the advantages; null = none. */
  readonly advantageShaping?: PartInput<AdvantageShaping> | null;
  /** Sequences that push no token down; null = none. */
  readonly offPolicyMask?: OffPolicyMask | null;
  /** Importance weights where another engine sampled; null = none. */
  readonly rolloutCorrection?: RolloutCorrectionInput | null;
}

/** The supervised term on correct sequences; what is absent stays as it was. */
export interface SftOptions {
  /** Of −log-prob, added. */
  readonly coef?: Coefficient;
  /** A sequence with an accuracy above it is correct; the same number as that of the perception term. */
  readonly correctThreshold?: number;
}

/** How terms become scalars; what is absent stays as it was. */
export interface ReduceOptions {
  /** How both entropies are reduced. */
  readonly entropy?: EntropyReduction;
  /** Whether a sequence without a counted token is divided by. */
  readonly emptySequences?: EmptySequences;
  /** Added to every token count that is divided by; 0 or more. */
  readonly epsilon?: number;
}

/** Bounds, nats, with gradient 0 where one binds; what is absent stays as it was. */
export interface LimitOptions {
  /** On every log-prob difference before exp; above 0, at most 700. */
  readonly logRatio?: number;
  /** null = none. */
  readonly kl?: number | null;
  /** null = none. */
  readonly exactKl?: number | null;
}

/**
 * An objective in the making. Frozen: every method returns a new builder and checks what it was given at once;
 * only what depends on two keys, such as a dual clip above 1 + clipHigh, is checked by `spec()` and `build()`.
 */
export class ObjectiveBuilder {
  readonly #given: ObjectiveSpecInput;

  /**
   * Use `objective()`.
   *
   * @internal
   */
  constructor(given: ObjectiveSpecInput) {
    this.#given = { ...given };
    Object.freeze(this);
  }

  /** The policy-gradient loss, by name or with parameters. */
  surrogate(surrogate: SurrogateInput): ObjectiveBuilder {
    return this.#set({ surrogate });
  }

  /** Which tokens the surrogate has, and its weights and advantages. */
  policy(options: PolicyOptions): ObjectiveBuilder {
    return this.#with("the policy options", options, {
      tokenMask: "policyTokenMask",
      advantageShaping: "advantageShaping",
      offPolicyMask: "offPolicyMask",
      rolloutCorrection: "rolloutCorrection",
    });
  }

  /** −log-prob of the tokens of correct sequences, added. */
  sft(options: SftOptions): ObjectiveBuilder {
    return this.#with("the sft options", options, {
      coef: "sftCoef",
      correctThreshold: "correctThreshold",
    });
  }

  /** Bounds of the importance ratio and the dual clip. */
  clip(options: ClipOptions): ObjectiveBuilder {
    return this.#with("the clip options", options, {
      low: "clipLow",
      high: "clipHigh",
      dual: "clipDual",
    });
  }

  /** The KL to the reference policy, added. */
  refKl(options: RefKlOptions): ObjectiveBuilder {
    return this.#with("the refKl options", options, {
      coef: "refKlCoef",
      estimator: "refKlEstimator",
    });
  }

  /** The KL between the seeing and the masked policy, subtracted. */
  perceptionKl(options: PerceptionKlOptions): ObjectiveBuilder {
    return this.#with("the perceptionKl options", options, {
      coef: "perceptionKlCoef",
      estimator: "perceptionKlEstimator",
      exactLimit: "exactKlLimit",
      min: "perceptionKlMin",
      max: "perceptionKlMax",
      weighting: "perceptionWeighting",
      correctThreshold: "correctThreshold",
      incorrectWeight: "incorrectWeight",
      tokenMask: "perceptionTokenMask",
    });
  }

  /** Both entropies, added. */
  entropy(options: EntropyOptions): ObjectiveBuilder {
    return this.#with("the entropy options", options, {
      coef: "entropyCoef",
      maskedCoef: "maskedEntropyCoef",
      estimator: "entropyEstimator",
      bounds: "entropyBounds",
      annealing: "entropyAnnealing",
    });
  }

  /** Whether gradient flows into the masked policy. */
  maskedBranch(branch: MaskedBranch): ObjectiveBuilder {
    return this.#set({ maskedBranch: branch });
  }

  /** How per-token values become one scalar. */
  reduce(reduction: Reduction, options: ReduceOptions = {}): ObjectiveBuilder {
    return this.#set({ reduction }).#with("the reduce options", options, {
      entropy: "entropyReduction",
      emptySequences: "emptySequences",
      epsilon: "denominatorEpsilon",
    });
  }

  /** What logits are divided by. */
  temperature(temperature: number): ObjectiveBuilder {
    return this.#set({ temperature });
  }

  /** Bounds that keep ratio and estimators finite, nats. */
  limits(options: LimitOptions): ObjectiveBuilder {
    return this.#with("the limits", options, {
      logRatio: "logRatioLimit",
      kl: "klLimit",
      exactKl: "exactKlLimit",
    });
  }

  /** The objective as plain JSON data, complete. */
  spec(): ObjectiveSpec {
    return validateSpec(this.#given, WHERE);
  }

  /** The objective, ready to be evaluated. */
  build(): Objective {
    return new Objective(this.spec());
  }

  #with<O extends object>(
    what: string,
    options: O,
    keys: { readonly [P in keyof Required<O> & string]: SpecKey },
  ): ObjectiveBuilder {
    const names = Object.keys(keys) as (keyof O & string)[];
    const given: Partial<Record<SpecKey, unknown>> = {};
    for (const [name, value] of ownValues(WHERE, what, options, names)) given[keys[name]] = value;
    return this.#set(given);
  }

  #set(given: Partial<Record<SpecKey, unknown>>): ObjectiveBuilder {
    const checked: Partial<Record<SpecKey, unknown>> = { ...this.#given };
    for (const [key, value] of Object.entries(given) as [SpecKey, unknown][]) {
      checked[key] = readSpecValue(WHERE, key, value);
    }
    return new ObjectiveBuilder(checked as ObjectiveSpecInput);
  }
}

/**
 * Starts an objective: from the defaults (PPO's clip, token mean, every other term off), from a preset, or from a spec.
 *
 *     objective("papo-g-7b").refKl({ coef: 0.02 }).build()
 *
 * @param start         the name of a preset, or any part of an ObjectiveSpec
 * @param options.form  of the preset: "authors" (default) or "corrected"
 * @throws PapoError ERR_ARGUMENT for unknown names, keys and words, ERR_RANGE for numbers outside their range
 */
export function objective(
  start?: PresetId | ObjectiveSpecInput,
  options?: { readonly form?: PresetForm },
): ObjectiveBuilder {
  if (typeof start === "string") return new ObjectiveBuilder(preset(start, options));
  ownValues(WHERE, "the options of an objective that starts from no preset", options ?? {}, []);
  return new ObjectiveBuilder(start === undefined ? {} : validateSpec(start, WHERE));
}
