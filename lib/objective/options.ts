/** What an evaluation may be told beside its batch, and the checks of it. */
import { checkSignal, flag, readOptions } from "../core/arguments.js";
import { describe, expected } from "../core/errors.js";
import { checkGradDType } from "../functional/logits.js";
import { type Denominators, readDenominators } from "../functional/row-weights.js";
import type { Tensor } from "../tensor/tensor.js";
import { type CoefficientsInput, readCoefficients } from "./coefficients.js";
import { checkSeed } from "./random.js";
import { checkStep } from "./schedule.js";

/** Which ops compute a batch of logits; "auto" is right unless the two are to be compared. */
export type PlanChoice = "auto" | "fused" | "composed";

/** Options of one evaluation that do not name memory. */
export interface RowBlockOptions {
  /** Whether gradients are computed; true. Without them the logits are only read, once. */
  readonly gradients?: boolean | undefined;
  /** Gradients in float32 where the logits are float16 or bfloat16; the logits' dtype if absent. */
  readonly gradDType?: "float32" | undefined;
  /** Multiplies gradients (not the loss) before they are rounded to their dtype: loss scaling for float16. 1. */
  readonly gradScale?: number | undefined;
  /** Counts of the whole batch where this call sees a part of it. */
  readonly denominators?: Denominators | undefined;
  /** Number of updates already made; required where a coefficient is a schedule. */
  readonly step?: number | undefined;
  /** Whether `tokens` is returned; false. */
  readonly perToken?: boolean | undefined;
  /**
   * What an unusable counted row (NaN, +Infinity or only −Infinity in its logits) does: "error" (the default) throws and
   * names the first; "skip" treats such rows as if their mask were 0, which changes this batch's own denominators too.
   */
  readonly onInvalid?: "error" | "skip" | undefined;
  /** Which ops compute a batch of logits; "auto" (the default) is right unless the two are to be compared. */
  readonly plan?: PlanChoice | undefined;
  /** Of what the objective draws at random, an integer in 0…2^32 − 1; required where it draws (surrogate "clip-cov"). */
  readonly seed?: number | undefined;
  /** Coefficients of this evaluation in place of the spec's, such as an adaptive controller gives; no step is needed for them. */
  readonly coefficients?: CoefficientsInput | undefined;
}

/** Options of `evaluate`. */
export interface EvaluateOptions extends RowBlockOptions {
  /** Where the gradient is written: the shape and device of the logits, any pitch, their dtype or float32. */
  readonly gradLogits?: Tensor | undefined;
  /** The same; filled with zeros where the masked branch is constant. */
  readonly gradMaskedLogits?: Tensor | undefined;
  /**
   * Writes the gradients over the logits, and those of the masked branch, where it is differentiable, over the masked
   * logits. Saves one or two tensors of [rows, vocab]. The logits are consumed: after the call, also after one that
   * failed or was aborted half-way, they are not logits any more.
   */
  readonly inPlace?: boolean | undefined;
  /**
   * The memory given for gradients is zero already where the mask is 0: those rows are then neither read nor written,
   * so that padding costs nothing. Rows that count are overwritten as ever, and may hold anything before. It is so with
   * memory that was made zero, or that the last batch of the same mask left behind. Fresh memory needs no such word.
   */
  readonly gradsZeroed?: boolean | undefined;
}

/** Options of `evaluateAsync`. */
export interface EvaluateAsyncOptions extends EvaluateOptions {
  /** An abort stops at the next block of rows and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `bind`: those of `evaluate`, but for the step, which is each run's own, and for ways to compute. */
export type BindOptions = Omit<
  EvaluateOptions,
  "step" | "coefficients" | "onInvalid" | "plan" | "seed"
>;

/** Options of one run of a bound evaluation. */
export interface BoundRunOptions extends Pick<RowBlockOptions, "step" | "coefficients"> {
  /** In place of that of `bind`, in this run. */
  readonly gradScale?: number | undefined;
  /** In place of those of `bind`, in this run. */
  readonly denominators?: Denominators | undefined;
}

/** Options of one run off the event loop. */
export interface BoundRunAsyncOptions extends BoundRunOptions {
  /** An abort stops at the next block of rows and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** RowBlockOptions with every default filled in. */
export interface ResolvedOptions {
  readonly gradients: boolean;
  readonly gradDType: "float32" | undefined;
  readonly gradScale: number;
  readonly denominators: Denominators;
  readonly step: number | undefined;
  readonly perToken: boolean;
  readonly skip: boolean;
  readonly plan: PlanChoice;
  readonly seed: number | undefined;
  readonly coefficients: CoefficientsInput | undefined;
}

const BLOCK_KEYS: readonly (keyof RowBlockOptions)[] = [
  "gradients",
  "gradDType",
  "gradScale",
  "denominators",
  "step",
  "perToken",
  "onInvalid",
  "plan",
  "seed",
  "coefficients",
];

const MEMORY_KEYS = ["gradLogits", "gradMaskedLogits", "inPlace", "gradsZeroed"] as const;

/** The options of `begin`; throws ERR_ARGUMENT for unknown ones. */
export function readBlockOptions(where: string, options: RowBlockOptions): RowBlockOptions {
  return readOptions(where, options, BLOCK_KEYS);
}

/** The options of `evaluate` or, with `signal`, of `evaluateAsync`. */
export function readEvaluateOptions(
  where: string,
  options: EvaluateAsyncOptions,
  more: readonly "signal"[] = [],
): EvaluateAsyncOptions {
  const given = readOptions(where, options, [...BLOCK_KEYS, ...MEMORY_KEYS, ...more]);
  checkSignal(where, given.signal);
  return given;
}

const BIND_KEYS = [
  "gradients",
  "gradDType",
  "gradScale",
  "denominators",
  "perToken",
  ...MEMORY_KEYS,
] as const;

/** The options of `bind`. */
export function readBindOptions(where: string, options: BindOptions): BindOptions {
  return readOptions(where, options, BIND_KEYS);
}

const RUN_KEYS = ["step", "coefficients", "gradScale", "denominators"] as const;

/** The options of a run, its numbers checked, and of `runAsync`, with `signal`. */
export function readRunOptions(
  where: string,
  options: BoundRunAsyncOptions,
  more: readonly "signal"[] = [],
): BoundRunAsyncOptions {
  const given = readOptions(where, options, [...RUN_KEYS, ...more]);
  const { step, coefficients, gradScale, signal } = given;
  if (step !== undefined) checkStep(where, step);
  if (gradScale !== undefined) checkGradScale(where, gradScale);
  checkSignal(where, signal);
  if (coefficients === undefined) return given;
  return { ...given, coefficients: readCoefficients(where, coefficients) };
}

/**
 * Checks options that were read already and fills in defaults.
 *
 * @throws PapoError ERR_ARGUMENT for wrong kinds, ERR_RANGE for numbers outside their range
 */
export function resolveOptions(where: string, options: RowBlockOptions): ResolvedOptions {
  const { gradScale = 1, gradDType, step, seed, coefficients, denominators = {} } = options;
  checkGradScale(where, gradScale);
  checkGradDType(where, gradDType);
  if (step !== undefined) checkStep(where, step);
  if (seed !== undefined) checkSeed(where, seed);
  return {
    gradients: flag(where, "gradients", options.gradients, true),
    gradDType,
    gradScale,
    denominators: readDenominators(where, denominators),
    step,
    perToken: flag(where, "perToken", options.perToken, false),
    skip: word(where, "onInvalid", options.onInvalid, ["error", "skip"]) === "skip",
    plan: word(where, "plan", options.plan, ["auto", "fused", "composed"]),
    seed,
    coefficients: coefficients === undefined ? undefined : readCoefficients(where, coefficients),
  };
}

function checkGradScale(where: string, gradScale: unknown): void {
  if (typeof gradScale === "number" && Number.isFinite(gradScale)) return;
  throw expected("ERR_RANGE", where, "gradScale to be a finite number", describe(gradScale));
}

/** One of a few words, the first of which is the default. */
function word<T extends string>(
  where: string,
  name: string,
  value: unknown,
  words: readonly [T, ...T[]],
): T {
  if (value === undefined) return words[0];
  const known = words.find((candidate) => candidate === value);
  if (known !== undefined) return known;
  const list = words.map((candidate) => `"${candidate}"`).join(", ");
  throw expected("ERR_ARGUMENT", where, `${name} to be one of ${list}`, describe(value));
}
