/** How a block of logits becomes statistics, terms and gradients: the only fusion decision, and its two outcomes. */
import { expected, PapoError } from "../core/errors.js";
import { COTANGENTS, line, newLines, STATISTICS, TERMS } from "../ops/lines.js";
import { type PapoLossResult, papoLoss, papoLossAsync } from "../ops/papo-loss.js";
import {
  type TokenLogits,
  type TokenStatsArgs,
  type TokenStatsResult,
  tokenStats,
  tokenStatsAsync,
} from "../ops/token-stats.js";
import {
  type TokenStatsGradArgs,
  tokenStatsGrad,
  tokenStatsGradAsync,
} from "../ops/token-stats-grad.js";
import { fillZero, fillZeroAsync } from "../tensor/gradient.js";
import type { Logits, Tensor } from "../tensor/tensor.js";
import { type AlgebraArgs, type AlgebraResult, objectiveOfStatistics } from "./algebra.js";
import { isExact } from "./coefficients.js";
import type { GradientMemory } from "./gradient-memory.js";
import type { PlanChoice } from "./options.js";
import type { TermWeights } from "./weights.js";

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
    Omit<AlgebraArgs, "statistics" | "responseMask" | "where" | "refKl">,
    GradientMemory {
  readonly maskedLogProbs: Float64Array | undefined;
  /** Of the reference; its log-probs or exact KL take the place of `refLogProbs`. */
  readonly refLogits: Logits | undefined;
  readonly gradScale: number;
  readonly gradients: boolean;
  /** Statistics only: the algebra needs rows that are not here yet. */
  readonly statisticsOnly: boolean;
  /**
   * With onInvalid "skip": takes the rows that were found unusable, [rows] of 0 and 1, and gives the mask and weights
   * that hold without them. Absent with "error".
   */
  readonly withoutInvalid: ((invalid: Int32Array) => MaskAndWeights) | undefined;
}

/** What follows from the rows that count. */
export type MaskAndWeights = Pick<PlanArgs, "responseMask" | "ofKept" | keyof TermWeights>;

export interface PlanResult extends PapoLossResult {
  /** Of the algebra; absent where the fused op ran, or statistics only. */
  readonly ratios?: Float64Array;
  readonly selected?: AlgebraResult["selected"];
  /** [rows] of the reference's logits: log-probs, or the exact KL where that is the estimator. */
  readonly reference?: Float64Array | undefined;
}

/** Runs a plan on this thread (and the pool's). */
export function runPlan(plan: Plan, args: PlanArgs): PlanResult {
  if (args.tokenIds.length === 0) return nothing();
  if (plan === "fused") return papoLoss(args);
  const steps = composed(args);
  let step = steps.next();
  while (!step.done) step = steps.next(walk(step.value));
  return step.value;
}

/** The same off the event loop; an abort rejects with the signal's reason. */
export async function runPlanAsync(
  plan: Plan,
  args: PlanArgs,
  signal: AbortSignal | undefined,
): Promise<PlanResult> {
  if (args.tokenIds.length === 0) return nothing();
  if (plan === "fused") return papoLossAsync(args, signal);
  const steps = composed(args);
  let step = steps.next();
  while (!step.done) step = steps.next(await walkAsync(step.value, signal));
  return step.value;
}

function nothing(): PlanResult {
  return { statistics: newLines(STATISTICS, 0), terms: newLines(TERMS, 0) };
}

/** One walk over the logits: down to statistics, which are answered, or up to gradients. Or rows of gradients to clear. */
interface Walk {
  readonly stats?: TokenStatsArgs;
  readonly grad?: TokenStatsGradArgs;
  /** Whether the second set of logits is the reference's. */
  readonly toReference?: boolean;
  readonly clear?: Cleared;
}

interface Cleared {
  readonly where: string;
  readonly name: string;
  readonly gradient: Tensor;
  /** Those that do not hold 0 here. */
  readonly rows: Int32Array;
}

function walk({ stats, grad, toReference, clear }: Walk): TokenStatsResult | undefined {
  try {
    if (clear) fillZero(clear.where, clear.name, clear.gradient, clear.rows);
    if (grad) tokenStatsGrad(grad);
    return stats && tokenStats(stats);
  } catch (error) {
    throw toReference ? inOurWords(error) : error;
  }
}

async function walkAsync(
  { stats, grad, toReference, clear }: Walk,
  signal: AbortSignal | undefined,
): Promise<TokenStatsResult | undefined> {
  try {
    if (clear) await fillZeroAsync(clear.where, clear.name, clear.gradient, clear.rows, signal);
    if (grad) await tokenStatsGradAsync(grad, signal);
    return stats && (await tokenStatsAsync(stats, signal));
  } catch (error) {
    throw toReference ? inOurWords(error) : error;
  }
}

/** The ops call every second set of logits maskedLogits. */
function inOurWords(error: unknown): unknown {
  if (!(error instanceof PapoError)) return error;
  const { code, row, message } = error;
  const named = message.replaceAll("maskedLogits", "refLogits");
  return new PapoError(code, named, { cause: error, ...(row === undefined ? {} : { row }) });
}

/** The composed plan as the walks that it consists of, with the algebra between them. */
function* composed(given: PlanArgs): Generator<Walk, PlanResult, TokenStatsResult | undefined> {
  const onInvalid = given.withoutInvalid ? ("skip" as const) : ("error" as const);
  const own = (yield { stats: { onInvalid, ...given } }) as TokenStatsResult;
  const { refLogits } = given;
  let pair: TokenStatsResult | undefined;
  if (refLogits) {
    const stats = { onInvalid, ...given, maskedLogits: refLogits };
    pair = (yield { stats, toReference: true }) as TokenStatsResult;
  }
  const args = usable(given, own, pair);
  const { statistics } = own;
  const { refKlEstimator } = args.spec;
  const exact = isExact(refKlEstimator) ? KL_LINES[refKlEstimator] : undefined;
  const reference = pair && line(pair.statistics, STATISTICS, exact ?? "maskedLogProbs");
  if (args.statisticsOnly) {
    return { statistics, terms: newLines(TERMS, args.tokenIds.length), reference };
  }
  const ofReference = reference && { [exact ? "refKl" : "refLogProbs"]: reference };
  const result = objectiveOfStatistics({ statistics, ...args, ...ofReference });
  const { terms, cotangents, ratios, selected, refSlopes } = result;
  if (cotangents) yield { grad: { statistics, cotangents, accumulate: false, ...args } };
  if (cotangents && pair && exact && refSlopes && args.attributes.refKlCoef !== 0) {
    const ofPair = newLines(COTANGENTS, refSlopes.length);
    line(ofPair, COTANGENTS, exact).set(refSlopes);
    const walk = { ...args, maskedLogits: refLogits, gradMaskedLogits: undefined };
    const { statistics } = pair;
    const grad = { statistics, cotangents: ofPair, accumulate: true, ...walk };
    yield { grad, toReference: true };
  }
  for (const clear of unusableRows(args, own.invalid)) yield { clear };
  return { statistics, terms, ratios, selected, reference };
}

/** The statistic that an exact estimator of the KL to another policy is. */
const KL_LINES = { exact: "kl", "exact-reverse": "reverseKl" } as const;

/** Between statistics and objective: constant masked log-probs take their line, unusable rows leave. */
function usable(
  args: PlanArgs,
  { statistics, invalid }: TokenStatsResult,
  reference: TokenStatsResult | undefined,
): PlanArgs {
  const rows = args.tokenIds.length;
  if (args.maskedLogProbs) {
    statistics.set(args.maskedLogProbs, STATISTICS.indexOf("maskedLogProbs") * rows);
  }
  if (invalid === undefined || args.withoutInvalid === undefined) return args;
  for (let row = 0; row < rows; row++) {
    if (reference?.invalid?.[row] === 1) invalid[row] = 1;
    if (invalid[row] === 0) continue;
    for (let k = 0; k < STATISTICS.length; k++) {
      statistics[k * rows + row] = 0;
      if (reference) reference.statistics[k * rows + row] = 0;
    }
  }
  return { ...args, ...args.withoutInvalid(invalid) };
}

/** Gradients of rows that the caller's mask counts may hold anything, and the ops leave them alone: they are to be cleared. */
function unusableRows(args: PlanArgs, rows: Int32Array | undefined): readonly Cleared[] {
  if (!args.gradsZeroed || args.withoutInvalid === undefined || !rows?.includes(1)) return [];
  const { where, gradLogits, gradMaskedLogits } = args;
  return Object.entries({ gradLogits, gradMaskedLogits }).flatMap(([name, gradient]) =>
    gradient === undefined ? [] : [{ where, name, gradient, rows }],
  );
}
