/** The op papo_loss in float64, and the whole loss around it: layout, reductions, metrics, gradients. */
import { checkObject, numbersOf } from "../core/arguments.js";
import { arrayLength } from "../core/arrays.js";
import { describe, expected } from "../core/errors.js";
import { checkArray, countedRows } from "./checks.js";
import { type ObjectiveNumbers, objectiveNumbers } from "./objective-numbers.js";
import { readOnce } from "./read-once.js";
import { type Denominators, type Layout, rowWeights, sequenceOffsets } from "./reduction.js";
import { CLIP } from "./surrogate.js";
import {
  lossOfToken,
  type TokenCotangents,
  type TokenTerms,
  tokenObjective,
} from "./token-objective.js";
import { type LogitsInput, type TokenStats, tokenStats } from "./token-stats.js";
import { type CotangentName, tokenStatsGrad } from "./token-stats-grad.js";

/** What the loss knows of every token beside its statistics; all constant for gradients. */
export interface TokenData extends Omit<Layout, "rows"> {
  /** [rows] log-probs under the policy that sampled, nats; the policy is its own old policy where absent. */
  readonly oldLogProbs?: ArrayLike<number> | undefined;
  /** [rows] log-probs under the reference policy, nats. */
  readonly refLogProbs?: ArrayLike<number> | undefined;
  /** [rows] or [sequences], already normalised; read as [rows] where the two are equally many. */
  readonly advantages?: ArrayLike<number> | undefined;
  /** [rows] of 0 and 1. */
  readonly responseMask?: ArrayLike<number> | undefined;
  /** [rows] not negative, weight of the perception term in the loss, in the place of the reduction's. */
  readonly perceptionWeights?: ArrayLike<number> | undefined;
  /** Counts of a larger batch, of which this one is a part. */
  readonly denominators?: Denominators | undefined;
}

/** The loss from the statistics of its tokens on. */
export interface ObjectiveOfStatisticsOptions extends TokenData, Partial<ObjectiveNumbers> {
  /** Each [rows], nats; those that no term with a coefficient uses may be absent. */
  readonly statistics: Readonly<Partial<Record<CotangentName, ArrayLike<number> | undefined>>>;
}

/** The loss from the logits on. */
export interface PapoLossOptions extends TokenData, LogitsInput, Partial<ObjectiveNumbers> {
  /** Logits are divided by it first; 1 by default. */
  readonly temperature?: number;
  /** [rows] of 0 and 1; rows with 0 are not read. */
  readonly responseMask?: ArrayLike<number> | undefined;
  /** [rows] nats, log-probs of the sampled tokens with the image masked, as constants instead of masked logits. */
  readonly maskedLogProbs?: ArrayLike<number> | undefined;
  /** Factor of the gradients (not of the loss), 1 by default. */
  readonly gradScale?: number | undefined;
  /** What an unusable row does: "error" by default, or "skip": as if its mask were 0. */
  readonly onInvalid?: "error" | "skip" | undefined;
}

/** Each term after its reduction, without its coefficient. */
export interface ReducedTerms {
  /** The clipped policy-gradient loss. */
  readonly surrogate: number;
  /** KL to the reference, by its estimator, nats. */
  readonly refKl: number;
  /** KL between the policy and the masked one, by its estimator, nats; the loss subtracts it. */
  readonly perceptionKl: number;
  /** Entropy of the policy, by its estimator, nats. */
  readonly entropy: number;
  /** Entropy of the masked policy, by its estimator, nats. */
  readonly maskedEntropy: number;
}

/** Token means over this batch's own counted tokens. */
export interface LossMetrics {
  /** Fraction of tokens held at the lower bound. */
  readonly clipFractionLow: number;
  /** Fraction of tokens held at the upper bound. */
  readonly clipFractionHigh: number;
  /** Fraction of tokens held by the dual clip. */
  readonly clipFractionDual: number;
  /** Mean of old − new log-prob within the limit of the log-ratio, nats. */
  readonly approxKl: number;
}

/** What `objectiveOfStatistics` gives. */
export interface ObjectiveOfStatistics {
  /** What is minimised. */
  readonly loss: number;
  /** Each term after its reduction, without its coefficient. */
  readonly terms: ReducedTerms;
  /** Token means over this batch's own counted tokens. */
  readonly metrics: LossMetrics;
  /** Every token's terms, [rows] each. */
  readonly tokenTerms: TokenTerms;
  /** ∂loss/∂statistic of every token, [rows] each. */
  readonly cotangents: TokenCotangents;
  /** [rows] weight of surrogate and divergences. */
  readonly weights: Float64Array;
  /** [rows] weight of the entropies. */
  readonly entropyWeights: Float64Array;
}

/** What `papoLoss` gives. */
export interface PapoLoss extends ObjectiveOfStatistics {
  /** Every token's statistics, [rows] each. */
  readonly tokens: TokenStats;
  /** [rows, vocabSize] without pitch. */
  readonly gradLogits: Float64Array;
  /** The same; all 0 where the masked branch is constant, absent without masked logits. */
  readonly gradMaskedLogits: Float64Array | undefined;
}

/**
 * Loss, terms, metrics and cotangents from per-token statistics.
 *
 * @throws PapoError as `tokenObjective`; ERR_ARGUMENT where a term has a coefficient and lacks its input
 */
export function objectiveOfStatistics(
  options: ObjectiveOfStatisticsOptions,
): ObjectiveOfStatistics {
  const where = "reference.papoLoss";
  options = readOnce(where, options);
  const numbers = objectiveNumbers(where, options);
  checkInputs(where, options, numbers);
  const rows = arrayLength(options.statistics.logProbs) as number;
  const { responseMask, denominators, sequences, cuSeqlens } = options;
  const layout = { rows, sequences, cuSeqlens };
  const weightsOf = (reduction: ObjectiveNumbers["reduction"]): Float64Array =>
    rowWeights({
      ...layout,
      responseMask,
      reduction,
      denominators,
      denominatorEpsilon: numbers.denominatorEpsilon,
      emptySequences: numbers.emptySequences,
    });
  const weights = weightsOf(numbers.reduction);
  const { perceptionWeights = weights } = options;
  const entropyWeights =
    numbers.entropyReduction === "same" ? weights : weightsOf(numbers.entropyReduction);

  const { terms: tokenTerms, cotangents } = tokenObjective({
    ...numbers,
    statistics: options.statistics,
    oldLogProbs: options.oldLogProbs,
    refLogProbs: options.refLogProbs,
    advantages: advantagesOfRows(where, options.advantages, layout),
    responseMask,
    weights,
    entropyWeights,
    perceptionWeights,
  });

  const counted = countedRows(where, responseMask, rows);
  const sum = (of: (row: number) => number): number => {
    let total = 0;
    for (let row = 0; row < rows; row++) if (counted[row]) total += of(row);
    return total;
  };
  const reduced = (name: keyof ReducedTerms, by: ArrayLike<number>): number =>
    sum((row) => (by[row] as number) * (tokenTerms[name][row] as number));
  const tokens = sum(() => 1);
  const mean = (of: (row: number) => number): number =>
    tokens === 0 ? 0 : sum(of) / (tokens + numbers.denominatorEpsilon);
  const share = (clip: number): number => mean((row) => (tokenTerms.clip[row] === clip ? 1 : 0));

  return {
    loss: sum((row) =>
      lossOfToken(
        tokenTerms,
        row,
        weights[row] as number,
        entropyWeights[row] as number,
        numbers,
        perceptionWeights[row],
      ),
    ),
    terms: {
      surrogate: reduced("surrogate", weights),
      refKl: reduced("refKl", weights),
      perceptionKl: reduced("perceptionKl", perceptionWeights),
      entropy: reduced("entropy", entropyWeights),
      maskedEntropy: reduced("maskedEntropy", entropyWeights),
    },
    metrics: {
      clipFractionLow: share(CLIP.low),
      clipFractionHigh: share(CLIP.high),
      clipFractionDual: share(CLIP.dual),
      approxKl: mean((row) => -Math.log(tokenTerms.ratio[row] as number)),
    },
    tokenTerms,
    cotangents,
    weights,
    entropyWeights,
  };
}

/**
 * The PAPO loss of a batch of logits and its gradients in both logits.
 *
 * The masked branch gets a gradient only where `maskedBranch` is `"differentiable"` and it comes as logits.
 *
 * @throws PapoError as `tokenStats` and `tokenObjective`; ERR_ARGUMENT where a term has a coefficient and lacks its input
 * @see PAPO (arXiv 2507.06448) eq. 2 and 3
 */
export function papoLoss(options: PapoLossOptions): PapoLoss {
  const where = "reference.papoLoss";
  options = readOnce(where, options);
  const { logits, maskedLogits, tokenIds, rows, vocabSize, rowPitch } = options;
  if (maskedLogits !== undefined && options.maskedLogProbs !== undefined) {
    const both = "maskedLogits or maskedLogProbs";
    throw expected("ERR_ARGUMENT", where, `${both}, not both of them`, "both");
  }
  const { temperature } = objectiveNumbers(where, options);
  const input = { logits, maskedLogits, tokenIds, rows, vocabSize, rowPitch, temperature };
  const tokens = tokenStats({
    ...input,
    responseMask: options.responseMask,
    onInvalid: options.onInvalid,
  });
  const counted = countedRows(where, options.responseMask, rows);
  const responseMask = counted.map((counts, row) => (counts && !tokens.invalid[row] ? 1 : 0));

  const hasMasked = maskedLogits !== undefined;
  const objective = objectiveOfStatistics({
    ...options,
    // Constants have no logits behind them for a gradient to reach.
    maskedBranch: hasMasked ? (options.maskedBranch ?? "constant") : "constant",
    responseMask,
    statistics: {
      logProbs: tokens.logProbs,
      maskedLogProbs: hasMasked ? tokens.maskedLogProbs : options.maskedLogProbs,
      entropy: tokens.entropy,
      maskedEntropy: hasMasked ? tokens.maskedEntropy : undefined,
      kl: hasMasked ? tokens.kl : undefined,
      reverseKl: hasMasked ? tokens.reverseKl : undefined,
    },
  });
  const gradients = tokenStatsGrad({
    ...input,
    responseMask,
    cotangents: objective.cotangents,
    gradScale: options.gradScale,
  });
  // A constant branch takes no gradient, though the exact divergences have a slope in it.
  if (options.maskedBranch !== "differentiable") gradients.gradMaskedLogits?.fill(0);
  return { ...objective, tokens, ...gradients };
}

/** [rows] advantages, given as such or by sequence. */
function advantagesOfRows(
  where: string,
  advantages: ArrayLike<number> | undefined,
  layout: Layout,
): Float64Array | undefined {
  if (advantages === undefined) return undefined;
  const { rows } = layout;
  const given = numbersOf(where, "advantages", advantages);
  const offsets = sequenceOffsets(where, layout);
  if (given.length === rows || given.length !== offsets.length - 1) return given;
  const ofRows = new Float64Array(rows);
  given.forEach((advantage, s) => {
    ofRows.fill(advantage, offsets[s], offsets[s + 1]);
  });
  return ofRows;
}

/** A term with a coefficient needs what it is made of. */
function checkInputs(
  where: string,
  { statistics, refLogProbs }: ObjectiveOfStatisticsOptions,
  numbers: ObjectiveNumbers,
): void {
  checkObject(where, "statistics", statistics);
  const exactEntropy = numbers.entropyEstimator === "exact";
  const perception = numbers.perceptionKlEstimator;
  const perceptionStatistic =
    perception === "exact" ? "kl" : perception === "exact-reverse" ? "reverseKl" : "maskedLogProbs";
  const maskedEntropyStatistic = exactEntropy ? "maskedEntropy" : "maskedLogProbs";
  const needs: readonly (readonly [string, unknown, boolean])[] = [
    ["statistics.logProbs", statistics.logProbs, true],
    ["refLogProbs", refLogProbs, numbers.refKlCoef !== 0],
    [
      `statistics.${perceptionStatistic}`,
      statistics[perceptionStatistic],
      numbers.perceptionKlCoef !== 0,
    ],
    ["statistics.entropy", statistics.entropy, exactEntropy && numbers.entropyCoef !== 0],
    [
      `statistics.${maskedEntropyStatistic}`,
      statistics[maskedEntropyStatistic],
      numbers.maskedEntropyCoef !== 0,
    ],
  ];
  for (const [name, value, needed] of needs) {
    if (needed && value === undefined) {
      throw expected("ERR_ARGUMENT", where, `${name}, which this objective uses`, describe(value));
    }
  }
  checkArray(where, "statistics.logProbs", statistics.logProbs);
}
