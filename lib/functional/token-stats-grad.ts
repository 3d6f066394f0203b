/** The gradients of one part's logits, from those of the statistics of the whole vocabulary. */
import {
  checkObject,
  checkSignal,
  checkText,
  flag,
  keysOf,
  readOptions,
} from "../core/arguments.js";
import type { LogitsDType } from "../core/dtype.js";
import { describe, expected, PapoError } from "../core/errors.js";
import { COTANGENTS, type CotangentName, line, newLines } from "../ops/lines.js";
import { tokenStatsFinish } from "../ops/token-stats-finish.js";
import {
  type TokenStatsGradArgs,
  tokenStatsGrad as tokenStatsGradOp,
  tokenStatsGradAsync as tokenStatsGradOpAsync,
} from "../ops/token-stats-grad.js";
import { freshIsZero } from "../tensor/fresh.js";
import { disposeAll, fillZero, fillZeroAsync, gradientTensor } from "../tensor/gradient.js";
import { overlapOf } from "../tensor/overlap.js";
import type { Logits, Tensor } from "../tensor/tensor.js";
import { type NumbersInput, numberRows } from "./inputs.js";
import { checkGradDType } from "./logits.js";
import {
  shardArgs,
  statesOf,
  type TokenStates,
  type TokenStatsPartialOptions,
} from "./token-states.js";
import { usableRows } from "./token-stats.js";

/** d loss / d statistic, each [rows]; what is absent is 0. An evaluation of a batch of log-probs holds them by these names. */
export interface StatisticsGradients {
  /** In the log-probs of the policy. */
  readonly gradLogProbs?: NumbersInput | undefined;
  /** In the log-probs of the masked policy. */
  readonly gradMaskedLogProbs?: NumbersInput | undefined;
  /** In the exact entropy of the policy. */
  readonly gradEntropy?: NumbersInput | undefined;
  /** In the exact entropy of the masked policy. */
  readonly gradMaskedEntropy?: NumbersInput | undefined;
  /** In KL(policy ‖ masked policy). */
  readonly gradKl?: NumbersInput | undefined;
  /** In KL(masked policy ‖ policy). */
  readonly gradReverseKl?: NumbersInput | undefined;
}

export interface TokenStatsGradOptions extends TokenStatsPartialOptions {
  /** Of the whole vocabulary, as `mergeTokenStats` gives them. */
  readonly states: TokenStates;
  /** What is carried back: d loss / d statistic of every row; constant. */
  readonly gradients: StatisticsGradients;
  /** "differentiable" (default), or "constant": no gradient in the masked logits. That of the objective. */
  readonly maskedBranch?: "constant" | "differentiable" | undefined;
  /** As to `finishTokenStats`. */
  readonly onInvalid?: "error" | "skip" | undefined;
  /** Dtype of gradients for which no memory is given: that of the logits (default), or float32. */
  readonly gradDType?: "float32" | undefined;
  /** Memory for the gradient: the shape of the logits, any pitch, their dtype or float32. The logits themselves are allowed. */
  readonly gradLogits?: Tensor | undefined;
  /** The same for the masked logits. */
  readonly gradMaskedLogits?: Tensor | undefined;
  /**
   * The memory given is zero already where the mask is 0: those rows are then neither read nor written. Not over the
   * logits. false.
   */
  readonly gradsZeroed?: boolean | undefined;
}

/** Of this part's columns, in the shape of its logits and on their device. */
export interface LogitsGradients {
  /** d loss / d logits of the policy. */
  readonly gradLogits: Tensor<LogitsDType, 2 | 3>;
  /** Absent without masked logits and for a constant masked branch. */
  readonly gradMaskedLogits?: Tensor<LogitsDType, 2 | 3>;
}

const OPTIONS = [
  "logits",
  "maskedLogits",
  "tokenIds",
  "responseMask",
  "temperature",
  "vocabOffset",
  "vocabTotal",
  "states",
  "gradients",
  "maskedBranch",
  "onInvalid",
  "gradDType",
  "gradLogits",
  "gradMaskedLogits",
  "gradsZeroed",
] as const;

const NAMES: Readonly<Record<CotangentName, keyof StatisticsGradients>> = {
  logProbs: "gradLogProbs",
  maskedLogProbs: "gradMaskedLogProbs",
  entropy: "gradEntropy",
  maskedEntropy: "gradMaskedEntropy",
  kl: "gradKl",
  reverseKl: "gradReverseKl",
};

/** What else an evaluation holds, which is no gradient. */
const EVALUATION = ["loss", "terms", "coefficients", "metrics", "tokens", "skippedRows"];

/**
 * The gradients of the columns that are here, each logit read once; no other part is needed for them.
 *
 * `tokenStatsPartial` shows the whole way. All parts together give what one call with the whole vocabulary would.
 *
 * @returns fresh memory where none was given; an error leaves memory that was given as it was
 * @throws PapoError as `tokenStatsPartial` and `finishTokenStats`; ERR_ARGUMENT for gradients by other names;
 *         ERR_NOT_FINITE where a gradient of a counted row is not finite, or not 0 for an infinite KL
 */
export function tokenStatsGrad(options: TokenStatsGradOptions): LogitsGradients {
  const where = "tokenStatsGrad";
  const { call, result, fresh, unusable } = prepare(where, readOptions(where, options, OPTIONS));
  try {
    tokenStatsGradOp(call);
    if (unusable) {
      for (const [name, gradient] of Object.entries(result)) {
        fillZero(where, name, gradient, unusable);
      }
    }
  } catch (error) {
    disposeAll(fresh);
    throw error;
  }
  return result;
}

/**
 * `tokenStatsGrad` off the event loop; logits and gradients must be left alone until it settles. After an abort of a call that
 * runs, memory given for gradients holds nothing of use.
 */
export async function tokenStatsGradAsync(
  options: TokenStatsGradOptions & { readonly signal?: AbortSignal | undefined },
): Promise<LogitsGradients> {
  const where = "tokenStatsGradAsync";
  const { signal, ...given } = readOptions(where, options, [...OPTIONS, "signal"]);
  checkSignal(where, signal);
  const { call, result, fresh, unusable } = prepare(where, given);
  try {
    await tokenStatsGradOpAsync(call, signal);
    if (unusable) {
      for (const [name, gradient] of Object.entries(result)) {
        await fillZeroAsync(where, name, gradient, unusable, signal);
      }
    }
  } catch (error) {
    disposeAll(fresh);
    throw error;
  }
  return result;
}

interface Prepared {
  readonly call: TokenStatsGradArgs;
  readonly result: LogitsGradients;
  /** Memory that nobody else knows: to be let go of if the call fails. */
  readonly fresh: readonly Tensor[];
  /** Rows that the caller's mask counts, so that memory given may hold anything there, and that the op leaves alone. */
  readonly unusable: Int32Array | undefined;
}

/** Checks everything that can be checked before memory is made. */
function prepare(where: string, options: TokenStatsGradOptions): Prepared {
  const { maskedBranch = "differentiable", onInvalid = "error", gradDType } = options;
  const said = flag(where, "gradsZeroed", options.gradsZeroed, false);
  if (maskedBranch !== "differentiable" && maskedBranch !== "constant") {
    const what = 'maskedBranch to be "constant" or "differentiable"';
    throw expected("ERR_ARGUMENT", where, what, describe(maskedBranch));
  }
  checkText(where, "onInvalid", onInvalid);
  checkGradDType(where, gradDType);
  const shard = shardArgs(where, options);
  const { logits, maskedLogits } = shard;
  const differentiable = maskedLogits !== undefined && maskedBranch === "differentiable";
  if (options.gradMaskedLogits !== undefined && !differentiable) {
    const what = "gradMaskedLogits only with maskedLogits in a differentiable branch";
    throw expected("ERR_ARGUMENT", where, what, maskedLogits ? "a constant one" : "none");
  }
  const isGiven = options.gradLogits !== undefined || options.gradMaskedLogits !== undefined;
  if (said && !isGiven) {
    throw expected("ERR_ARGUMENT", where, "gradsZeroed only with memory for gradients", "none");
  }
  const { rows } = logits;
  const states = statesOf(where, "states", options.states, rows);
  const hasMasked = maskedLogits !== undefined;
  const { statistics, invalid } = tokenStatsFinish({ ...shard, states, hasMasked, onInvalid });
  const responseMask = usableRows(shard.responseMask, invalid);
  const given = readGradients(where, options.gradients);
  checkBranch(where, given, maskedLogits && maskedBranch);
  const cotangents = cotangentsOf(where, given, rows, responseMask);

  const fresh: Tensor[] = [];
  const memory = (name: "gradLogits" | "gradMaskedLogits", of: Logits) => {
    const out = options[name];
    // Beside memory that is zero where rows do not count, fresh memory is too.
    const how = { out, dtype: gradDType, inPlace: true, overwritten: !said };
    const gradient = gradientTensor(where, name, of, how);
    if (out === undefined) fresh.push(gradient);
    else if (said && overlapOf(where, of, out) !== "none") {
      throw expected(
        "ERR_ARGUMENT",
        where,
        `either ${name} over its logits or gradsZeroed`,
        "both",
      );
    }
    return gradient as Tensor<LogitsDType, 2 | 3>;
  };
  try {
    const gradLogits = memory("gradLogits", logits);
    const result = differentiable
      ? { gradLogits, gradMaskedLogits: memory("gradMaskedLogits", maskedLogits) }
      : { gradLogits };
    const gradsZeroed = said || (!isGiven && freshIsZero(logits.device));
    const unusable = said && invalid?.includes(1) ? invalid : undefined;
    const settings = { gradScale: 1, accumulate: false, gradsZeroed };
    const call = { ...shard, responseMask, statistics, cotangents, ...settings, ...result };
    return { call, result, fresh, unusable };
  } catch (error) {
    disposeAll(fresh);
    throw error;
  }
}

/** A gradient that nothing here would receive is a mistake about the branch. */
function checkBranch(
  where: string,
  given: readonly GivenGradient[],
  branch: "constant" | "differentiable" | undefined,
): void {
  if (branch === "differentiable") return;
  const foreign: readonly CotangentName[] = ["maskedLogProbs", "maskedEntropy"];
  const nowhere = branch === "constant" ? foreign : [...foreign, "kl", "reverseKl"];
  const stray = given.find(([name]) => nowhere.includes(name));
  if (stray === undefined) return;
  const needs = branch === "constant" ? "in a differentiable branch" : "with maskedLogits";
  const what = `gradients.${NAMES[stray[0]]} only ${needs}`;
  throw expected("ERR_ARGUMENT", where, what, branch ? "it in a constant one" : "it without them");
}

type GivenGradient = readonly [CotangentName, NumbersInput];

/** [6, rows], lines COTANGENTS. */
function cotangentsOf(
  where: string,
  given: readonly GivenGradient[],
  rows: number,
  mask: Int32Array | undefined,
): Float64Array {
  const cotangents = newLines(COTANGENTS, rows);
  for (const [name, value] of given) {
    const values = numberRows(where, `gradients.${NAMES[name]}`, value, rows);
    const row = values.findIndex((x, i) => !Number.isFinite(x) && mask?.[i] !== 0);
    if (row >= 0) {
      const what = `gradients.${NAMES[name]}[${row}] to be finite`;
      const message = `[${where}] expected ${what}, received ${values[row]}`;
      throw new PapoError("ERR_NOT_FINITE", message, { row });
    }
    line(cotangents, COTANGENTS, name).set(values);
  }
  return cotangents;
}

/** Those that were given, each read once. */
function readGradients(where: string, gradients: StatisticsGradients): readonly GivenGradient[] {
  checkObject(where, "gradients", gradients);
  const names = Object.values(NAMES);
  const only = `gradients to hold only ${names.join(", ")}`;
  const known: readonly string[] = [...names, ...EVALUATION];
  const unknown = keysOf(where, gradients, "gradients").find((key) => !known.includes(key));
  if (unknown !== undefined) throw expected("ERR_ARGUMENT", where, only, describe(unknown));
  const given: GivenGradient[] = [];
  for (const name of COTANGENTS) {
    const value = gradients[NAMES[name]];
    if (value !== undefined) given.push([name, value]);
  }
  if (given.length > 0) return given;
  throw expected("ERR_ARGUMENT", where, `gradients to hold some of ${names.join(", ")}`, "none");
}
