/** The op `papo_loss`: statistics, objective and gradients in one pass over the logits. */
import type { Tensor } from "../tensor/tensor.js";
import { innerLines, linesTensor, STATISTICS, TERMS } from "./lines.js";
import { type OpCall, RepeatedOp, rowsTensor, runOp, runOpAsync } from "./run-op.js";
import type { ObjectiveRows } from "./token-objective.js";
import type { TokenLogits } from "./token-stats.js";

export interface PapoLossArgs extends TokenLogits, ObjectiveRows {
  /** [rows], constants, instead of `maskedLogits`. */
  readonly maskedLogProbs?: Float64Array | undefined;
  /** Where the gradients go, if they are wanted; see `gradientTensor`. */
  readonly gradLogits?: Tensor | undefined;
  readonly gradMaskedLogits?: Tensor | undefined;
  /** Multiplies the gradients before they are rounded to their dtype. */
  readonly gradScale: number;
  /** Rows with mask 0 hold zeros in both gradients already: they are not written. false. */
  readonly gradsZeroed?: boolean | undefined;
}

export interface PapoLossResult {
  /** [8, rows], lines STATISTICS. */
  readonly statistics: Float64Array;
  /** [12, rows], lines TERMS; `lossOfTerms` adds them up. */
  readonly terms: Float64Array;
}

export function papoLoss(args: PapoLossArgs): PapoLossResult {
  const { call, result } = prepare(args);
  runOp(call);
  return result;
}

export async function papoLossAsync(
  args: PapoLossArgs,
  signal?: AbortSignal,
): Promise<PapoLossResult> {
  const { call, result } = prepare(args);
  await runOpAsync(call, signal);
  return result;
}

/** The same op for memory that stays where it is, `result` too; what is in it is read at each run. */
export function repeatedPapoLoss(args: PapoLossArgs, result: PapoLossResult): RepeatedOp {
  return new RepeatedOp(callOf(args, result));
}

function prepare(args: PapoLossArgs): { call: OpCall; result: PapoLossResult } {
  const { rows } = args.logits;
  const result = { statistics: innerLines(STATISTICS, rows), terms: innerLines(TERMS, rows) };
  return { call: callOf(args, result), result };
}

function callOf(args: PapoLossArgs, result: PapoLossResult): OpCall {
  const { where, temperature, gradScale, gradsZeroed = false, attributes } = args;
  return {
    op: "papoLoss",
    where,
    inputs: {
      logits: args.logits.toNative(where, "logits"),
      maskedLogits: args.maskedLogits?.toNative(where, "maskedLogits"),
      maskedLogProbs: rowsTensor(args.maskedLogProbs),
      tokenIds: rowsTensor(args.tokenIds),
      responseMask: rowsTensor(args.responseMask),
      oldLogProbs: rowsTensor(args.oldLogProbs),
      refLogProbs: rowsTensor(args.refLogProbs),
      advantages: rowsTensor(args.advantages),
      weights: rowsTensor(args.weights),
      entropyWeights: rowsTensor(args.entropyWeights),
      perceptionWeights: rowsTensor(args.perceptionWeights),
    },
    outputs: {
      statistics: linesTensor(result.statistics, STATISTICS),
      terms: linesTensor(result.terms, TERMS),
      gradLogits: args.gradLogits?.toNative(where, "gradLogits"),
      gradMaskedLogits: args.gradMaskedLogits?.toNative(where, "gradMaskedLogits"),
    },
    attributes: { temperature, gradScale, gradsZeroed, ...attributes },
  };
}
