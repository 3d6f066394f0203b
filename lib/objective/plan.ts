/** How a block of logits becomes statistics, terms and gradients: the only fusion decision, and its two outcomes. */
import { expected } from "../core/errors.js";
import { newLines, STATISTICS, TERMS } from "../ops/lines.js";
import { type PapoLossResult, papoLoss, papoLossAsync } from "../ops/papo-loss.js";
import {
  type TokenLogits,
  type TokenStatsResult,
  tokenStats,
  tokenStatsAsync,
} from "../ops/token-stats.js";
import { tokenStatsGrad, tokenStatsGradAsync } from "../ops/token-stats-grad.js";
import { fillZero } from "../tensor/gradient.js";
import { type AlgebraArgs, type AlgebraResult, objectiveOfStatistics } from "./algebra.js";
import type { GradientMemory } from "./gradient-memory.js";
import type { PlanChoice } from "./options.js";

/** `fused` is one op over the logits; `composed` is statistics, objective and gradients one after the other. */
export type Plan = "fused" | "composed";

/**
 * Fused where one op knows all of the objective, unless rows may be skipped: then the weights of all rows depend on
 * which rows are usable, which only a first pass over the logits can tell.
 *
 * @param because  the part of the objective that the fused op does not know, where there is one
 * @throws PapoError ERR_UNSUPPORTED, saying why, where "fused" is asked for and cannot be
 */
export function choosePlan(
  where: string,
  choice: PlanChoice,
  skip: boolean,
  because?: string,
): Plan {
  const reason = skip ? 'onInvalid "skip"' : because;
  if (reason !== undefined && choice === "fused") {
    throw expected("ERR_UNSUPPORTED", where, `plan "composed" with ${reason}`, '"fused"');
  }
  if (choice === "auto") return reason === undefined ? "fused" : "composed";
  return choice;
}

/** A block of rows, ready to run. */
export interface PlanArgs
  extends TokenLogits,
    Omit<AlgebraArgs, "statistics" | "responseMask" | "where">,
    GradientMemory {
  readonly maskedLogProbs: Float64Array | undefined;
  readonly gradScale: number;
  readonly gradients: boolean;
  /** Statistics only: the algebra needs rows that are not here yet. */
  readonly statisticsOnly: boolean;
  /**
   * With onInvalid "skip": takes the rows that were found unusable, [rows] of 0 and 1, and gives the mask and weights
   * that hold without them. Absent with "error".
   */
  readonly withoutInvalid:
    | ((invalid: Int32Array) => Pick<PlanArgs, "responseMask" | "weights" | "entropyWeights">)
    | undefined;
}

export interface PlanResult extends PapoLossResult {
  /** As AlgebraResult; absent where the fused op ran, whose ratio is that of the token. */
  readonly ratios?: Float64Array;
}

/** Runs a plan on this thread (and the pool's). */
export function runPlan(plan: Plan, args: PlanArgs): PlanResult {
  if (args.tokenIds.length === 0) return nothing();
  if (plan === "fused") return papoLoss(args);
  const { statistics, args: usable } = withObjective(args, tokenStats(statsArgs(args)));
  const { cotangents, ...result } = algebra(usable, statistics);
  if (cotangents) tokenStatsGrad({ ...usable, statistics, cotangents, accumulate: false });
  return { statistics, ...result };
}

/** The same off the event loop; an abort rejects with the signal's reason. */
export async function runPlanAsync(
  plan: Plan,
  args: PlanArgs,
  signal: AbortSignal | undefined,
): Promise<PlanResult> {
  if (args.tokenIds.length === 0) return nothing();
  if (plan === "fused") return papoLossAsync(args, signal);
  const stats = await tokenStatsAsync(statsArgs(args), signal);
  const { statistics, args: usable } = withObjective(args, stats);
  const { cotangents, ...result } = algebra(usable, statistics);
  if (cotangents) {
    const call = { ...usable, statistics, cotangents, accumulate: false };
    await tokenStatsGradAsync(call, signal);
  }
  return { statistics, ...result };
}

function algebra(args: PlanArgs, statistics: Float64Array): AlgebraResult {
  if (!args.statisticsOnly) return objectiveOfStatistics({ ...args, statistics });
  const rows = args.tokenIds.length;
  const [terms, ratios] = [newLines(TERMS, rows), new Float64Array(rows)];
  return { terms, ratios, cotangents: undefined };
}

function nothing(): PlanResult {
  return { statistics: newLines(STATISTICS, 0), terms: newLines(TERMS, 0) };
}

function statsArgs(args: PlanArgs) {
  const onInvalid = args.withoutInvalid ? ("skip" as const) : ("error" as const);
  return { ...args, onInvalid };
}

/** Between statistics and objective: constant masked log-probs take their line, unusable rows leave. */
function withObjective(args: PlanArgs, { statistics, invalid }: TokenStatsResult) {
  const rows = args.tokenIds.length;
  if (args.maskedLogProbs) {
    statistics.set(args.maskedLogProbs, STATISTICS.indexOf("maskedLogProbs") * rows);
  }
  if (invalid === undefined || args.withoutInvalid === undefined) return { statistics, args };
  for (let row = 0; row < rows; row++) {
    if (invalid[row] === 0) continue;
    for (let k = 0; k < STATISTICS.length; k++) statistics[k * rows + row] = 0;
  }
  // The caller's mask counts these rows, so their gradients may hold anything, and the op will leave them alone.
  if (args.gradsZeroed && invalid.includes(1)) {
    for (const gradient of [args.gradLogits, args.gradMaskedLogits]) {
      if (gradient) fillZero(gradient, invalid);
    }
  }
  return { statistics, args: { ...args, ...args.withoutInvalid(invalid) } };
}
