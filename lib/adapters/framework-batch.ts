/** A batch whose fields may be arrays of a framework: which of them gradients are taken in, and the checks of those. */
import { checkObject, isOf, keysOf, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { showShape } from "../core/shape.js";
import type { LogitsBatch, LogProbsBatch } from "../objective/batch.js";
import type { Evaluation, EvaluationGradients } from "../objective/evaluation.js";
import { Objective } from "../objective/objective.js";
import type { RowBlockOptions } from "../objective/options.js";
import type { ObjectiveSpec } from "../objective/spec.js";

/** Logits: of [rows, vocab]. Statistics: of [rows]. In both, gradients may be taken. */
const LOGITS = ["logits", "maskedLogits"] as const;
const STATISTICS = [
  "logProbs",
  "maskedLogProbs",
  "entropy",
  "maskedEntropy",
  "kl",
  "reverseKl",
  "refKl",
  "refReverseKl",
] as const;
/** Fields with a vocabulary. */
const WIDE: readonly string[] = [...LOGITS, "refLogits"];

/** Whether a field has a vocabulary. */
export function isWide(name: string): boolean {
  return WIDE.includes(name);
}

/** A field of a batch that gradients may be taken in. */
export type DifferentiableName = (typeof LOGITS)[number] | (typeof STATISTICS)[number];

/**
 * `LogitsBatch` or `LogProbsBatch` with arrays `A` of a framework: the logits or the log-probs must be one, every other
 * field may be.
 */
export type FrameworkBatch<A> =
  | (WithArrays<Omit<LogitsBatch, "logits" | "maskedLogits" | "refLogits">, A> & {
      /** [sequences, tokens, vocab] or [rows, vocab], float32, before the temperature. */
      readonly logits: A;
      readonly maskedLogits?: A | undefined;
      readonly refLogits?: A | undefined;
    })
  | (WithArrays<Omit<LogProbsBatch, "logProbs">, A> & {
      /** [sequences, tokens] or [rows], float32. */
      readonly logProbs: A;
    });

type WithArrays<B, A> = { readonly [K in keyof B]: B[K] | A };

/** What a forward pass gives: those fields of a batch that depend on the parameters. */
export type Outputs<A> = { readonly [K in DifferentiableName]?: A | undefined };

/** The fields that a forward pass does not give. */
export type Rest<A> = Partial<
  WithArrays<Omit<LogitsBatch, "logits"> & Omit<LogProbsBatch, "logProbs">, A>
>;

/** An evaluation whose gradients went to the framework. */
export type Evaluated = Omit<Evaluation, keyof EvaluationGradients>;

/** Options of an evaluation for a framework; a gradient's scale and memory are the framework's affair. */
export type FrameworkOptions = Omit<RowBlockOptions, "gradDType" | "gradScale">;

export const FRAMEWORK_OPTIONS: readonly (keyof FrameworkOptions)[] = [
  "gradients",
  "denominators",
  "step",
  "perToken",
  "onInvalid",
  "plan",
  "seed",
  "coefficients",
];

/** What the checks look at in an array of a framework. */
export interface FrameworkArray {
  /** Sizes of the dimensions, outermost first. */
  readonly shape: readonly number[];
  /** The framework's name of the element type, such as "float32". */
  readonly dtype: string;
}

/** A framework in the words of the checks. */
export interface Framework<A extends FrameworkArray> {
  /** In messages, such as "a tf.Tensor". */
  readonly array: string;
  isArray(value: unknown): value is A;
  isAlive(array: A): boolean;
}

/** Whether a value has a mark of its framework, a shape, a dtype and some methods; false for what throws when asked. */
export function hasForm(value: unknown, mark: string, methods: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    if (!(mark in value)) return false;
    const given = value as Record<string, unknown>;
    if (!methods.every((name) => typeof given[name] === "function")) return false;
    return typeof given.dtype === "string" && Array.isArray(given.shape);
  } catch {
    return false;
  }
}

/** The fields of a batch, each read once. */
export type Fields = Readonly<Record<string, unknown>>;

/** Throws ERR_ARGUMENT for anything but an Objective. */
export function checkObjective(where: string, objective: unknown): asserts objective is Objective {
  if (isOf(Objective, objective)) return;
  const what = "an Objective, such as `objective(…).build()` gives";
  throw expected("ERR_ARGUMENT", where, what, describe(objective));
}

/** A batch with the outputs of a forward pass in it; only the fields' own names are read, as `readFields` reads them. */
export function withOutputs(batch: object, outputs: object): object {
  return { ...Object.fromEntries(Object.entries(batch)), ...outputs };
}

/** The fields of a batch, each read once, and its arrays checked: dtype and rank of those that have gradients. */
export function readFields<A extends FrameworkArray>(
  where: string,
  batch: object,
  framework: Framework<A>,
): Fields {
  checkObject(where, "the batch", batch);
  const fields = readOptions(
    where,
    batch,
    keysOf(where, batch, "the batch") as never[],
    "the batch",
  ) as Fields;
  const main = fields.logProbs === undefined ? "logits" : "logProbs";
  for (const [name, value] of Object.entries(fields)) {
    if (!framework.isArray(value) || framework.isAlive(value)) continue;
    throw expected("ERR_DISPOSED", where, `${name} to be ${framework.array}`, "a disposed one");
  }
  for (const name of [main, ...WIDE, ...STATISTICS]) {
    const value = fields[name];
    if (value === undefined && name !== main) continue;
    const wide = isWide(name);
    if (framework.isArray(value)) checkArray(where, name, value, wide);
    else if (wide || name === main) {
      throw expected("ERR_ARGUMENT", where, `${name} to be ${framework.array}`, describe(value));
    }
  }
  return fields;
}

function checkArray(where: string, name: string, array: FrameworkArray, wide: boolean): void {
  const { dtype, shape } = array;
  if (dtype !== "float32") {
    throw expected("ERR_DTYPE", where, `${name} to hold float32 (cast them)`, dtype);
  }
  const ranks = wide ? [2, 3] : [1, 2];
  if (ranks.includes(shape.length)) return;
  const what = wide
    ? "[rows, vocab] or [sequences, tokens, vocab]"
    : "[rows] or [sequences, tokens]";
  throw expected("ERR_SHAPE", where, `${name} ${what}`, showShape(shape));
}

/** The arrays among the fields that a loss has gradients in; those of a constant masked branch are not. */
export function differentiable<A extends FrameworkArray>(
  fields: Fields,
  { maskedBranch }: ObjectiveSpec,
  { isArray }: Framework<A>,
): readonly (readonly [DifferentiableName, A])[] {
  return [...LOGITS, ...STATISTICS].flatMap((name) => {
    const value = fields[name];
    const constant = maskedBranch === "constant" && name.startsWith("masked");
    // Beside logits, log-probs and statistics are constants.
    const beside = fields.logits !== undefined && !LOGITS.some((each) => each === name);
    return isArray(value) && !constant && !beside ? [[name, value] as const] : [];
  });
}

/** gradLogits of logits. */
export function gradientName(name: DifferentiableName): keyof EvaluationGradients {
  return `grad${name.charAt(0).toUpperCase()}${name.slice(1)}` as keyof EvaluationGradients;
}

/** An evaluation without its gradients. */
export function withoutGradients(evaluation: Evaluation): Evaluated {
  const rest: Record<string, unknown> = { ...evaluation };
  for (const name of [...LOGITS, ...STATISTICS]) delete rest[gradientName(name)];
  return rest as unknown as Evaluated;
}
