/** What a run is: plain JSON that decides every number of it, and its strict reading. */
import {
  type CoefficientsInput,
  Objective,
  type ObjectiveSpecInput,
  type PresetForm,
  type PresetId,
  preset,
} from "../../lib/index.js";
import { PerceptionBackoff } from "../../lib/monitor/index.js";

/** Of Adam: up to `peak` in a straight line over the first `warmUp` steps, then down in one to `final` times as much. */
export interface LearningRate {
  readonly peak: number;
  readonly warmUp: number;
  readonly final: number;
}

/** Complete: two equal ones give the same run to the bit, on one machine. */
export interface RunConfig {
  /** 0 … 2^32 − 1: of the policy's first weights, the problems, the sampling and the masks. */
  readonly seed: number;
  readonly policy: { readonly width: number; readonly layers: number; readonly heads: number };
  /** Batches of rollouts. */
  readonly batches: number;
  /** Problems in a batch. */
  readonly prompts: number;
  /** Responses to each problem. */
  readonly group: number;
  /** Optimiser steps on each batch: from the second on, the policy is no longer the one that sampled. */
  readonly minibatches: number;
  readonly learningRate: LearningRate;
  /** L2 norm of all gradients together that longer ones are scaled down to. */
  readonly maxGradNorm: number;
  /** Supervised steps before: `examples` fresh demonstrations in each. */
  readonly coldStart: {
    readonly steps: number;
    readonly examples: number;
    readonly learningRate: LearningRate;
  };
  readonly objective: {
    readonly preset: PresetId;
    readonly form: PresetForm;
    /** Keys of the preset's spec that are another. */
    readonly changes: Partial<ObjectiveSpecInput>;
    /** Coefficients that hold from a batch on, in place of the spec's; null = none. */
    readonly later: { readonly batch: number; readonly coefficients: CoefficientsInput } | null;
    /** γ, that of `later` where it is there, is lowered by `PerceptionBackoff` at the monitor's alarms. */
    readonly backoff?: true;
  };
  /** Whether groups that are all right or all wrong are left out, and others sampled for them (DAPO). */
  readonly dynamicSampling: boolean;
  readonly mask: { readonly strategy: MaskKind; readonly ratio: number };
  readonly evaluation: {
    /** Batches from one to the next. */
    readonly every: number;
    /** Held-out problems, the same for every run. */
    readonly problems: number;
    /** Responses to each: the k of avg@k. */
    readonly samples: number;
  };
}

export const MASK_KINDS = ["random", "saliency"] as const;
/** "random": each patch with probability `ratio`. "saliency": that share of the patches, those of most contrast. */
export type MaskKind = (typeof MASK_KINDS)[number];

/** PAPO-G as the paper means it, with a bound of 1 nat on the maximised KL. */
export const DEFAULT_CONFIG: RunConfig = {
  seed: 1,
  policy: { width: 64, layers: 2, heads: 4 },
  batches: 300,
  prompts: 32,
  group: 8,
  minibatches: 2,
  learningRate: { peak: 5e-4, warmUp: 20, final: 0.1 },
  maxGradNorm: 1,
  coldStart: {
    steps: 400,
    examples: 64,
    learningRate: { peak: 2e-3, warmUp: 20, final: 0.05 },
  },
  objective: {
    preset: "papo-g-7b",
    form: "corrected",
    changes: { exactKlLimit: 1 },
    later: null,
  },
  dynamicSampling: false,
  mask: { strategy: "random", ratio: 0.6 },
  evaluation: { every: 50, problems: 160, samples: 8 },
};

/** Any part of a config; what is absent is as in the config that is changed. */
export type ConfigChanges = {
  readonly [K in keyof RunConfig]?: RunConfig[K] extends object
    ? Partial<RunConfig[K]>
    : RunConfig[K];
};

/**
 * A config with some of its fields changed, checked; `objective.changes` is replaced as a whole.
 *
 * @throws Error as `checkConfig`
 */
export function configWith(changes: ConfigChanges, base: RunConfig = DEFAULT_CONFIG): RunConfig {
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(changes)) {
    const before = merged[name];
    const both = isRecord(before) && isRecord(value);
    merged[name] = both ? { ...before, ...value } : value;
  }
  return checkConfig(merged);
}

/**
 * A config from outside, every field known and there.
 *
 * @throws Error that names the field; PapoError for what is wrong in the objective
 */
export function checkConfig(value: unknown): RunConfig {
  CONFIG("config", value);
  const config = value as RunConfig;
  const { prompts, minibatches, policy } = config;
  if (minibatches > prompts) {
    throw wrong("minibatches", `at most as many as prompts (${prompts})`, minibatches);
  }
  if (policy.width % policy.heads !== 0) {
    throw wrong("policy.width", `a multiple of heads (${policy.heads})`, policy.width);
  }
  backoffOf(config);
  const { temperature } = objectiveOf(config).spec;
  if (temperature !== 1) {
    throw wrong("objective.changes.temperature", "1, at which responses are sampled", temperature);
  }
  return config;
}

/**
 * The learning rate of a step.
 *
 * @param step  from 1 to `steps`
 */
export function learningRateAt(
  { peak, warmUp, final }: LearningRate,
  step: number,
  steps: number,
): number {
  if (step < warmUp) return (peak * step) / warmUp;
  const past = steps > warmUp ? (step - warmUp) / (steps - warmUp) : 1;
  return peak * (1 - past * (1 - final));
}

/** The loss of a run. */
export function objectiveOf({ objective }: RunConfig): Objective {
  const { form, changes } = objective;
  return new Objective({ ...preset(objective.preset, { form }), ...changes });
}

/** What lowers γ at an alarm; undefined where the run has no such thing. */
export function backoffOf(config: RunConfig): PerceptionBackoff | undefined {
  const { later, backoff } = config.objective;
  if (backoff === undefined) return undefined;
  const perceptionKl =
    later?.coefficients.perceptionKl ?? objectiveOf(config).spec.perceptionKlCoef;
  if (typeof perceptionKl === "number") return new PerceptionBackoff({ perceptionKl });
  throw wrong("objective.changes.perceptionKlCoef", "a number, with backoff", perceptionKl);
}

type Check = (name: string, value: unknown) => void;
type Checks<T> = { readonly [K in keyof T]-?: Check };

const count = whole(1);
const rate = number(Number.MIN_VALUE, Number.MAX_VALUE, "a number above 0");
const finite = number(-Number.MAX_VALUE, Number.MAX_VALUE, "a number");
const object: Check = (name, value) => {
  if (!isRecord(value)) throw wrong(name, "an object", value);
};

const learningRate = fields<LearningRate>({
  peak: rate,
  warmUp: whole(0),
  final: number(0, 1, "a number from 0 to 1"),
});

const CONFIG = fields<RunConfig>({
  seed: whole(0, 2 ** 32 - 1),
  policy: fields<RunConfig["policy"]>({ width: count, layers: count, heads: count }),
  batches: whole(0),
  prompts: count,
  group: whole(2),
  minibatches: count,
  learningRate,
  maxGradNorm: rate,
  coldStart: fields<RunConfig["coldStart"]>({
    steps: whole(0),
    examples: count,
    learningRate,
  }),
  objective: fields<RunConfig["objective"]>({
    preset: text,
    form: text,
    changes: object,
    later: orNull(
      fields<NonNullable<RunConfig["objective"]["later"]>>({
        batch: count,
        coefficients: someOf<CoefficientsInput>({
          refKl: finite,
          perceptionKl: finite,
          entropy: finite,
          maskedEntropy: finite,
          sft: finite,
        }),
      }),
    ),
    backoff: (name, value) => {
      if (value !== undefined && value !== true) throw wrong(name, "true or left out", value);
    },
  }),
  dynamicSampling: (name, value) => {
    if (typeof value !== "boolean") throw wrong(name, "true or false", value);
  },
  mask: fields<RunConfig["mask"]>({
    strategy: (name, value) => {
      if (!MASK_KINDS.some((kind) => kind === value)) throw wrong(name, MASK_KINDS.join(), value);
    },
    ratio: number(0, 1, "a number from 0 to 1"),
  }),
  evaluation: fields<RunConfig["evaluation"]>({ every: count, problems: count, samples: count }),
});

/** A check of an object that has these fields, all of them and no others. */
function fields<T extends object>(checks: Checks<T>): Check {
  const some = someOf(checks);
  return (name, value) => {
    some(name, value);
    for (const [key, check] of Object.entries<Check>(checks)) {
      if (isRecord(value) && value[key] === undefined) check(within(name, key), undefined);
    }
  };
}

/** A check of an object that has none but these fields. */
function someOf<T extends object>(checks: Checks<T>): Check {
  const known = new Map(Object.entries<Check>(checks));
  return (name, value) => {
    if (!isRecord(value)) throw wrong(name, "an object", value);
    for (const [key, own] of Object.entries(value)) {
      const check = known.get(key);
      if (check === undefined) {
        const names = [...known.keys()].join(", ");
        throw new Error(`${name} has no field "${key}"; its fields are ${names}`);
      }
      if (own !== undefined) check(within(name, key), own);
    }
  };
}

function within(name: string, key: string): string {
  return name === "config" ? key : `${name}.${key}`;
}

function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  return (name, value) => {
    const fits = Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
    if (!fits) throw wrong(name, `a whole number from ${least} up`, value);
  };
}

function number(least: number, most: number, what: string): Check {
  return (name, value) => {
    if (typeof value !== "number" || !(value >= least && value <= most)) {
      throw wrong(name, what, value);
    }
  };
}

function text(name: string, value: unknown): void {
  if (typeof value !== "string") throw wrong(name, "a name", value);
}

function orNull(check: Check): Check {
  return (name, value) => {
    if (value !== null) check(name, value);
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(name: string, what: string, value: unknown): Error {
  const received = value === undefined ? "nothing" : JSON.stringify(value);
  return new Error(`expected ${name} to be ${what}, received ${received}`);
}
